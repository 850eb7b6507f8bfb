"""Who leads a run and who looks on, as lines and in a few words."""

from __future__ import annotations

import time
from collections.abc import Sequence

from guardian_tui.protocol.runbooks import RunbookRun, RunbookWatcher
from guardian_tui.text import safe
from widgets import figures
from widgets.box import Line
from widgets.painting import Piece
from widgets.prose import words_lines

OPENED = 400
TOLD = 5
"""Names that are told; of the others how many they are."""


def lead_lines(
    run: RunbookRun, watchers: Sequence[RunbookWatcher], me: str, now: float, width: int
) -> list[Line]:
    """Who began it, when and why, to whom it was handed, who looks on, and what it holds open."""
    lines: list[Line] = []
    if run.state != "ended" and watchers:
        lines += words_lines(_looking(run, watchers, me), width)
    if run.led_since is not None:
        how = "taken over from" if run.taken else "handed over by"
        lines += words_lines([(f"{how} {safe(run.led_before, 60)} {_clock(run.led_since)}", "text")], width)
    by = "" if run.by == run.leader else f" by {safe(run.by, 60)}"
    why = f" from alert {safe(run.rule, 60)}" if run.rule else ""
    itself = ", goes on by itself" if run.auto and run.state != "ended" else ""
    told = f"started {_clock(run.started_at)}{by}{why}, {figures.age(now - run.started_at)} ago{itself}"
    lines += words_lines([(told, "muted")], width)
    if run.open:
        lines += words_lines(
            [
                ("open: ", "warning"),
                (safe("; ".join(run.open), OPENED), "text"),
                (" closed at the end", "muted"),
            ],
            width,
        )
    return lines


def _clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def _looking(run: RunbookRun, watchers: Sequence[RunbookWatcher], me: str) -> list[Piece]:
    others = _others(run, watchers, me)
    told: list[Piece] = [(others, "text")] if others else [("nobody else looks on", "muted")]
    if run.leader not in (me, *(one.name for one in watchers)):
        told.append((f" · {safe(run.leader, 60)} is away", "warning"))
    return told


def _others(run: RunbookRun, watchers: Sequence[RunbookWatcher], me: str) -> str:
    """Who looks on beside whoever leads, who is named already."""
    return watch_words([one for one in watchers if one.name != run.leader or one.name == me], me)


def watch_words(watchers: Sequence[RunbookWatcher], me: str) -> str:
    """``grace and bob look on``: who else does; oneself at another console counts."""
    names = [
        f"{safe(one.name, 60)}{f' ({one.consoles} consoles)' if one.consoles > 1 else ''}"
        for one in watchers
        if one.name != me
    ]
    names += [
        f"you at {'another console' if one.consoles == 2 else f'{one.consoles - 1} other consoles'}"
        for one in watchers
        if one.name == me and one.consoles > 1
    ]
    if not names:
        return ""
    several = len(names) > 1 or names[0].startswith("you ")
    if len(names) > TOLD:
        names = [*names[:TOLD], f"{len(names) - TOLD} more"]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"{listed} {'look' if several else 'looks'} on"


def people_words(run: RunbookRun, watchers: Sequence[RunbookWatcher], me: str) -> str:
    """Who else there is, for a border: who leads, if that is somebody else, and who looks on."""
    leads = f"{safe(run.leader, 60)} leads" if run.leader != me else ""
    others = _others(run, watchers, me)
    return " · ".join(part for part in (leads, others) if part)
