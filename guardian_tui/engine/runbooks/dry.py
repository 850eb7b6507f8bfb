"""A dry run: everything is rendered, and only checks are run, for they read alone."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from guardian_tui.engine.clock import Moment
from guardian_tui.engine.remote.followed import Stop
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import shell, verdicts
from guardian_tui.engine.runbooks.documents import Step
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.output import Output, Tail
from guardian_tui.engine.runbooks.planning import Basis
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import RunbookResult

SECONDS = 45.0
"""For all of it."""
CHECK_SECONDS = 20.0


async def dry_run(house: House, basis: Basis) -> list[RunbookResult]:
    """What the checks of a runbook say now; those that need a value which is not known yet are left out."""
    wanted: list[tuple[Step, Way]] = []
    for step in basis.document.steps:
        if step.read_only:
            try:
                ways = house.planner.hosts(basis, step) or []
                wanted += [(step, way) for way in ways]
            except GuardianError:
                # the plan says so
                continue
    try:
        async with asyncio.timeout(SECONDS):
            found = await asyncio.gather(*(_check(house, basis, step, way) for step, way in wanted))
    except TimeoutError as error:
        raise GuardianError(f"The checks did not end in {SECONDS:g} s; try it on fewer hosts.") from error
    return [one for one in found if one is not None]


async def _check(house: House, basis: Basis, step: Step, way: Way) -> RunbookResult | None:
    none = RunbookResult(
        id=f"dry/{step.name}/{way.host_id}", run="", step=step.name, host=way.name, state="waiting"
    )
    try:
        rendered = house.planner.rendered(basis, step, way)
    except GuardianError:
        return None
    if rendered.masked or rendered.stdin_masked:
        # secrets are asked for by a run alone
        return None
    output = Output(house.clock, house.budget)
    ear = output.ear(step.name, 1, way.name, (), Tail(named=False))
    line, fed = shell.command_line(rendered)
    began = Moment.of(house.clock)
    seconds = min(CHECK_SECONDS, step.timeout_seconds)
    async with house.at_once:
        try:
            ending = await house.commands.follow(
                way.target, line, seconds=seconds, hear=ear.hear, stop=Stop(), stdin=fed
            )
        except ConnectFailed as error:
            return replace(none, state="failed", words=error.detail)
    ear.close()
    outcome = verdicts.of_command(
        step,
        ending,
        ear,
        host=way.host_id,
        values=basis.on(way),
        began=began.at,
        seconds=began.ago(house.clock),
        undo=False,
    )
    return replace(
        none, state=outcome.state, exit_code=outcome.exit_code, words=outcome.words, last_line=outcome.last_line,
        captured=outcome.captured, started_at=began.at, ended_at=outcome.ended_at, bytes=outcome.bytes, clipped=outcome.clipped,
    )  # fmt: skip
