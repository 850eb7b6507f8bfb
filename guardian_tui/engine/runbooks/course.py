"""Where a run can go from where it stands.  Pure: what can be answered now, and which entries follow from an answer or a result."""

from __future__ import annotations

from guardian_tui.engine.runbooks.documents import ASK, Step
from guardian_tui.engine.runbooks.state import Standing
from guardian_tui.protocol.runbooks import Act, Asked

_ASKED: dict[str, Asked] = {
    "instruct": "confirm",
    "input": "input",
    "choose": "choose",
    "approve": "approve",
}


def asked(standing: Standing) -> Asked:
    """What a person is asked for now."""
    step = standing.current
    if standing.state == "deciding":
        return "decide"
    if standing.state != "asking":
        return ""
    if standing.rolling_back:
        return "undo"
    if step is None:
        return ""
    return _ASKED.get(step.kind, "type" if step.dangerous else "confirm")


def acts(standing: Standing) -> tuple[Act, ...]:
    """What can be answered now."""
    step = standing.current
    back: tuple[Act, ...] = ("back",) if standing.path and not standing.rolling_back else ()
    rollback: tuple[Act, ...] = ("rollback",) if undoable(standing) and not standing.rolling_back else ()
    approves = step is not None and step.kind == "approve"
    match standing.state:
        case "ended":
            return ()
        case "running":
            pausable = (
                step is not None
                and step.acts
                and not standing.rolling_back
                and standing.proof != "waiting"
                and len(standing.record.hosts) > 1
            )
            return ("pause", "stop") if pausable else ("stop",)
        case "paused":
            return ("resume", *rollback, "stop")
        case "deciding":
            if standing.rolling_back:
                return ("retry", "skip", "stop")
            if approves:
                # nobody goes round one that was refused, either
                return ("retry", *back, *rollback, "stop")
            return ("retry", "accept", "skip", *back, *rollback, "stop")
    if standing.rolling_back:
        return ("undo", "skip", "stop")
    if approves:
        # nobody goes round an approval
        return (*back, *rollback, "stop")
    return ("go", "skip", *back, *rollback, "stop")


def undoable(standing: Standing) -> tuple[str, ...]:
    """Steps that can be taken back, the newest first; one that was paused in the middle among them."""
    paused = [standing.step] if standing.state == "paused" else []
    names = [*[name for name in standing.done if name not in paused], *paused]
    return tuple(name for name in reversed(names) if standing.document.step(name).rollback)


def after(standing: Standing, step: Step, *, ok: bool) -> str:
    """Where a run goes after a step: a step's name, ``end``, ``stop``, ``rollback``, or ``ask``."""
    if ok:
        return standing.document.following(step)
    return step.on_fail or ASK
