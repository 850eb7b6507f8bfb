"""What a timer is on its host, as texts; and what a host says of its timers, read with distrust."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.endings import judged, most_seconds
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.schedule import own_zone, parse, values, window_left, zone_ahead
from guardian_tui.engine.backups.script import Reader
from guardian_tui.engine.backups.timer_texts import differing, digest, foreign, sums, texts, timing
from guardian_tui.engine.backups.work import Backup, Check
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed, Look
from guardian_tui.engine.remote.host_timers import Form, HostTimers, Survey, read_offers, read_survey
from guardian_tui.protocol.backups import JobSpec, RepositorySpec, RunRow
from tests.backups.house import HERE

RUNS = DetachedRuns(Commands(None))  # type: ignore[arg-type]  # nothing is run
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


def spec(**more: Any) -> JobSpec:
    return JobSpec(
        name="web", host="h", repository="r", **{"schedule": "30 2 * * *", "jitter_seconds": 0.0, **more}
    )


def made(form: Form = "cron", place: str = "/var/lib/guardian-timers", **more: Any) -> dict[str, str]:
    one = spec(**more)
    time = timing(one, parse(one.schedule), NOON, UTC)
    survey = Survey(form, "", place, 0, {})
    return texts(
        "j1", one, [Stage("backup", ("echo", "it's"))], adapter("restic"), time, survey, RUNS, {"A": "s3cret"}
    )


@pytest.mark.parametrize(
    ("schedule", "field", "numbers"),
    [
        ("*/20 * * * *", 0, (0, 20, 40)), ("5/20 * * * *", 0, (5, 25, 45)), ("0 8-10,22 * * *", 1, (8, 9, 10, 22)), ("0 0 1 jan-mar *", 3, (1, 2, 3)),
        ("0 0 * * 7", 4, (0,)), ("Mon..Fri 02:30", 4, (1, 2, 3, 4, 5)), ("Fri..Sun 00:00", 4, (0, 5, 6)), ("daily", 2, tuple(range(1, 32))),
    ],
)  # fmt: skip
def test_a_field_of_a_schedule_as_its_numbers(schedule: str, field: int, numbers: tuple[int, ...]) -> None:
    assert values(parse(schedule))[field] == numbers


@pytest.mark.parametrize("engine", ["restic", "borg", "pgbackrest", "dumps", "rsync"])
@pytest.mark.parametrize("grep", [("grep",), ("busybox", "grep")])
def test_a_host_knows_by_the_same_words_what_passes_and_what_lasts(
    engine: str, grep: tuple[str, ...]
) -> None:
    one = adapter(engine)  # type: ignore[arg-type]  # one of them
    said = {
        "cut": "pg_dump: error: could not translate host name" if engine == "dumps" else "ssh: connect to host x: Connection refused",
        "lasting": "x: Permission denied (publickey,password).",
    }  # fmt: skip
    for name, words in said.items():
        signs = getattr(one, name)
        if not signs.words or (engine == "pgbackrest" and name == "cut"):
            assert signs.codes
            continue
        for line, code in ((words, 0), ("all is well", 1)):
            done = subprocess.run(
                [*grep, "-qiE", "--", signs.words], input=line.encode(), check=False, capture_output=True
            )
            assert (done.returncode, done.stderr) == (code, b""), (name, line)


def test_jitter_keeps_inside_of_the_window_and_a_time_outside_of_it_waits_for_its_opening() -> None:
    inside = timing(spec(jitter_seconds=3600.0, window="01:00-03:00"), parse("30 2 * * *"), NOON, UTC)
    assert (inside.jitter_seconds, inside.opens) == (900, None)
    outside = timing(spec(jitter_seconds=3600.0, window="22:15-23:15"), parse("daily"), NOON, UTC)
    assert (outside.jitter_seconds, outside.opens) == (1800, 22 * 60 + 15)
    # by the host's clock: there it is four hours later
    assert timing(spec(window="06:00-07:00"), parse("30 2 * * *"), NOON, zone_ahead(4 * 3600)).opens == 360


def test_cron_and_systemd_are_told_the_same_and_no_secret() -> None:
    cron = made(place="/home/a b/100%/x", window="22:15-23:15", schedule="daily")["cron"]
    assert "'/home/a b/100\\%/x/j1/timer' jitter >/dev/null 2>&1\n" in cron
    assert "\n15 22 * * * /bin/sh" in cron and cron.count("missed") == 2
    assert all("/j1/timer" in line for line in cron.splitlines())
    found = made(
        "systemd", place="/home/a b/100%/x", window="22:15-23:15", schedule="daily", jitter_seconds=60.0
    )
    assert 'ExecStart=/bin/sh "/home/a b/100%%/x/j1/timer" due\n' in found["service"]
    for words in (
        "OnCalendar=*-*-* 00:00:00\n",
        "OnCalendar=*-*-* 22:15:00\n",
        "Persistent=true\n",
        "RandomizedDelaySec=60\n",
    ):
        assert words in found["unit"]
    assert [name for name, text in found.items() if "s3cret" in text] == ["secrets"]
    assert "secrets" not in sums(found)


def test_what_differs_is_told_apart_from_what_somebody_else_changed() -> None:
    before, now = made(), made(nice=3)
    on_host = {**sums(before), "secrets": digest(before["secrets"])}
    assert differing(before, on_host) == () and foreign(sums(before), on_host, asleep=False) == ""
    assert differing(now, on_host) == ("settings",) and foreign(sums(before), on_host, asleep=False) == ""
    assert foreign(sums(before), {**on_host, "cron": "0" * 64, "timer": ""}, asleep=True) == (
        "its program, its lines in the crontab, whether it is switched on"
    )
    assert differing(before, {**on_host, "secrets": "0" * 64}) == ("secrets",)


@pytest.mark.parametrize(
    ("now", "begun", "mode", "due"),
    [
        ("2026-11-30 02:30", "2026-11-29 02:30", "jitter", True), ("2026-11-30 02:30", "2026-11-30 02:31", "jitter", False),
        ("2026-11-30 08:17", "2026-11-29 02:31", "missed", True), ("2026-11-30 08:17", "2026-11-30 02:31", "missed", False),
        # what comes within the hour makes up for what was missed
        ("2026-11-30 02:00", "2026-11-28 02:31", "missed", False),
        # a clock that was ahead
        ("2026-11-30 02:30", "2036-11-30 02:31", "due", True), ("2026-11-30 08:00", "2036-11-30 02:31", "due", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox awk"])
def test_whether_a_time_has_come_is_reckoned_on_the_host(
    tmp_path: Path, awk: str, now: str, begun: str, mode: str, due: bool
) -> None:
    def seconds(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    text = made()
    program = text["timer"]
    begin, end = program.index("t_stamp()"), program.index("t_left()")
    (tmp_path / "stamp").write_text(f"{seconds(begun)}\n")
    script = "\n".join([
        program[begin:end], text["settings"], f"t_dir={shlex.quote(str(tmp_path))}", f"awk() {{ {awk} \"$@\"; }}", f"date() {{ echo {seconds(now)}; }}",
        f"t_due {mode}",
    ])  # fmt: skip
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0, done.stderr) == (due, b""), done


# --- what ends a run ----------------------------------------------------------------------------------


def a_run(by: str = "ada", **more: Any) -> Run:
    repository = Repository(
        "r", RepositorySpec(name="r", engine="restic", location="/r", host="h"), "screen", 0.0
    )
    row = RunRow(id="a", job="web", host="h", repository="r", operation="backup", state="running", by=by)
    return Run(row, Backup(), Job("j1", spec(**more), "h", "r", "screen", 0.0), repository, HERE)


def test_the_window_ends_a_run_that_its_own_limit_would_leave() -> None:
    window = "22:00-06:00"
    night = next(at for at in range(0, 86400, 1800) if window_left(window, at, own_zone(at)) == 1800.0)
    day = next(at for at in range(0, 86400, 1800) if window_left(window, at, own_zone(at)) == 0.0)
    job = spec(window=window)
    assert most_seconds(a_run(), job, night) == (1800.0, "window")
    assert most_seconds(a_run(), spec(window=window, most_seconds=60.0), night) == (60.0, "")
    assert most_seconds(a_run(), spec(), night) == (86400.0, "")
    # outside of it what is due does not begin, and a person may do as he likes
    assert most_seconds(a_run("schedule"), job, day)[0] == 0.0
    assert most_seconds(a_run(), job, day) == (86400.0, "")
    check = a_run("schedule")
    check.work = Check("structure")
    assert most_seconds(check, job, day) == (86400.0, "")


@pytest.mark.parametrize(
    ("limit", "words"), [("window", "Its window (22:00-06:00) was over"), ("", "Its time was over")]
)
def test_the_verdict_says_what_ended_it(limit: Any, words: str) -> None:
    run = a_run()
    run.limit, run.reader = limit, Reader(adapter("restic"), "backup", (), "@w")
    found = judged(run, Look("ended", 143, timed_out=True), spec(window="22:00-06:00"))
    assert found.verdict == "failed" and words in found.words


# --- what hosts say -----------------------------------------------------------------------------------


class Lying(Commands):
    """A host that says what it likes."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    async def run(self, target: object, command: str, *, stdin: bytes = b"", **how: Any) -> Completed:
        word = stdin.partition(b"g_word=")[2].split(b"\n")[0].decode()
        return Completed(0, f"\n{word} done\n{self.answer}".encode(), b"")


GOOD = "form cron \nplace /x/guardian-timers\nzone +0530\n"


@pytest.mark.parametrize(
    "answer", ["", "end\n", GOOD, GOOD.replace("cron", "magic") + "end\n", "form cron\nend\n"]
)
async def test_a_survey_that_makes_no_sense_is_an_error_in_words(answer: str) -> None:
    with pytest.raises(DetachedFailed):
        await HostTimers(DetachedRuns(Lying(answer))).survey(None, [])


async def test_a_survey_is_believed_as_far_as_it_makes_sense() -> None:
    lines = f"timer j1\nfile script {'a' * 64}\nfile marks x\nasleep\nbegun 17x\ntrouble \x1b[2Jno room \nnonsense\n"
    found = await HostTimers(DetachedRuns(Lying(f"{GOOD}{lines}end\n"))).survey(None, ["j1"])
    assert (found.form, found.zone_seconds, found.place) == ("cron", 19800, "/x/guardian-timers")
    one = found.timers["j1"]
    assert (dict(one.sums), one.asleep, one.begun_at, one.trouble) == (
        {"script": "a" * 64},
        True,
        None,
        "␛[2Jno room",
    )
    # a home folder that could end a line of a crontab or of a unit
    odd = await HostTimers(DetachedRuns(Lying(GOOD.replace("/x/", '/x"y/') + "end\n"))).survey(None, [])
    assert odd.form == "none" and "name" in odd.words


async def test_of_offers_only_those_that_make_sense_are_taken() -> None:
    mark = "@" + "0" * 24
    good = f"run a-1 ended 1795591106\nj1 a 1 {mark} window\n[]\n"
    found = await HostTimers(
        DetachedRuns(
            Lying(
                f"run a-2 running -\nj1 a 2 {mark} time\n[]\n{good}run b-1 ended 1\nj1 c 1 {mark} time\n[]\nrun d-1 ended 1\n\n\nend\n"
            )
        )
    ).offers(None)
    assert [(one.id, one.attempt, one.limit, one.started_at) for one in found] == [
        ("a-1", 1, "window", 1795591106.0),
        ("a-2", 2, "time", None),
    ]
    with pytest.raises(DetachedFailed, match="no end"):
        await HostTimers(DetachedRuns(Lying(good))).offers(None)
    with pytest.raises(ValueError, match="no id"):
        await HostTimers(RUNS).survey(None, ["../x"])


_WORDS = st.sampled_from([
    b"form cron\n", b"place /x\n", b"zone +0100\n", b"timer j1\n", b"file script " + b"a" * 64 + b"\n", b"begun 17\n", b"trouble x\n", b"end\n",
    b"run a-1 ended 5\n", b"j1 a 1 @" + b"0" * 24 + b" time\n", b"[]\n", b"\n", b"asleep\n",
])  # fmt: skip


@given(st.lists(_WORDS | st.binary(max_size=40), max_size=12).map(b"".join))
def test_whatever_a_host_says_is_read_or_refused_in_words(answer: bytes) -> None:
    for read in (read_survey, read_offers):
        with suppress(DetachedFailed):
            read(answer)
