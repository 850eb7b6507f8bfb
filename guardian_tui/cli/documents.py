"""Runbooks, plans and dry runs of the engine as a person reads them in a terminal."""

from __future__ import annotations

from guardian_tui.cli.runs import show_plan
from guardian_tui.protocol.runbooks import RunbookDetail, RunbookDryRun, RunbookPlan, RunbookStep
from guardian_tui.text import safe

MOST = 20_000
"""Characters of one piece of a document."""


def plan_words(plan: RunbookPlan) -> str:
    """Every step as it would run, and what `approvals` and `runbooks run` bind to it."""
    return "\n".join(safe(line, MOST) for line in [*show_plan(plan), "", f"digest {plan.digest}"])


def dry_run_words(dry: RunbookDryRun) -> str:
    """The plan, then what each of its checks says now."""
    lines = [plan_words(dry.plan), "", "What its checks say now:"]
    lines += [
        safe(f"  {one.step} on {one.host or '–'}: {one.state}  {one.words or one.last_line}", MOST).rstrip()
        for one in dry.results
    ]
    return "\n".join(lines if dry.results else [*lines, "  none was run"])


def document_words(detail: RunbookDetail) -> str:
    """A document with its values and steps, to be read from top to bottom."""
    row = detail.row
    lines = [f"{row.title} ({row.id}, version {row.version})", *filter(None, [row.summary])]
    lines += [f"answers {', '.join(row.rules)}"] if row.rules else []
    lines += [f"for {', '.join(row.roles)}"] if row.roles else []
    for value in detail.variables:
        told = [
            value.type,
            f"from {value.origin}",
            f"else {value.default}" if value.default is not None else "",
        ]
        lines.append(
            f"value {value.name}: {', '.join(filter(None, told))}{f'  {value.prompt}' if value.prompt else ''}"
        )
    for step in detail.steps:
        lines += ["", *_step_lines(step)]
    lines += ["", *detail.epilogue.splitlines()] if detail.epilogue else []
    lines += ["", *(f"! {words}" for words in detail.findings)] if detail.findings else []
    return "\n".join(safe(line, MOST) for line in lines)


def _step_lines(step: RunbookStep) -> list[str]:
    lines = [*step.prose.splitlines(), ""] if step.prose else []
    marks = [step.kind, f"as {step.user}" if step.user else "", step.fanout]
    lines.append(f"{step.number}. {step.title or step.name} ({', '.join(filter(None, marks))})")
    lines += [f"   {line}" for line in step.text.splitlines()]
    lines += [f"   expects {step.expect}"] if step.expect else []
    lines += [f"   DANGEROUS: {step.dangerous}"] if step.dangerous else []
    lines += [f"   taken back by: {line}" for line in step.rollback.splitlines()]
    lines += [f"   {option.answer} → {option.target}" for option in step.options]
    return lines
