"""Where a run goes: entries that lead it to a step, back over what was done, or to its end."""

from __future__ import annotations

from typing import Literal

from guardian_tui.engine.runbooks import course, journal
from guardian_tui.engine.runbooks.documents import END, STOP
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.sight import basis_of
from guardian_tui.engine.runbooks.state import Standing
from guardian_tui.protocol.errors import GuardianError

Why = Literal["next", "choice", "failed", "back", "retry"]


def onward(
    house: House, run: Run, target: str, why: Why = "next", standing: Standing | None = None
) -> list[AnyEntry]:
    """Entries that bring a run to a step, or to its end, from where it stands or is about to."""
    now, standing = house.clock.now(), standing or run.standing
    if target == STOP:
        return ending(house, "failed", "The runbook ends here, without success.")
    if target == END:
        if standing.alert and standing.proof in ("", "waiting"):
            words = "The alert's rule is judged again with fresh probes."
            return [journal.Proved(at=now, proof="waiting", words=words)]
        return ending(house, "done")
    return [
        journal.Moved(at=now, step=target, why=why),
        journal.Planned(at=now, step=target, commands=_commands(house, run, target, standing)),
    ]


def ending(
    house: House, verdict: Literal["done", "failed", "stopped", "rolled_back"], words: str = ""
) -> list[AnyEntry]:
    """Entries with which a run ends; what it opened is closed by whoever writes them."""
    return [journal.Ended(at=house.clock.now(), verdict=verdict, words=words)]


def stopped(house: House, run: Run) -> list[AnyEntry]:
    """Entries with which it ends because it was stopped."""
    who = f" by {run.stopped_by}" if run.stopped_by else ""
    reason = f": {run.stop_reason}" if run.stop_reason else ""
    return ending(house, "stopped", f"It was stopped{who}{reason}.")


def rolling_back(house: House, standing: Standing) -> list[AnyEntry]:
    """Entries that begin to take steps back."""
    begun = journal.RollingBack(at=house.clock.now(), steps=course.undoable(standing))
    return [begun, *next_undo(house, standing.after([begun]))]


def next_undo(house: House, standing: Standing) -> list[AnyEntry]:
    """Entries that lead to the next step that can be taken back, or end the run."""
    if not standing.rollback:
        return ending(house, "rolled_back", "What could be taken back was asked for, the newest first.")
    now, name = house.clock.now(), standing.rollback[0]
    return [journal.Planned(at=now, step=name, words="Shall this be taken back?")]


def _commands(house: House, run: Run, target: str, standing: Standing) -> tuple[journal.Command, ...]:
    step = standing.document.step(target)
    if not step.acts:
        return ()
    try:
        planned = house.planner.step(basis_of(house, run, standing), step)
    except GuardianError:
        # said when it is to be started
        return ()
    return tuple(journal.Command(one.command, one.hosts, step.user) for one in planned.commands)
