"""What a run asks, in words: one function per kind of question."""

from __future__ import annotations

import re
import time

from guardian_tui.protocol.approvals import GivenApproval
from guardian_tui.protocol.runbooks import RunbookProgress, RunbookRun
from guardian_tui.text import counted, safe
from widgets import figures
from widgets.box import Line
from widgets.painting import Piece
from widgets.prose import text_lines, words_lines
from widgets.runbook_document import field_words
from widgets.runbooks_list import proof_piece

ACTS: dict[str, tuple[str, str]] = {
    "retry": ("try again", "Does the step once more."),
    "accept": ("take as done", "Goes on as if it had been well; a reason is asked for."),
    "skip": ("skip", "Goes on without it; a reason is asked for."),
    "back": ("go back", "To the step before; what was done stays done."),
    "rollback": ("roll back", "Takes back what was done, in reverse, each step confirmed."),
    "stop": ("stop", "Ends the run here; what it opened is closed."),
}
"""What can be decided: its word, and what it does."""
_PARTLY = re.compile(r"\d+ of \d+ well, ")
"""How the engine begins where a step's hosts fared differently."""
UNKNOWN = "Nobody knows how it ended: look on the host first. To try again runs it there once more, whatever was done."


def acts_of(run: RunbookRun) -> list[tuple[str, str, str]]:
    """What can be decided now; of a step of which nobody knows how it ended, what that would mean."""
    words = dict(ACTS)
    if run.current is not None and run.current.hosts > 1:
        words["retry"] = ("try again", "Runs the step once more, on the hosts where it was not well.")
    if of_approval(run):
        words["retry"] = (
            "ask again",
            "Whoever may approve it is asked once more; say before what has changed.",
        )
    if _unknown(run):
        words["retry"] = ("try again", "Runs it once more; it may have been done there: look first.")
        words["accept"] = ("take as done", "You have looked, and it was done; a reason is asked for.")
    return [(act, *words[act]) for act in run.acts if act in words]


def decide_title(run: RunbookRun) -> str:
    """What is to be decided upon, in a few words."""
    if of_approval(run):
        return "it was refused: what now?"
    return (
        f"step {run.number}: nobody knows how it ended"
        if _unknown(run)
        else f"step {run.number} was not well: what now?"
    )


def of_approval(run: RunbookRun) -> bool:
    """Whether the step in front is one that others approve."""
    return run.current is not None and run.current.step.kind == "approve"


def _unknown(run: RunbookRun) -> bool:
    return any(mark.step == run.step and mark.state == "unknown" for mark in run.marks)


def question_lines(run: RunbookRun, width: int, *, me: str, may_approve: bool) -> list[Line]:
    """What is asked of this person, and what to press."""
    lines: list[Line] = []
    if run.words and run.asked not in ("", "decide"):
        lines += words_lines([(safe(run.words, 600), "warning")], width)
    match run.asked:
        case "confirm":
            kind = run.current.step.kind if run.current else "run"
            done = {
                "instruct": "when it is done", "wait": "wait for it", "notify": "tell them", "silence": "keep it quiet", "backup": "begin it",
            }.get(kind, "run it")  # fmt: skip
            lines += [[("⏎ ", "title"), (done, "text"), *_others(run)]]
        case "type" | "undo":
            if run.phrase:
                what = "take it back" if run.asked == "undo" else f"run step {run.number}"
                # a bare number says by itself what it counts to nobody
                counts = (
                    ", the number of its hosts,"
                    if run.current and run.phrase == str(run.current.hosts)
                    else ""
                )
                lines += words_lines([(f"Type {safe(run.phrase, 300)}{counts} to {what}:", "text")], width)
            else:
                lines += [[("⏎ ", "title"), ("take it back", "text"), *_others(run)]]
        case "input":
            step = run.current.step if run.current else None
            lines += text_lines(safe(step.text if step else "", 600, newlines=True), "strong", width)
            if step is not None and step.variable is not None:
                lines += words_lines([(field_words(step.variable), "muted")], width)
        case "choose":
            step = run.current.step if run.current else None
            lines += text_lines(safe(step.text if step else "", 600, newlines=True), "strong", width)
        case "approve":
            lines += approval_lines(run, width, me=me, may_approve=may_approve)
        case "decide":
            unknown = _unknown(run)
            paint = "warning" if unknown else "critical"
            lines += words_lines([(safe(run.words or "The step was not well.", 900), paint)], width)
            if unknown:
                lines += words_lines([(UNKNOWN, "text")], width)
            told: Line = [("⏎ ", "title"), ("decide: ", "text")]
            told.append((", ".join(word for _, word, _ in acts_of(run)), "muted"))
            lines.append(told)
    return lines


def _others(run: RunbookRun) -> Line:
    others = [word for act, word in (("skip", "k skip"), ("back", "b back")) if act in run.acts]
    return [("   " + " · ".join(others), "muted")] if others else []


def approval_lines(run: RunbookRun, width: int, *, me: str, may_approve: bool) -> list[Line]:
    """What an approval is bound to, who has given theirs, and what this person can do."""
    lines = text_lines(safe(run.current.words if run.current else "", 900, newlines=True), "strong", width)
    bound = f"bound to {run.digest[:16]}: the document and each command as they stand"
    lines += words_lines([(bound, "muted")], width)
    for one in run.approvals:
        lines += words_lines([_given(one)], width)
    held = [one for one in run.approvals if one.ok and not one.void]
    count = f"{len(held)} of {run.quorum}"
    if me in (run.by, run.leader):
        waits = "it waits for another person, not who began or leads it."
        lines += words_lines([(f"{count}: ", "text"), (waits, "warning")], width)
        told = "You are told when somebody answers: esc leaves it waiting."
        return [*lines, *words_lines([(told, "muted")], width)]
    if not may_approve:
        waits = "it waits for somebody who may approve"
        return [*lines, *words_lines([(f"{count}: ", "text"), (waits, "muted")], width)]
    if approved_by(run, me):
        told = "you have approved it, and it waits for another."
        lines += words_lines([(f"{count}: ", "text"), (told, "muted")], width)
        return [*lines, [("n ", "title"), ("refuse it after all", "text")]]
    keys: Line = [("y ", "title"), ("approve   ", "text"), ("n ", "title"), ("refuse", "text")]
    return [*lines, [(f"{count}   ", "text"), *keys]]


def approved_by(run: RunbookRun, name: str) -> bool:
    """Whether somebody has approved what the run asks, and that still counts."""
    return any(one.by == name and one.ok and not one.void for one in run.approvals)


def _given(one: GivenApproval) -> Piece:
    """What somebody said, and whether that counts still."""
    by, note = safe(one.by, 60), f": {safe(one.note, 200)}" if one.note else ""
    if not one.ok:
        return f"{by} refused{note}", "critical"
    if one.void:
        return f"{by} approved, which no longer counts: {safe(one.void, 200)}", "warning"
    return f"{by} approved, until {time.strftime('%H:%M', time.localtime(one.until))}{note}", "ok"


def running_lines(
    run: RunbookRun, progress: RunbookProgress | None, began: float | None, now: float, width: int
) -> list[Line]:
    """How the current step gets on."""
    if run.state == "paused":
        return [
            *words_lines([(safe(run.words or "Paused.", 600), "mark")], width),
            [
                ("p ", "title"),
                ("go on   ", "text"),
                *([("u ", "title"), ("roll back   ", "text")] if "rollback" in run.acts else []),
                ("x ", "title"),
                ("stop", "text"),
            ],
        ]
    since = f"for {figures.age(now - began)}" if began is not None else ""
    if progress is None or progress.step != run.step:
        return [[("◷ running ", "accent"), (since, "muted")]]
    hosts = progress.waiting + progress.running + progress.ok + progress.failed + progress.unknown
    lines: list[Line] = []
    if hosts > 1:
        done = hosts - progress.waiting - progress.running
        filled, rest = figures.meter(done / hosts, 24)
        lines.append(
            [
                (filled, "accent"), (rest, "rest"), (f" {done} of {hosts}", "text"),
                (f" · batch {max(1, progress.batch)} of {progress.batches}", "muted"), (f" · {since}", "muted"),
            ]
        )  # fmt: skip
        counts: Line = [
            (f"● {progress.ok} ok   ", "ok"),
            (f"✖ {progress.failed} failed   ", "critical" if progress.failed else "faint"),
        ]
        counts += [(f"◷ {progress.running} running   ", "accent"), (f"○ {progress.waiting} waiting", "muted")]
        if progress.unknown:
            counts.append((f"   ◌ {progress.unknown} unknown", "warning"))
        lines.append(counts)
    else:
        left = (
            f" · {figures.age(progress.until - now)} left"
            if progress.until is not None and progress.until > now
            else ""
        )
        lines.append([("◷ running ", "accent"), (f"{since}{left}", "muted")])
    if progress.words:
        lines += words_lines([(safe(progress.words, 400), "text")], width)
    stop: Line = [("x ", "title"), ("stop", "text")]
    if "pause" in run.acts:
        stop = [("p ", "title"), ("pause   ", "text"), *stop]
    return [*lines, stop]


def not_well(run: RunbookRun) -> list[str]:
    """Steps that counted as done though some of their hosts were not well: as many as the document allows."""
    return [
        f"step {place}: {safe(mark.words, 300)}"
        for place, mark in enumerate(run.marks, 1)
        if mark.state == "done" and _PARTLY.match(mark.words)
    ]


def verdict_lines(run: RunbookRun, width: int) -> list[Line]:
    """How a run has ended, and whether the rule that fired is proven fixed."""
    word, paint = {
        "done": ("✓ done", "ok"), "failed": ("✖ failed", "critical"), "stopped": ("◼ stopped", "warning"), "rolled_back": ("↶ rolled back", "mark"),
        "": ("◌ ended", "muted"),
    }[run.verdict]  # fmt: skip
    took = f" after {figures.age(run.ended_at - run.started_at)}" if run.ended_at is not None else ""
    lines: list[Line] = [
        [
            (f"{word}{took}", paint),
            (f" · {sum(m.state == 'done' for m in run.marks)} of {counted(len(run.marks), 'step')}", "muted"),
        ]
    ]
    if run.words:
        lines += words_lines([(safe(run.words, 600), "text")], width)
    for words in not_well(run)[:3]:
        lines += words_lines([(words, "warning")], width)
    if run.rule:
        words, proof_paint = proof_piece(run)
        lines += words_lines(
            [(f"{words}: ", proof_paint), (safe(run.proof_words or run.rule, 600), "text")], width
        )
    lines.append([("t ", "title"), ("transcript   ", "text"), ("esc ", "title"), ("back", "text")])
    return lines
