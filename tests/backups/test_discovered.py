"""Set-ups of other tools, understood from their files alone: as their documentation has them, damaged, and hostile."""

from __future__ import annotations

import base64
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.discovery import documents, shell, timetable
from guardian_tui.engine.backups.discovery.orders import version_of
from guardian_tui.engine.backups.discovery.reading import File, Readings, take
from guardian_tui.engine.backups.discovery.search import _runners, last_sign, understood
from guardian_tui.engine.backups.discovery.setups import (
    Setup,
    masked,
    name_of,
    problem_of,
    proposal,
    same_place,
)

RECORDED = Path(__file__).parent / "discovered"
KNOWN = {path.name for path in RECORDED.iterdir()}


def host(**files: str) -> list[Setup]:
    """Set-ups of a host with these files; a name is looked up among the recorded ones, else it is the text itself."""
    read = Readings(user="root", home="/root")
    for path, name in files.items():
        text = (RECORDED / name).read_text().replace("/HOME", "/root") if name in KNOWN else name
        read.files[path] = File(path, text)
    return understood(read, _runners(read))


def one(setups: list[Setup], **wanted: str) -> Setup:
    found = [setup for setup in setups if all(getattr(setup, key) == value for key, value in wanted.items())]
    assert len(found) == 1, [(setup.tool, setup.file, setup.profile) for setup in setups]
    return found[0]


def test_borgmatic_with_sections_and_its_timer() -> None:
    setups = host(
        **{
            "/etc/borgmatic/config.yaml": "borgmatic-1.5.yaml",
            "/etc/systemd/system/borgmatic.service": "borgmatic.service",
            "/etc/systemd/system/borgmatic.timer": "borgmatic.timer",
        }
    )
    setup = one(setups, tool="borgmatic")
    assert not setup.why
    assert setup.sources == ["/home", "/etc", "/var/log/syslog*"]
    away, disk = setup.repositories
    assert away.location == "ssh://user@backupserver/./sourcehostname.borg"
    assert away.options == {"rsh": "ssh -i /root/.ssh/borg", "remote-path": "borg1"}
    assert away.secrets == {"BORG_PASSPHRASE": 'hunter2 "of" $HOME'} and away.how == "its configuration"
    assert disk.signs == ("/mnt/removable/backup.borg",)
    ((runner, what),) = setup.runners
    assert (runner.kind, runner.where, runner.when, what) == (
        "timer",
        "borgmatic.timer",
        "daily",
        "borgmatic",
    )
    stamp = "/var/lib/systemd/timers/stamp-borgmatic.timer"
    assert last_sign(setup, {stamp: (77.0, "root"), "/mnt/removable/backup.borg": (66.0, "root")}) == (
        77.0,
        "its timer fired",
    )
    spec = proposal(away, "web-1", name_of(away, setup, "web-1", {"web-1-sourcehostname.borg"}))
    assert (spec.name, spec.engine, spec.secrets) == (
        "web-1-sourcehostname.borg-2", "borg", {"BORG_PASSPHRASE": "secret:backups/web-1-sourcehostname.borg-2"},
    )  # fmt: skip
    assert problem_of(spec) == ""


def test_borgmatic_without_sections_gets_its_passphrase_from_a_command() -> None:
    setup = one(host(**{"/etc/borgmatic.d/app.yaml": "borgmatic-1.8.yaml"}), tool="borgmatic")
    assert [found.label for found in setup.repositories] == ["borgbase", "local"]
    assert setup.repositories[0].options == {"passcommand": "secret-tool lookup borg-repository repo-name"}
    assert not setup.repositories[0].secrets
    assert problem_of(proposal(setup.repositories[0], "web", "web-x")) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("repositories: [a\n", "no YAML"),
        ("- 1\n- 2\n", "no mapping"),
        (
            "source_directories: [/etc]\nretention: !include /etc/borgmatic/common.yaml\n",
            "common.yaml, which could not be read",
        ),
        ("source_directories:\n    - /etc\n", "no repository"),
        ("a: &a [1]\n" + "".join(f"x{n}: [{', '.join(['*a'] * 30)}]\n" for n in range(40)), "aliases"),
        ("[" * 200 + "]" * 200, "deeper"),
    ],
)
def test_what_cannot_be_understood_is_said_of_that_file_alone(text: str, words: str) -> None:
    setups = host(
        **{"/etc/borgmatic/config.yaml": text + "\n", "/etc/borgmatic.d/app.yaml": "borgmatic-1.8.yaml"}
    )
    assert words in one(setups, file="/etc/borgmatic/config.yaml").why
    assert len(one(setups, file="/etc/borgmatic.d/app.yaml").repositories) == 2


def test_aliases_that_multiply_are_not_followed_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(documents.NotRead, match="20000 values"):
        documents.read_document("x.yaml", "\n".join(lines))


def test_profiles_of_resticprofile_with_inheritance_templates_and_their_timer() -> None:
    setups = host(
        **{
            "/root/profiles.toml": "profiles.toml",
            "/etc/systemd/system/resticprofile-backup@profile-documents.service": "resticprofile.service",
            "/etc/systemd/system/resticprofile-backup@profile-documents.timer": "resticprofile.timer",
        }
    )
    default = one(setups, profile="default")
    assert default.repositories[0].location == "/backup"
    assert default.repositories[0].options == {"password-file": "/root/password.txt"}
    assert default.declared == [("resticprofile backup", "daily")] and default.sources == ["/home"]
    assert default.signs == ("/root/backup-status.json",) and not default.runners
    documents_ = one(setups, profile="documents")
    found = documents_.repositories[0]
    assert found.location == "rest:https://backup.example.org:8000/documents"
    assert found.secrets["RESTIC_REPOSITORY"].endswith("@backup.example.org:8000/documents")
    assert [when for _, when in documents_.declared] == ["*:00,30", "Mon..Fri 02:30"]
    ((runner, what),) = documents_.runners
    assert (runner.when, what) == (
        "Mon..Fri 02:30; *:00,30",
        "resticprofile backup@documents".replace("backup@documents", "run-schedule"),
    )
    assert "template" in one(setups, profile="root").why
    spec = proposal(found, "web", "docs")
    assert spec.secrets["RESTIC_REPOSITORY"] == "secret:backups/docs-restic-repository"
    assert problem_of(spec) == ""


def test_profiles_in_yaml_of_the_second_version() -> None:
    setup = one(host(**{"/etc/resticprofile/profiles.yaml": "profiles.yaml"}), tool="resticprofile")
    found = setup.repositories[0]
    assert (setup.profile, found.location, setup.declared) == (
        "src",
        "s3:https://s3.example.org/bucket",
        [("resticprofile backup", "*:00,30")],
    )
    assert found.options == {"password-file": "/etc/resticprofile/key"}
    assert set(found.secrets) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert problem_of(proposal(found, "web", "src")) == ""


def test_stanzas_of_pgbackrest_with_two_repositories() -> None:
    setup = one(host(**{"/etc/pgbackrest/pgbackrest.conf": "pgbackrest.conf"}), tool="pgbackrest")
    assert [(found.location, found.label) for found in setup.repositories] == [
        ("demo", "/var/lib/pgbackrest"), ("demo", "s3 demo-bucket:/demo-repo"),
        ("demo-alt", "/var/lib/pgbackrest"), ("demo-alt", "s3 demo-bucket:/demo-repo"),
    ]  # fmt: skip
    assert setup.repositories[3].options == {"repo": "2", "user": "postgres", "port": "5433"}
    assert not any(found.secrets for found in setup.repositories)
    assert len({setup.id_of(found) for found in setup.repositories}) == 4
    assert problem_of(proposal(setup.repositories[3], "db", "db-alt")) == ""


def test_a_script_that_cron_runs_with_the_variables_that_it_takes_in() -> None:
    setups = host(
        **{
            "/etc/cron.d/jobs": "SHELL=/bin/sh\n30 2 * * * root /root/backup.sh\n",
            "/root/backup.sh": "backup.sh",
            "/root/.restic-env": "restic-env",
        }
    )
    setup = one(setups, tool="restic")
    assert setup.file == "/root/backup.sh"
    assert setup.repositories[0].location == "sftp:backup@store.example.org:/srv/restic/web"
    assert setup.repositories[0].secrets == {"RESTIC_PASSWORD": "hunter2 of restic"}
    assert [(runner.kind, runner.when, what) for runner, what in setup.runners] == [
        ("cron", "30 2 * * *", "restic backup"), ("cron", "30 2 * * *", "restic forget"),
    ]  # fmt: skip


def test_borg_in_a_crontab_and_a_line_that_only_speaks_of_restic() -> None:
    setups = host(**{"/var/spool/cron/crontabs/root": "crontab"})
    setup = one(setups, tool="borg")
    assert setup.repositories[0].location == "ssh://u123456@u123456.example.org:23/./backups/web"
    assert setup.repositories[0].secrets == {"BORG_PASSPHRASE": "hunter2-in-cron"}
    assert [what for _, what in setup.runners] == ["borg create"]
    assert {one.tool for one in setups} == {"borg"}


def test_a_file_of_variables_that_nothing_uses_is_a_set_up_too() -> None:
    text = "RESTIC_REPOSITORY=rest:http://store:8000/\nRESTIC_PASSWORD_FILE=/etc/restic/password\n"
    setup = one(host(**{"/etc/restic/web.env": text}), tool="restic")
    assert setup.repositories[0].options == {"password-file": "/etc/restic/password"}
    assert not setup.runners


def test_a_daily_script_and_a_service_with_an_environment_file() -> None:
    service = (
        '[Service]\nEnvironment="RESTIC_CACHE_DIR=/c d" X=1\nEnvironmentFile=-/etc/restic.env\nExecStart=\n'
        "ExecStart=@/usr/bin/restic \\\n  backup --repo=${RESTIC_REPOSITORY} /srv\n"
    )
    setups = host(
        **{
            "/etc/cron.daily/backup": "#!/bin/sh\nborg create /srv/b::x /etc || true\n",
            "/etc/systemd/system/restic.service": service,
            "/etc/restic.env": "RESTIC_REPOSITORY=/srv/restic\nRESTIC_PASSWORD=(hidden)\n",
        }
    )
    restic = one(setups, tool="restic", file="restic.service")
    assert restic.repositories[0].location == "/srv/restic"
    assert restic.runners[0][0].kind == "service"
    borg = one(setups, tool="borg")
    assert (borg.runners[0][0].when, borg.runners[0][0].stamps) == (
        "daily",
        ("/var/spool/anacron/cron.daily",),
    )


def test_locations_that_are_written_in_two_ways_are_one_place() -> None:
    assert same_place("borg", "u@h:/srv/x/", "ssh://u@h/srv/x")
    assert same_place("borg", "u@h:x", "ssh://u@h/./x")
    assert same_place("restic", "local:/srv/x", "/srv/x/")
    assert not same_place("restic", "/srv/x", "/srv/xy")
    assert masked("rest:https://u:p@h/x and s3:https://h/b") == "rest:https://u:***@h/x and s3:https://h/b"


def test_of_what_a_program_says_its_version_is_taken() -> None:
    assert version_of("restic 0.14.0 compiled with go1.19.8 on linux/amd64") == "0.14.0"
    assert (
        version_of("borg 1.4.0rc1") == "1.4.0rc1" and version_of("no\x1b[2J") == "2J" and version_of("") == ""
    )


def packed(*records: tuple[bytes, bytes, bytes, bytes]) -> bytes:
    return b"".join(field + b"\0" for record in records for field in record)


def test_an_answer_that_is_cut_or_lies_is_read_as_far_as_it_goes() -> None:
    read = Readings(user="ada")
    whole = base64.b64encode(b"x: 1\n")
    take(
        read,
        packed(
            (b"text", b"/a\nb", b"1700000000 root", whole), (b"denied", b"/c", b"drwx------ root", b""), (b"text", b"/d", b"x y", b"!!"),
            (b"text", b"/e", b"0 root", base64.b64encode(b"x" * (1 << 18))), (b"text", b"/a\nb", b"1 evil", whole),
        )
        + b"text\0/cut\0",
    )  # fmt: skip
    assert read.files["/a\nb"] == File("/a\nb", "x: 1\n", "", 1.7e9, "root")
    assert "ada may not read it (drwx------ root)" in read.files["/c"].why
    assert "end" in read.files["/d"].why and "larger" in read.files["/e"].why
    assert set(read.files) == {"/a\nb", "/c", "/d", "/e"}


_HOSTILE = st.text(
    st.one_of(st.sampled_from(" \t\n'\"$;|&(){}[]:=*%@#-<!\\/"), st.sampled_from(string.ascii_letters)),
    max_size=300,
)
_FRAGMENTS = st.lists(
    st.sampled_from(["restic backup -r ", "borg create ", "RESTIC_REPOSITORY=", "* * * * * ", "[Service]\nExecStart=", "$X", "${X}", "'", '"', "\\\n", "repositories:\n  - ", "path: ", "&a ", "*a", "[global]\n", "[[x]]\n", "::", "/x", "\n"]) | _HOSTILE,
    max_size=12,
).map("".join)  # fmt: skip
_PATHS = (
    "/etc/borgmatic/config.yaml", "/etc/resticprofile/profiles.toml", "/root/profiles.json", "/etc/pgbackrest/pgbackrest.conf",
    "/etc/cron.d/x", "/etc/cron.daily/x", "/etc/systemd/system/x.service", "/etc/systemd/system/x.timer", "/etc/restic/env", "crontab of root",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(_PATHS), _FRAGMENTS, max_size=4))
def test_nothing_that_stands_in_a_file_ends_the_search(files: dict[str, str]) -> None:
    setups = host(**files)
    for setup in setups:
        for found in setup.repositories:
            assert setup.id_of(found)
            assert name_of(found, setup, "web", set())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_any_answer_is_read(answer: bytes) -> None:
    take(Readings(), answer)
    take(Readings(), answer.replace(b" ", b"\0"))


def test_many_variables_and_long_lines_cost_little() -> None:
    text = "\n".join(f"V{n}=${{V{n - 1}}}${{V{n - 1}}}x" for n in range(1, 4000))
    assert len(shell.assignments(text)) <= shell.MOST_VARIABLES
    assert all(len(value) <= shell.LONGEST_LINE for value in shell.assignments(text).values())
    assert (
        len(timetable.of_cron(File("/etc/cron.d/x", "* * * * * root true\n" * 9000))) <= timetable.MOST_LINES
    )
