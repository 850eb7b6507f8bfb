"""Answers that look like the one before: read at once by where their words stand, a quarter of the cost of reading them line by line.

A host's answers differ in their numbers alone, until a device comes or goes.  So a shape is learned from an answer that was read line by line: which
words are keys and names, which are numbers.  The next answer is cut into words, its keys and names are compared with the shape's in one step, its
numbers made in another.  What does not fit to the last word is read line by line, and a shape is learned anew.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import msgspec

from guardian_tui.engine.facts import Layout
from guardian_tui.engine.fleet.counters import DISK_NUMBERS, NIC_NUMBERS, Counters
from guardian_tui.engine.fleet.reading import (
    ABSURD,
    MEMORY,
    MOST_DEVICES,
    PRESSURE,
    Reading,
    known_memory,
    known_pressure,
    parse,
)
from guardian_tui.engine.fleet.series import layout_of
from guardian_tui.text import safe

MOST_SHAPES = 1024
_OPTIONAL = {"p": 3, "m": len(MEMORY), "v": 2, "P": len(PRESSURE)}
"""Lines whose numbers may be -1, for what the kernel does not have, and how many there must be."""
_REQUIRED = {"u": 1, "c": 8, "l": 3, "F": 3, "T": 1, "K": 2}
"""Lines whose first numbers count; what follows is not looked at."""
_DEVICES = {"d": DISK_NUMBERS, "N": NIC_NUMBERS}
_decode = msgspec.json.Decoder(list[float]).decode
"""Makes numbers of words six times as fast as ``float``; what is no plain JSON number is left to who reads line by line."""


class _Irregular(Exception):
    """An answer of which no shape can be made."""


@dataclass(slots=True)
class _Plan:
    """Where the words of an answer stand."""

    keys: list[int] = field(default_factory=list)
    optional: list[int] = field(default_factory=list)
    required: list[int] = field(default_factory=list)
    at: dict[str, slice] = field(default_factory=dict)
    disks: dict[str, range] = field(default_factory=dict)
    nics: dict[str, range] = field(default_factory=dict)
    """Where the numbers of each stand."""
    tasks: int | None = None
    count: int = 0

    def take(self, line: str) -> None:
        """Note a line's words."""
        words = line.split()
        first, self.count = self.count, self.count + len(words)
        if not words:
            return
        key = words[0]
        if line[0] == "!":
            self.keys += range(first, self.count)
            return
        self.keys.append(first)
        if key in _DEVICES:
            self._device(key, words, first)
            return
        if key in self.at:
            raise _Irregular
        if key in _OPTIONAL:
            self._numbers(key, self.optional, first + 1, len(words) - 1, exactly=_OPTIONAL[key])
            return
        if key not in _REQUIRED:
            raise _Irregular
        self._numbers(
            key, self.required, first + 1, min(len(words) - 1, _REQUIRED[key]), exactly=_REQUIRED[key]
        )
        if key == "l" and len(words) > 4:
            self.tasks = first + 4

    def _numbers(self, key: str, places: list[int], first: int, count: int, *, exactly: int) -> None:
        if count != exactly:
            raise _Irregular
        self.at[key] = slice(len(places), len(places) + count)
        places += range(first, first + count)

    def _device(self, key: str, words: list[str], first: int) -> None:
        devices, count = self.disks if key == "d" else self.nics, _DEVICES[key]
        name = safe(words[1], 40)
        if len(words) < 2 + count or len(devices) >= MOST_DEVICES or name in devices:
            raise _Irregular
        self.keys.append(first + 1)
        devices[name] = range(first + 2, first + 2 + count)


class Shape:
    """Reads answers of one shape."""

    __slots__ = (
        "_after",
        "_at",
        "_count",
        "_devices_at",
        "_disks",
        "_expected",
        "_keys",
        "_lines",
        "_nics",
        "_nics_at",
        "_numbers",
        "_optional",
        "_tasks",
        "_wanted",
        "layout",
        "missing",
    )

    def __init__(self, plan: _Plan, expected: tuple[str, ...], lines: int, missing: tuple[str, ...]) -> None:
        self._count, self._lines = plan.count, lines
        self._keys: Any = itemgetter(*plan.keys)  # Any: what it returns depends on how many it was given
        self._expected = expected
        # all numbers of one kind side by side: those that may be missing, the others, those of disks, those of interfaces
        places = [*plan.optional, *plan.required]
        shift, self._devices_at = len(plan.optional), len(places)
        places += [place for numbers in plan.disks.values() for place in numbers]
        self._nics_at = len(places)
        places += [place for numbers in plan.nics.values() for place in numbers]
        self._numbers: Any = itemgetter(*places)
        self._wanted, self._optional = len(places), shift
        self._at = {
            key: place if key in _OPTIONAL else slice(place.start + shift, place.stop + shift)
            for key, place in plan.at.items()
        }
        self._disks, self._nics = tuple(plan.disks), tuple(plan.nics)
        self._tasks = plan.tasks
        self.missing = missing
        self.layout: Layout = layout_of(self._disks, self._nics)

    def read(self, text: str) -> Reading | None:
        """The reading of an answer; None if it is of another shape, or a number is out of bounds."""
        words = text.split()
        if len(words) != self._count or _ends(text) != self._lines or self._keys(words) != self._expected:
            return None
        try:
            numbers = _decode(f"[{','.join(self._numbers(words))}]")
            tasks = float(words[self._tasks].rpartition("/")[2]) if self._tasks is not None else 0.0
        except ValueError:  # msgspec's errors are of this kind
            return None
        # a word may hold a comma, and be two
        if len(numbers) != self._wanted:
            return None
        least = min(numbers) if "-" in text else 0.0
        # one NaN makes the sum NaN, which compares false
        if not (least >= -1 and sum(numbers) < ABSURD and 0 <= tasks < ABSURD):
            return None
        if least < 0 and min(numbers[self._optional :]) < 0:
            return None
        return self._reading(numbers, tasks, whole=least >= 0)

    def _reading(self, numbers: list[float], tasks: float, *, whole: bool) -> Reading:
        at = self._at
        running, blocked, cpus = numbers[at["p"]]
        faults, kills = numbers[at["v"]]
        used, _, most = numbers[at["F"]]
        memory, pressure = numbers[at["m"]], numbers[at["P"]]
        reading = Reading(
            cpu=numbers[at["c"]], cpus=min(max(cpus, 0.0), 65536.0), running=running, blocked=blocked, major_faults=faults, oom_kills=kills,
            load=numbers[at["l"]], uptime=numbers[at["u"]][0], files=(used, most), pid_max=numbers[at["T"]][0],
            memory=dict(zip(MEMORY, memory, strict=True)) if whole else known_memory(memory),
            pressure=dict(zip(PRESSURE, pressure, strict=True)) if whole and max(pressure) <= 100 else known_pressure(pressure),
            disks=Counters(DISK_NUMBERS, self._disks, numbers[self._devices_at : self._nics_at]),
            nics=Counters(NIC_NUMBERS, self._nics, numbers[self._nics_at :]),
            layout=self.layout,
        )  # fmt: skip
        if self._tasks is not None:
            reading.tasks = tasks
        if "K" in at:
            count, limit = numbers[at["K"]]
            reading.conntrack = count, limit
        if self.missing:
            reading.missing = list(self.missing)
        if not whole:
            reading.running = running if running >= 0 else None
            reading.blocked = blocked if blocked >= 0 else None
            reading.major_faults = faults if faults >= 0 else None
            reading.oom_kills = kills if kills >= 0 else None
        return reading


_shapes: OrderedDict[tuple[tuple[str, ...], tuple[int, ...], int], Shape] = OrderedDict()


def _ends(text: str) -> int:
    """Ends of lines between words: with one more, words are cut off from their key."""
    return text.count("\n") - text.endswith("\n")


def _learn(text: str, reading: Reading) -> Shape | None:
    """The shape of an answer that was read without any problem; hosts of one shape share it."""
    if reading.problems:
        return None
    plan = _Plan()
    try:
        for line in text.split("\n"):
            plan.take(line)
    except _Irregular:
        return None
    if not plan.at.keys() >= (_OPTIONAL.keys() | _REQUIRED.keys()) - {"K"}:
        return None
    words = text.split()
    expected = tuple(words[place] for place in plan.keys)
    lines = _ends(text)
    key = (expected, tuple(plan.keys), lines)
    shape = _shapes.get(key)
    if shape is None:
        shape = _shapes[key] = Shape(plan, expected, lines, tuple(reading.missing))
        if len(_shapes) > MOST_SHAPES:
            _shapes.popitem(last=False)
    return shape


def read(answer: bytes, shape: Shape | None) -> tuple[Reading, Shape | None]:
    """An answer's reading, and the shape to try on the host's next one."""
    text = answer.decode("utf-8", "replace")
    # what is asked for now and then stands before and behind what is asked for each time
    clock, mounts = "", ""
    if text.startswith("t "):
        clock, _, text = text.partition("\n")
    text, some, rest = text.partition("\no ")
    if some:
        mounts = f"o {rest}"
    if shape is None:
        # hosts are much alike: what fits the newest shape need not be learned
        shape = next(reversed(_shapes.values()), None)
    reading = shape.read(text) if shape is not None else None
    if reading is None or (mounts and not all(line.startswith("o ") for line in mounts.splitlines())):
        reading = parse(answer)
        return reading, _learn(text, parse(text.encode()) if clock or mounts else reading)
    if clock or mounts:
        told = parse(f"{clock}\n{mounts}".encode())
        reading.clock, reading.mounts = told.clock, told.mounts
        reading.problems += told.problems
    return reading, shape
