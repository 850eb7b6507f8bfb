"""What the engine spends when nothing happens: no hosts, one console that follows the stream; against a bare server of one heartbeat."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from peers import cpu_of
from support import ROOT, Following, admit

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths

SETTLE_SECONDS = 5.0

BARE = """
import asyncio, sys, uvicorn, uvloop
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

async def beats():
    while True:
        yield b"event: heartbeat\\ndata: " + b"x" * 600 + b"\\n\\n"
        await asyncio.sleep(2.0)

app = Starlette(routes=[Route("/", lambda request: StreamingResponse(beats()))])
uvicorn.run(app, uds=sys.argv[1], log_level="error", loop="uvloop")
"""


@dataclass(frozen=True)
class Spent:
    """What a process took in a second."""

    milliseconds: float
    wakeups: float


def wakeups_of(pid: int) -> int:
    """How often a thread of a process waited for something, since its start."""
    return sum(
        int(line.split()[1])
        for file in Path(f"/proc/{pid}/task").glob("*/status")
        for line in file.read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


async def spent(pid: int, seconds: float) -> Spent:
    """Milliseconds of CPU and wake-ups in a second, once it has come to rest."""
    await asyncio.sleep(SETTLE_SECONDS)
    cpu, woken, began = cpu_of(pid), wakeups_of(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    return Spent((cpu_of(pid) - cpu) / passed * 1000, (wakeups_of(pid) - woken) / passed)


async def bare(home: Path, seconds: float) -> Spent:
    """A server of the same parts that sends a heartbeat, and nothing else."""
    path = home / "bare.sock"
    process = subprocess.Popen([sys.executable, "-c", BARE, str(path)], cwd=ROOT)
    try:
        async with asyncio.timeout(30):
            while not path.exists():
                await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.read(100)
        taking = asyncio.create_task(reader.read())
        try:
            return await spent(process.pid, seconds)
        finally:
            taking.cancel()
            writer.close()
    finally:
        # it would wait for the stream
        process.kill()
        process.wait()


async def idle(seconds: float) -> Spent:
    """The engine, with a console that follows."""
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.settings_file.write_text("[fleet]\nwatch_this_machine = false\n")
    process = start_engine(paths, linger=True)
    try:
        await wait_until_listening(paths, process)
        client = Client(paths.socket)
        await admit(client)
        following = Following(client, "")
        used = await spent(process.pid, seconds)
        await following.close()
        await client.close()
        return used
    finally:
        process.terminate()
        process.wait(timeout=30)


def main() -> None:
    """Measure, and print both and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10 s each in place of a minute")
    seconds = 10.0 if parser.parse_args().quick else 60.0
    with tempfile.TemporaryDirectory(prefix="gi") as home:
        os.environ["GUARDIAN_HOME"] = home
        floor = asyncio.run(bare(Path(home), seconds))
        ours = asyncio.run(idle(seconds))
    shown = {
        "idle": ours.milliseconds / floor.milliseconds, "ms_per_second": ours.milliseconds, "bare_ms_per_second": floor.milliseconds,
        "wakeups_per_second": ours.wakeups, "bare_wakeups_per_second": floor.wakeups,
    }  # fmt: skip
    print(json.dumps({name: round(value, 2) for name, value in shown.items()}))


if __name__ == "__main__":
    main()
