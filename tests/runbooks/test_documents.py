"""Documents are read whole, or refused with everything that is wrong at once."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.runbooks.documents import (
    MASK,
    Document,
    Findings,
    Variable,
    capture,
    check_value,
    parse,
    render,
    render_text,
)
from guardian_tui.engine.runbooks.documents.model import Share
from guardian_tui.engine.runbooks.documents.reading import MOST_INCLUDES
from guardian_tui.protocol.errors import InvalidRequest
from tests.runbooks.sample import document, found, step, steps

EXAMPLE = r"""---
id: disk-almost-full
title: Disk almost full
version: 3
for: [disk_low]
roles: [support]
hosts: {from: alert}
vars:
  mount: {type: path, from: alert.mount}
---
## Look first
Nothing is changed by this.
```step usage
check: df -P -- {{mount}}
capture: {used: '(\d+)%'}
```
```step cause
choose: What is filling the disk?
options: {logs: keep, unknown: stop}
```
## Free space safely
```step keep
input: Keep how many days of journal?
type: int
min: 2
default: 7
```
```step vacuum
run: journalctl --vacuum-time={{keep}}d
as: root
dangerous: true
fanout: {serial: [1, 25%], max_failures: 1}
next: end
```
That is all.
"""


def test_a_document_reads_as_its_author_wrote_it() -> None:
    read = document(EXAMPLE)
    assert (read.id, read.title, read.version, read.rules, read.roles) == (
        "disk-almost-full", "Disk almost full", "3", ("disk_low",), ("support",),
    )  # fmt: skip
    assert [(one.name, one.kind, one.title) for one in read.steps] == [
        ("usage", "check", "Look first"), ("cause", "choose", "Look first"), ("keep", "input", "Free space safely"), ("vacuum", "run", "Free space safely"),
    ]  # fmt: skip
    assert read.steps[0].prose == "## Look first\nNothing is changed by this."
    assert read.steps[0].read_only and not read.step("vacuum").read_only
    assert read.epilogue == "That is all."
    assert {one.name: one.type for one in read.variables} == {"mount": "path", "used": "text", "keep": "int"}
    assert read.following(read.step("usage")) == "cause" and read.following(read.step("vacuum")) == "end"
    vacuum = read.step("vacuum")
    assert vacuum.user == "root" and vacuum.dangerous and vacuum.fanout is not None
    assert [one.of(200) for one in vacuum.fanout.serial] == [1, 50]
    assert msgspec.json.decode(msgspec.json.encode(read), type=Document) == read


def test_a_changed_byte_changes_the_hash() -> None:
    assert document(EXAMPLE).hash != document(EXAMPLE + " ").hash
    assert document(EXAMPLE).hash == document(EXAMPLE).hash and len(document(EXAMPLE).hash) == 64


def test_values_become_one_word_each() -> None:
    read = document(EXAMPLE)
    assert render(read, read.step("usage"), {"mount": "/srv/a b;id"}).command == "df -P -- '/srv/a b;id'"
    assert render(read, read.step("vacuum"), {}).command == "journalctl --vacuum-time=7d"
    partial = render(read, read.step("usage"), {}, partial=True)
    assert (partial.command, partial.missing) == ("df -P -- {{mount}}", ("mount",))
    with pytest.raises(InvalidRequest, match="mount has no value yet"):
        render(read, read.step("usage"), {})
    with pytest.raises(InvalidRequest, match="less than 2"):
        render(read, read.step("vacuum"), {"keep": "1"})


def test_a_value_that_looks_like_a_placeholder_stays_one() -> None:
    read = document(EXAMPLE)
    assert (
        render(read, read.step("usage"), {"mount": "/{{keep}}", "keep": "5"}).command
        == "df -P -- '/{{keep}}'"
    )


def test_a_secret_goes_into_the_environment_and_is_masked() -> None:
    read = document(
        step(
            "run: cat\nenv: {PGPASSWORD: '{{word}}'}\nstdin: '{{word}}'",
            "vars: {word: {type: secret}}\n",
        )
    )
    done = render(read, read.steps[0], {"word": "-p'w\n"})
    assert done.environment == {"PGPASSWORD": "-p'w\n"} and done.stdin == "-p'w\n"
    assert done.shown == {"PGPASSWORD": MASK} and done.masked == ("PGPASSWORD",) and done.stdin_masked
    assert render_text(read, "with {{ word }}.", {"word": "x"}) == f"with {MASK}."


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("no-front-matter", "# A\n"),
        ("open-front-matter", "---\nid: a\n"),
        ("no-steps", steps("words\n")),
        ("missing-key", "---\nid: a\n---\n"),
        ("unknown-key", step("run: id\ntimout: 3s")),
        ("two-kinds", step("run: id\ncheck: id")),
        ("unknown-kind", step("rum: id")),
        ("no-kind", step("timeout: 3s")),
        ("double-key", step("run: id\nrun: id")),
        ("no-yaml", step("run: [")),
        ("no-yaml", step("a: &a [x]\nb: *a")),
        ("no-mapping", step("- run")),
        ("no-text", step("run: {{x}}")),
        ("no-text", step("run:")),
        ("empty", steps("```step one\n```\n")),
        ("bad-name", steps("```step\nrun: id\n```\n")),
        ("reserved-name", steps("```step end\nrun: id\n```\n")),
        ("open-fence", steps("```step one\nrun: id\n")),
        ("nested-step", steps("- a\n\n  ```step one\n  run: id\n  ```\n")),
        ("indented-fence", steps(" ```step one\n run: id\n ```\n")),
        ("fence-case", steps("```Step one\nrun: id\n```\n")),
        ("no-duration", step("run: id\ntimeout: 3")),
        ("no-duration", step("wait: cpu_busy_ratio < 50% for ever")),
        ("no-number", step("approve: Go on?\nquorum: 11")),
        ("no-flag", step("run: id\ndetach: yes")),
        ("no-share", step("run: id\nfanout: {serial: [half]}")),
        ("empty-batch", step("run: id\nfanout: {serial: [0]}")),
        ("hosts-ways", step("run: id\nhosts: {from: alert, filter: web}")),
        ("unknown-from", step("run: id\nhosts: {from: allert}")),
        ("bad-user", step("run: id\nas: Root!")),
        ("bad-environment", step("run: id\nenv: {LD_PRELOAD: x}")),
        ("bad-regex", step("run: id\ncapture: {a: '('}")),
        ("two-groups", step("run: id\ncapture: {a: '(a)(b)'}")),
        ("confirm-alone", step("run: id\nconfirm: yes")),
        ("no-options", step("choose: Which?")),
        ("no-options", step("input: Which?\ntype: enum")),
        ("options-unused", step("input: Which?\noptions: [a]")),
        ("bad-default", step("input: How many?\ntype: int\ndefault: many")),
        ("bad-bound", step("input: How many?\ntype: int\nmin: few")),
        ("bound-unused", step("input: Which?\nmin: 3")),
        ("secret-default", step("run: id", "vars: {a: {type: secret, default: x}}\n")),
        ("unknown-origin", step("run: id", "vars: {a: {from: anywhere}}\n")),
        ("unknown-field", step("run: id", "vars: {a: {from: alert.mounts}}\n")),
        ("bad-id", "---\nid: A b\ntitle: A\nversion: 1\n---\n"),
        ("hidden-character", step("run: id\u202e")),
        ("hidden-character", step("run: \x1b[2J")),
        ("hidden-character", step("run: 'a\rb'")),
        ("hidden-character", step('run: "a\\x1b[2J"')),
        ("hidden-character", step('run: "a\\0b"')),
        ("hidden-character", step('instruct: "a\\u202eb"')),
        ("odd-placeholder", step("run: ls -- {{my-file}}")),
        ("odd-placeholder", step("notify: '{{alert.mount}} is full.'")),
        ("odd-placeholder", step("run: id\nenv: {A: '{{ 1x }}'}")),
        ("hidden-character", steps("a\r```step one\rrun: id\r```\r")),
        ("hidden-character", steps("```step one\nrun: id\n\r\r\r```\n")),
        ("no-utf-8", b"---\nid: a\n\xff---\n"),
        ("too-large", "x" * 300_000),
        ("too-many-steps", steps("".join(f"```step s{n}\nrun: id\n```\n" for n in range(201)))),
        ("no-yaml", step("run: " + "[" * 50)),
        ("too-long", step(f"run: {'x' * 20_000}")),
    ],
)  # fmt: skip
def test_a_fault_is_found_with_its_place_and_a_hint(code: str, text: str | bytes) -> None:
    all_ = found(text)
    assert code in all_, all_
    assert all_[code].rstrip().endswith((".", "?", "…")), all_[code]


def test_all_faults_are_told_at_once_with_line_and_column() -> None:
    text = steps("```step one\nrun: id\ntimout: 3s\n```\n```step two\nrum: id\n```\n", "for: [disk_lwo]\n")
    read = parse(text, "a.md", rules=["disk_low"])
    assert isinstance(read, Findings)
    assert [str(one) for one in read.found] == [
        "a.md:6:6: error: There is no alert rule 'disk_lwo'. Did you mean disk_low? [unknown-rule]",
        "a.md:10:1: error: A step of kind run has no 'timout'. Did you mean timeout? [unknown-key]",
        "a.md:13:1: error: 'rum' is no kind of step. Did you mean run? [unknown-kind]",
    ]


def test_templates_of_other_programs_are_left_alone() -> None:
    read = document(
        step("check: docker ps --format '{{.Names}}' && docker info --format '{{json .Plugins}}'")
    )
    assert render(read, read.steps[0], {}).command.endswith("'{{json .Plugins}}'")


def test_no_stays_a_word() -> None:
    read = document(step("choose: Go on?\noptions: {yes: end, no: stop}"))
    assert [one.answer for one in read.steps[0].options] == ["yes", "no"]


PARTS = {
    "common/look.md": b"Look.\n```step look\ncheck: uptime\n```\n",
    "common/self.md": b"```include self.md\n```\n",
    "common/bad.md": b"```step bad\nrum: id\n```\n",
}


def load(path: str) -> bytes:
    """A part of a folder that lies in memory."""
    if path not in PARTS:
        raise InvalidRequest(f"There is no {path}.")
    return PARTS[path]


def test_a_part_is_included_with_its_own_places() -> None:
    read = parse(
        steps("```include ../common/look.md\n```\n```step go\nrun: id\n```\n"), "own/a.md", load=load
    )
    assert isinstance(read, Document)
    assert [(one.name, one.file, one.line) for one in read.steps] == [
        ("look", "common/look.md", 2),
        ("go", "own/a.md", 9),
    ]
    assert read.includes == ("common/look.md",)
    alone = parse(steps("```step go\nrun: id\n```\n"), "own/a.md")
    assert alone.hash != read.hash
    assert found(steps("```include common/bad.md\n```\n"), load=load)["unknown-kind"].startswith("2:1 ")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc/passwd", "outside"), ("../../etc/passwd", "outside"), ("common/self.md", "itself"), ("gone.md", "no gone.md"), ("", "names no file"),
    ],
)  # fmt: skip
def test_an_include_stays_in_its_folder(target: str, words: str) -> None:
    assert words in found(steps(f"```include {target}\n```\n"), load=load)["bad-include"]
    assert "can't include" in found(steps("```include common/look.md\n```\n"))["bad-include"]


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("host", ["web-1", "10.0.0.1", "fe80::1%eth0", "a.b.example"], ["-x", "a b", "a;b", "a..b", "ü"]),
        ("path", ["/", "/var/lib/a b", "/'"], ["var", "-r", "/a/../b", "~", "/a\nb"]),
        ("int", ["7", "0"], ["7.5", "-7", "x", "0x7", "9" * 19]),
        ("number", ["7", "0.5"], ["-1", "1e3", "nan"]),
        ("duration", ["90s", "1h30m", "2d"], ["90", "-1s", "400d", "h"]),
        ("datetime", ["2026-11-29 22:10:00", "2026-11-29T22:10:00+02:00"], ["yesterday", "29.11.2026", "-1"]),
        ("regex", ["^a.*b$", "(x|y)"], ["(", "-v", "(?<=x)y"]),
        ("word", ["a@b.service", "x:y", "a\\x2db"], ["-x", "a b", "$(id)", "'", "a;b", "~", "*"]),
        ("text", ["any thing; 'at all' $(id)", "ünïcode\u00a0x", "a\nb"], ["-x", "\0", "\x1b[0m", "\u2028", "\udcff", "x" * 5000, ""]),
        ("secret", ["-p'w", "a\tb"], ["\0", "a\rb", ""]),
    ],
)  # fmt: skip
def test_a_type_takes_what_it_says_and_no_option(type_: str, good: list[str], bad: list[str]) -> None:
    variable = Variable(name="x", type=type_)  # type: ignore[arg-type]  # of the table
    for text in good:
        assert check_value(variable, text)
    for text in bad:
        with pytest.raises(InvalidRequest) as refused:
            check_value(variable, text)
        assert refused.value.field == "x" and "x can't have this value" in refused.value.detail


def test_bounds_patterns_and_answers_hold() -> None:
    ten = Variable(name="x", type="duration", minimum="10s", maximum="1h")
    assert check_value(ten, "15m") == "15m"
    for text in ("9s", "2h"):
        with pytest.raises(InvalidRequest, match=r"10s|1h"):
            check_value(ten, text)
    since = Variable(name="x", type="datetime", minimum="2026-01-01 00:00")
    assert check_value(since, "2026-11-29T22:10:00+02:00") == "2026-11-29 20:10:00+00:00"
    with pytest.raises(InvalidRequest, match="less than"):
        check_value(since, "2025-01-01")
    assert check_value(since, "1795990200") == "2026-11-29 22:10:00+00:00"
    with pytest.raises(InvalidRequest, match="one of a, b"):
        check_value(Variable(name="x", type="enum", options=("a", "b")), "c")
    with pytest.raises(InvalidRequest, match="does not match"):
        check_value(Variable(name="x", type="word", pattern="[a-z]+"), "a1")


def test_a_part_of_few_hosts_is_never_none() -> None:
    assert [Share(percent=25.0).of(hosts) for hosts in (0, 1, 3, 4, 5, 200)] == [0, 1, 1, 1, 2, 50]
    assert [Share(count=3).of(hosts) for hosts in (0, 2, 9)] == [0, 2, 3]


def test_captures_take_the_first_group_and_leave_out_what_is_not_there() -> None:
    output = "Use%\n 83% /var\npid=17\n"
    assert capture({"used": r"(\d+)%", "pid": "pid=.*$", "none": "x(y)", "may": "a?(b)?"}, output) == {
        "used": "83",
        "pid": "pid=17",
    }
    assert len(capture({"all": ".*"}, "x" * 5000)["all"]) == 1000


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.binary(max_size=300))
def test_any_text_is_a_document_or_refused(text: str | bytes) -> None:
    assert isinstance(parse(text, "a.md"), Findings)
    inside = text if isinstance(text, str) else text.decode("latin-1")
    assert isinstance(parse(step(inside), "a.md"), (Document, Findings))
    assert isinstance(parse(step("run: id", inside + "\n"), "a.md"), (Document, Findings))


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz")
)


@pytest.mark.parametrize(
    ("code", "bomb"),
    [
        ("too-large", "\u200b" * 270_000), ("too-large", "\n" * 9_000), ("no-front-matter", "> " * 120_000), ("open-fence", "```step a\n" * 7000),
        ("bad-expression", step("wait: " + " for" * 4000)), ("no-yaml", step("a: " + "{" * 8000)), ("no-yaml", step("a: " + "[" * 7 + "]" * 7)),
        ("no-yaml", step("b: &b [x]\nc: [*b, *b]")), ("no-yaml", step(LAUGHS)), ("no-yaml", LAUGHS.join(("---\n", "---\n"))),
        ("no-yaml", step("run: id\n" + "".join(f"{'x' * 7}{number}: a\n" for number in range(1100)))), ("no-yaml", "---\n" + "a: b\n" * 7000 + "---\n"),
        ("too-many-steps", steps("".join(f"```step s{number}\nrun: id\n```\n" for number in range(250)))),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_text_that_is_made_to_take_long_is_refused_for_its_size(code: str, bomb: str) -> None:
    told = found(bomb)
    assert code in told, told
    assert len(told) < 20


def test_parts_that_include_each_other_are_read_once() -> None:
    read: list[str] = []

    def load(path: str) -> bytes:
        read.append(path)
        return "".join(f"```include _{name}.md\n```\n" for name in "abc").encode()

    told = found(steps("```include _a.md\n```\n"), load=load)
    assert "includes itself" in told["bad-include"]
    # each level names three: 3 + 9 + 27 ways, of which no more are read than is allowed
    assert len(read) <= MOST_INCLUDES
