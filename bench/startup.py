"""How soon the console paints and can be logged in to, and how much memory both processes take.

Floor: ``python -c "import textual.app"`` in the same run.  ``paint`` is from exec to the first frame that shows the login, ``ready`` until the
login says that the engine answers; both as a ratio to the floor.  Memory is resident MB, the client on the fleet screen with 40 hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PASSWORD = "correct donkey staple 9"
sys.path.insert(0, str(ROOT))


def floor() -> float:
    """Seconds to import textual.app in a fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
    return time.perf_counter() - started


def environment(home: Path) -> dict[str, str]:
    """A terminal's environment, with everything under one folder."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    return {**kept, "GUARDIAN_HOME": str(home), "TERM": "xterm-256color"}


class Console:
    """The console in a pseudo-terminal; keeps what it paints."""

    def __init__(self, home: Path) -> None:
        self.started = time.perf_counter()
        pid, self.handle = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            os.execve(sys.executable, [sys.executable, "-m", "guardian_tui"], environment(home))
        self.pid = pid
        self.painted = b""

    def wait_for(self, *texts: bytes, seconds: float = 20.0) -> float:
        """Seconds from exec until one of the texts was painted."""
        while not any(text in self.painted for text in texts):
            if time.perf_counter() - self.started > seconds:
                raise SystemExit(f"never painted {texts}: {self.painted[-2000:]!r}")
            if select.select([self.handle], [], [], 0.2)[0]:
                self.painted += os.read(self.handle, 65536)
        return time.perf_counter() - self.started

    def read_for(self, seconds: float) -> None:
        """Take what it paints for a while: a full terminal would hold it up."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self.handle], [], [], 0.2)[0]:
                self.painted += os.read(self.handle, 65536)

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.handle)


def stop_engine(home: Path) -> None:
    """Stop the engine of this folder, by the pid that holds its store."""
    lock = home / "state" / "engine.lock"
    if lock.exists() and (pid := lock.read_text().strip()):
        os.kill(int(pid), signal.SIGTERM)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            # the first one is our own child, and stays a zombie until it is waited for
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(pid), os.WNOHANG)
            time.sleep(0.02)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(fields["VmRSS"].split()[0]) / 1024


async def furnish(home: Path) -> None:
    """An admin and 40 hosts (that refuse connections: their rows are shown all the same)."""
    import pyotp

    from guardian_tui.attach import start_engine, wait_until_listening
    from guardian_tui.client import Client
    from guardian_tui.config import find_paths
    from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp
    from guardian_tui.protocol.fleet import HostRow, HostSpec

    paths = find_paths()
    await wait_until_listening(paths, start_engine(paths, linger=True))
    client = Client(paths.socket)
    begun = await client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
    order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
    done = await client.call("setup.confirm", Enrolled, order)
    client.token = done.session.token
    for number in range(39):
        await client.call("hosts.add", HostRow, HostSpec(name=f"host-{number}", address="127.0.0.1", port=1))
    (home / "codes").write_text("\n".join(done.recovery_codes))
    await client.close()


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rounds = 3 if parser.parse_args().quick else 7
    with tempfile.TemporaryDirectory(prefix="gb") as folder:
        home = Path(folder)
        os.environ["GUARDIAN_HOME"] = folder
        asyncio.run(furnish(home))
        codes = (home / "codes").read_text().split()
        floor()
        floors, paints, readies = [], [], []
        for _ in range(rounds):
            stop_engine(home)
            floors.append(floor())
            console = Console(home)
            paints.append(console.wait_for(b"Password"))
            readies.append(console.wait_for(b"login since", b"Ready."))
            console.close()
        client_mb, engine_mb = memory(home, codes[0])
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
    console.wait_for(b"login since", b"Ready.")
    console.read_for(1.0)
    for text in (b"ada\r", PASSWORD.encode() + b"\r", code.encode() + b"\r"):
        os.write(console.handle, text)
        console.read_for(1.0)
    console.wait_for(b"host-1")
    console.read_for(5.0)
    engine = int((home / "state" / "engine.lock").read_text().strip())
    sizes = resident_mb(console.pid), resident_mb(engine)
    console.close()
    return sizes


if __name__ == "__main__":
    main()
