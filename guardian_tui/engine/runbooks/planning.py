"""What a run would do: each step as it will run, where, as whom, and how much it can reach.  Nothing is run."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import wording
from guardian_tui.engine.runbooks.documents import (
    MASK,
    Document,
    Rendered,
    Share,
    Step,
    Variable,
    check_value,
    render,
    render_text,
)
from guardian_tui.engine.runbooks.places import Places, from_alert, from_inventory
from guardian_tui.engine.runbooks.references import is_reference
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.protocol.runbooks import PlannedCommand, PlannedStep, RunbookPlan

HOSTS_TOLD = 20
COMMANDS_TOLD = 20
DIFF_LINES = 400

PERMISSIONS = {"approve": "runbooks.approve", "backup": "backups.run", "silence": "alerts.silence"}
"""What a kind of step needs beside ``runbooks.run``."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan stands on.

    Attributes:
        hosts: ids or names that a person gave, or that the run has.
        values: by variable; secrets as they are.
        captured: by host, what commands printed so far.
    """

    document: Document
    values: Mapping[str, str]
    hosts: tuple[str, ...] = ()
    alert: Alert | None = None
    captured: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def on(self, way: Way) -> dict[str, str]:
        """Values as a command on this host sees them."""
        inventory = from_inventory(self.document.variables, way)
        return {**inventory, **self.values, **self.captured.get(way.host_id, {})}


def given(document: Document, values: Mapping[str, str], alert: Alert | None) -> dict[str, str]:
    """Values of a new run: those of a person, checked, and those that the alert brings.

    Raises:
        InvalidRequest: one is none of the document's, or does not fit.
    """
    known = {variable.name: variable for variable in document.variables}
    found = {}
    for variable in document.variables:
        if variable.origin == "alert" and alert is not None and (value := from_alert(variable, alert)):
            found[variable.name] = check_value(variable, value)
    for name, value in values.items():
        if name not in known:
            raise InvalidRequest(f"{document.title} has no value {name[:60]!r}.", field=name)
        found[name] = value if is_reference(value, known[name].secret) else check_value(known[name], value)
    return found


class Planner:
    """Plans runs and their steps.

    Args:
        places: finds hosts.
        channels: ways to reach someone; None: not known here.
    """

    def __init__(self, places: Places, channels: Collection[str] | None = None) -> None:
        self._places = places
        self._channels = channels

    def hosts(self, basis: Basis, step: Step | None = None) -> list[Way] | None:
        """Hosts of the document, or of a step; None where they are not known yet.

        Raises:
            NotFound, InvalidRequest: they can't be found.
        """
        meant = step.hosts if step is not None and step.hosts is not None else basis.document.hosts
        return self._places.of(basis.document, meant, basis.values, basis.hosts, basis.alert)

    def rendered(
        self, basis: Basis, step: Step, way: Way, *, rollback: bool = False, partial: bool = False
    ) -> Rendered:
        """A step's command on a host."""
        return render(basis.document, step, basis.on(way), rollback=rollback, partial=partial)

    def step(self, basis: Basis, step: Step, *, undo: frozenset[str] | None = None) -> PlannedStep:
        """A step as it will run; or the command that takes it back, on the hosts ``undo``.

        Raises:
            NotFound, InvalidRequest: it can't be planned.
        """
        told = wording.step(basis.document, step)
        ways = self.hosts(basis, step) if step.acts or step.kind in ("wait", "silence") else []
        if ways is not None and undo is not None:
            ways = [way for way in ways if way.host_id in undo]
        count = len(ways or ())
        common = {
            "step": told, "hosts": count, "permission": PERMISSIONS.get(step.kind, "runbooks.run"),
            "person": person_for(step, basis.values), "words": _words(basis, step),
        }  # fmt: skip
        if step.maintenance:
            common["permission"] = "hosts.maintain"
        if not step.acts:
            return PlannedStep(**common)  # type: ignore[arg-type]  # fields of it
        groups = self._groups(basis, step, ways, undo is not None)
        first = ways[0] if ways else None
        rollback = render(
            basis.document, step, basis.on(first) if first else basis.values, rollback=True, partial=True
        )
        return PlannedStep(
            **common,  # type: ignore[arg-type]  # fields of it
            commands=tuple(_told(rendered, names) for rendered, names in groups[:COMMANDS_TOLD]),
            more_commands=max(0, len(groups) - COMMANDS_TOLD),
            batches=batches(step, count),
            phrase=phrase(basis, step, ways or []) if step.dangerous or undo is not None else "",
            undo=rollback.command if step.rollback else "",
        )

    def _groups(
        self, basis: Basis, step: Step, ways: Sequence[Way] | None, undo: bool
    ) -> list[tuple[Rendered, list[str]]]:
        if ways is None:
            return [(render(basis.document, step, basis.values, rollback=undo, partial=True), [])]
        groups: dict[bytes, tuple[Rendered, list[str]]] = {}
        for way in ways:
            rendered = self.rendered(basis, step, way, rollback=undo, partial=True)
            groups.setdefault(msgspec.json.encode(rendered), (rendered, []))[1].append(way.name)
        return list(groups.values())

    def warnings(self, steps: Iterable[Step]) -> tuple[str, ...]:
        """What would fail on the way as things are: messages that reach nobody."""
        channels = self._channels
        if channels is None:
            return ()
        found = []
        for step in steps:
            if step.kind != "notify":
                continue
            lost = [name for name in step.channels if name not in channels]
            if not channels:
                found.append(
                    f"{step.name} would tell nobody, and fail: no channel is configured under [alerts.channels]."
                )
            elif lost and len(lost) == len(step.channels):
                known = ", ".join(channels)
                found.append(
                    f"{step.name} would tell nobody, and fail: {', '.join(lost)} is no channel; there is {known}."
                )
            elif lost:
                found.append(f"{step.name} would not tell {', '.join(lost)}: there is no such channel.")
        return tuple(found)

    def digest(self, basis: Basis, steps: Sequence[Step]) -> str:
        """Of the document and of all that these steps would run: what an approval is bound to.

        What has no value yet stands in it as its placeholder; secrets stand in it as a mask.
        """
        lines: list[object] = [basis.document.hash]
        for step in steps:
            ways = self.hosts(basis, step) if step.acts else []
            groups = self._groups(basis, step, ways, undo=False) if step.acts else []
            lines.append(
                (
                    step.name,
                    _words(basis, step),
                    [
                        (rendered.command, rendered.shown, _stdin(rendered), rendered.user, names)
                        for rendered, names in groups
                    ],
                )
            )
        return hashlib.sha256(msgspec.json.encode(lines)).hexdigest()

    def plan(self, basis: Basis, *, last_run: str = "", before: Document | None = None) -> RunbookPlan:
        """All of a run; ``last_run`` is the newest of the document, which was pinned to ``before``."""
        document = basis.document
        problems: list[str] = []
        fields: dict[str, str] = {}
        source = document.hosts
        asked = source.variable if source is not None and source.origin == "variable" else "hosts"
        ways: list[Way] | None = None
        needs_hosts = any(step.acts and step.hosts is None for step in document.steps)
        try:
            ways = self.hosts(basis)
            if (
                ways is None
                and needs_hosts
                and (document.hosts is None or document.hosts.origin != "variable")
            ):
                problems.append("Say on which hosts it is to run.")
                fields["hosts"] = problems[-1]
        except (NotFound, InvalidRequest) as error:
            problems.append(error.detail)
            fields[asked] = error.detail
        steps: list[PlannedStep] = []
        for step in document.steps:
            try:
                steps.append(self.step(basis, step))
            except (NotFound, InvalidRequest) as error:
                if error.detail not in problems:
                    problems.append(f"{step.name}: {error.detail}")
                steps.append(PlannedStep(step=wording.step(document, step), words=error.detail))
        secret = {variable.name for variable in document.variables if variable.secret}
        missing = tuple(wording.variable(one) for one in missing_values(basis))
        changed: tuple[str, ...] = ()
        if before is not None and before.hash != document.hash:
            outlines = wording.outline(before), wording.outline(document)
            changed = tuple(difflib.unified_diff(*outlines, "last run", "now", lineterm="", n=2))[:DIFF_LINES]
        return RunbookPlan(
            runbook=document.id, title=document.title, version=document.version, hash=document.hash,
            hosts=tuple(way.name for way in (ways or ())[:HOSTS_TOLD]), hosts_count=len(ways or ()), steps=tuple(steps),
            blast=wording.blast(steps), dangerous=sum(bool(step.dangerous) for step in document.steps),
            digest="" if problems else self.digest(basis, document.steps), missing=missing,
            values={name: MASK if name in secret else value for name, value in basis.values.items()},
            problems=tuple(problems), fields=fields, warnings=self.warnings(document.steps), changed=changed, last_run=last_run,
        )  # fmt: skip


def missing_values(basis: Basis) -> list[Variable]:
    """Variables that have to be given before a run can begin."""
    later = {step.name for step in basis.document.steps if step.kind == "input"}
    later |= {name for step in basis.document.steps for name in step.capture}
    return [
        variable
        for variable in basis.document.variables
        if variable.origin in ("person", "alert")
        and variable.name not in later
        and variable.name not in basis.values
        and variable.default is None
    ]


def batches(step: Step, hosts: int) -> tuple[int, ...]:
    """Sizes of the batches in which a step goes over so many hosts."""
    shares = step.fanout.serial if step.fanout is not None else (Share(percent=100.0),)
    sizes: list[int] = []
    left = hosts
    while left > 0:
        share = shares[min(len(sizes), len(shares) - 1)]
        size = max(1, min(left, share.of(hosts)))
        sizes.append(size)
        left -= size
    return tuple(sizes)


def phrase(basis: Basis, step: Step, ways: Sequence[Way]) -> str:
    """What has to be typed before a dangerous step: what its author asks for, else the host's name or how many there are."""
    if step.confirm:
        values = basis.on(ways[0]) if len(ways) == 1 else basis.values
        return render_text(basis.document, step.confirm, values, partial=True)
    return ways[0].name if len(ways) == 1 else str(len(ways))


def person_for(step: Step, values: Mapping[str, str]) -> str:
    """Why a step needs a person; empty: it does not."""
    match step.kind:
        case "instruct":
            return "It tells a person what to do, and waits until that is done."
        case "input":
            return "" if step.name in values else "It asks for a value that was not given."
        case "choose":
            return "A person has to choose."
        case "approve":
            return "Another person has to approve."
    return f"It is dangerous: {step.dangerous}" if step.dangerous else ""


def _words(basis: Basis, step: Step) -> str:
    """What a step says or does where it is no command, with values in it."""
    if step.acts:
        return ""
    return wording.doing(step, render_text(basis.document, step.text, basis.values, partial=True))


def _told(rendered: Rendered, names: Sequence[str]) -> PlannedCommand:
    return PlannedCommand(
        command=rendered.command, hosts=tuple(names[:HOSTS_TOLD]), count=len(names), environment=rendered.shown, stdin=_stdin(rendered),
        missing=rendered.missing,
    )  # fmt: skip


def _stdin(rendered: Rendered) -> str:
    return MASK if rendered.stdin_masked and rendered.stdin else rendered.stdin
