"""What a step screen says, as lines: the steps with their marks, what will run, and the steps of a plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from guardian_tui.protocol.runbooks import (
    PlannedCommand,
    PlannedStep,
    RunbookMark,
    RunbookResult,
    RunbookRun,
    RunbookStep,
)
from guardian_tui.text import counted, safe
from widgets.box import Line
from widgets.painting import Piece, width_of
from widgets.prose import headings, prose_lines, text_lines, words_lines, wrapped
from widgets.runbooks_list import STEP_GLYPHS, hosts_words, proof_piece
from widgets.shell_text import shell_lines

MOST_COMMANDS = 1000
"""As many as are told by the engine."""
VALUE = 400
_PERSON = ("instruct", "choose", "approve")
"""Kinds that say by themselves that a person is needed."""
STDIN_LINES = 6
_PLACEHOLDER = re.compile(r"\{\{ *(\w+) *\}\}")


def title_of(step: RunbookStep) -> str:
    """What a person calls a step."""
    return safe(step.title or step.name.replace("-", " ").replace("_", " "), 200)


def steps_lines(steps: Sequence[RunbookStep], run: RunbookRun, width: int) -> tuple[list[Line], int, int]:
    """The steps with their marks, prose at the one in front; the line at which its prose begins, and the one at which it stands."""
    marks = {mark.step: mark for mark in run.marks}
    lines: list[Line] = []
    since = place = 0
    for step in steps:
        current = step.name == run.step and run.state != "ended"
        if current:
            prose = prose_lines(step.prose, width)
            lines += [[]] if lines and prose else []
            since = len(lines)
            lines += [*prose, []] if prose else []
            place = len(lines)
        else:
            for heading in headings(step.prose):
                above: list[Line] = [[]] if lines and lines[-1] else []
                lines += [*above, *words_lines([(heading, "strong")], width), []]
        lines += _step_lines(
            step,
            marks.get(step.name, RunbookMark(step=step.name, state="todo")),
            width,
            current=current,
            run=run,
        )
    if run.rule:
        words, paint = proof_piece(run)
        lines += [[], [("the rule  ", "muted"), (safe(run.rule, 60), "text")]]
        told = safe(run.proof_words, VALUE) if run.proof_words else words or "is measured anew at the end"
        lines += words_lines(
            [(f"{words}: " if run.proof_words else "", paint), (told, paint if words else "muted")],
            width,
            first="   ",
            rest="   ",
        )
    return lines, since, place


def _step_lines(
    step: RunbookStep, mark: RunbookMark, width: int, *, current: bool, run: RunbookRun
) -> list[Line]:
    glyph, paint = STEP_GLYPHS[mark.state]
    name = f"{step.number} {title_of(step)}"
    strong = "title" if current else "muted" if mark.state in ("todo", "skipped") else "text"
    first, *rest = words_lines([(name, strong)], max(4, width - 2))
    lines: list[Line] = [[(f"{glyph} ", paint), *first], *([("  ", "text"), *line] for line in rest)]
    for words, words_paint in _details(step, mark, run):
        if words:
            lines += words_lines([(words, words_paint)], width, first="    ", rest="    ")
    return lines


def _details(step: RunbookStep, mark: RunbookMark, run: RunbookRun) -> list[Piece]:
    if mark.state in ("todo", "asking"):
        told: list[Piece] = [(_kind_words(step, run.values), "muted")]
        if step.dangerous:
            told.append(("dangerous · typed in before it runs", "warning"))
        return told
    state = mark.state if mark.state not in ("done", "running") else ""
    again = f"{mark.attempt} attempts" if mark.attempt > 1 else ""
    told_words = [part for part in (safe(mark.words, VALUE), state, again) if part]
    # who leads is known; whoever else did something is named; what paused it, and whether that was a person, stands in the question
    who = (
        [safe(mark.by, 60)] if mark.by and (told_words or mark.by != run.leader) and state != "paused" else []
    )
    said = " · ".join([*told_words, *who])
    return [(said, {"failed": "critical", "unknown": "warning"}.get(mark.state, "muted"))]


def _kind_words(step: RunbookStep, values: Mapping[str, str]) -> str:
    # a line of a list: as much of it as there is room for, with the values that are known
    text = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), " ".join(step.text.split()))
    text = safe(text, 160)
    return {
        "check": f"expects {safe(step.expect, 120)}" if step.expect else "looks, and changes nothing",
        "instruct": "you do it, and say so",
        "input": text or "asks for a value",
        "choose": text or "you choose",
        "approve": "another person approves" if step.quorum < 2 else f"{step.quorum} other people approve",
        "wait": f"waits: {text}",
        "backup": f"backs up {text}",
        "silence": f"keeps alerts quiet: {text}",
        "notify": f"tells: {text}",
        "run": f"expects {safe(step.expect, 120)}" if step.expect else "",
    }[step.kind]


def commands_lines(planned: PlannedStep, width: int, most: int = MOST_COMMANDS) -> list[Line]:
    """The commands of a step; ``most``: of those that differ by host so many are shown, of the others how many they are."""
    shown = planned.commands[:most]
    lines: list[Line] = []
    before = ""
    for command in shown:
        lines += command_lines(
            command, width, named=len(planned.commands) > 1, again=command.command == before
        )
        before = command.command
    left = len(planned.commands) - len(shown) + planned.more_commands
    if left:
        noun = "command" if left == 1 else "commands"
        lines += words_lines([(f"and {left} more {noun} that differ by host", "warning")], width)
    return lines


def command_lines(command: PlannedCommand, width: int, *, named: bool, again: bool = False) -> list[Line]:
    """A command exactly as it will run; ``named``: with the hosts that it is for; ``again``: its text stands right above."""
    lines: list[Line] = []
    if named:
        more = f" and {command.count - len(command.hosts)} more" if command.count > len(command.hosts) else ""
        same: Line = [(" the same", "muted")] if again else []
        hosts = ", ".join(safe(host, 253) for host in command.hosts)
        lines += words_lines([(f"{hosts}{more}", "strong"), *same], width)
    if not again:
        lines += shell_lines(command.command, width)
    for name, value in command.environment.items():
        lines += words_lines(
            [(f"{safe(name, 100)}={safe(value, VALUE)}", "text")], width, first="with   ", rest="       "
        )
    if command.stdin:
        shown = wrapped(safe(command.stdin, VALUE, newlines=True), max(8, width - 7))
        lines += [
            [("stdin  " if place == 0 else "       ", "muted"), (line, "text")]
            for place, line in enumerate(shown[:STDIN_LINES])
        ]
        if len(shown) > STDIN_LINES:
            lines.append([(f"       and {counted(len(shown) - STDIN_LINES, 'more line')}", "muted")])
    if command.missing:
        lines.append(
            [("no value yet for ", "muted"), (", ".join(safe(one, 60) for one in command.missing), "warning")]
        )
    return lines


def where_line(planned: PlannedStep, hosts: Sequence[str], count: int) -> Line:
    """Where and as whom."""
    step = planned.step
    whom = f"as {safe(step.user, 60)}" if step.user else "as its own user"
    place = hosts_words(hosts, count) if hosts or count else "a host that is not known yet"
    many = f"  {counted(count, 'host')}" if count and len(hosts) == 1 else ""
    return [("on     ", "muted"), (place, "strong"), (f"{many} · {whom}", "muted")]


def undo_lines(planned: PlannedStep, width: int) -> list[Line]:
    """Whether it can be undone, and why it is dangerous."""
    lines: list[Line] = []
    step = planned.step
    if step.kind == "check":
        return [[("goes back?  ", "muted"), ("nothing is changed", "ok")]]
    if planned.undo:
        lines += _back_lines(planned.undo.rstrip("\n"), width)
        if step.dangerous:
            lines += words_lines(
                [(safe(step.dangerous, VALUE), "warning")], width, first="dangerous   ", rest="            "
            )
    else:
        why = f"no: {safe(step.dangerous, VALUE)}" if step.dangerous else "no"
        lines += words_lines(
            [(why, "warning" if step.dangerous else "text")], width, first="goes back?  ", rest="            "
        )
    return lines


def _back_lines(command: str, width: int) -> list[Line]:
    """That it goes back, and by what."""
    head: Line = [("goes back?  ", "muted"), ("yes, by:", "ok")]
    first, *more = shell_lines(command, width - 2, "ok")
    if not more and width_of(head) + width_of(first) < width:
        return [[*head, (" ", "text"), *first[1:]]]
    return [head, *([("  ", "text"), *line] for line in (first, *more))]


def what_lines(run: RunbookRun, width: int) -> list[Line]:
    """What will run, where and as whom, and whether it can be undone; of a step that runs nothing, what it does."""
    planned = run.current
    if planned is None:
        return words_lines([(safe(run.words, 2000) or "…", "muted")], width)
    step = planned.step
    if not planned.commands:
        lines = prose_lines(planned.words or step.text, width)
        if step.kind in ("wait", "silence") and planned.hosts:
            lines += [[], [("on     ", "muted"), (hosts_words(run.hosts, planned.hosts), "text")]]
        return lines
    first = planned.commands[0]
    many = len(planned.commands) > 1
    where = where_line(planned, first.hosts if not many else (), planned.hosts)
    facts = _facts_lines(run, planned, width)
    commands = commands_lines(planned, width)
    # a long list of commands must not push out of sight in what batches they run and what is dangerous
    return [where, *facts, [], *commands] if many else [where, [], *commands, [], *facts]


def _facts_lines(run: RunbookRun, planned: PlannedStep, width: int) -> list[Line]:
    """In what batches it runs, what it expects, and whether it goes back."""
    step = planned.step
    lines: list[Line] = []
    if len(planned.batches) > 1:
        lines += words_lines(
            [(batches_words(planned.batches), "text"), (f" ({safe(step.fanout, 200)})", "muted")],
            width,
            first="in     ",
            rest="       ",
        )
    if run.asked == "undo":
        return [*lines, [("takes back what the step did", "warning")]]
    if step.expect:
        lines += words_lines(
            [(safe(step.expect, VALUE), "text")], width, first="expects     ", rest="            "
        )
    return [*lines, *undo_lines(planned, width)]


def batches_words(sizes: Sequence[int]) -> str:
    """``1, then 4, then 15 hosts``."""
    shown = ", then ".join(str(size) for size in sizes[:6])
    return f"{shown}{' …' if len(sizes) > 6 else ''} hosts"


def plan_step_lines(
    planned: PlannedStep, results: Sequence[RunbookResult], width: int, most: int = MOST_COMMANDS
) -> list[Line]:
    """A step of a plan as it will run; ``results``: what a dry run found; ``most``: of commands that differ by host."""
    step = planned.step
    danger = "  dangerous" if step.dangerous else ""
    lines: list[Line] = [
        [
            (f"{step.number} ", "muted"),
            (title_of(step), "strong"),
            (f"  {step.kind}", "muted"),
            (danger, "warning"),
        ]
    ]
    inner = max(8, width - 2)
    body: list[Line] = []
    if planned.commands:
        first = planned.commands[0]
        many = len(planned.commands) > 1
        body.append(where_line(planned, first.hosts if not many else (), planned.hosts))
        if len(planned.batches) > 1:
            body += words_lines(
                [(batches_words(planned.batches), "text")], inner, first="in     ", rest="       "
            )
        commands, undo = commands_lines(planned, inner, most), undo_lines(planned, inner)
        body += [*undo, *commands] if many else [*commands, *undo]
    elif planned.words:
        body += text_lines(safe(planned.words, 2000, newlines=True), "text", inner)
    if planned.person and not step.dangerous and step.kind not in _PERSON:
        body += words_lines([(safe(planned.person, VALUE), "muted")], inner)
    if planned.permission not in ("", "runbooks.run"):
        body.append([("needs  ", "muted"), (planned.permission, "text")])
    for one in results:
        glyph, paint = (
            ("✓", "ok")
            if one.state == "ok"
            else ("✖", "critical")
            if one.state == "failed"
            else ("◌", "muted")
        )
        told = one.words or one.last_line or one.state
        body += words_lines(
            [(f"{safe(one.host, 253)}: {safe(told, VALUE)}", paint)], inner, first=f"{glyph} ", rest="  "
        )
    return [*lines, *([("  ", "text"), *line] for line in body), []]
