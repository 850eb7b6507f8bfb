"""The ways through a document: where each step leads, which are never reached, which turn without a person, and which values may be missing there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from guardian_tui.engine.runbooks.documents.checks import uses
from guardian_tui.engine.runbooks.documents.fields import Fields
from guardian_tui.engine.runbooks.documents.findings import Notes, did_you_mean
from guardian_tui.engine.runbooks.documents.model import ASK, END, ROLLBACK, STOP, Document, Step

PEOPLE = frozenset({"instruct", "input", "choose", "approve"})
"""Kinds that wait for a person."""

Read = Sequence[tuple[Step, Fields]]


def check_flow(document: Document, read: Read, notes: Notes) -> None:
    """Note ways that lead nowhere, back without a person, or past the step that gives a value."""
    names = [step.name for step, _ in read]
    for place, (step, fields) in enumerate(read):
        if step.name in names[:place]:
            fields.notes.add(
                "double-step", f"Two steps are called {step.name}.", "Rename one.", line=step.line
            )
    _check_targets(read, set(names))
    if notes.failed:
        return
    ways = {step.name: (_success(document, step), _failure(step)) for step, _ in read}
    reached = _reached(read[0][0].name, ways)
    for step, fields in read:
        if step.name not in reached:
            fields.notes.add(
                "unreachable-step", f"No way leads to the step {step.name}.", "Lead to it by next, on_fail or an option, or take it out.",
                line=step.line,
            )  # fmt: skip
    _check_loops(read, ways)
    _check_values(document, read, ways)


def _check_targets(read: Read, names: set[str]) -> None:
    for step, fields in read:
        if step.next and step.kind == "choose":
            fields.note(
                "next",
                "next-of-choose",
                "A choose goes where its answers lead.",
                "Take next out.",
                of_key=True,
            )
        elif step.next and step.next not in {*names, END, STOP}:
            fields.note(
                "next",
                "unknown-step",
                f"next leads to no step {step.next!r}.",
                did_you_mean(step.next, {*names, END, STOP}),
            )
        known = {*names, END, STOP, ASK, ROLLBACK}
        if step.on_fail not in known:
            fields.note(
                "on_fail",
                "unknown-step",
                f"on_fail leads to no step {step.on_fail!r}.",
                did_you_mean(step.on_fail, known),
            )
        for option in step.options:
            if option.target not in {*names, END, STOP}:
                fields.note(
                    "options", "unknown-step", f"{option.answer!r} leads to no step {option.target!r}.", did_you_mean(option.target, {*names, END, STOP})
                )  # fmt: skip


def _success(document: Document, step: Step) -> tuple[str, ...]:
    return tuple(one.target for one in step.options) if step.kind == "choose" else (document.following(step),)


def _failure(step: Step) -> tuple[str, ...]:
    return () if step.on_fail in (ASK, STOP, ROLLBACK, END) else (step.on_fail,)


Ways = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def _reached(first: str, ways: Ways) -> set[str]:
    reached, todo = set[str](), [first]
    while todo:
        name = todo.pop()
        if name in reached or name not in ways:
            continue
        reached.add(name)
        todo += [*ways[name][0], *ways[name][1]]
    return reached


def _check_loops(read: Read, ways: Ways) -> None:
    """A walk along automatic steps alone that comes back to where it was."""
    alone = {step.name for step, _ in read if step.kind not in PEOPLE}
    done: set[str] = set()
    for step, fields in read:
        trail: list[str] = []

        def walk(name: str, trail: list[str] = trail, note: Callable[..., None] = fields.note) -> None:
            if name in trail:
                loop = " → ".join([*trail[trail.index(name) :], name])
                note("next", "loop-without-person", f"These steps go round without a person: {loop}.",
                     "Use retry: or a wait, or put an instruct between them.", of_key=True)  # fmt: skip
            elif name in alone and name not in done:
                trail.append(name)
                for target in (*ways[name][0], *ways[name][1]):
                    walk(target)
                trail.pop()
                done.add(name)

        walk(step.name)


def _check_values(document: Document, read: Read, ways: Ways) -> None:
    """A value that some way leaves out is told; one that nothing gives is refused."""
    given = {
        one.name
        for one in document.variables
        if one.default is not None or (one.origin != "capture" and not _made_by_step(document, one.name))
    }
    every = {one.name for one in document.variables}
    captured = {name for step, _ in read for name in step.capture}
    for one in document.variables:
        if one.origin == "capture" and one.name not in captured:
            read[0][1].notes.add(
                "never-captured",
                f"No step captures {one.name}.",
                "Add capture: to the step that shows it.",
                line=one.line,
            )
    at_entry = {step.name: set(every) for step, _ in read}
    at_entry[read[0][0].name] = set(given)
    changed = True
    while changed:
        changed = False
        for step, _ in read:
            here = at_entry[step.name]
            after = here | set(step.capture) | ({step.name} if step.kind == "input" else set())
            for targets, known in ((ways[step.name][0], after), (ways[step.name][1], here)):
                for target in targets:
                    if target in at_entry and not at_entry[target] <= known:
                        at_entry[target] &= known
                        changed = True
    for step, fields in read:
        for key, name, offset in uses(step):
            if name in every and name not in at_entry[step.name]:
                fields.note(
                    key, "may-be-missing", f"There is a way to this step on which {name} has no value.",
                    "Give it a default, or lead past the step that gives it.", offset=offset, severity="warning",
                )  # fmt: skip


def _made_by_step(document: Document, name: str) -> bool:
    return any(step.kind == "input" and step.name == name for step in document.steps)
