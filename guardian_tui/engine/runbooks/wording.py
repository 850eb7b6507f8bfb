"""Documents, steps and figures in the words of the protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from guardian_tui.engine.runbooks.documents import ASK, Document, Share, Step, Variable
from guardian_tui.engine.runbooks.documents.library import Entry
from guardian_tui.engine.runbooks.journal import Judged
from guardian_tui.protocol.approvals import GivenApproval
from guardian_tui.protocol.runbooks import (
    PlannedStep,
    RunbookDetail,
    RunbookOption,
    RunbookRow,
    RunbookStep,
    RunbookVariable,
)


def variable(one: Variable) -> RunbookVariable:
    """A variable as people are asked for it."""
    return RunbookVariable(
        name=one.name, type=one.type, origin=one.origin, prompt=one.prompt, default=one.default, minimum=one.minimum, maximum=one.maximum,
        pattern=one.pattern, options=one.options, secret=one.secret,
    )  # fmt: skip


_HEADING = re.compile(r"^ {0,3}#{1,6} +(.+?)[ #]*$", re.MULTILINE)


def own_title(document: Document, one: Step) -> str:
    """A step's title, unless it is that of the heading above it, which names all of the steps below."""
    return "" if any(one.title in _HEADING.findall(other.prose) for other in document.steps) else one.title


def step(document: Document, one: Step) -> RunbookStep:
    """A step as it stands in its document."""
    return RunbookStep(
        name=one.name, kind=one.kind, number=document.steps.index(one) + 1, title=own_title(document, one), prose=one.prose, text=one.text, user=one.user,
        roles=one.roles or document.roles, dangerous=one.dangerous, rollback=one.rollback, expect=one.expect, captures=tuple(one.capture),
        detach=one.detach, fanout=fanout(one), timeout_seconds=one.timeout_seconds, next=document.following(one),
        on_fail="" if one.on_fail == ASK else one.on_fail, variable=variable(one.variable) if one.variable else None,
        options=tuple(RunbookOption(answer=option.answer, target=option.target) for option in one.options),
        quorum=one.quorum if one.kind == "approve" else 0,
    )  # fmt: skip


def outline(document: Document) -> list[str]:
    """A document line by line, for the difference to another version of it."""
    lines = [
        f"title: {document.title}",
        f"version: {document.version}",
        f"roles: {', '.join(document.roles)}",
    ]
    lines += [f"hosts: {_fields(document.hosts)}" if document.hosts else "hosts:"]
    lines += [f"variable {one.name}: {_fields(one)}" for one in document.variables]
    for one in document.steps:
        lines += ["", f"step {one.name}: {one.kind}", *one.prose.splitlines()]
        lines += [f"  {line}" for line in one.text.splitlines()]
        lines += [
            f"  {words}"
            for words in _fields(one, ("name", "kind", "prose", "text", "line", "file")).split("; ")
            if words
        ]
    return [*lines, "", *document.epilogue.splitlines()]


def _fields(struct: msgspec.Struct, without: tuple[str, ...] = ("name", "line")) -> str:
    """What is set in a struct, as words."""
    set_ = msgspec.to_builtins(struct)
    return "; ".join(f"{name}: {value}" for name, value in set_.items() if name not in without)


def share(one: Share) -> str:
    """A number of hosts or a part of them."""
    return f"{one.percent:g} %" if one.percent else str(one.count)


def fanout(one: Step) -> str:
    """How a step goes over many hosts."""
    if one.fanout is None:
        return ""
    words = ", then ".join("all" if s.percent == 100 else share(s) for s in one.fanout.serial)
    gate = "; their health is looked at in between" if one.fanout.gate and len(one.fanout.serial) > 1 else ""
    return f"{words}{gate}; stops after more than {share(one.fanout.max_failures)} failed"


def doing(one: Step, said: str) -> str:
    """What a step does that runs no command."""
    match one.kind:
        case "wait":
            if one.wait_seconds:
                return f"Wait {seconds(one.wait_seconds)}."
            hold = f" for {seconds(one.hold_seconds)}" if one.hold_seconds else ""
            return f"Wait until {said}{hold}, at most {seconds(one.timeout_seconds)}."
        case "backup":
            return (
                f"Back up {said} now." if one.operation == "backup" else f"Verify the repository of {said}."
            )
        case "silence":
            what = (
                "A maintenance window"
                if one.maintenance
                else f"A silence of {', '.join(one.rules) or 'all rules'}"
            )
            return f"{what} for {seconds(one.duration_seconds)}: {said}"
        case "notify":
            return f"Tell {', '.join(one.channels) or 'all channels'}: {said}"
        case "approve":
            people = "Another person approves" if one.quorum == 1 else f"{one.quorum} other people approve"
            return f"{people}: {said}"
    return said


def blast(steps: Sequence[PlannedStep]) -> str:
    """What a run can reach, counted."""
    acting = [one for one in steps if one.step.kind == "run"]
    reading = sum(one.step.kind == "check" for one in steps)
    hosts = max((one.hosts for one in acting), default=0)
    dangerous = sum(bool(one.step.dangerous) for one in steps)
    undone = sum(bool(one.undo) for one in acting)
    if not acting:
        return f"It changes nothing on hosts: {count(reading, 'check')}, {count(len(steps), 'step')} in all."
    return (
        f"{count(len(acting), 'step')} of {len(steps)} change{'s' if len(acting) == 1 else ''} something on up to {count(hosts, 'host')}; "
        f"{dangerous or 'none'} {'is' if dangerous == 1 else 'are'} dangerous, {undone or 'none'} can be taken back."
    )


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seconds(span: float) -> str:
    """A time span, short."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if span >= size and span % size == 0:
            return f"{span / size:g} {unit}"
    return f"{span:g} s"


def approval(one: Judged, void: str) -> GivenApproval:
    """What a person said of what is to be run."""
    return GivenApproval(by=one.by, at=one.at, ok=one.ok, until=one.until, note=one.note, void=void)


def row(entry: Entry) -> RunbookRow:
    """A document's line in the library, without its newest run."""
    document = entry.document
    line = RunbookRow(
        id=entry.id, title=entry.title, file=entry.file, commit=entry.commit, problems=entry.problems
    )
    if document is None:
        return line
    return replace(
        line, version=document.version, hash=document.hash, summary=document.summary, rules=document.rules, roles=document.roles,
        tags=document.tags, steps=len(document.steps), dangerous=sum(bool(one.dangerous) for one in document.steps),
    )  # fmt: skip


def detail(entry: Entry, line: RunbookRow) -> RunbookDetail:
    """A document in full, with its line of the library."""
    document = entry.document
    findings = tuple(str(one) for one in entry.findings)
    if document is None:
        return RunbookDetail(row=line, findings=findings)
    return RunbookDetail(
        row=line, variables=tuple(variable(one) for one in document.variables),
        steps=tuple(step(document, one) for one in document.steps), epilogue=document.epilogue, findings=findings,
    )  # fmt: skip
