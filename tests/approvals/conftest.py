"""Backups whose restores and prunes wait for another person: a real gate and store, dumps of a small database on this machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from guardian_tui.config import ApprovalSettings
from guardian_tui.engine.approvals.book import Book
from guardian_tui.engine.approvals.orders import ApprovalOrders
from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.asking import Asking
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.proofs import ProofOrders
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.vault.orders import VaultOrders
from guardian_tui.protocol import approvals as wire
from guardian_tui.protocol.access import GrantSpec
from guardian_tui.protocol.backups import Dump, JobRef, JobSpec, RepositorySpec, Restore, Retention, RunRow
from guardian_tui.protocol.errors import ApprovalNeeded
from tests.backups.house import HERE, OneHost
from tests.support.gate import UID, Gate, gate

T = TypeVar("T")
ALL = ApprovalSettings(orders=("backups.restore", "backups.retain"))


class Lab:
    """What a test holds in its hands: ada asks, grace and alan may approve."""

    def __init__(self, one: Gate, folder: Path) -> None:
        self.gate, self.folder = one, folder
        self.settings = ALL
        self.snapshot = ""
        self.tokens: dict[str, str] = {}
        self.uids: dict[str, int] = {}
        self.by_uid = False
        self.begin()

    def begin(self) -> None:
        """A new engine over the same store."""
        one, commands = self.gate, Commands(None)  # type: ignore[arg-type]  # this machine needs no connection
        self.backups = Backups(
            one.store, one.bus, one.live, one.clock, one.audit, OneHost(), commands, self._resolve, 400.0,
            # of its own: a run of a job of the same name, of tests beside this one, is none of ours
            detached=DetachedRuns(commands, folder=str(self.folder / "runs")),
        )  # fmt: skip
        scope = Scope(self.backups)
        self.book = Book(
            one.store,
            one.live,
            one.clock,
            self.settings,
            one.access.why_not,
            lambda host: HERE.labels,
            by_uid=self.by_uid,
        )
        asking = Asking(self.backups, self.book)
        for handlers in (
            BackupOrders(self.backups, scope, one.store, one.clock, asking).handlers(),
            ProofOrders(self.backups, scope, one.store, one.clock, commands, asking).handlers(),
            ApprovalOrders(self.book, one.dispatch.act).handlers(),
            VaultOrders(one.vault, asking.secret).handlers(),
        ):
            one.dispatch._handlers |= handlers

    async def _resolve(self, reference: str) -> str:
        return reference

    async def fill(self) -> None:
        """A job, and a snapshot of it."""
        base, place = self.folder / "shop.db", self.folder / "dumps"
        with sqlite3.connect(base) as db:
            db.execute("CREATE TABLE t (a)")
        place.mkdir()
        dumps = (Dump(kind="sqlite", database=str(base)),)
        spec = JobSpec(
            name="shop", host="here", repository="dumps", dumps=dumps, keep=Retention(last=1), tries=1
        )
        where = RepositorySpec(name="dumps", engine="dumps", location=str(place), host="here")
        async with self.gate.store.write() as tx:
            await records.put_repository(tx, Repository("r", where, "screen", 0.0), new=True)
            await records.put_job(tx, Job("j", spec, "local", "r", "screen", 0.0), new=True)
        await self.backups.start()
        await self.book.start()
        self.snapshot = (await self.save()).snapshot
        for name in ("grace", "alan"):
            self.tokens[name], _ = await self.gate.invite(name, GrantSpec(profile="operator"))

    async def colleague(self, name: str, profile: str = "operator", scope: str = "", uid: int = UID) -> None:
        """One more person, from a Unix account."""
        grant = GrantSpec(profile=profile, scope=scope)
        self.tokens[name], _ = await self.gate.invite(name, grant, uid=uid)
        self.uids[name] = uid

    async def call(self, who: str, route: str, request: Any = None) -> Any:
        """An order of somebody; ada if nobody is named."""
        return await self.gate.call(route, request, token=self.tokens.get(who), uid=self.uids.get(who, UID))

    async def set(self, settings: ApprovalSettings, by_uid: bool = False) -> None:
        """Other settings, after a restart."""
        self.settings, self.by_uid = settings, by_uid
        await self.restart()

    async def restart(self) -> None:
        """The engine is killed, and started again: nothing in memory is left."""
        await self.backups.stop()
        await self.book.stop()
        self.begin()
        await self.backups.start()
        await self.book.start()

    async def save(self) -> RunRow:
        """One more snapshot, known as such."""
        # not minutes later, as the engine would, what a busy machine made fail
        for _ in range(5):
            run = await self.over(await self.gate.call("backups.run", JobRef(job="shop")))
            if run.verdict == "ok":
                break
        assert run.verdict == "ok", (run.verdict, run.words)
        await self._until(lambda: records.snapshot_named(self.gate.store, "r", run.snapshot))
        return run

    async def ended(self, run: RunRow | str) -> RunRow:
        """The run once it has ended well."""
        row = await self.over(run)
        assert row.verdict == "ok", row
        return row

    async def over(self, run: RunRow | str) -> RunRow:
        """The run once it has ended."""
        ident = run if isinstance(run, str) else run.id

        async def over() -> RunRow | None:
            found = await records.run_named(self.gate.store, ident)
            return found[0] if found is not None and found[0].state in ("ended", "lost") else None

        return await self._until(over)

    async def _until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        deadline = time.monotonic() + 120
        while not (found := await look()):
            assert time.monotonic() < deadline, [run.row for run in self.backups.runner.runs.values()]
            await asyncio.sleep(0.02)
            # so that what a busy machine made fail is tried again
            self.gate.clock.advance(0.05)
        return found

    def order(self, **more: Any) -> Restore:
        """A restore into a folder of its own."""
        fields = {"job": "shop", "snapshot": self.snapshot, "target": str(self.folder / "back"), **more}
        return Restore(**fields)

    async def asks(self, route: str = "backups.restore", request: Any = None) -> wire.Approval:
        """What ada asked for, as it waits."""
        with pytest.raises(ApprovalNeeded) as needed:
            await self.call("", route, request or self.order())
        return await self.one(needed.value.field)

    async def one(self, ident: str, who: str = "") -> wire.Approval:
        """One as somebody sees it."""
        shown: wire.Approval = await self.call(who, "approvals.show", wire.ApprovalRef(approval=ident))
        return shown

    async def says(self, one: wire.Approval, who: str, ok: bool = True, **more: Any) -> wire.Approval:
        """Somebody approves or refuses what they saw."""
        order = wire.GiveApproval(**{"approval": one.id, "digest": one.digest, **more})
        route = "approvals.approve" if ok else "approvals.refuse"
        said: wire.Approval = await self.call(who, route, order)
        return said

    async def go(self, one: wire.Approval, who: str = "") -> wire.Approval:
        """Carry it out."""
        done: wire.Approval = await self.call(who, "approvals.go", wire.ApprovalRef(approval=one.id))
        return done


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """A job with a snapshot, and three people."""
    async with gate(tmp_path / "state", clock=ManualClock(time.time())) as one:
        await one.set_up()
        made = Lab(one, tmp_path)
        try:
            await made.fill()
            yield made
        finally:
            await made.backups.stop()
            await made.book.stop()
