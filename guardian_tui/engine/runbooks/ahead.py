"""What is still to come of a run, as it would run now.  Nothing is run."""

from __future__ import annotations

from guardian_tui.engine.runbooks import wording
from guardian_tui.engine.runbooks.documents import Step
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.planning import Basis
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.sight import basis_of
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import PlannedStep, RunbookPreview


def not_done(house: House, run: Run) -> tuple[PlannedStep, ...]:
    """Steps that were not done yet, beside the current one: what somebody approves; one that can't be planned says why."""
    standing = run.standing
    basis = basis_of(house, run)
    return tuple(
        _planned(house, run, basis, step, [], undo=False)
        for step in standing.document.steps
        if step.name != standing.step and standing.of(step.name).state == "todo"
    )


def preview(house: House, run: Run) -> RunbookPreview:
    """A dry run from where a run stands: the current step, then those that may follow, or that are still to be taken back."""
    standing = run.standing
    basis, problems = basis_of(house, run), list[str]()
    undo = standing.rolling_back
    if undo:
        wanted = [standing.document.step(name) for name in standing.rollback]
    else:
        wanted = [
            step
            for step in standing.document.steps
            if step.name == standing.step or standing.of(step.name).state == "todo"
        ]
    steps = [_planned(house, run, basis, step, problems, undo=undo) for step in wanted]
    shown, now = run.sight.planned, next((one for one in steps if one.step.name == standing.step), None)
    return RunbookPreview(
        run=run.id, version=standing.version, step=standing.step, steps=tuple(steps), undo=undo,
        blast="" if undo else wording.blast(steps), problems=tuple(problems), warnings=() if undo else house.planner.warnings(wanted),
        changed=shown is not None and now is not None and shown != now,
    )  # fmt: skip


def _planned(
    house: House, run: Run, basis: Basis, step: Step, problems: list[str], *, undo: bool
) -> PlannedStep:
    touched = run.standing.of(step.name).touched if undo else None
    try:
        return house.planner.step(basis, step, undo=touched)
    except GuardianError as error:
        problems.append(f"{step.name}: {error.detail}")
        return PlannedStep(step=wording.step(basis.document, step), words=error.detail)
