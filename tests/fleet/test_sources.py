"""Inventories as people have them, and as nobody should: read, the wrong lines named by number, nothing run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.fleet.sources import read_source
from guardian_tui.engine.fleet.sources.ansible_ini import parse_ini
from guardian_tui.engine.fleet.sources.ansible_json import parse_json
from guardian_tui.engine.fleet.sources.ansible_vars import expand, jumps_of
from guardian_tui.engine.fleet.sources.ansible_yaml import MOST_ALIASES, parse_yaml
from guardian_tui.engine.fleet.sources.csv_table import parse_csv
from guardian_tui.engine.fleet.sources.entry import Reading
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.imports import SourceText

RECORDED = Path(__file__).parent / "sources"


def specs(reading: Reading) -> dict[str, HostSpec]:
    """The hosts that were read, by name."""
    return {entry.spec.name: entry.spec for entry in reading.entries}


def told(reading: Reading, *problems: tuple[int, str]) -> None:
    """These problems, each at its line, and no other."""
    assert len(reading.problems) == len(problems), "\n".join(reading.problems)
    for line, words in problems:
        assert any(p.startswith(f"{reading.file}:{line}: ") and words in p for p in reading.problems), (
            line, words, reading.problems,
        )  # fmt: skip


def test_an_ini_inventory_with_ranges_groups_within_groups_and_wrong_lines() -> None:
    reading = parse_ini((RECORDED / "hosts.ini").read_text(), "hosts.ini")
    hosts = specs(reading)
    assert set(hosts) == {
        "mail.example.com", "web01.example.com", "web02.example.com", "web03.example.com", "web-blue", "db-a", "db-b", "db-c", "db-x",
    }  # fmt: skip
    web, blue, db, mail = (hosts[n] for n in ("web02.example.com", "web-blue", "db-b", "mail.example.com"))
    # its own line over its group, its group over the group around it, that over all
    assert (web.user, blue.user, mail.user) == ("deploy", "ops", "ada")
    assert (blue.address, blue.port) == ("10.0.0.7", 2222)
    assert db.credential == "key:~/.ssh/db" and db.labels == {"team": "data base"}
    assert web.groups == ("prod", "web") and mail.groups == ()
    assert web.environment == mail.environment == "production"
    assert web.jump == ("mail.example.com",) and hosts["db-x"].port == 2200
    by_name = {entry.spec.name: entry for entry in reading.entries}
    assert by_name["web02.example.com"].where == "hosts.ini:5" and "port" not in by_name["db-b"].stated
    unsupported = " ".join(by_name["db-b"].unsupported)
    assert (
        "ansible_user" in unsupported
        and "ansible_become_password" in unsupported
        and "never" not in unsupported
    )
    told(
        reading, (10, "host quoted name"), (12, "host db-broken: port is no number"), (13, "holds nothing"), (14, "close the quotation"),
        (17, "reached by winrm"), (22, "nowhere is nowhere defined"), (25, "in a circle"), (37, "no variable"), (43, "is no heading"),
    )  # fmt: skip


def test_a_yaml_inventory_with_anchors_sealed_values_and_wrong_places() -> None:
    reading = parse_yaml((RECORDED / "hosts.yml").read_text(), "hosts.yml")
    hosts = specs(reading)
    assert set(hosts) == {
        "mail.example.com", "web01.example.com", "web02.example.com", "web03.example.com", "web-blue", "db-a",
    }  # fmt: skip
    assert hosts["web02.example.com"].user == hosts["db-a"].user == "deploy"
    assert (hosts["web-blue"].address, hosts["web-blue"].port) == ("10.0.0.7", 2222)
    assert hosts["db-a"].groups == ("db", "prod") and hosts["db-a"].jump == ("mail.example.com",)
    assert (
        hosts["db-a"].labels == {"team": "data base"}
        and hosts["mail.example.com"].environment == "production"
    )
    told(
        reading, (24, "stands here twice"), (26, "host bad name"), (27, "host db-broken: port is no number"), (29, "'servers' is none of hosts"),
    )  # fmt: skip


def test_what_a_script_lists() -> None:
    reading = parse_json((RECORDED / "list.json").read_text(), "list.json")
    hosts = specs(reading)
    assert set(hosts) == {"web-1", "db-1"}
    assert hosts["web-1"].address == "10.0.0.1" and hosts["web-1"].groups == ("web",)
    assert hosts["db-1"].jump == ("web-1",) and hosts["db-1"].environment == "test"
    told(reading, (5, "host odd name"), (10, "neither an object nor a list"), (11, "no list of names"))
    assert "no JSON" in parse_json("{]").problems[0]
    assert "no _meta.hostvars" in parse_json('{"web": ["a"]}').problems[0]
    assert "no JSON" in parse_json("[" * 100_000).problems[0]


def test_a_table_with_quotes_labels_and_wrong_rows() -> None:
    reading = parse_csv((RECORDED / "hosts.csv").read_text(), "hosts.csv")
    hosts = specs(reading)
    assert set(hosts) == {"web-1", "web-6"}
    web = hosts["web-1"]
    assert (web.address, web.port, web.user, web.environment, web.groups) == (
        "10.0.0.1",
        22,
        "ada",
        "prod",
        ("web",),
    )
    assert web.labels == {"team": 'a "big" one', "rack": "r1", "row": "2"}
    assert hosts["web-6"].jump == ("web-1",) and hosts["web-6"].groups == ("web", "blue")
    assert "port" not in {e.spec.name: e for e in reading.entries}["web-6"].stated
    told(
        reading, (1, "'colour' is not known"), (5, "host web-2: port"), (6, "'nolabel' is no label"), (7, "no name"),
        (8, "11 values under 10 headings"),
    )  # fmt: skip
    assert "no column is called name" in parse_csv("a,b\n1,2\n").problems[-1]
    assert list(specs(parse_csv("\ufeffname\tip\nx\t1.2.3.4\n".removeprefix("\ufeff")))) == ["x"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web", ["web"]), ("w[8:10]", ["w8", "w9", "w10"]), ("w[08:10]x", ["w08x", "w09x", "w10x"]), ("[a:c]", ["a", "b", "c"]),
        ("w[1:9:4]", ["w1", "w5", "w9"]), ("r[1:2]-[a:b]", ["r1-a", "r1-b", "r2-a", "r2-b"]),
    ],
)  # fmt: skip
def test_ranges(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    "pattern", ["w[3:1]", "w[", "w[1]", "w[0:99999999]", "w[1:5000]-[1:5000]", "[1:9999999999]", "[a:b:0]"]
)
def test_ranges_that_hold_nothing_or_too_much(pattern: str) -> None:
    with pytest.raises(ValueError, match="rang"):
        expand(pattern)


@pytest.mark.parametrize(
    ("arguments", "hops"),
    [
        ("-J bastion", ["bastion"]), ("-Jada@bastion:22,inner", ["bastion", "inner"]), ("-o ProxyJump=bastion", ["bastion"]),
        ("-oProxyJump=none", []), ("-C -o StrictHostKeyChecking=no", []), ('-o ProxyCommand="ssh -W %h:%p ada@bastion"', ["bastion"]),
        ('-o ProxyCommand="ssh -p 22 -i k -W %h:%p bastion"', ["bastion"]), ('-o ProxyCommand="nc bastion %h %p"', None),
        ('-o ProxyCommand="ssh -W %h:%p a; rm -rf /"', None), ('-o "', None), ("-J", [""]),
    ],
)  # fmt: skip
def test_jump_hosts_in_arguments_of_ssh(arguments: str, hops: list[str] | None) -> None:
    assert jumps_of(arguments) == hops


def test_bombs_are_refused_in_words() -> None:
    bomb = "a0: &a0 {x: y}\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert len(parse_yaml(bomb).problems) <= 500
    groups = "a0: &a0 {hosts: {h: }}\n" + "".join(
        f"a{n}: &a{n} {{children: {{{', '.join(f'g{n}x{k}: *a{n - 1}' for k in range(9))}}}}}\n"
        for n in range(1, 30)
    )
    began = time.process_time()
    assert any("too many groups" in problem for problem in parse_yaml(groups).problems)
    assert time.process_time() - began < 60
    assert "nested deeper" in parse_yaml("[" * 5000).problems[0]
    assert "nested deeper" in parse_yaml("".join("  " * n + "a:\n" for n in range(900))).problems[0]
    assert (
        "aliases"
        in parse_yaml("a: &a b\n" + "".join(f"k{n}: *a\n" for n in range(MOST_ALIASES + 1))).problems[0]
    )
    assert "larger than" in parse_yaml("#" * 1_000_001).problems[0]
    assert "within what it names" in parse_yaml("a: &a {b: *a}").problems[0]
    wide = "".join(f"[g{n}:children]\n" + "".join(f"g{k}\n" for k in range(n)) for n in range(200))
    assert any("children of groups" in problem for problem in parse_ini(wide + "[g0]\nweb\n").problems)
    deep = "[g0]\nweb\n" + "".join(f"[g{n}:children]\ng{n - 1}\n" for n in range(1, 900))
    assert specs(parse_ini(deep))["web"].groups


def test_no_tag_of_a_yaml_file_makes_an_object() -> None:
    reading = parse_yaml(
        "all:\n  hosts:\n    web:\n      ansible_host: !!python/object/apply:os.system ['touch x']\n"
    )
    assert specs(reading)["web"].address is None
    assert "ansible_host" in reading.entries[0].unsupported[0]


_WORDS = st.sampled_from(
    ["[", "]", ":", "web", "[web]", "[web:children]", "[web:vars]", "[1:3]", "\n", "\n  ", " ", "=", "'", '"', "#", "{", "}", "&a", "*a", "!x",
     "<<", "all:", "hosts:", "children:", "vars:", "ansible_host", "ansible_port=22", "-", ",", ";", "name", "\r", "\x00", "\ufeff", "\u202e", "é"]
)  # fmt: skip
_TEXTS = st.text(max_size=200) | st.lists(_WORDS, max_size=40).map("".join)
_FORMATS = st.sampled_from(["ssh_config", "ansible_ini", "ansible_yaml", "ansible_json", "csv"])


@settings(max_examples=400, deadline=None)
@given(_FORMATS, _TEXTS)
def test_no_text_breaks_a_reader(format: str, text: str) -> None:
    reading = read_source(SourceText(format=format, name="file", text=text))  # type: ignore[arg-type]  # one of its literals
    for problem in reading.problems:
        assert problem.startswith("file:") and problem.isprintable()
    for entry in reading.entries:
        assert entry.where.startswith("file:")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["web", "all", "_meta", "hostvars", "hosts", "children", "vars", "ansible_host", "ansible_port"]), inner, max_size=5
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_JSON)
def test_no_document_breaks_the_readers_of_lists(document: object) -> None:
    import json

    text = json.dumps(document)
    for parse in (parse_json, parse_yaml):
        assert all(len(problem) <= 400 for problem in parse(text).problems)
