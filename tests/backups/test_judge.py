"""Judgements of backups: pure, so every case is cheap."""

from __future__ import annotations

from math import isnan

import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import judge
from guardian_tui.engine.backups.copies import copies_row
from guardian_tui.engine.backups.drills import estimated_rto, measured_rto
from guardian_tui.engine.backups.observer import archived
from guardian_tui.engine.backups.point_in_time import Window
from guardian_tui.engine.backups.records import Job, JobMemory, Repository, RepositoryMemory
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import (
    JobSpec,
    RepositorySpec,
    RunRow,
    TimerRow,
    Verdict,
    shown_job_state,
)
from screens.backup import _facts
from widgets.backups_pane import _short

HOUR = 3600.0
NOW = 1_800_000_000.0
WAY = Way("h1", "web-1", {"host": "web-1"}, None)


def repository(name: str = "vault", **more: object) -> Repository:
    spec = RepositorySpec(name=name, engine="restic", location=f"/srv/{name}", host="keeper", **more)  # type: ignore[arg-type]  # of the spec
    return Repository(
        name, spec, "screen", NOW - 90 * judge.DAY, RepositoryMemory(verdict="ok", listed_at=NOW - 60)
    )


def job(*ages_hours: float, last: Verdict | None = "ok", **more: object) -> Job:
    spec = JobSpec(
        name="web", host="web-1", repository="vault", sources=("/srv",), rpo_seconds=24 * HOUR, **more
    )
    found = Job("j1", spec, "h1", "vault", "screen", NOW - 90 * judge.DAY)
    found.good_ats = [NOW - hours * HOUR for hours in sorted(ages_hours, reverse=True)]
    if last is not None:
        found.last = run(last)
    return found


def run(verdict: Verdict, operation: str = "backup", seconds: float = 60.0, **more: object) -> RunRow:
    return RunRow(
        id="r", job="web", host="web-1", repository="vault", operation=operation, state="ended", verdict=verdict,
        words=f"it was {verdict}", queued_at=NOW - 100, started_at=NOW - seconds, ended_at=NOW, **more,  # type: ignore[arg-type]  # of the row
    )  # fmt: skip


def row(one: Job, where: Repository | None = None):
    where = where or repository()
    state, words = judge.job_state(one, where, None, NOW)
    return judge.job_row(one, where, WAY, None, NOW, NOW, state, words)


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (job(5), "ok"), (job(25), "late"), (job(49), "critical"), (job(), "never"), (job(last=None), "never"),
        (job(last="auth"), "failed"), (job(5, last="partial"), "failed"), (job(5, last="cancelled"), "ok"), (job(49, last="failed"), "critical"),
        (job(5, enabled=False), "off"),
    ],
)  # fmt: skip
def test_the_state_of_a_job_is_judged_from_its_snapshots_first(one: Job, state: str) -> None:
    assert judge.job_state(one, repository(), None, NOW)[0] == state


def test_a_snapshot_from_the_future_makes_nothing_look_fresh() -> None:
    one = job(30)
    one.ahead_at = NOW + 3 * judge.DAY
    assert judge.job_state(one, repository(), None, NOW) == (
        "unknown", "a snapshot is dated 3.0 days ahead: the clock of its host is wrong"
    )  # fmt: skip
    fresh = job(5)
    fresh.ahead_at = NOW + judge.DAY
    assert judge.job_state(fresh, repository(), None, NOW)[0] == "ok"


def test_a_repository_that_cannot_be_read_makes_a_job_unknown_once_what_was_read_is_old() -> None:
    where = repository()
    where.memory.verdict, where.memory.words = "network", "no route"
    assert judge.job_state(job(5), where, None, NOW)[0] == "ok"
    where.memory.listed_at = NOW - 4 * HOUR
    assert judge.job_state(job(5), where, None, NOW) == ("unknown", "its repository can't be read: no route")
    where.memory.listed_at = None
    where.memory.verdict = None
    assert judge.job_state(job(last=None), where, None, NOW)[0] == "unknown"


@pytest.mark.parametrize("verdict", ["auth", "missing", "failed", "no_space"])
def test_what_a_repository_says_of_itself_counts_at_once_however_fresh_what_was_read_is(
    verdict: Verdict,
) -> None:
    where, one = repository(), job(5)
    where.memory.verdict, where.memory.words = verdict, "wrong password"
    found = row(one, where)
    assert (found.state, found.words) == ("failed", "its repository can't be read: wrong password")
    ready = judge.readiness(WAY, [found], NOW)
    assert (ready.ready, ready.why) == ("no", ("web: its repository can't be read: wrong password",))
    assert judge.repository_troubles(where, None, NOW) == (
        {"backup_unreadable{vault}": 1.0}, {"backup_unreadable{vault}": "wrong password"}
    )  # fmt: skip
    # what is our own fault, as a vault that is locked, says nothing of it until what was read is old
    where.memory.ours = True
    assert row(one, where).state == "ok"
    assert judge.repository_troubles(where, None, NOW)[0] == {"backup_unreadable{vault}": 0.0}
    where.memory.listed_at = NOW - 4 * HOUR
    assert row(one, where).state == "unknown"
    assert judge.repository_troubles(where, None, NOW)[0] == {"backup_unreadable{vault}": 1.0}


def test_a_repository_that_was_never_reached_is_told_after_a_while() -> None:
    where = repository()
    where.memory = RepositoryMemory()
    assert judge.repository_troubles(where, None, NOW) == ({}, {})
    where.memory.verdict, where.created_at = "locked", NOW - HOUR
    assert judge.repository_troubles(where, None, NOW)[0] == {"backup_unreadable{vault}": 0.0}
    assert judge.repository_troubles(where, None, NOW + 3 * HOUR)[0] == {"backup_unreadable{vault}": 1.0}


def test_alerts_of_a_job_of_which_nothing_can_be_told_neither_begin_nor_end() -> None:
    where, one = repository(), job(5)
    where.memory.verdict, where.memory.listed_at = "network", NOW - 4 * HOUR
    found = row(one, where)
    assert found.state == "unknown"
    series = judge.series_of(one, found, NOW)
    assert set(series) == set(judge.series_of(one, row(one), NOW))
    assert all(isnan(value) for value in series.values())


def test_a_timer_is_a_trouble_only_where_the_host_could_have_one() -> None:
    one = job(5, schedule="daily")
    timer = TimerRow(place="engine", wanted="host", words="it was refused")
    series = judge.series_of(one, replace(row(one), timer=timer), NOW)
    assert series["backup_timer_trouble{web}"] == 1.0
    series = judge.series_of(one, replace(row(one), timer=replace(timer, unable=True)), NOW)
    assert series["backup_timer_trouble{web}"] == 0.0


def test_a_row_grows_old_on_screen_without_a_word_of_the_engine() -> None:
    fresh = row(job(23))
    assert shown_job_state(fresh, NOW) == "ok"
    assert shown_job_state(fresh, NOW + 2 * HOUR) == "late"
    assert shown_job_state(fresh, NOW + 26 * HOUR) == "critical"


def test_the_worst_age_of_thirty_days_is_the_longest_gap_that_reaches_into_them() -> None:
    assert judge.worst_age([], NOW) is None
    assert judge.worst_age([NOW - 5 * HOUR], NOW) == 5 * HOUR
    days = [NOW - day * judge.DAY for day in (40, 20, 19, 1)]
    assert judge.worst_age(days, NOW) == 20 * judge.DAY
    assert (
        judge.worst_age(
            [NOW - 90 * judge.DAY, NOW - 40 * judge.DAY, NOW - 39.5 * judge.DAY, NOW - 29 * judge.DAY], NOW
        )
        == 29 * judge.DAY
    )


def test_a_database_is_as_old_as_its_last_archived_commit() -> None:
    one = job(30)
    one.archived_at = NOW - 2 * HOUR
    one.archive_worst = 5 * HOUR
    found = row(one)
    assert (found.state, found.good_at, found.archived, found.worst_age_seconds) == (
        "ok",
        NOW - 2 * HOUR,
        True,
        5 * HOUR,
    )
    assert judge.series_of(one, found, NOW)["backup_age_ratio{web}"] == pytest.approx(2 / 24)
    # an archive that stands still is judged, and says why
    one.archived_at = NOW - 25 * HOUR
    where = repository()
    where.memory.archive_words = "archiving fails since noon"
    late = row(one, where)
    assert (late.state, late.words) == ("late", "older than its RPO: archiving fails since noon")
    # the log alone restores nothing, and a newer backup counts
    newer = job(1)
    newer.archived_at = NOW - 2 * HOUR
    assert (row(newer).good_at, row(newer).archived) == (NOW - HOUR, False)
    alone = job()
    alone.archived_at = NOW
    assert row(alone).state == "never"


def test_the_worst_of_each_day_is_kept_of_an_archive() -> None:
    memory = RepositoryMemory()
    day = NOW - NOW % judge.DAY
    archived(memory, day + 100, Window(day - 900, day + 50, True))
    archived(memory, day + 700, Window(day - 900, None, None, "archive_mode is off"))
    assert (memory.archived_at, memory.archive_words) == (None, "archive_mode is off")
    assert memory.archive_worst == [(day, 650.0)]
    for number in range(40):
        archived(memory, day + (number + 1) * judge.DAY, Window(day - 900, day + number * judge.DAY, True))
    assert len(memory.archive_worst) == 31


def test_a_host_is_ready_only_when_all_of_its_jobs_are() -> None:
    good, bad = row(job(5)), row(job(49))
    assert judge.readiness(WAY, [], NOW).ready == "none"
    assert judge.readiness(WAY, [good], NOW).ready == "yes"
    both = judge.readiness(WAY, [good, bad], NOW)
    assert (both.ready, both.jobs) == ("no", 2)
    assert "older than twice its RPO" in both.why[0]
    unknown = replace(good, state="unknown", words="its repository can't be read: x")
    assert judge.readiness(WAY, [good, unknown], NOW).ready == "unknown"
    assert judge.readiness(WAY, [bad, unknown], NOW).ready == "no"


def test_a_failed_drill_or_a_slow_restore_makes_a_host_not_ready() -> None:
    drilled = job(5)
    drilled.memory = JobMemory(drill="failed")
    assert judge.readiness(WAY, [row(drilled)], NOW).why == ("web: its last restore drill failed",)
    slow = job(5, rto_seconds=HOUR)
    slow.measured_rto = 2 * HOUR
    ready = judge.readiness(WAY, [row(slow)], NOW)
    assert (ready.ready, ready.rto_measured, ready.rto_seconds) == ("no", True, 2 * HOUR)


def test_what_is_odd_is_told_against_the_median_and_only_with_enough_to_compare() -> None:
    usual = [(100 << 20, 1000, 2 << 20)] * 10
    assert judge.anomaly((100 << 20, 1000, 2 << 20), usual) == ""
    assert "size fell to 60 %" in judge.anomaly((60 << 20, 1000, 0), usual)
    assert "files fell to 50 %" in judge.anomaly((100 << 20, 500, 0), usual)
    assert "added data is 20.0 times" in judge.anomaly((100 << 20, 1000, 40 << 20), usual)
    assert judge.anomaly((1, 1, 1), usual[:3]) == ""
    assert judge.anomaly((None, None, None), usual) == ""


def test_the_series_of_the_rules() -> None:
    series = judge.series_of(job(12), row(job(12)), NOW)
    assert series["backup_age_ratio{web}"] == pytest.approx(0.5)
    assert series["backup_failed{web}"] == 0.0
    one = job(last="failed")
    assert judge.series_of(one, row(one), NOW)["backup_age_ratio{web}"] == pytest.approx(90.0)
    overdue = job(5)
    overdue.spec = replace(overdue.spec, drill=replace(overdue.spec.drill, every_days=30))
    assert judge.series_of(overdue, row(overdue), NOW)["backup_drill_trouble{web}"] == 1.0
    overdue.memory.drill = "failed"
    assert judge.series_of(overdue, row(overdue), NOW)["backup_drill_trouble{web}"] == 2.0


def test_copies_have_series_of_their_own_and_say_why_they_failed() -> None:
    assert not any("copy" in name for name in judge.series_of(job(5), row(job(5)), NOW))
    one = job(5, copies=("away", "safe"))
    one.created_at = NOW - 10 * HOUR
    one.memory.copied = {"away": NOW - 29 * HOUR, "gone": NOW}
    one.memory.copy_failed = {"gone": "it is no longer copied there"}
    series = judge.series_of(one, row(one), NOW)
    assert series["backup_copy_lag_ratio{web}"] == pytest.approx(1.0)
    assert series["backup_copy_failed{web}"] == 0.0
    one.memory.copy_failed = {"away": "No space left."}
    assert judge.series_of(one, row(one), NOW)["backup_copy_failed{web}"] == 1.0
    named = {"vault": repository(), "away": repository("away")}
    assert "the last copy to away failed: No space left." in copies_row(one, named, "web-1", "", NOW).flags
    # one that was never made counts from the job's beginning; what is stale itself has another rule
    one.memory.copied = {"away": NOW - 5 * HOUR}
    assert judge.series_of(one, row(one), NOW)["backup_copy_lag_ratio{web}"] == pytest.approx(5 / 24)
    old = job(90, copies=("away",))
    old.memory.copied = {"away": NOW - 90 * HOUR}
    assert judge.series_of(old, row(old), NOW)["backup_copy_lag_ratio{web}"] == 0.0
    assert judge.copy_lag(job(copies=("away",))) == 0.0


def test_when_a_repository_is_full_is_read_off_the_median_slope() -> None:
    sizes = [(NOW + day * judge.DAY, day * 10) for day in range(10)]
    sizes[5] = (sizes[5][0], 900)
    full = judge.full_at(sizes, 190)
    assert full is not None
    assert (full - sizes[-1][0]) / judge.DAY == pytest.approx(10, rel=0.01)
    assert judge.full_at(sizes, 0) is None
    assert judge.full_at([(NOW, 5), (NOW + 1, 5), (NOW + 2, 5)], 10) is None


def test_rto_is_the_ninth_decile_of_whole_drills_else_size_by_rate() -> None:
    whole = [run("ok", "drill", seconds, whole=True, bytes=1000) for seconds in range(10, 110, 10)]
    assert measured_rto(whole) == pytest.approx(91)
    assert measured_rto([run("failed", "drill", whole=True)]) is None
    part = [run("ok", "drill", 10, bytes=1000)]
    assert measured_rto(part) is None
    assert estimated_rto(part, 5000) == pytest.approx(50)
    assert estimated_rto(part, None) is None


def test_copies_that_one_key_could_destroy_are_told() -> None:
    one = job(5, copies=("second",))
    one.memory.copied = {"second": NOW - 6 * HOUR}
    named = {
        "vault": repository("vault", keeper="root@keeper", site="a"),
        "second": repository("second", keeper="root@keeper", site="b"),
    }
    found = copies_row(one, named, "web-1", "a", NOW)
    assert (found.copies, found.elsewhere, found.untouchable) == (3, 1, 0)
    assert "root@keeper can destroy vault and second" in found.flags
    named["second"].spec = replace(named["second"].spec, keeper="other", append_only=True)
    for where in named.values():
        where.memory.verified_at = NOW - judge.DAY
    assert copies_row(one, named, "web-1", "a", NOW).flags == ()
    one.memory.copied = {"second": NOW - 60 * HOUR}
    assert "2 of 3 copies" in copies_row(one, named, "web-1", "a", NOW).flags


def test_a_job_whose_snapshots_a_drill_found_wanting_is_not_told_as_one_that_has_none_yet() -> None:
    one = job(last="ok")
    assert judge.job_state(one, repository(), None, NOW) == ("never", "no good snapshot yet")
    one.snapshots = 1
    assert judge.job_state(one, repository(), None, NOW)[1] == "its only snapshot is not whole"
    one.snapshots, one.memory.drill = 3, "failed"
    words = judge.job_state(one, repository(), None, NOW)[1]
    assert words == "none of its 3 snapshots is whole: its last drill failed"
    shown = _facts(row(one), None, NOW)
    told = "\n".join("".join(text for text, _ in line) for line in shown)
    assert "the last drill failed, none went well" in told and "not known: no drill went well" in told
    one.memory.drilled_at = NOW - 86400
    told = "\n".join("".join(text for text, _ in line) for line in _facts(row(one), None, NOW))
    assert "the last drill failed, the last good one 24h ago" in told, told


def test_a_narrow_pane_leaves_out_what_reasons_have_in_common() -> None:
    for words, shown in (
        ("its repository can't be read: There is no repository. restic says: x", "no repository. restic says: x"),
        ("its repository can't be read: The repository refused the password or the key.", "refused the password or the key."),
        ("The passphrase must have at least 12 characters", "passphrase must have at least 12 characters"),
    ):  # fmt: skip
        assert _short(words) == shown
