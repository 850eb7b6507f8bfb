"""Runs of runbooks in the test's own process: a real gate, a real store, this machine and hosts that are this machine under other names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from guardian_tui.config import AlertsSettings, ChannelSettings
from guardian_tui.engine.alerts.service import Alerts
from guardian_tui.engine.facts import HostFacts, HostsChanged, Layout, Sample, WaveDone
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks.documents.library import Library
from guardian_tui.engine.runbooks.orders import RunbookOrders
from guardian_tui.engine.runbooks.service import Runbooks
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import GrantSpec
from guardian_tui.protocol.fleet import HostRow, HostState
from tests.support.gate import Gate, gate

T = TypeVar("T")
SECONDS = 60.0


class Hosts:
    """An inventory: each of them is this machine."""

    def __init__(self, *names: str) -> None:
        self.all = {
            name: Way(f"id-{name}", name, {"host": name, "environment": "lab"}, None) for name in names
        }

    def way(self, host: str) -> Way | None:
        if not host:
            return next(iter(self.all.values()))
        return next((way for way in self.all.values() if host in (way.host_id, way.name)), None)

    def ways(self) -> list[Way]:
        return list(self.all.values())


class Lab:
    """What a test holds in its hands."""

    def __init__(self, gate: Gate, folder: Path) -> None:
        self.gate = gate
        self.folder = folder
        self.books = folder / "books"
        self.books.mkdir(exist_ok=True)
        self.hosts = Hosts("web-1", "web-2", "web-3", "web-4")
        self.commands: Any = Commands(None)  # type: ignore[arg-type]  # this machine needs no connection
        self.secrets: dict[str, str] = {}
        self.at_once = 4
        self.layouts: dict[tuple[str, ...], Layout] = {}
        self.detached = str(folder / "detached")
        settings = AlertsSettings(
            channels={"desk": ChannelSettings(kind="webhook", url="http://127.0.0.1:1/")}
        )
        self.alerts = Alerts(gate.store, gate.bus, gate.live, gate.clock, settings, gate.vault, gate.audit)
        gate.dispatch.bind(self.alerts.handlers())
        self.runbooks: Runbooks

    def begin(self) -> None:
        """A new engine over the same store."""
        self.runbooks = Runbooks(
            self.gate.store, self.gate.bus, self.gate.live, self.gate.clock, self.gate.audit, self.hosts, self.commands, self._resolve,
            Library(self.books, shipped=False), self.gate.dispatch.act, self.gate.access.why_not, at_once=self.at_once,
            detached=DetachedRuns(self.commands, folder=self.detached, manager="/nowhere"),
        )  # fmt: skip
        dispatch = self.gate.dispatch
        for name, handler in (
            RunbookOrders(self.runbooks, self.gate.store, self.gate.clock).handlers().items()
        ):
            dispatch._handlers[name] = handler

    async def _resolve(self, reference: str) -> str:
        return self.secrets[reference]

    async def wave(self, host: str = "web-1", **values: float) -> None:
        """A host answers its probe: metrics by name, with their instances."""
        names = tuple(values)
        layout = self.layouts.setdefault(names, Layout(names))
        sample = Sample(f"id-{host}", self.gate.clock.now(), layout, list(values.values()), 1e6)
        for period in ("fast", "medium"):
            self.gate.bus.publish(WaveDone((sample,), period))

    def well(self, *hosts: str, state: HostState = "up") -> None:
        """Hosts' own probes, fresh."""
        for name in hosts or tuple(self.hosts.all):
            way, now = self.hosts.all[name], self.gate.clock.now()
            row = replace(self.host_row(way), state=state, measured_at=now + 1.0)
            self.gate.live.hosts.put(way.host_id, row, way.labels)

    @staticmethod
    def host_row(way: Way) -> HostRow:
        return HostRow(id=way.host_id, name=way.name, state="up", since=0.0, why="")

    @staticmethod
    async def pause() -> None:
        await asyncio.sleep(0.02)

    async def restart(self) -> None:
        """The engine is killed, and started again: nothing in memory is left."""
        for run in self.runbooks.runner.runs.values():
            # what is lost with the process is not written on the way out
            run.output.pending.clear()
        await self.runbooks.stop()
        self.begin()
        await self.runbooks.start()

    async def book(self, steps: str, *, name: str = "book", hosts: str = "person", front: str = "") -> None:
        """A document with these steps."""
        text = f"---\nid: {name}\ntitle: The {name}\nversion: 1\nhosts: {hosts}\n{front}---\n{steps}"
        (self.books / f"{name}.md").write_text(text)
        await self.runbooks.reload()
        row = next(row for row in self.runbooks.rows() if row.file == f"{name}.md")
        assert not row.problems, row.problems

    async def start(
        self, name: str = "book", hosts: tuple[str, ...] = ("web-1",), **more: Any
    ) -> wire.RunbookRun:
        order = wire.StartRunbook(runbook=name, hosts=hosts, **more)
        row: wire.RunbookRun = await self.gate.call("runbooks.run", order)
        return row

    async def run(
        self, steps: str, hosts: tuple[str, ...] = ("web-1",), *, front: str = "", **more: Any
    ) -> wire.RunbookRun:
        """A document, and a run of it that was begun."""
        await self.book(steps, front=front)
        return await self.start(hosts=hosts, **more)

    async def row(self, run: wire.RunbookRun | str) -> wire.RunbookRun:
        ident = run if isinstance(run, str) else run.id
        return (await self.detail(ident)).run

    async def detail(self, run: str) -> wire.RunbookRunDetail:
        found: wire.RunbookRunDetail = await self.gate.call("runbooks.follow", wire.RunbookRunRef(run=run))
        return found

    async def answer(
        self, run: wire.RunbookRun, act: wire.Act = "go", *, token: str | None = None, **more: Any
    ) -> wire.RunbookRun:
        """Answer what the run asks now, and wait until it asks again."""
        now = await self.row(run)
        order = wire.AnswerRunbook(run=run.id, version=now.version, act=act, **more)
        await self.gate.call("runbooks.answer", order, token=token)
        return await self.settled(run)

    async def settled(self, run: wire.RunbookRun, *states: wire.RunState) -> wire.RunbookRun:
        """The run once it is in one of these states; or asks a person, or has ended."""
        wanted = states or ("asking", "deciding", "paused", "ended")

        async def there() -> wire.RunbookRun | None:
            row = await self.row(run)
            settled = row.state != "ended" or bool(row.transcript)
            return row if row.state in wanted and settled else None

        return await self.until(there, f"the run is one of {wanted}")

    async def go(self, run: wire.RunbookRun, act: wire.Act = "go") -> None:
        """Answer for the step in front, without waiting for what follows."""
        row = await self.row(run)
        await self.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version, act=act))

    async def output(self, run: wire.RunbookRun, **more: Any) -> str:
        """All that was kept of its output."""

        found: wire.RunbookOutput = await self.gate.call(
            "runbooks.output", wire.RunbookOutputQuery(run=run.id, **more)
        )
        return "".join(piece.text for piece in found.pieces)

    async def transcript(self, run: wire.RunbookRun, format: str = "markdown") -> wire.Transcript:
        order = wire.TranscriptQuery(run=run.id, format=format)  # type: ignore[arg-type]  # one of its words
        found: wire.Transcript = await self.gate.call("runbooks.transcript", order)
        return found

    async def colleague(self, name: str, profile: str, scope: str = "") -> str:
        """Another person; answers their token."""
        token, _ = await self.gate.invite(name, GrantSpec(profile=profile, scope=scope))
        return token

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, seconds: float = SECONDS) -> T:
        deadline = time.monotonic() + seconds
        while not (found := await look()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def lab(folder: Path, url: str = "") -> AsyncIterator[Lab]:
    """The service over a gate with its first admin; ended at the end."""
    async with gate(folder / "state", url) as one:
        await one.set_up()
        made = Lab(one, folder)
        await made.alerts.start()
        facts = [HostFacts(way.host_id, way.name, {}, "lab") for way in made.hosts.ways()]
        one.bus.publish(HostsChanged(tuple(facts)))
        made.well()
        made.begin()
        await made.runbooks.start()
        try:
            yield made
        finally:
            await made.runbooks.stop()
            await made.alerts.stop()
