"""A real engine process of a test's own: started, killed and started again, asked over its socket."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pyotp

from guardian_tui.client import Client
from guardian_tui.config import Paths
from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp
from guardian_tui.protocol.system import EngineStatus
from tests.measuring.sitecustomize import INTO
from tests.support.forked import Forked

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "correct donkey staple 9"
WAIT_SECONDS = 60.0
QUIET = "[audit]\nsyslog = false\n"
RUN = ("engine", "run")


class EngineProcess:
    """`guardian-tui engine run` over a folder, which outlives it."""

    def __init__(self, home: Path, settings: str = "") -> None:
        self.home = home
        self.paths = Paths(home / "config", home / "state", home / "run")
        self.paths.config.mkdir(parents=True, exist_ok=True)
        self.paths.settings_file.write_text(settings + QUIET)
        self.client = Client(self.paths.socket)
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        """The one that was started last."""
        assert self._process is not None, "not started yet"
        return self._process

    def begin(self) -> None:
        """Start it, without waiting for it."""
        environment = {**os.environ, "GUARDIAN_HOME": str(self.home), "HOME": str(self.home)}
        with (self.home / "engine.out").open("ab") as out, Path(os.devnull).open("rb") as nothing:
            if INTO not in os.environ:
                self._process = Forked(RUN, environment, (nothing, out, out))
                return
            # probes stand in what is imported anew
            command = (sys.executable, "-m", "guardian_tui", *RUN)
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=nothing, stdout=out, stderr=out
            )

    async def start(self) -> None:
        """Start it, and wait until it watches hosts."""
        self.begin()
        await self.until(self.watches, "the engine watches")

    async def watches(self) -> bool:
        """Whether all of it runs, be the store well or not."""
        assert self.process.poll() is None, self.said()
        _, words = await self.readyz()
        return words not in ("", "starting")

    async def readyz(self) -> tuple[int, str]:
        """Status and words of `/readyz`; 0 if nobody answers."""
        if not self.paths.socket.exists():
            return 0, ""
        transport = httpx.AsyncHTTPTransport(uds=str(self.paths.socket), verify=False)
        try:
            async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
                answer = await http.get("http://engine/readyz")
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text.strip()

    async def until(
        self, holds: Callable[[], Awaitable[object]], what: str, seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not await holds():
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s; {self.said()}"
            await asyncio.sleep(0.03)

    def said(self) -> str:
        """The end of what it wrote, for a test that fails."""
        texts = [self.home / "engine.out", self.paths.state / "engine.log"]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in texts if file.exists())

    async def set_up(self) -> None:
        """Make the first admin; the client is logged in as them, also over restarts."""
        begun = await self.client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
        order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
        enrolled = await self.client.call("setup.confirm", Enrolled, order)
        self.client.token = enrolled.session.token

    async def status(self) -> EngineStatus:
        """The engine's own health."""
        return await self.client.call("engine.status", EngineStatus)

    def kill(self) -> None:
        """As a power cut would end it."""
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def stop(self) -> int:
        """Stop it in good order; answers its exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)


@asynccontextmanager
async def engine_process(home: Path, settings: str = "") -> AsyncIterator[EngineProcess]:
    """An engine that runs, with its first admin; ended at the end."""
    one = EngineProcess(home, settings)
    try:
        await one.start()
        await one.set_up()
        yield one
    finally:
        await one.client.close()
        if one._process is not None and one.process.poll() is None:
            one.kill()
