"""Simulated hosts in a process of their own, for tests of a whole engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from guardian_tui.client import Client
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from tests.support.engine import ROOT, WAIT_SECONDS


@dataclass
class Sims:
    """Running simulated hosts."""

    process: asyncio.subprocess.Process
    about: dict[str, Any]

    async def fault(self, host: str, fault: str) -> None:
        """Break a host (``*``: all of them), or heal it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"host": host, "fault": fault}).encode() + b"\n")
        told = await self.line()
        assert told["ok"], told

    async def logins(self) -> dict[str, int]:
        """How often each host was connected to so far."""
        assert self.process.stdin is not None
        self.process.stdin.write(b'{"logins": true}\n')
        told = await self.line()
        counts: dict[str, int] = told["logins"]
        return counts

    async def line(self) -> dict[str, Any]:
        """What they say next."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            said: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return said

    async def join(self, client: Client, **spec: Any) -> list[HostRow]:
        """Have an engine trust and watch all of them."""
        hosts = self.about["hosts"]
        known = "\n".join(f"[{h['address']}]:{h['port']} {self.about['host_key'].strip()}" for h in hosts)
        await client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
        return [
            await client.call(
                "hosts.add",
                HostRow,
                HostSpec(
                    name=host["name"], address=host["address"], port=host["port"], user="sim",
                    **{"credential": f"key:{self.about['client_key']}", "interval_seconds": 1.0, **spec},
                ),
            )
            for host in hosts
        ]  # fmt: skip


@asynccontextmanager
async def sims(count: int) -> AsyncIterator[Sims]:
    """So many simulated hosts; ended at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "guardian_tui.demo.simhost", "--hosts", str(count), "--disks", "1", "--nics", "1",
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    one = Sims(process, {})
    try:
        one.about = await one.line()
        yield one
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()
