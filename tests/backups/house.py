"""The backups' service in the test's own process, over a real store and this machine, with runs that are quick: dumps of a small database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

from guardian_tui.config import StoreSettings
from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.planner import Planner
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.work import Backup, Work
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import WaveDone
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.backups import Dump, JobSpec, RepositorySpec, RunRow
from tests.fleet.world import Sink

T = TypeVar("T")
HERE = Way("local", "here", {"host": "here"}, None)


class OneHost:
    """An inventory of this machine alone."""

    def __init__(self) -> None:
        self.all = [HERE]

    def way(self, host: str) -> Way | None:
        return next((way for way in self.all if host in ("", way.host_id, way.name)), None)

    def ways(self) -> list[Way]:
        return self.all


class House:
    """What a test holds in its hands."""

    def __init__(self, store: Store, clock: ManualClock, folder: Path) -> None:
        self.store, self.clock, self.folder = store, clock, folder
        self.secrets: dict[str, str] = {}
        """Those that are not made up."""
        self.ways = OneHost()
        self.commands = Commands(None)  # type: ignore[arg-type]  # this machine needs no connection
        self.base = folder / "shop.db"
        with sqlite3.connect(self.base) as db:
            db.execute("CREATE TABLE t (a)")
            db.executemany("INSERT INTO t VALUES (?)", [(f"row {n}",) for n in range(100)])
        self.begin()

    def begin(self) -> None:
        """A new engine over the same store."""
        self.bus, self.live, self.sink = Bus(), Live(), Sink()
        self.waves: list[WaveDone] = []
        self.bus.subscribe(WaveDone, self.waves.append)
        self.backups = Backups(
            self.store,
            self.bus,
            self.live,
            self.clock,
            self.sink,
            self.ways,
            self.commands,
            self._resolve,
            400.0,
            # of its own: a run of a job of the same name, of tests beside this one, is none of ours
            detached=DetachedRuns(self.commands, folder=str(self.folder / "runs")),
        )
        self.planner = Planner(self.backups, self.store, self.clock, self.sink, UTC)

    async def _resolve(self, reference: str) -> str:
        return self.secrets.get(reference, f"the secret behind {reference}")

    async def start(self) -> None:
        await self.backups.start()

    async def restart(self) -> None:
        """The engine is killed, and started again: nothing in memory is left."""
        await self.backups.stop()
        self.begin()
        await self.start()

    async def repository(self, name: str = "dumps", **more: Any) -> Repository:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        spec = RepositorySpec(
            name=name, **{"engine": "dumps", "location": str(folder), "host": "here", **more}
        )
        found = Repository(f"r-{name}", spec, "screen", self.clock.now())
        async with self.store.write() as tx:
            await records.put_repository(tx, found, new=True)
        self.backups.repositories[found.id] = found
        return found

    async def job(self, name: str = "shop", repository: str = "dumps", **more: Any) -> Job:
        fields = {
            "dumps": () if "sources" in more else (Dump(kind="sqlite", database=str(self.base)),),
            **more,
        }
        spec = JobSpec(name=name, host="here", repository=repository, **fields)
        found = Job(f"j-{name}", spec, "local", f"r-{repository}", "screen", self.clock.now())
        async with self.store.write() as tx:
            await records.put_job(tx, found, new=True)
        self.backups.jobs[found.id] = found
        return found

    async def queue(self, job: Job, work: Work | None = None, by: str = "ada") -> Run:
        repository = self.backups.repositories[job.repository_id]
        async with self.store.write() as tx:
            return await self.backups.runner.queue(tx, work or Backup(), job, repository, HERE, by)

    async def row(self, run_id: str) -> RunRow:
        found = await records.run_named(self.store, run_id)
        assert found is not None
        return found[0]

    async def ended(self, run_id: str, seconds: float = 60.0) -> RunRow:
        async def over() -> RunRow | None:
            row = await self.row(run_id)
            return row if row.state in ("ended", "lost") else None

        return await self.until(over, f"{run_id} ends", seconds)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, seconds: float = 60.0) -> T:
        deadline = time.monotonic() + seconds
        while not (found := await look()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def house(folder: Path, url: str = "") -> AsyncIterator[House]:
    """The service, not started yet; ended at the end."""
    clock = ManualClock(time.time())
    store = await Store.open(StoreSettings(url=url), folder / "state", clock)
    one = House(store, clock, folder)
    try:
        yield one
    finally:
        await one.planner.stop()
        await one.backups.stop()
        await store.close()
