"""A whole Guardian in one process: a real engine on a real socket, and the real app driven by Textual's pilot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyotp

from guardian_tui.app import GuardianApp
from guardian_tui.client import Client, wait_for_engine
from guardian_tui.config import AuditSettings, FleetSettings, Paths, Settings
from guardian_tui.engine.main import Engine
from guardian_tui.engine.vault.sealing import Stretcher
from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp, StepUp
from guardian_tui.protocol.access import Session as LoginSession
from tests.support.gate import CHEAP

PASSWORD = "correct donkey staple 9"
WAIT_SECONDS = 60.0


@dataclass
class House:
    """An engine with its first admin, and what is needed to log in again."""

    paths: Paths
    settings: Settings
    engine: Engine
    client: Client
    running: asyncio.Task[None]
    secret: str = ""
    enrolled: Enrolled | None = None
    _steps_used: set[int] = field(default_factory=set)

    async def set_up(self, name: str = "ada") -> None:
        """Make the first admin and log in."""
        begun = await self.client.call("setup.begin", Enrolment, SetUp(name=name, password=PASSWORD))
        self.secret = begun.secret
        order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
        self.enrolled = await self.client.call("setup.confirm", Enrolled, order)
        self.client.token = self.enrolled.session.token

    def recovery_code(self) -> str:
        """An unused recovery code: stands in for a TOTP code that is still to come."""
        assert self.enrolled is not None
        codes = [code for code in self.enrolled.recovery_codes if hash(code) not in self._steps_used]
        self._steps_used.add(hash(codes[0]))
        return codes[0]

    async def step_up(self) -> None:
        """A fresh second factor for the client."""
        session = await self.client.call("session.step_up", LoginSession, StepUp(code=self.recovery_code()))
        self.client.token = session.token

    def app(self, **options: object) -> GuardianApp:
        """The console, attached to this engine, logged in as the first admin when it is begun."""
        return GuardianApp(self.paths, self.settings, **options)  # type: ignore[arg-type]  # keyword options


@asynccontextmanager
async def house(
    folder: Path, settings: Settings | None = None, *, set_up: bool = True
) -> AsyncIterator[House]:
    """A running engine; stopped in good order at the end."""
    paths = Paths(folder / "config", folder / "state", folder / "run")
    settings = settings or Settings(
        fleet=FleetSettings(interval_seconds=1.0, file_systems_seconds=1.0), audit=AuditSettings(syslog=False)
    )
    engine = Engine(paths, settings, linger=True, stretcher=Stretcher(CHEAP))
    running = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not paths.socket.exists():
                if running.done():
                    running.result()
                await asyncio.sleep(0.01)
        await wait_for_engine(paths.socket, WAIT_SECONDS)
        one = House(paths, settings, engine, Client(paths.socket), running)
        if set_up:
            await one.set_up()
        yield one
        await one.client.close()
    finally:
        engine.stop()
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(running, return_exceptions=True)


async def until(check: Callable[[], object], words: str = "", seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.02)
