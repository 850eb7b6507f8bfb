"""What the headless commands print for a person."""

from __future__ import annotations

import time

import msgspec
import pytest

from guardian_tui.cli.options import shape
from guardian_tui.cli.runs import show_plan, show_step
from guardian_tui.cli.words import words_of
from guardian_tui.protocol.access import Invite, RecoveryCodes
from guardian_tui.protocol.acts import LogLine, LogLines
from guardian_tui.protocol.audit import AuditPage
from guardian_tui.protocol.backups import (
    JobList,
    JobRow,
    JobSpec,
    ReadinessList,
    ReadinessRow,
    RetentionPlan,
    Snapshot,
    SnapshotList,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.fleet import (
    FileSystem,
    History,
    HostDetail,
    HostList,
    HostRow,
    HostSpec,
    SecretList,
)
from guardian_tui.protocol.routes import ROUTES
from guardian_tui.protocol.runbooks import (
    PlannedCommand,
    PlannedStep,
    RunbookDetail,
    RunbookDryRun,
    RunbookOption,
    RunbookPlan,
    RunbookRow,
    RunbookStep,
    RunbookVariable,
)
from guardian_tui.protocol.sections import SectionTable
from widgets.runbook_lines import commands_lines

NOW = 1_800_000_000.0
EVIL = "\x1b]52;c;aGk=\x07\x9b2J\u202e"


@pytest.fixture(autouse=True)
def in_one_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def row(**more: object) -> HostRow:
    return HostRow(**{"id": "a", "name": "web-1", "state": "down", "since": NOW, "why": "", **more})  # type: ignore[arg-type]  # its fields


def test_a_table_fits_the_terminal_and_is_cut_nowhere_else() -> None:
    answer = HostList(hosts=(row(cpu=0.5, why="It refuses connections on port 22: is sshd running there?"),))
    head, line = words_of(answer, width=0, now=NOW + 7200).splitlines()
    assert line.endswith("is sshd running there?") and "2h" in line
    assert line.index("2h") + 2 == head.index("since") + 5
    for narrow in words_of(answer, width=50, now=NOW).splitlines():
        assert len(narrow) <= 50
    assert words_of(answer, width=50, now=NOW).endswith("…")
    snapshot = Snapshot(
        id="b97c87713dd9f5356f80538769f8241b4a523de15b3f3367",
        repository="a repository with a long name",
        at=NOW,
    )
    shown = words_of(SnapshotList(snapshots=(snapshot,), total=1), width=60)
    assert snapshot.id in shown and "a repositor…" in shown


def test_values_have_their_units() -> None:
    disk = FileSystem(
        mount="/srv", kind="ext4", device="vda", size_bytes=3 << 30, available_bytes=1.0, used_ratio=0.5
    )
    shown = words_of(
        HostDetail(row=row(cpu=0.25, uptime_seconds=7200.0), spec=HostSpec(name="web-1"), facts={}, file_systems=(disk,),
                   values={"disk_busy_ratio{vda}": 0.125, "disk_read_bytes_per_second{vda}": 2048.0, "load1": 0.25})
    )  # fmt: skip
    for words in (
        "cpu: 25%",
        "uptime_seconds: 2h",
        "3.0 GiB",
        "50%",
        "disk_busy_ratio{vda}: 12%",
        "2.0 KiB/s",
        "load1: 0.25",
    ):
        assert words in shown, words
    job = JobRow(
        id="j", name="web", host_id="a", host="web-1", repository="vault", engine="restic", state="ok", since=NOW, rpo_seconds=93600.0, next_at=NOW + 7200
    )  # fmt: skip
    assert "26h" in words_of(JobList(jobs=(job,)), now=NOW) and "in 2h" in words_of(
        JobList(jobs=(job,)), now=NOW
    )


def test_a_chart_is_lines_without_its_gaps() -> None:
    chart = History(
        metric="cpu_busy_ratio", start=NOW, step_seconds=60.0, mean=(0.5, None), low=(0.25, None), high=(1.0, None)
    )  # fmt: skip
    assert words_of(chart).splitlines()[1:] == ["2027-01-15 08:00:00   50%  25%  100%"]
    gaps = msgspec.structs.replace(chart, metric=EVIL, mean=(None, None), low=(None, None), high=(None, None))
    assert "Nothing was measured" in words_of(gaps) and "\x1b" not in words_of(gaps)


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
    assert words_of(HostList(hosts=())) == "No hosts."
    assert words_of(AuditPage(events=())) == "No events."
    assert words_of(Done()) == "Done."


def test_a_list_of_words_is_a_line_each() -> None:
    assert words_of(RecoveryCodes(codes=("aaaaa-bbbbb", "ccccc-ddddd"))) == "aaaaa-bbbbb\nccccc-ddddd"
    assert words_of(SecretList(names=("backups/vault",))) == "backups/vault"
    assert words_of(SecretList(names=())) == "No names."


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
    shown = words_of(HostList(hosts=(row(cpu=0.5), row(name="web-2"))))
    assert "cpu" in shown and "None" not in shown


def test_hosts_that_could_not_be_restored_say_why() -> None:
    why = ("files: no good snapshot", EVIL)
    shown = words_of(ReadinessList(hosts=(ReadinessRow(host_id="a", host="web-1", ready="no", why=why),)))
    assert "files: no good snapshot" in shown and "\x1b" not in shown
    assert "host_id" not in shown


def test_a_snapshot_is_told_by_its_time() -> None:
    shown = words_of(SnapshotList(snapshots=(Snapshot(id="s1", repository="vault", at=NOW),), total=1))
    assert "2027-01-15 08:00:00" in shown


def test_a_job_is_told_by_what_is_asked_of_it_and_its_reason_stands_last() -> None:
    job = JobRow(
        id="j1", name="web", host_id="a", host="web-1", repository="vault", engine="restic", state="failed", since=NOW, words="no room",
    )  # fmt: skip
    head, line = words_of(JobList(jobs=(job,))).splitlines()
    assert head.split()[:5] == ["name", "host", "repository", "engine", "state"]
    assert line.endswith("no room") and "j1" not in line


def test_structs_are_json_and_grants_are_words() -> None:
    shaped = shape(
        ROUTES["backups.add"],
        {
            "name": "web", "host": "web-1", "repository": "vault", "keep": '{"daily": 7}', "drill": '{"every_days": 30}',
            "dumps": ('{"kind": "sqlite", "database": "/srv/a.db"}',),
        },
    )  # fmt: skip
    assert isinstance(shaped, JobSpec)
    assert (shaped.keep.daily, shaped.drill.every_days, shaped.dumps[0].database) == (7, 30, "/srv/a.db")
    invited = shape(ROUTES["accounts.invite"], {"name": "eve", "grants": ("viewer@role=web",)})
    assert isinstance(invited, Invite) and invited.grants[0].scope == "role=web"


def test_what_would_be_forgotten_is_told_with_what_stays() -> None:
    gone = Snapshot(id="s1", repository="vault", at=NOW)
    shown = words_of(RetentionPlan(kept=2, forgotten=(gone,), frozen="the newest is odd"), width=0)
    assert shown.splitlines()[:3] == [
        "2 snapshots stay.",
        "Nothing is forgotten now: the newest is odd",
        "1 would be forgotten:",
    ]
    assert words_of(RetentionPlan(kept=1)) == "1 snapshot stays.\nNone would be forgotten."


def test_sections_and_logs_are_told_as_on_screen() -> None:
    table = SectionTable(
        host="web-1", section="processes", columns=("pid", "memory", "command"), rows=((7.0, 2048.0, EVIL),), measured_at=NOW, took_seconds=0.1, left_out=3
    )  # fmt: skip
    _, line, more = words_of(table, width=0).splitlines()
    assert line.split()[:2] == ["7", "2.0K"] and not {"\x1b", "\x9b"} & set(line) and "3 more" in more
    assert words_of(msgspec.structs.replace(table, rows=(), left_out=0)) == "No processes."
    log = LogLines(host="web-1", cursor="", cut=True, lines=(LogLine(at=NOW, priority=6, source="sshd", text="hello"), LogLine(at=None, priority=6, source="", text=EVIL)))  # fmt: skip
    shown = words_of(log).splitlines()
    assert shown[0].startswith("…") and shown[1] == "2027-01-15 08:00:00  hello" and "\x1b" not in shown[2]
    assert words_of(LogLines(host="web-1", cursor="", lines=())) == "No lines."


def test_runbooks_and_plans_are_documents_and_no_tables() -> None:
    step = RunbookStep(
        name="vacuum", kind="run", number=1, prose="Old entries go.", text="journalctl --vacuum-time={{keep}}d", dangerous="they are gone", rollback="none",
        options=(RunbookOption(answer="logs", target="keep"),),
    )  # fmt: skip
    row = RunbookRow(
        id="disk", title="Disk almost full", file="disk.md", version="3", rules=("disk_low",), summary=EVIL
    )
    shown = words_of(
        RunbookDetail(
            row=row,
            steps=(step,),
            variables=(RunbookVariable(name="keep", type="int", default="7"),),
            epilogue="Done.",
        )
    )
    for words in ("Disk almost full (disk, version 3)", "answers disk_low", "value keep: int, from person, else 7", "Old entries go.", "1. vacuum (run)",
                  "   journalctl --vacuum-time", "DANGEROUS: they are gone", "logs → keep"):  # fmt: skip
        assert words in shown, words
    assert "\x1b" not in shown
    command = PlannedCommand(hosts=("web-1",), command="df -P -- /var\n" + EVIL)
    planned = PlannedStep(step=step, hosts=1, commands=(command,))
    plan = RunbookPlan(
        runbook="disk",
        title="Disk",
        version="3",
        hash="h",
        digest="d1",
        hosts=("web-1",),
        hosts_count=1,
        steps=(planned,),
        blast="",
        dangerous=1,
    )
    told = words_of(RunbookDryRun(plan=plan, results=()))
    assert (
        "   $ df -P -- /var" in told and "digest d1" in told and "none was run" in told and "\x1b" not in told
    )


def test_a_plan_that_is_shown_before_it_is_run_writes_nothing_of_a_host_or_a_document_raw() -> None:
    hostile = "\x1b]52;c;aGk=\x07\u202e"
    step = RunbookStep(number=1, name="look", kind="check", text="", title=hostile)
    command = PlannedCommand(command="df", hosts=(hostile,), count=1, environment={"PLACE": hostile})
    planned = PlannedStep(step=step, hosts=2, commands=(command, command), words=hostile, undo=hostile)
    plan = RunbookPlan(
        runbook="a", title=hostile, version="1", hash="h", digest="d", hosts=(hostile,), hosts_count=1, steps=(planned,), blast=hostile,
        dangerous=0, warnings=(hostile,), changed=(hostile,),
    )  # fmt: skip
    for lines in (show_plan(plan), show_step(planned)):
        assert any("]52;c;aGk=" in line for line in lines) and "".join(lines).isprintable()


def test_a_plan_tells_a_command_once_whose_environment_alone_differs_by_host() -> None:
    def of(host: str, place: str) -> PlannedCommand:
        return PlannedCommand(
            command='df -P -- "$PLACE"', hosts=(host,), count=1, environment={"PLACE": place}
        )

    step = RunbookStep(number=1, name="look", kind="check", text="")
    planned = PlannedStep(step=step, hosts=2, commands=(of("web-1", "/a"), of("web-2", "/b")))
    lines = show_step(planned)
    assert [line.strip() for line in lines if line.startswith("   ")] == [
        '$ df -P -- "$PLACE"', "on web-1", "PLACE=/a", "on web-2", "PLACE=/b"
    ]  # fmt: skip
    drawn = ["".join(text for text, _ in line) for line in commands_lines(planned, 60)]
    assert drawn == ["web-1", '$ df -P -- "$PLACE"', "with   PLACE=/a", "web-2 the same", "with   PLACE=/b"]
