"""How soon the console paints and can be logged in to, and how much memory both processes take.

Floor: ``python -c "import textual.app"`` in the same run.  ``paint`` is from exec to the first frame that shows the login, ``ready`` until the
login says that the engine answers; both as a ratio to the floor.  Memory is resident MB, the client on the fleet screen with 40 hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import Console, admit, engine_pid, stop_engine

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.fleet import HostRow, HostSpec


def floor() -> float:
    """Seconds to import textual.app in a fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    return time.perf_counter() - started


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(fields["VmRSS"].split()[0]) / 1024


async def furnish() -> str:
    """An admin and 40 hosts (that refuse connections: their rows are shown all the same); a code to log in with."""
    paths = find_paths()
    await wait_until_listening(paths, start_engine(paths, linger=True))
    client = Client(paths.socket)
    codes = await admit(client)
    for number in range(39):
        await client.call("hosts.add", HostRow, HostSpec(name=f"host-{number}", address="127.0.0.1", port=1))
    await client.close()
    return codes[0]


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rounds = 3 if parser.parse_args().quick else 7
    with tempfile.TemporaryDirectory(prefix="gb") as folder:
        home = Path(folder)
        os.environ["GUARDIAN_HOME"] = folder
        code = asyncio.run(furnish())
        floor()
        floors, paints, readies = [], [], []
        for _ in range(rounds):
            stop_engine(home)
            floors.append(floor())
            console = Console(home)
            paints.append(console.wait_for(b"Password"))
            readies.append(console.wait_for(b"login since", b"Ready."))
            console.close()
        client_mb, engine_mb = memory(home, code)
        stop_engine(home)
    base = statistics.median(floors)
    values = {
        "ready": round(statistics.median(readies) / base, 2), "paint": round(statistics.median(paints) / base, 2),
        "client_mb": round(client_mb, 1), "engine_mb": round(engine_mb, 1),
    }  # fmt: skip
    print(
        f"floor {base * 1000:.0f} ms, paint {statistics.median(paints) * 1000:.0f} ms, ready {statistics.median(readies) * 1000:.0f} ms"
    )
    print(json.dumps({"bench": "startup", "values": values}))


def memory(home: Path, code: str) -> tuple[float, float]:
    """Log in, stay on the fleet screen for a while, and read both processes."""
    stop_engine(home)
    console = Console(home)
    console.log_in(code)
    console.wait_for(b"host-1")
    console.read_for(5.0)
    sizes = resident_mb(console.pid), resident_mb(engine_pid(home))
    console.close()
    return sizes


if __name__ == "__main__":
    main()
