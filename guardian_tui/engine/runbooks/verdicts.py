"""What came of a command, by evidence: its exit status, what its author expects, and nothing that the connection did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from guardian_tui.engine.remote.followed import Ending
from guardian_tui.engine.runbooks.documents import Step, capture, check_value
from guardian_tui.engine.runbooks.documents.judging import command_values, judge
from guardian_tui.engine.runbooks.documents.model import Variable
from guardian_tui.engine.runbooks.journal import HostOutcome
from guardian_tui.engine.runbooks.output import Ear
from guardian_tui.engine.runbooks.state import StepRecord
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.runbooks import HostState
from guardian_tui.text import safe

WORDS_LIMIT = 300


def of_command(
    step: Step, ending: Ending, ear: Ear, *, host: str, values: Mapping[str, str], began: float, seconds: float, undo: bool
) -> HostOutcome:  # fmt: skip
    """What came of a command on a host, whose values of the run are held against it.

    It began at that time, and took so many seconds.  Of one that takes the step back (``undo``) only the exit status counts.
    """
    captured: dict[str, str] = {}
    state, words = _ended(ending, step.timeout_seconds)
    if state == "ok":
        out, err = ear.text("out"), ear.text("err")
        found = {} if undo else capture(step.capture, out)
        known = {**values, **found, **command_values(ending.exit_status, out, err, seconds)}
        told = judge("" if undo else step.expect, known)
        if not told.holds:
            state = "failed"
            words = told.why if step.expect and not undo else f"exit status {ending.exit_status}"
            if said := _said(ear):
                words = f"{words}: {said}"
        captured, refused = _checked(step, found)
        missing = sorted(set(step.capture) - set(found)) if not undo else []
        if state == "ok" and (missing or refused):
            state = "failed"
            words = refused or f"its output has nothing for {', '.join(missing)}"
        elif state == "ok" and ending.lingering:
            words = "It left something running that holds its output open."
    return HostOutcome(
        host=host, state=state, exit_code=ending.exit_status, words=safe(words, WORDS_LIMIT), last_line=ear.last_line,
        captured=captured if state == "ok" else {}, started_at=began, ended_at=began + seconds, bytes=ear.bytes, clipped=ear.clipped,
    )  # fmt: skip


def _ended(ending: Ending, seconds: float) -> tuple[HostState, str]:
    """Whether a command told how it ended; what its exit status says is judged by whoever knows what is expected."""
    if ending.left:
        return "unknown", "It was told to end and gave no answer: it may still run there."
    match ending.why:
        case "timeout":
            return (
                "failed",
                f"It did not end in {seconds:g} s and was ended. If it waits for input: it gets none.",
            )
        case "stopped":
            return "failed", "It was ended by a person."
        case "cut":
            return (
                "unknown",
                f"The link was cut in the middle of it ({ending.words}): nobody knows how it ended there.",
            )
        case "signalled":
            return "failed", f"It was ended by SIG{ending.signal}."
    return "ok", ""


def _said(ear: Ear) -> str:
    """The last line that it wrote, complaints first."""
    complaints = ear.text("err").strip().rpartition("\n")[2]
    return safe(complaints, 200) if complaints else ear.last_line


def _checked(step: Step, found: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Captured values are held against no more than what no value may be: their type is checked where they are used."""
    kept = {}
    for name, value in found.items():
        try:
            kept[name] = check_value(Variable(name=name, type="text", origin="capture"), value)
        except InvalidRequest as error:
            return {}, f"what was captured is refused: {error.detail}"
    return kept, ""


def of_step(
    record: StepRecord, most_failures: int, names: Mapping[str, str], *, stopped: bool
) -> tuple[Literal["done", "failed", "unknown"], str]:
    """What came of a step, by what came of it on its hosts."""
    outcomes = {host: record.outcomes[host] for host in record.hosts if host in record.outcomes}
    unknown = [host for host, outcome in outcomes.items() if outcome.state == "unknown"]
    failed = [host for host, outcome in outcomes.items() if outcome.state == "failed"]
    of = len(record.hosts)
    if of == 1 and outcomes:
        (outcome,) = outcomes.values()
        return ("done" if outcome.state == "ok" else "unknown" if unknown else "failed"), outcome.words
    ok = sum(outcome.state == "ok" for outcome in outcomes.values())
    left = of - len(outcomes)
    words = f"{ok} of {of} well"
    if failed:
        words += f", {len(failed)} failed ({_some(failed, names)})"
    if unknown:
        words += f", {len(unknown)} unknown ({_some(unknown, names)})"
    if left:
        words += f", {left} not begun"
    if unknown:
        return "unknown", f"{words}."
    if stopped or len(failed) > most_failures or left:
        why = (
            f"; more than {most_failures} failed, so it stopped"
            if len(failed) > most_failures and most_failures
            else ""
        )
        return "failed", f"{words}{why}."
    return "done", f"{words}."


def _some(hosts: list[str], names: Mapping[str, str]) -> str:
    told = ", ".join(names.get(host, host) for host in hosts[:3])
    return f"{told} and {len(hosts) - 3} more" if len(hosts) > 3 else told
