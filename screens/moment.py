"""A database brought back to a moment: the window in words, a moment picked or typed, what that would do, and only then the run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.moments import FORMS, parse_moment
from guardian_tui.protocol.backups import (
    JobRef,
    JobRow,
    Restore,
    RestorePlan,
    RestoreQuery,
    RunRow,
    Snapshot,
    SnapshotList,
    SnapshotsQuery,
    Window,
)
from guardian_tui.protocol.errors import GuardianError
from screens.choice import ChoiceDialog
from screens.forms import Card, Field, Words
from screens.reports import ReportDialog
from widgets import figures
from widgets.snapshots_list import when

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

TYPED = "typed"
WAYS = f"{FORMS} · latest"


def exactly(at: float, now: float) -> str:
    """A moment to the second on the person's clock, and its zone: ``today 14:05:30 CET``."""
    zone = time.strftime("%Z", time.localtime(at))
    return f"{when(at, now)}{time.strftime(':%S', time.localtime(at))} {zone}"


def window_words(window: Window, now: float) -> str:
    """The window as a person understands it."""
    if window.earliest is None:
        return "No moment can be restored yet: there is no full backup with its log."
    if window.latest is None:
        return "No moment can be restored: the server has archived nothing yet."
    if window.latest < window.earliest:
        return f"Nothing was committed since {exactly(window.earliest, now)}, when the full backup ended: restore the backup itself."
    span = f"Any moment from {exactly(window.earliest, now)} to {exactly(window.latest, now)} ({figures.age(now - window.latest)} ago)."
    if window.pending is False:
        return f"{span} Nothing was committed after that."
    later = "Something was" if window.pending else "What was"
    return f"{span} {later} committed after that: it can be restored once the log is archived."


def typed_moment(text: str, now: float, window: Window) -> float | None:
    """A moment that was typed, on the person's clock, or the window's last; None: it can't be understood."""
    if text.strip().lower() in ("latest", "now", "last"):
        return window.latest
    return parse_moment(text, now)


def refusal(at: float, now: float, window: Window) -> str:
    """Why a moment is outside of the window; empty: it is in it.  The engine looks again."""
    if window.earliest is None or window.latest is None:
        return window_words(window, now)
    if at < window.earliest:
        return f"{exactly(at, now)} is before the window, which begins {exactly(window.earliest, now)}."
    if at > window.latest:
        return f"{exactly(at, now)} is after the window, which ends {exactly(window.latest, now)}."
    return ""


def proposals(window: Window, backups: Sequence[Snapshot], now: float) -> list[tuple[str, str, str]]:
    """Moments to pick from, as choices: the last, some hours before it, midnights, and one that is typed."""
    earliest, latest = window.earliest or 0.0, window.latest or 0.0
    today = time.localtime(now)
    midnights = [time.mktime((*today[:2], today.tm_mday - n, 0, 0, 0, 0, 0, -1)) for n in range(7)]
    wanted = [(latest, "the last that can be restored")]
    wanted += [(latest - hours * 3600, f"{hours} h before it") for hours in (1, 4, 12)]
    wanted += [(at, "midnight") for at in midnights]
    wanted += [(one.at, "just as the backup began") for one in backups]
    places = {at: words for at, words in reversed(wanted) if earliest <= at <= latest}
    found = [
        (repr(at), exactly(at, now), f"{places[at]}, {figures.age(now - at)} ago")
        for at in sorted(places, reverse=True)
    ]
    return [*found[:20], (TYPED, "another moment…", "typed in")]


class MomentDialog(ModalScreen[RestoreQuery | None]):
    """Asks for the moment and the new folder; answers the order, or None.

    Args:
        job: whose database it is.
        window: the span.
        at: what was picked; None: it is typed.
        now: Unix seconds.
    """

    DEFAULT_CSS = (
        "MomentDialog { align: center middle; background: $background 60%; } MomentDialog Card { width: 78; }"
    )
    BINDINGS = [("escape", "dismiss(None)", "Not now")]  # as Textual has it

    def __init__(self, job: JobRow, window: Window, at: float | None, now: float) -> None:
        super().__init__()
        self._job = job
        self._window = window
        self._at = at
        self._now = now

    def compose(self) -> ComposeResult:
        """The window, two fields."""
        # with the minute: what an earlier restore left there is in nobody's way
        name = f"{self._job.name[:40]}-{time.strftime('%m%d-%H%M', time.localtime(self._now))}"
        folder = f"/var/tmp/restore-{name}"  # noqa: S108  # a proposal; whoever restores decides
        with Card() as card:
            card.border_title = "restore to a moment"
            yield Words(window_words(self._window, self._now))
            shown = "" if self._at is None else self._clock(self._at)
            yield Field("Moment", Input(shown, id="at", max_length=40, placeholder=WAYS))
            yield Field("Into", Input(folder, id="target", max_length=80))
            yield Words(
                "A new folder beside the database that runs: that one is not touched. The restored server is started there for the proof, and stopped.",
                id="words",
                classes="muted",
            )
            yield Words("⏎ show what it would do · esc not now", classes="muted")

    @staticmethod
    def _clock(at: float) -> str:
        """To the microsecond: the last moment of the window must not fall out of it by being rounded."""
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}{f'{at % 1:.6f}'[1:] if at % 1 < 0.9999995 else ''}"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter on the last field answers."""
        at = self._moment()
        if at is None:
            return
        if event.input.id == "at":
            self.query_one("#target", Input).focus()
            return
        target = event.value.strip()
        if not target.startswith("/") or not target.strip("/"):
            self._refuse("target", "Name a new folder by its whole path: it begins with /.")
            return
        self.dismiss(RestoreQuery(job=self._job.name, at=at, target=target))

    def _moment(self) -> float | None:
        text = self.query_one("#at", Input).value
        # what was picked and left as it is needs no reading
        at = (
            self._at
            if self._at is not None and text == self._clock(self._at)
            else typed_moment(text, self._now, self._window)
        )
        if at is None:
            self._refuse("at", f"Write a moment like {WAYS}.")
            return None
        if why := refusal(at, self._now, self._window):
            self._refuse("at", why)
            return None
        return at

    def _refuse(self, field: str, words: str) -> None:
        self.query_one("#words", Words).say(words, error=True)
        self.query_one(f"#{field}", Input).focus()


def moment_lines(plan: RestorePlan, at: float, now: float) -> list[tuple[str, str]]:
    """What the restore would do, as lines of a report."""
    free = "" if plan.free_bytes is None else f", {figures.size(plan.free_bytes)} are free there"
    size = f"about {figures.size(plan.bytes)}" if plan.bytes else "of a size that is not known"
    lines = [
        (f"The database as it was {exactly(at, now)}", "strong"),
        (f"into the new folder {plan.target} on {plan.host}: {size}{free}.", ""),
    ]
    if not plan.fits:
        lines.append(("It does not fit: free space first, or name a folder on another disk.", "error"))
    if plan.overwritten_files:
        lines.append((f"There is something at {plan.target} already: name another folder.", "error"))
    else:
        lines.append(("Nothing that is there is touched; the database that runs goes on.", "good"))
    lines += [(note, "error") for note in plan.notes]
    return [
        *lines,
        ("", ""),
        ("What will be done:", "muted"),
        *((f"  {n}. {words}", "muted") for n, words in enumerate(plan.commands, 1)),
    ]


async def restore_to_a_moment(console: GuardianApp, job: JobRow) -> None:
    """The whole way: window, moment, preview, second factor, run."""
    try:
        console.say(f"{job.name}: asking how far back its log reaches…")
        window = await console.ask("backups.window", Window, JobRef(job=job.name))
        now = console.world.now()
        if refusal(window.latest or 0.0, now, window):
            lines = [
                (window_words(window, now), "error"),
                *([(window.words, "error")] if window.words else []),
            ]
            await console.push_screen_wait(ReportDialog(f"{job.name}: no moment can be restored", lines))
            return
        found = await console.ask("backups.snapshots", SnapshotList, SnapshotsQuery(job=job.name, limit=10))
        title = f"restore {job.name} as it was (any moment since {exactly(window.earliest or 0.0, now)})"
        picked = await console.push_screen_wait(ChoiceDialog(title, proposals(window, found.snapshots, now)))
        if picked is None:
            return
        at = None if picked == TYPED else float(picked)
        query = await console.push_screen_wait(MomentDialog(job, window, at, now))
        if query is None:
            return
        plan = await console.ask("backups.preview", RestorePlan, query)
        possible = plan.fits and not plan.overwritten_files
        report = ReportDialog(
            "restore to a moment: nothing was changed yet", moment_lines(plan, query.at, now), accept="restore" if possible else ""
        )  # fmt: skip
        if not await console.push_screen_wait(report):
            return
        run = await console.ask(
            "backups.restore", RunRow, Restore(job=query.job, at=query.at, target=query.target)
        )
    except GuardianError as error:
        console.say_error(error)
        return
    console.open_run(run)
