"""What the headless commands print for a person."""

from __future__ import annotations

import time

import click
import pytest

from guardian_tui.cli_routes import _shape
from guardian_tui.cli_words import words_of
from guardian_tui.protocol.access import Invite
from guardian_tui.protocol.audit import AuditEvent, AuditPage
from guardian_tui.protocol.backups import (
    JobList,
    JobRow,
    JobSpec,
    ReadinessList,
    ReadinessRow,
    Snapshot,
    SnapshotList,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.fleet import FileSystem, HostDetail, HostList, HostRow, HostSpec
from guardian_tui.protocol.routes import ROUTES

NOW = 1_800_000_000.0
EVIL = "\x1b]52;c;aGk=\x07\x9b2J\u202e"


@pytest.fixture(autouse=True)
def in_one_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def row(**more: object) -> HostRow:
    return HostRow(**{"id": "a", "name": "web-1", "state": "down", "since": NOW, "why": "", **more})  # type: ignore[arg-type]  # its fields


def test_a_time_is_a_time_and_a_cell_that_is_cut_says_so() -> None:
    shown = words_of(HostList(hosts=(row(why="It refuses connections on port 22: is sshd running there?"),)))
    head, line = shown.splitlines()
    assert "since" in head and "2027-01-15 08:00:00+00:00" in line
    assert "It refuses connections on port 22: is s…" in line
    assert line.index("2027") == head.index("since")


def test_events_are_told_without_what_only_a_verifier_reads() -> None:
    event = AuditEvent(
        seq=7, time_ms=int(NOW * 1000), actor="ada", action="login", target="ada", outcome="ok", mac="ff" * 32
    )
    shown = words_of(AuditPage(events=(event,)))
    assert "2027-01-15 08:00:00+00:00" in shown and "ada" in shown and "ffff" not in shown


def test_what_is_nested_stands_below_its_name() -> None:
    disk = FileSystem(
        mount="/srv",
        kind="ext4",
        device="/dev/vda",
        size_bytes=1.0,
        available_bytes=1.0,
        used_ratio=0.5,
        read_only=False,
    )
    detail = HostDetail(
        row=row(),
        spec=HostSpec(name="web-1", labels={"role": "web"}),
        facts={},
        file_systems=(disk,),
        values={"load1": 0.25},
    )
    lines = words_of(detail).splitlines()
    assert {
        "row:",
        "  name: web-1",
        "spec:",
        "    role: web",
        "values:",
        "  load1: 0.25",
        "file_systems:",
    } <= set(lines)
    assert any(line.startswith("  /srv") for line in lines)


def test_nothing_is_said_and_so_is_done() -> None:
    assert words_of(HostList(hosts=())) == "None."
    assert words_of(Done()) == "Done."


def test_no_word_of_a_host_reaches_the_terminal_as_it_is() -> None:
    detail = HostDetail(
        row=row(why=EVIL),
        spec=HostSpec(name="web-1"),
        facts={EVIL: EVIL},
        values={},
        problems=(EVIL,),
        unsupported_keywords=(EVIL,),
    )
    for shown in (words_of(HostList(hosts=(row(name=EVIL, why=EVIL),))), words_of(detail)):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_a_time_that_is_none_stays_a_number() -> None:
    assert "1e+300" in words_of(HostList(hosts=(row(since=1e300),)))


def test_a_cell_without_a_value_is_empty() -> None:
    shown = words_of(HostList(hosts=(row(measured_at=NOW), row(name="web-2"))))
    assert "measured_at" in shown and "None" not in shown


def test_hosts_that_could_not_be_restored_say_why() -> None:
    why = ("files: no good snapshot", EVIL)
    shown = words_of(ReadinessList(hosts=(ReadinessRow(host_id="a", host="web-1", ready="no", why=why),)))
    assert "files: no good snapshot" in shown and "\x1b" not in shown
    assert "host_id" not in shown


def test_a_snapshot_is_told_by_its_time() -> None:
    shown = words_of(SnapshotList(snapshots=(Snapshot(id="s1", repository="vault", at=NOW),), total=1))
    assert "2027-01-15 08:00:00+00:00" in shown


def test_a_job_is_told_by_what_is_asked_of_it_and_its_reason_stands_last() -> None:
    job = JobRow(
        id="j1", name="web", host_id="a", host="web-1", repository="vault", engine="restic", state="failed", since=NOW, words="no room",
    )  # fmt: skip
    head, line = words_of(JobList(jobs=(job,))).splitlines()
    assert head.split()[:5] == ["name", "host", "repository", "engine", "state"]
    assert line.endswith("no room") and "j1" not in line


def test_structs_are_json_and_grants_are_words() -> None:
    shaped = _shape(
        ROUTES["backups.add"],
        {
            "name": "web", "host": "web-1", "repository": "vault", "keep": '{"daily": 7}', "drill": '{"every_days": 30}',
            "dumps": ('{"kind": "sqlite", "database": "/srv/a.db"}',),
        },
    )  # fmt: skip
    assert isinstance(shaped, JobSpec)
    assert (shaped.keep.daily, shaped.drill.every_days, shaped.dumps[0].database) == (7, 30, "/srv/a.db")
    invited = _shape(ROUTES["accounts.invite"], {"name": "eve", "grants": ("viewer@role=web",)})
    assert isinstance(invited, Invite) and invited.grants[0].scope == "role=web"
    with pytest.raises(click.UsageError, match="--keep is no JSON"):
        _shape(ROUTES["backups.add"], {"name": "web", "host": "", "repository": "vault", "keep": "daily=7"})
