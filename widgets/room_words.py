"""How much room a repository takes, how it grows, and when it is full, in words."""

from __future__ import annotations

from guardian_tui.protocol.backups import RepositoryRow
from widgets import figures

FULL_SOON_SECONDS = 90 * 86400.0
"""From then on a list says when a repository is full."""
CROWDED = 0.95
"""A share of what it may hold from which its bar is coloured."""


def room_words(row: RepositoryRow) -> str:
    """What is taken, of how much; of a whole disk where only that is known."""
    if row.taken_bytes is None:
        return "not weighed yet" if row.bytes is None else figures.size(row.bytes)
    taken = (
        f"{figures.size(row.taken_bytes)} of {figures.size(row.capacity_bytes)}"
        if row.capacity_bytes
        else figures.size(row.taken_bytes)
    )
    return f"{taken}, all that lies on its disk" if row.whole_disk else taken


def growth_words(row: RepositoryRow, now: float) -> str:
    """How it grows, and to what end: when it is full, or twice as large where it is not known what it may hold."""
    if row.growth_bytes_per_day is None:
        return row.forecast
    if row.growth_bytes_per_day <= 0:
        less = row.growth_bytes_per_day < 0
        return f"shrinks by {figures.size(-row.growth_bytes_per_day)} a day" if less else "does not grow"
    told = [f"{figures.size(row.growth_bytes_per_day)} a day"]
    if row.full_at is not None:
        told.append(f"full in {figures.age(row.full_at - now)}")
    elif row.doubles_at is not None:
        told.append(f"twice as large in {figures.age(row.doubles_at - now)}")
    return "; ".join([*told, *([row.forecast] if row.forecast else [])])


def soon_words(row: RepositoryRow, now: float) -> str:
    """When a repository is full, if that is soon."""
    if row.full_at is None or row.full_at - now > FULL_SOON_SECONDS:
        return ""
    return f"full in {figures.age(row.full_at - now)} · "
