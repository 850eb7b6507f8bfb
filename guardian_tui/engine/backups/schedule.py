"""When a backup runs: cron's five fields, or calendar words as systemd has them.  Pure.

Both become cron fields, from which the next time is reckoned, and from which a timer of either kind can be written on a host.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

LOCAL_TIME = "/etc/localtime"

_WORDS = {
    "hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 1", "monthly": "0 0 1 * *", "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *", "quarterly": "0 0 1 1,4,7,10 *",
}  # fmt: skip
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PART = r"(?:\*|\d{1,2}(?:\.\.\d{1,2})?)(?:/\d{1,2})?"
_LIST = rf"{_PART}(?:,{_PART})*"
_CALENDAR = re.compile(
    rf"(?:(?P<days>[A-Za-z]{{3,9}}(?:(?:\.\.|,)[A-Za-z]{{3,9}})*)\s+)?"
    rf"(?:\*-(?P<month>{_LIST})-(?P<date>{_LIST})\s+)?(?P<hour>{_LIST}):(?P<minute>{_LIST})(?::00)?\Z"
)


class BadSchedule(ValueError):
    """A schedule that can't be understood; says why and what would be."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as cron fields: minute, hour, day of the month, month, day of the week."""

    minute: str
    hour: str
    date: str
    month: str
    day: str

    @property
    def cron(self) -> str:
        """The five fields."""
        return f"{self.minute} {self.hour} {self.date} {self.month} {self.day}"

    @property
    def calendar(self) -> str:
        """The same for ``OnCalendar=`` of a systemd timer."""
        days = "" if self.day == "*" else f"{_calendar_days(self.day)} "
        month, date = (_calendar_field(field, first=1) for field in (self.month, self.date))
        hour, minute = (_calendar_field(field, first=0) for field in (self.hour, self.minute))
        return f"{days}*-{month}-{date} {hour}:{minute}:00"

    def after(self, at: float, zone: tzinfo = UTC) -> float:
        """The next time after a time, Unix seconds; infinity where there is none in fifty years."""
        try:
            return next(CronSim(self.cron, datetime.fromtimestamp(at, zone))).timestamp()
        except StopIteration:
            return float("inf")


def parse(text: str) -> Schedule:
    """A schedule from what a person wrote.

    Raises:
        BadSchedule: it can't be understood.
    """
    words = text.strip()
    cron = _WORDS.get(words.lower()) or (_from_calendar(words) if ":" in words else words)
    fields = cron.split()
    if len(fields) != 5:
        raise BadSchedule(
            f"{text[:60]!r} is no schedule: write cron's five fields (30 2 * * *) or calendar words (daily, Mon..Fri 02:30)."
        )
    try:
        CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise BadSchedule(f"{text[:60]!r} is no schedule: {error}.") from error
    if fields[2] != "*" and fields[4] != "*":
        raise BadSchedule(
            f"{text[:60]!r} names days of the month and of the week: cron runs on either, which nobody means; name one kind."
        )
    if any(letter in cron for letter in "#LW"):
        raise BadSchedule(f"{text[:60]!r} has signs that timers on hosts don't know (#, L, W).")
    return Schedule(*fields)


def _from_calendar(words: str) -> str:
    found = _CALENDAR.match(words)
    if found is None:
        return words
    fields = [found[name] or "*" for name in ("minute", "hour", "date", "month")]
    days = "*" if found["days"] is None else _cron_days(found["days"])
    return " ".join([*(_cron_field(field) for field in fields), days])


def _cron_field(field: str) -> str:
    """``00/15`` and ``1..5`` as cron writes them."""
    parts = []
    for part in field.split(","):
        begin, slash, step = part.partition("/")
        begin = "-".join(str(int(number)) for number in begin.split("..")) if begin != "*" else "*"
        if slash:
            parts.append(f"*/{int(step)}" if begin in ("*", "0") else f"{begin}/{int(step)}")
        else:
            parts.append(begin)
    return ",".join(parts)


def _cron_days(words: str) -> str:
    parts = []
    for part in words.split(","):
        numbers = []
        for name in part.split(".."):
            short = name[:3].lower()
            if short not in _DAYS:
                raise BadSchedule(f"{name!r} is no day of the week; write Mon, Tue, Wed, Thu, Fri, Sat, Sun.")
            numbers.append(_DAYS.index(short))
        if len(numbers) == 2 and numbers[0] > numbers[1]:
            # until Sunday, or over it
            parts += [str(day) for day in (*range(numbers[0], 7), *range(numbers[1] + 1))]
        else:
            parts.append("-".join(map(str, numbers)))
    return ",".join(parts)


def _calendar_field(field: str, first: int) -> str:
    parts = []
    for part in field.split(","):
        begin, slash, step = part.partition("/")
        begin = begin.replace("-", "..")
        if slash:
            begin = f"{first:02}" if begin == "*" else begin
            parts.append(f"{begin}/{step}")
        else:
            parts.append(begin if begin == "*" or ".." in begin else f"{int(begin):02}")
    return ",".join(parts)


def _calendar_days(field: str) -> str:
    return ",".join(
        "..".join(
            _NAMES[int(number)] if number.isdigit() else number[:3].title() for number in part.split("-")
        )
        for part in field.split(",")
    )


def values(schedule: Schedule) -> tuple[tuple[int, ...], ...]:
    """All numbers of each field: minutes, hours, days of the month, months, days of the week (0: Sunday)."""
    return (
        _numbers(schedule.minute, 0, 59), _numbers(schedule.hour, 0, 23), _numbers(schedule.date, 1, 31),
        _numbers(schedule.month, 1, 12, _MONTHS), tuple(sorted({n % 7 for n in _numbers(schedule.day, 0, 7, _DAYS)})),
    )  # fmt: skip


def _numbers(field: str, first: int, last: int, names: Sequence[str] = ()) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.lower().split(","):
        span, slash, step = part.partition("/")
        begin, dash, end = (f"{first}-{last}" if span == "*" else span).partition("-")
        low = _number(begin, first, names)
        # a step without an end goes on to the last
        high = _number(end, first, names) if dash else last if slash else low
        found.update(range(low, high + 1, int(step) if slash else 1))
    return tuple(sorted(found))


def _number(text: str, first: int, names: Sequence[str]) -> int:
    return int(text) if text.isdigit() else names.index(text[:3]) + first


# --- windows ---------------------------------------------------------------------------------------


def window_minutes(window: str) -> tuple[int, int]:
    """When a window opens, in minutes after midnight, and for how many."""
    begin, end = (_minutes(part) for part in window.split("-"))
    return begin, (end - begin) % 1440 or 1440


def window_left(window: str, at: float, zone: tzinfo = UTC) -> float | None:
    """Seconds until a window (``22:00-06:00``) closes; 0 outside of it, None where there is no window."""
    if not window:
        return None
    begin, length = window_minutes(window)
    local = datetime.fromtimestamp(at, zone)
    opened = local.replace(hour=begin // 60, minute=begin % 60, second=0, microsecond=0)
    if opened > local:
        opened -= timedelta(days=1)
    closes = (opened + timedelta(minutes=length)).replace(fold=local.fold)
    # by the hours of the place, of which a night has one more or less at times
    return max(0.0, closes.timestamp() - at) if closes > local else 0.0


def window_opens(window: str, at: float, zone: tzinfo = UTC) -> float:
    """When a window opens next, Unix seconds; now, if it is open or there is none."""
    if window_left(window, at, zone) != 0.0:
        return at
    local = datetime.fromtimestamp(at, zone)
    minutes = _minutes(window.split("-")[0])
    opens = local.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0)
    if opens < local:
        opens += timedelta(days=1)
    return opens.timestamp()


def check_window(window: str) -> None:
    """See that a window can be understood.

    Raises:
        BadSchedule: it can't.
    """
    if window and any(_minutes(part) >= 1440 or int(part[3:]) > 59 for part in window.split("-")):
        raise BadSchedule(f"{window!r} is no window: write hours and minutes, 22:00-06:00.")


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


# --- whose hours ------------------------------------------------------------------------------------


def own_zone(now: float) -> tzinfo:
    """The hours of this machine, with the rules by which they change; where those can't be had, as they are now."""
    name = os.environ.get("TZ", "").removeprefix(":")
    with contextlib.suppress(OSError, ValueError, KeyError):
        return ZoneInfo(name) if name else _zone_of(LOCAL_TIME, os.stat(LOCAL_TIME).st_mtime_ns)
    found = datetime.fromtimestamp(now).astimezone().tzinfo
    assert found is not None  # noqa: S101  # astimezone has set it
    return found


@lru_cache(maxsize=1)
def _zone_of(path: str, changed: int) -> ZoneInfo:
    with open(path, "rb") as rules:
        return ZoneInfo.from_file(rules)


def zone_ahead(seconds: int) -> tzinfo:
    """The hours of a host, by how far its clock is ahead of UTC."""
    return timezone(timedelta(seconds=seconds))
