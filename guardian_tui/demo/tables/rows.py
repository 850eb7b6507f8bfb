"""What the tables of simulated hosts share: a host's role, and rows that many sections begin with."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.roles import Role

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

NOBODY = Role("host", "host.service")


def role_of(figures: Figures) -> Role:
    """What a host does; one of scale tests does nothing in particular."""
    return figures.role or NOBODY


def booted(figures: Figures) -> str:
    """The row with the uptime."""
    return f"R\tB\t{figures.uptime:.2f} {figures.uptime * 3:.2f}"


def date(figures: Figures) -> str:
    """The row with the host's clock."""
    return f"R\tD\t{figures.wall():.0f}"


def stamp(at: float) -> str:
    """A time as systemd writes it."""
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def lines_of(kind: str, text: str) -> tuple[str, ...]:
    """The lines that a program wrote, each as a row of a kind."""
    return tuple(f"R\t{kind}\t{line}" for line in text.strip("\n").split("\n"))


def valued(figures: dict[str, object]) -> list[str]:
    """Files of /sys or of control groups with what is in them."""
    return [f"R\tV\t{path}:{value}" for path, value in figures.items()]


@cache
def digits(word: str, count: int) -> str:
    """Hexadecimal digits that are always the same for a word: an id, a serial number."""
    return (hashlib.sha256(word.encode()).hexdigest() * (count // 64 + 1))[:count]
