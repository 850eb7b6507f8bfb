"""Nights in which the clocks are put on or back: a job runs once a day, at its hour, by the hours of whoever begins it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from guardian_tui.engine.backups import schedule
from guardian_tui.engine.backups.planner import Planner
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.schedule import own_zone, parse, window_left, window_opens
from guardian_tui.engine.backups.timer_records import TimerMemory
from tests.backups.house import House, house

BERLIN = ZoneInfo("Europe/Berlin")
SYDNEY = ZoneInfo("Australia/Sydney")
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)


@pytest.fixture
def berlin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine's machine keeps the hours of Berlin."""
    monkeypatch.delenv("TZ", raising=False)
    local = tmp_path / "localtime"
    local.write_bytes(Path("/usr/share/zoneinfo/Europe/Berlin").read_bytes())
    monkeypatch.setattr(schedule, "LOCAL_TIME", str(local))
    yield


def days(times: list[float], zone: ZoneInfo) -> list[str]:
    return [datetime.fromtimestamp(at, zone).strftime("%d %H:%M") for at in times]


def by(text: str, day: datetime, count: int = 4) -> list[float]:
    """The times at which the engine itself would begin it, from the noon before the night before a change on: each is reckoned when the last one came."""
    at, found = (day - timedelta(hours=36)).timestamp(), []
    for _ in range(count):
        at = parse(text).after(at, own_zone(at))
        found.append(at)
    return found


@pytest.mark.parametrize(
    ("text", "spring", "autumn"),
    [
        ("02:30", ["28 02:30", "29 03:00", "30 02:30", "31 02:30"], ["24 02:30", "25 02:30", "26 02:30", "27 02:30"]),
        ("12:00", ["28 12:00", "29 12:00", "30 12:00", "31 12:00"], ["24 12:00", "25 12:00", "26 12:00", "27 12:00"]),
        ("00:30", ["28 00:30", "29 00:30", "30 00:30", "31 00:30"], ["24 00:30", "25 00:30", "26 00:30", "27 00:30"]),
    ],
)  # fmt: skip
def test_a_daily_job_of_the_engine_runs_once_a_day_at_its_hour(
    berlin: None, text: str, spring: list[str], autumn: list[str]
) -> None:
    assert days(by(text, SPRING), BERLIN) == spring
    assert days(by(text, AUTUMN), BERLIN) == autumn


def test_a_weekly_job_is_not_an_hour_off_in_the_week_of_a_change(berlin: None) -> None:
    assert days(by("Mon 06:00", AUTUMN, 2), BERLIN) == ["26 06:00", "02 06:00"]


def test_the_machines_own_hours_are_those_of_its_variable_or_file_or_as_they_are_now(
    berlin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = AUTUMN.timestamp()
    assert own_zone(now).utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)
    monkeypatch.setenv("TZ", ":Australia/Sydney")
    assert own_zone(now) is SYDNEY
    for odd in ("CET-1CEST", "../etc/passwd"):
        monkeypatch.setenv("TZ", odd)
        assert own_zone(now).utcoffset(None) is not None
    monkeypatch.delenv("TZ")
    monkeypatch.setattr(schedule, "LOCAL_TIME", "/nowhere")
    assert own_zone(now).utcoffset(None) is not None


def test_a_window_has_an_hour_less_or_more_in_such_a_night() -> None:
    for day, hours in ((SPRING, 7), (AUTUMN, 9), (datetime(2026, 6, 1, tzinfo=BERLIN), 8)):
        evening = (day - timedelta(hours=2)).timestamp()
        assert window_left("22:00-06:00", evening, BERLIN) == hours * 3600
        assert window_opens("22:00-06:00", evening - 3600, BERLIN) == evening
    # in the hour that comes twice it is open until its end, each time
    twice = datetime(2026, 10, 25, 0, 15, tzinfo=UTC).timestamp()
    assert window_left("02:00-02:30", twice, BERLIN) == 900
    assert window_left("02:00-02:30", twice + 3600, BERLIN) == 900
    assert window_left("02:00-02:30", twice + 1800, BERLIN) == 0
    assert window_left("02:00-03:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp(), BERLIN) == 0


class _Host:
    """A host with a timer, whose hours are found out now and then."""

    def __init__(self, home: House, job: Job, zone: ZoneInfo) -> None:
        self.home, self.job, self.zone = home, job, zone
        self.memory = TimerMemory("shop", "here", form="cron")
        home.backups.timers.known[job.id, job.host_id] = self.memory

    def visited(self, at: float) -> None:
        ahead = datetime.fromtimestamp(at, self.zone).utcoffset()
        assert ahead is not None
        self.memory.zone_seconds = int(ahead.total_seconds())


@pytest.mark.parametrize(
    ("zone", "day"),
    [(BERLIN, SPRING), (BERLIN, AUTUMN), (SYDNEY, datetime(2026, 10, 4, tzinfo=SYDNEY)), (SYDNEY, datetime(2026, 4, 5, tzinfo=SYDNEY))],
)  # fmt: skip
async def test_what_a_hosts_timer_is_to_begin_is_expected_at_the_hosts_own_hour(
    tmp_path: Path, zone: ZoneInfo, day: datetime
) -> None:
    """Else the engine begins a backup of its own an hour before, and says that the timer began none."""
    async with house(tmp_path, "") as home:
        await home.repository()
        job = await home.job(schedule="12:00")
        host, expected = _Host(home, job, zone), []
        home.backups.timers.expect = lambda job, due: expected.append(due)  # type: ignore[method-assign]  # what is asked for
        planner = Planner(home.backups, home.store, home.clock, home.sink, UTC)
        planner._proofs_at = float("inf")
        at = (day - timedelta(hours=30)).timestamp()
        end = at + 4 * 86400
        while at < end:
            host.visited(at)
            home.clock.jump(at - home.clock.now())
            await planner.look()
            at += 1800.0
        assert days(expected, zone) == [(day + timedelta(days=n)).strftime("%d 12:00") for n in (-1, 0, 1, 2)]
