"""Files that others take in, templates of units and of profiles, and HCL: followed as far as files alone tell, and what is left out is named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.discovery.documents import NotRead, read_document
from guardian_tui.engine.backups.discovery.hcl import BadHcl, read_hcl
from guardian_tui.engine.backups.discovery.reading import File, Readings, take
from guardian_tui.engine.backups.discovery.search import _runners, _taken_in, understood
from guardian_tui.engine.backups.discovery.setups import Setup
from guardian_tui.engine.backups.discovery.units import of_units

SYSTEM = "/etc/systemd/system"
SERVICE = (
    "[Service]\nEnvironment=WHO=%i\nExecStart=/usr/bin/borgmatic --config /etc/borgmatic.d/%i.yaml --syslog-verbosity 1 create\n"
    "ExecStartPost=/bin/echo 100%% of %I\nEnvironment=ALL=%n,%p\n"
)
TIMER = "[Timer]\nOnCalendar=daily\nPersistent=true\n"
BORGMATIC = "source_directories: [/srv]\nrepositories:\n    - path: /srv/{name}.borg\n"


def host(files: dict[str, str], *enabled: str) -> list[Setup]:
    read = Readings(user="root", home="/root", machine="web-1", enabled=list(enabled))
    read.files = {path: File(path, text) for path, text in files.items()}
    return understood(read, _runners(read))


def told(setups: list[Setup]) -> dict[str, list[tuple[str, str, str]]]:
    return {
        setup.profile or setup.file: [(one.kind, one.where, one.when) for one, _ in setup.runners]
        for setup in setups
    }


def test_a_template_of_a_unit_is_its_instances_each_with_its_own_configuration() -> None:
    files = {
        f"{SYSTEM}/borgmatic@.service": SERVICE,
        f"{SYSTEM}/borgmatic@.timer": TIMER,
        f"{SYSTEM}/borgmatic@mail.timer": "[Timer]\nOnCalendar=Mon 03:00\n",
        f"{SYSTEM}/nightly.timer": "[Timer]\nOnCalendar=02:00\nUnit=borgmatic@cold.service\n",
        "/etc/borgmatic.d/shop.yaml": BORGMATIC.replace("{name}", "shop"),
        "/etc/borgmatic.d/mail.yaml": BORGMATIC.replace("{name}", "mail"),
        "/etc/borgmatic.d/cold.yaml": BORGMATIC.replace("{name}", "cold"),
        "/etc/borgmatic.d/idle.yaml": BORGMATIC.replace("{name}", "idle"),
    }
    found = told(host(files, "borgmatic@shop.timer", "other@x.timer"))
    assert found == {
        "/etc/borgmatic.d/shop.yaml": [("timer", "borgmatic@shop.timer", "daily")],
        "/etc/borgmatic.d/mail.yaml": [("timer", "borgmatic@mail.timer", "Mon 03:00")],
        "/etc/borgmatic.d/cold.yaml": [("timer", "nightly.timer", "02:00")],
        "/etc/borgmatic.d/idle.yaml": [],
    }
    units = [File(path, text) for path, text in files.items() if path.startswith(SYSTEM)]
    runners = {one.where: one for one in of_units(units, "/root", ["borgmatic@a-b.service"])}
    alone = runners["borgmatic@a-b.service"]
    assert (alone.kind, dict(alone.env)) == (
        "service",
        {"WHO": "a-b", "ALL": "borgmatic@a-b.service,borgmatic"},
    )
    assert alone.command.endswith("/bin/echo 100% of a/b")
    assert runners["nightly.timer"].stamps == ("/var/lib/systemd/timers/stamp-nightly.timer",)
    # with no instance nothing runs it by itself
    (template,) = of_units(units[:2], "/root")
    assert (template.kind, template.where, template.when) == ("service", "borgmatic@.service", "")


def test_a_calendar_that_is_the_instance_itself() -> None:
    units = [
        File(f"{SYSTEM}/save@.service", "[Service]\nExecStart=/usr/bin/restic backup\n"),
        File(f"{SYSTEM}/save@.timer", "[Timer]\nOnCalendar=%i\n"),
    ]
    assert [one.when for one in of_units(units, "/", ["save@weekly.timer"])] == ["weekly"]


def test_borgmatic_with_what_it_takes_in() -> None:
    files = {
        "/etc/borgmatic/config.yaml": "<<: !include common.yaml\nsource_directories: [/srv]\nrepositories: !include [/root/one.yaml, ~/two.yaml]\n"
        "ssh_command: ssh -p 23\n",
        "/etc/borgmatic/common.yaml": "source_directories:\n    - /etc\nencryption_passcommand: pass show borg\nssh_command: ssh\n"
        "keep_daily: !include /etc/borgmatic/gone.yaml\n",
        "/root/one.yaml": "- path: /srv/one.borg\n",
        "/root/two.yaml": "- path: ssh://u@h/./two.borg\n",
    }
    read = Readings(user="root", home="/root")
    read.files = {path: File(path, text) for path, text in files.items()}
    assert set(_taken_in(read)) == {
        "/etc/borgmatic/common.yaml", "/etc/borgmatic/gone.yaml", "/root/one.yaml", "/root/two.yaml"
    }  # fmt: skip
    setup = next(one for one in host(files) if one.file.endswith("config.yaml"))
    # of lists that are taken in whole the last stands; within a mapping both are put together
    assert setup.sources == ["/etc", "/srv"]
    assert [found.location for found in setup.repositories] == ["ssh://u@h/./two.borg"]
    assert setup.repositories[0].options == {"passcommand": "pass show borg", "rsh": "ssh -p 23"}
    assert setup.why == (
        "it takes in /etc/borgmatic/gone.yaml, which could not be read: what stands there is left out"
    )


def test_files_that_take_in_each_other_end() -> None:
    files = {
        "/etc/borgmatic/config.yaml": "<<: !include b.yaml\n",
        "/etc/borgmatic/b.yaml": "<<: !include config.yaml\n",
    }
    assert all("takes in itself" in setup.why for setup in host(files))


def test_profiles_take_in_others_and_their_templates_are_filled_where_files_tell() -> None:
    files = {
        "/etc/resticprofile/profiles.toml": """
includes = ["more/*.toml", "none/*.toml"]
{{ define "keys" }}
password-file = "{{ .ConfigDir }}/key"
{{ end }}
{{/* what all have */}}
[base]
repository = "sftp:store:/srv/{{ .Hostname }}/{{ .Profile.Name }}"
{{ template "keys" . }}
""",
        "/etc/resticprofile/more/web.toml": '[web]\ninherit = "base"\n[web.backup]\nsource = ["{{ .Env.HOME }}/www"]\nschedule = "daily"\n',
        "/etc/resticprofile/more/far.toml": '[far]\ninherit = "base"\nrepository = "rest:{{ .Env.STORE }}"\n',
    }
    setups = {setup.profile: setup for setup in host(files)}
    assert set(setups) == {"base", "web", "far"}
    web = setups["web"]
    assert web.file == "/etc/resticprofile/profiles.toml"
    assert web.repositories[0].location == "sftp:store:/srv/web-1/web"
    assert web.repositories[0].options == {"password-file": "/etc/resticprofile/key"}
    assert (web.sources, web.declared) == (["/root/www"], [("resticprofile backup", "daily")])
    assert (
        web.why == "it takes in /etc/resticprofile/none/*.toml, of which there is no file that could be read"
    )
    assert setups["far"].why.startswith("{{ .Env.STORE }} is a template that is filled in only when it runs")


def test_a_template_that_steers_is_named() -> None:
    (setup,) = host(
        {"/etc/resticprofile/profiles.toml": '{{ range .X }}\n[a]\nrepository = "/x"\n{{ end }}\n'}
    )
    assert "({{ range .X }})" in setup.why and "resticprofile show" in setup.why


HCL = """
# what all have
global { priority = "low" }
"default" {
    repository = "local:/backup"   // where
    password-file = "key"
    initialize = true
    backup { source = ["/home", "/etc",] exclude = [] }
    env = { AWS_ACCESS_KEY_ID = "a\\"b" }
    note = <<EOF
one
EOF
}
documents {
    inherit = "default"
    backup = { schedule = "daily" source = "/docs" }
}
documents { lock = "/run/lock" }
"""


def test_hcl_is_read() -> None:
    setups = {setup.profile: setup for setup in host({"/etc/resticprofile/profiles.hcl": HCL})}
    default, documents = setups["default"], setups["documents"]
    assert default.repositories[0].location == "/backup" and default.sources == ["/home", "/etc"]
    assert default.repositories[0].options == {"password-file": "/etc/resticprofile/key"}
    assert default.repositories[0].secrets["AWS_ACCESS_KEY_ID"] == 'a"b'
    assert (documents.sources, documents.declared) == (["/docs"], [("resticprofile backup", "daily")])
    assert read_hcl(HCL)["default"]["note"] == "one\n"  # type: ignore[index, call-overload]  # a mapping
    assert read_hcl('job "a" "b" { x = 1 }') == {"job": {"a": {"b": {"x": "1"}}}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a {", "within a block"), ("a = [1", "within a list"), ("a =", "before a value"), ("}", "too many"), ("= 1", "a name was expected"),
        ("a b", "neither a block"), ('a = "x', "can't be read"), ("a = }", "a value was expected"), ("a = 1\na b { }", "a value and a block"),
        ("a {" * 60 + "}" * 60, "nested deeper"), ("a = " + "[" * 60, "a value was expected"),
    ],
)  # fmt: skip
def test_what_is_no_hcl_is_said_with_its_line(text: str, words: str) -> None:
    with pytest.raises(BadHcl, match=words):
        read_hcl(text)
    with pytest.raises(NotRead, match="it is no HCL"):
        read_document("profiles.hcl", text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab={}[]",\n\\ <E:/*#', max_size=60))
def test_any_text_is_hcl_or_is_said_to_be_none(text: str) -> None:
    with contextlib.suppress(BadHcl):
        read_hcl(text)


def test_what_a_host_tells_of_itself_and_of_its_instances() -> None:
    read = Readings()
    take(read, b"machine\0web-1\0\0\0" + b"wanted\0borgmatic@x.timer\0\0\0" * 500)
    assert read.machine == "web-1" and len(read.enabled) == 400
