"""The current step of a run as it would run now, and which approvals of it hold."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from guardian_tui.engine.approvals.counting import voids
from guardian_tui.engine.runbooks import journal, lasting
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.planning import Basis
from guardian_tui.engine.runbooks.run import Run, Sight
from guardian_tui.engine.runbooks.state import Standing
from guardian_tui.protocol.errors import GuardianError


def basis_of(house: House, run: Run, standing: Standing | None = None) -> Basis:
    """What a step of a run is planned on."""
    standing = standing or run.standing
    alert = house.live.alerts.get(standing.alert) if standing.alert else None
    return Basis(
        standing.document, {**standing.values, **run.secrets}, standing.hosts, alert, standing.captured
    )


async def see(house: House, run: Run, standing: Standing) -> Sight:
    """The current step of a run as it would run from there."""
    step = standing.current
    if step is None or standing.state == "ended":
        return Sight()
    basis = basis_of(house, run, standing)
    void = await _void(house, run, basis, standing)
    try:
        undo = standing.rolling_back or standing.record.undoing
        planned = house.planner.step(basis, step, undo=standing.record.touched if undo else None)
        digest = house.planner.digest(basis, standing.document.steps) if step.kind == "approve" else ""
    except GuardianError as error:
        return Sight(void=void, problem=error.detail)
    return Sight(planned, digest, void)


async def _void(house: House, run: Run, basis: Basis, standing: Standing) -> dict[str, str]:
    leader = run.principal.peer_uid if run.principal is not None else -1
    return await voids(
        standing.judged, "runbooks.approve", over=partial(lasting.over, run, house.clock), may=house.may, digest=partial(_known_digest, house, basis),
        hosts=[_labels(house, host) for host in standing.hosts],
        asked_from=(standing.uid, leader) if house.by_uid else None,
    )  # fmt: skip


def _labels(house: House, host: str) -> Mapping[str, str]:
    way = house.places.way(host)
    # of one that was removed meanwhile nobody may say more than of all hosts
    return way.labels if way is not None else {}


def _known_digest(house: House, basis: Basis, one: journal.Judged) -> str:
    """The digest as it would be had no value come since an approval."""
    known = set(one.known)
    then = replace(
        basis, values={name: value for name, value in basis.values.items() if name in known},
        captured={host: {n: v for n, v in some.items() if n in known} for host, some in basis.captured.items()},
    )  # fmt: skip
    with suppress(GuardianError):
        return house.planner.digest(then, basis.document.steps)
    return ""
