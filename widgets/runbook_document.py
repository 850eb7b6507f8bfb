"""A runbook's document and its plan, as lines; and what its form asks for."""

from __future__ import annotations

from guardian_tui.protocol.runbooks import RunbookDetail, RunbookPlan, RunbookVariable
from guardian_tui.text import safe
from widgets.box import Line
from widgets.prose import prose_lines, text_lines, words_lines
from widgets.runbook_lines import title_of
from widgets.shell_text import shell_lines


def asked_for(detail: RunbookDetail) -> list[RunbookVariable]:
    """Values that a person may give before a run: those of an alert too, where there is none."""
    later = {step.variable.name for step in detail.steps if step.variable} | {
        name for step in detail.steps for name in step.captures
    }
    return [one for one in detail.variables if one.origin in ("person", "alert") and one.name not in later]


def field_words(one: RunbookVariable) -> str:
    """What a field wants, in words."""
    told = {"int": "a whole number", "word": "a single word",
            "enum": "one of " + ", ".join(one.options), "path": "a path that begins with /", "host": "a host's name",
            "duration": "a time span, as 30m", "datetime": "a moment, as 2026-01-31T02:30Z", "secret": "a secret, shown to nobody"}.get(one.type, one.type)  # fmt: skip
    bounds = [
        f"{one.minimum} at least" if one.minimum else "",
        f"{one.maximum} at most" if one.maximum else "",
    ]
    origin = "from the alert" if one.origin == "alert" else ""
    default = f"{one.default} if left empty" if one.default is not None and not one.secret else ""
    return safe(", ".join(part for part in (told, *bounds, default, origin) if part), 300)


def document_lines(detail: RunbookDetail, width: int) -> list[Line]:
    """A document as prose, its steps in their places."""
    row = detail.row
    lines: list[Line] = []
    if row.summary:
        lines += [*prose_lines(row.summary, width), []]
    if row.rules:
        lines += words_lines(
            [(", ".join(safe(rule, 60) for rule in row.rules), "text")],
            width,
            first="answers  ",
            rest="         ",
        )
    if row.roles:
        lines += words_lines(
            [(", ".join(safe(role, 60) for role in row.roles), "text")],
            width,
            first="for      ",
            rest="         ",
        )
    for words in detail.findings:
        lines += words_lines([(safe(words, 400), "warning")], width, first="note     ", rest="         ")
    for step in detail.steps:
        prose = prose_lines(step.prose, width)
        lines += [[], *prose, []] if prose else []
        danger: Line = [("  dangerous", "warning")] if step.dangerous else []
        lines.append(
            [(f"{step.number} ", "muted"), (title_of(step), "title"), (f"  {step.kind}", "muted"), *danger]
        )
        if step.kind in ("run", "check"):
            lines += [[("  ", "text"), *line] for line in shell_lines(step.text, width - 2, "muted")]
        elif step.text:
            lines += text_lines(safe(step.text, 1000, newlines=True), "muted", width, first="  ", rest="  ")
        for option in step.options:
            lines.append(
                [(f"  {safe(option.answer, 100)}", "text"), (f" → {safe(option.target, 100)}", "muted")]
            )
    if detail.epilogue:
        lines += [[], *prose_lines(detail.epilogue, width)]
    return lines


def plan_head(plan: RunbookPlan, width: int) -> list[Line]:
    """What a run can reach, and what stands in its way."""
    lines = words_lines([(safe(plan.blast, 600), "strong")], width)
    if plan.hosts:
        more = f" and {plan.hosts_count - len(plan.hosts)} more" if plan.hosts_count > len(plan.hosts) else ""
        told = ", ".join(safe(host, 253) for host in plan.hosts) + more
        lines += words_lines([(told, "text")], width, first=f"on {plan.hosts_count:<6}", rest="         ")
    for name, value in plan.values.items():
        lines += words_lines([(safe(value, 400), "text")], width, first=f"{safe(name, 40)} = ", rest="    ")
    for words in plan.problems:
        lines += words_lines([(safe(words, 600), "critical")], width, first="✖ ", rest="  ")
    for words in plan.warnings:
        lines += words_lines([(safe(words, 600), "warning")], width, first="▲ ", rest="  ")
    if plan.missing:
        told = ", ".join(safe(one.name, 60) for one in plan.missing)
        lines += words_lines([(f"needs a value for {told}: e", "warning")], width, first="▲ ", rest="  ")
    if plan.changed:
        told = "the document is not as it was at its last run: c shows the difference"
        lines += words_lines([(told, "warning")], width, first="▲ ", rest="  ")
    return lines
