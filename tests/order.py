"""What begins first, so that both cores have work to the end: a long module that begins last keeps one of them waiting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "durations.txt"
"""For how long each module ran when all tests were run last with `python tests/run.py --record`: seconds, tests, module."""


@dataclass
class Recorded:
    """For how long a module ran, and how many tests it has."""

    seconds: float = 0.0
    tests: int = 0


UNKNOWN = Recorded(tests=1)
"""A module that came after the record: it begins before all others, since it may be long."""


def module_of(nodeid: str) -> str:
    """The module of a test, by its path below `tests`."""
    return nodeid.partition("::")[0].removeprefix("tests/")


def read_record() -> dict[str, Recorded]:
    """The record, by module, the longest first."""
    lines = (line.split() for line in FILE.read_text().splitlines())
    return {module: Recorded(float(seconds), int(tests)) for seconds, tests, module in lines}


def write_record(modules: dict[str, Recorded]) -> None:
    """Keep what was recorded of a run of all tests."""
    ordered = sorted(modules.items(), key=lambda entry: (-round(entry[1].seconds), entry[0]))
    FILE.write_text("".join(f"{one.seconds:.0f} {one.tests} {module}\n" for module, one in ordered))


def begins(nodeid: str) -> int:
    """The place of a test's module among the others."""
    return _PLACES.get(module_of(nodeid), -1)


RECORD = read_record()
_PLACES = {module: place for place, module in enumerate(RECORD)}
