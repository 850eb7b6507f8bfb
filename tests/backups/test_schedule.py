"""Schedules: what people write, and the next time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.planner import drill_due
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.schedule import BadSchedule, check_window, parse, window_left, window_opens
from guardian_tui.protocol.backups import JobSpec

WEDNESDAY = datetime(2026, 11, 25, 7, 0, tzinfo=UTC).timestamp()


def when(at: float, zone: object = UTC) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%a %Y-%m-%d %H:%M")  # type: ignore[arg-type]  # a zone


@pytest.mark.parametrize(
    ("text", "cron", "calendar", "next_at"),
    [
        ("daily", "0 0 * * *", "*-*-* 00:00:00", "Thu 2026-11-26 00:00"), ("30 2 * * *", "30 2 * * *", "*-*-* 02:30:00", "Thu 2026-11-26 02:30"),
        ("Mon..Fri 02:30", "30 2 * * 1-5", "Mon..Fri *-*-* 02:30:00", "Thu 2026-11-26 02:30"),
        ("Sat,Sun 23:05", "5 23 * * 6,0", "Sat,Sun *-*-* 23:05:00", "Sat 2026-11-28 23:05"),
        ("Fri..Mon 01:00", "0 1 * * 5,6,0,1", "Fri,Sat,Sun,Mon *-*-* 01:00:00", "Fri 2026-11-27 01:00"),
        ("*-*-1 04:00", "0 4 1 * *", "*-*-01 04:00:00", "Tue 2026-12-01 04:00"), ("*:0/15", "*/15 * * * *", "*-*-* *:00/15:00", "Wed 2026-11-25 07:15"),
        ("06,18:30", "30 6,18 * * *", "*-*-* 06,18:30:00", "Wed 2026-11-25 18:30"),
        ("0 3 1,15 * *", "0 3 1,15 * *", "*-*-01,15 03:00:00", "Tue 2026-12-01 03:00"),
        ("weekly", "0 0 * * 1", "Mon *-*-* 00:00:00", "Mon 2026-11-30 00:00"),
    ],
)  # fmt: skip
def test_what_people_write_becomes_cron_and_a_timer(
    text: str, cron: str, calendar: str, next_at: str
) -> None:
    found = parse(text)
    assert (found.cron, found.calendar) == (cron, calendar)
    assert when(found.after(WEDNESDAY)) == next_at


def test_times_are_those_of_the_hosts_clock_and_autumns_doubled_hour_runs_once() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = parse("30 2 * * *")
    before = datetime(2026, 10, 24, 12, 0, tzinfo=UTC).timestamp()
    first = night.after(before, berlin)
    assert when(first, berlin) == "Sun 2026-10-25 02:30"
    assert when(night.after(first, berlin), berlin) == "Mon 2026-10-26 02:30"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "five fields"), ("sometimes", "five fields"), ("61 2 * * *", "no schedule"), ("0 0 1 * 1", "name one kind"), ("Foo 02:30", "no day of the week"),
        ("0 0 * * 1#2", "signs"), ("0 0 L * *", "signs"), ("25:00", "no schedule"), ("a b c d e", "no schedule"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_says_why(text: str, words: str) -> None:
    with pytest.raises(BadSchedule, match=words):
        parse(text)


@given(st.text(max_size=40))
def test_no_text_is_a_fault(text: str) -> None:
    try:
        found = parse(text)
    except BadSchedule:
        return
    assert found.after(WEDNESDAY) > WEDNESDAY
    assert found.calendar


def test_windows_go_over_midnight() -> None:
    ten = datetime(2026, 11, 25, 22, 0, tzinfo=UTC).timestamp()
    assert window_left("", ten) is None
    assert window_left("22:00-06:00", ten) == 8 * 3600
    assert window_left("22:00-06:00", ten + 7 * 3600) == 3600
    assert window_left("22:00-06:00", ten + 8 * 3600) == 0
    assert window_left("22:00-06:00", WEDNESDAY) == 0
    assert when(window_opens("22:00-06:00", WEDNESDAY)) == "Wed 2026-11-25 22:00"
    assert when(window_opens("05:00-06:00", WEDNESDAY)) == "Thu 2026-11-26 05:00"
    assert window_opens("22:00-06:00", ten + 60) == ten + 60
    for bad in ("24:00-06:00", "22:00-06:60"):
        with pytest.raises(BadSchedule):
            check_window(bad)


def test_first_drills_of_jobs_of_one_day_are_spread_and_later_ones_come_as_often_as_is_said() -> None:
    jobs = [
        Job(f"j{n}", JobSpec(name=f"n{n}", host="h", repository="r"), "h", "r", "screen", 0.0)
        for n in range(200)
    ]
    due = sorted(drill_due(job) / 86400 for job in jobs)
    assert 15 <= due[0] < 16 and 29 < due[-1] <= 30
    assert all(later - earlier < 1 for earlier, later in pairwise(due))
    jobs[0].memory.drilled_at = 86400.0
    assert drill_due(jobs[0]) == 31 * 86400
    jobs[0].memory.drill_tried_at = 2 * 86400.0
    assert drill_due(jobs[0]) == 32 * 86400
