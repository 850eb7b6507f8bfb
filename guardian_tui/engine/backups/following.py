"""Runs that go on on their hosts: each host is asked about all of its own at once, as long as there are any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from msgspec.structs import replace

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.script import Reader
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed, Look
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 2.0
SOON_SECONDS = 0.2
"""A run that has just begun is looked at so soon, then less and less often: most end quickly, and somebody waits."""
UNHEARD_SECONDS = 10.0
"""A host that did not answer is asked again so much later."""


class Following:
    """Follows runs to their ends.

    Args:
        detached: what hosts are asked by.
        clock: says when.
        runs: those that there are, by id; the runner's own, and changes with it.
        show: called with a run of which something new is known.
    """

    def __init__(
        self, detached: DetachedRuns, clock: Clock, runs: Mapping[str, Run], show: Callable[[Run], None]
    ) -> None:
        self._detached = detached
        self._clock = clock
        self._runs = runs
        self._show = show
        self._followers: dict[str, asyncio.Task[None]] = {}

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        """What is under way."""
        return self._followers.values()

    def follow(self, way: Way) -> None:
        """See to it that a host is asked."""
        task = self._followers.get(way.host_id)
        if task is None or task.done():
            task = asyncio.create_task(self._follow_host(way), name=f"backups on {way.name}")
            task.add_done_callback(tell_fault)
            self._followers[way.host_id] = task

    def _running_on(self, host_id: str) -> list[Run]:
        return [
            run
            for run in self._runs.values()
            if run.way.host_id == host_id
            and run.row.state == "running"
            and run.on_its_host
            and not run.ended.is_set()
        ]

    async def _follow_host(self, way: Way) -> None:
        while running := self._running_on(way.host_id):
            try:
                looks = await self._detached.look(
                    way.target, {run.detached_id: run.offsets for run in running}
                )
            except (ConnectFailed, DetachedFailed) as error:
                log.info("runs on %s can't be followed: %s", way.name, error.detail)
                await asyncio.sleep(UNHEARD_SECONDS)
                continue
            more = False
            for run in running:
                look = looks.get(run.detached_id)
                if look is not None:
                    more = self._looked(run, look) or more
                    await self._end_late(run, look)
            youngest = min(self._clock.now() - (run.row.started_at or 0.0) for run in running)
            await asyncio.sleep(0.0 if more else min(FOLLOW_SECONDS, max(SOON_SECONDS, youngest / 4)))

    async def _end_late(self, run: Run, look: Look) -> None:
        """Tell a host to end what it was not told to when somebody wanted it: it was away, or had not begun."""
        if run.cancelled and look.state == "running" and not look.cancelled:
            with suppress(ConnectFailed, DetachedFailed):
                await self._detached.cancel(run.way.target, run.detached_id)

    def _looked(self, run: Run, look: Look) -> bool:
        """Take what a host told of a run; whether there is more of it to read at once."""
        if run.reader is None:
            run.reader = Reader(adapter(run.repository.spec.engine), run.row.operation, run.marks, run.word)
        run.reader.feed("out", look.out)
        run.reader.feed("err", look.err)
        run.offsets = (look.out_offset, look.err_offset)
        if look.state != "running" and not look.more:
            run.look = look
            run.ended.set()
            return False
        progress = run.reader.progress
        row = replace(run.row, progress=progress, warnings=run.reader.warned, measured_at=self._clock.now())
        if (progress, row.warnings) != (run.row.progress, run.row.warnings):
            run.row = row
            self._show(run)
        else:
            run.row = row
        return look.more


def tell_fault(task: asyncio.Task[None]) -> None:
    """Say in the log why a task ended that was not to."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed in a way that is not foreseen", task.get_name(), exc_info=error)
