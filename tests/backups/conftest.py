"""An engine of the test's own, a repository, and a folder full of data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from guardian_tui.protocol.backups import (
    BackupsQuery,
    JobList,
    JobRef,
    JobRow,
    JobSpec,
    RepositoryRef,
    RepositoryRow,
    RepositorySpec,
    RunDetail,
    RunRef,
    RunRow,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.fleet import HostList, HostsQuery, SecretSet
from tests.support.engine import EngineProcess, engine_process
from tests.support.restic_key import place_new

T = TypeVar("T")
PASSWORD = "pass 'word' \"of\" $HOME"


class Saved:
    """An engine, and short words for what tests ask of it."""

    def __init__(self, engine: EngineProcess, folder: Path) -> None:
        self.engine = engine
        self.client = engine.client
        self.folder = folder
        self.data = folder / "data"

    def fill(self, files: int = 30, size: int = 2000) -> None:
        """Data to save."""
        self.data.mkdir(exist_ok=True)
        for number in range(files):
            (self.data / f"file-{number:03}").write_bytes(number.to_bytes(4, "big") * (size // 4))

    async def repository(
        self, name: str = "vault", host: str = "", make: bool = True, copied: bool = True, **more: object
    ) -> RepositoryRow:
        """A restic repository on local disk: the copy of a new one, whose password is cheap to try, or made by restic on order."""
        if make and copied and not more:
            place_new(self.folder / name, PASSWORD)
        await self.client.call("secrets.set", Done, SecretSet(name=f"backups/{name}", value=PASSWORD))
        fields = {
            "engine": "restic", "location": str(self.folder / name), "host": host or await self.here(),
            "secrets": {"RESTIC_PASSWORD": f"secret:backups/{name}"}, **more,
        }  # fmt: skip
        spec = RepositorySpec(name=name, **fields)  # type: ignore[arg-type]  # of the spec
        row = await self.client.call("repositories.add", RepositoryRow, spec)
        if make and copied and not more:
            row = await self.client.call("repositories.read", RepositoryRow, RepositoryRef(repository=name))
            assert row.verdict == "ok", row
        elif make:
            run = await self.client.call("repositories.make", RunRow, RepositoryRef(repository=name))
            done = await self.ended(run)
            assert done.verdict == "ok", done
        return row

    async def here(self) -> str:
        """The name of this machine among the hosts."""

        hosts = await self.client.call("hosts.list", HostList, HostsQuery())
        return next(row.name for row in hosts.hosts if row.id == "local")

    async def job(self, name: str = "web", **more: object) -> JobRow:
        """A job that saves the data."""
        fields = {"host": await self.here(), "repository": "vault", "sources": (str(self.data),), **more}
        return await self.client.call("backups.add", JobRow, JobSpec(name=name, **fields))  # type: ignore[arg-type]  # of the spec

    async def row(self, name: str = "web") -> JobRow:
        """The job's line."""
        jobs = await self.client.call("backups.list", JobList, BackupsQuery())
        return next(row for row in jobs.jobs if row.name == name)

    async def settled(self, run: RunRow) -> JobRow:
        """The job's line once what followed from a backup is known."""

        async def judged() -> JobRow | None:
            row = await self.row(run.job)
            return (
                row if row.run is not None and row.run.id == run.id and row.run.ended_at is not None else None
            )

        return await self.until(judged, f"{run.job} is judged")

    async def drilled(self, name: str = "web") -> JobRow:
        """The job's line once the verdict of a drill is in it."""

        async def judged() -> JobRow | None:
            row = await self.row(name)
            return row if row.drill is not None else None

        return await self.until(judged, f"the drill of {name} is judged")

    async def run(self, name: str = "web") -> RunRow:
        """Back it up, and wait for the end."""

        run = await self.ended(await self.client.call("backups.run", RunRow, JobRef(job=name)))
        await self.settled(run)
        return run

    async def detail(self, run: RunRow) -> RunDetail:
        """A run in full."""
        return await self.client.call("backups.log", RunDetail, RunRef(run=run.id))

    async def ended(self, run: RunRow, seconds: float = 60.0) -> RunRow:
        """Wait for a run's end."""

        async def over() -> RunRow | None:
            row = (await self.detail(run)).row
            return row if row.state in ("ended", "lost") else None

        return await self.until(over, f"run {run.id} ends", seconds)

    async def until(self, look: Callable[[], object], what: str, seconds: float = 60.0) -> T:  # type: ignore[type-var]  # what look answers
        """Wait until something is there."""
        deadline = time.monotonic() + seconds
        while True:
            found = await look()  # type: ignore[misc]  # a coroutine function
            if found:
                return found  # type: ignore[return-value]  # what look answers
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s; {self.engine.said()}"
            await asyncio.sleep(0.1)


@pytest.fixture
async def saved(tmp_path: Path) -> AsyncIterator[Saved]:
    """An engine with its first admin, and data beside it."""
    folder = tmp_path / "f"
    folder.mkdir()
    async with engine_process(tmp_path / "h") as engine:
        one = Saved(engine, folder)
        one.fill()
        yield one
