"""What a run asks, what can be answered and how that is called: of a run as it stands, nothing is asked of anybody."""

from __future__ import annotations

from collections.abc import Collection

from guardian_tui.commands import Command
from guardian_tui.protocol.runbooks import RunbookProgress, RunbookResult, RunbookRun
from screens.ask_pane import Asking, asking_lines
from widgets import figures
from widgets.runbook_asks import (
    approved_by,
    not_well,
    of_approval,
    question_lines,
    running_lines,
    verdict_lines,
)

_ACTS = {
    "runbook.skip": "skip", "runbook.retry": "retry", "runbook.previous": "back", "runbook.accept": "accept", "runbook.rollback": "rollback",
}  # fmt: skip


def asking_of(
    run: RunbookRun, progress: RunbookProgress | None, width: int, now: float, *, me: str, may_approve: bool
) -> Asking:
    """What a run asks of a person, or how it gets on, or how it ended."""
    if run.state == "ended":
        paint = {"done": "ok", "failed": "critical"}.get(run.verdict, "warning")
        if run.verdict == "done" and (run.proof in ("not_fixed", "unknown") or not_well(run)):
            paint = "warning"
        return Asking("verdict", paint, asking_lines(verdict_lines(run, width)))
    if run.state in ("running", "paused"):
        mark = next((one for one in run.marks if one.step == run.step), None)
        lines = running_lines(run, progress, mark.at if mark else None, now, width)
        return Asking("paused" if run.state == "paused" else "running", "muted", asking_lines(lines))
    lines = question_lines(run, width, me=me, may_approve=may_approve)
    title = {"confirm": "next", "type": "confirm", "undo": "roll back", "input": "answer", "choose": "choose", "approve": "approval",
             "decide": "what now?"}.get(run.asked, "next")  # fmt: skip
    paint = {"type": "warning", "undo": "warning", "approve": "warning", "decide": "critical"}.get(
        run.asked, "accent"
    )
    entry: str | None = None
    value, secret = "", False
    step = run.current.step if run.current else None
    if run.phrase and run.asked in ("type", "undo"):
        entry = "type it here, then ⏎"
    elif run.asked == "input":
        entry = "⏎ answers · esc to the keys"
        variable = step.variable if step else None
        if variable is not None:
            secret = variable.secret
            value = "" if secret else run.values.get(variable.name, variable.default or "")
    options = tuple(one.answer for one in step.options) if step is not None and run.asked == "choose" else ()
    return Asking(title, paint, asking_lines(lines), entry, value, secret, options)


def works(name: str, run: RunbookRun | None, hosts: int, me: str) -> bool:
    """Whether a command of the registry can be answered by a run as it stands; ``hosts``: over how many its step goes; ``me``: who sits here."""
    if name == "filter":
        return hosts > 1
    if run is None or not name.startswith("runbook."):
        return True
    if name in _ACTS:
        return _ACTS[name] in run.acts
    match name:
        case "runbook.go":
            return run.asked not in ("", "approve")
        case "runbook.pause":
            return "pause" in run.acts or "resume" in run.acts
        case "runbook.stop":
            return "stop" in run.acts
        case "runbook.approve" | "runbook.refuse":
            # nobody is offered to approve their own, or what they have approved
            held = name == "runbook.approve" and approved_by(run, me)
            return run.asked == "approve" and me not in (run.by, run.leader) and not held
        case "runbook.preview":
            return run.state != "ended"
        case "runbook.hand" | "runbook.lead":
            return run.state != "ended"
        case "runbook.host_output":
            return hosts > 1
        case "runbook.answer" | "runbook.option_up" | "runbook.option_down":
            return run.asked == "choose"
    return True


def word_of(command: Command, run: RunbookRun | None) -> str:
    """The short word of a command in the footer: what enter does, as things stand."""
    if command.name == "runbook.pause" and run is not None and "resume" in run.acts:
        return "go on"
    if command.name == "runbook.retry" and run is not None and of_approval(run):
        return "ask again"
    if command.name != "runbook.go" or run is None:
        return command.footer
    kind = run.current.step.kind if run.current else ""
    words = {
        "confirm": {"instruct": "it is done", "wait": "wait", "notify": "tell", "silence": "quiet"}.get(
            kind, "run"
        ),
        "type": "type it",
        "input": "answer",
        "choose": "choose",
        "decide": "decide",
        "undo": "take back",
    }
    return words.get(run.asked, command.footer)


def output_note(run: RunbookRun, results: list[RunbookResult], now: float) -> tuple[str, str]:
    """What stands in the border of the output: what runs, or how the last command ended."""
    if run.state == "running":
        mark = next((one for one in run.marks if one.step == run.step), None)
        return (
            f"◷ step {run.number} · {figures.age(now - mark.at)}" if mark and mark.at else "◷ running",
            "accent",
        )
    if len(results) == 1 and results[0].exit_code is not None:
        one = results[0]
        took = f" · {figures.span(one.ended_at - one.started_at)}" if one.started_at and one.ended_at else ""
        return (f"step {run.number} · exit {one.exit_code}{took}", "ok" if one.state == "ok" else "critical")
    return ("", "muted")


def rows_of_what(run: RunbookRun, classes: Collection[str], height: int, room: int, steps: int) -> int:
    """How many rows what runs may have at most: of a screen with these classes, of the room it shares with so long a list of steps."""
    most = max(5, height * 2 // 5)
    if "narrow" not in classes and run.asked == "approve":
        # nothing is read but what is to be approved
        return max(most, room - 6)
    if "narrow" not in classes or "output" in classes:
        return most
    if "hosts" in classes:
        # while hosts fan out their table has the room
        return most if run.asked else 7
    # a short list of steps leaves its room to what will run
    return max(most, room - max(5, steps))
