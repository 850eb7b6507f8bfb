"""Real servers of other databases for a test: Redis and MariaDB from Debian, on loopback or a private socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.sshd import free_port

START_SECONDS = 60.0


def _program(name: str, package: str) -> str:
    found = shutil.which(name) or next((p for p in (f"/usr/sbin/{name}",) if Path(p).exists()), None)
    if found is None:
        raise RuntimeError(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"it did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def redis_server(*options: str) -> Iterator[int]:
    """A Redis on loopback that keeps nothing; answers its port."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    port, log = free_port("127.0.0.1"), folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [_program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        _wait(process, port, log)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb_server(*sql: str) -> Iterator[int]:
    """A MariaDB on loopback, in which this SQL was run; answers its port."""
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    data, port, log = folder / "data", free_port("127.0.0.1"), folder / "log"
    user = "mysql" if os.geteuid() == 0 else ""
    data.mkdir()
    if user:
        shutil.chown(folder, user)
        shutil.chown(data, user)
    become = [f"--user={user}"] if user else []
    _program("mariadbd", "mariadb-server")
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", *become],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    start = folder / "start.sql"
    start.write_text("".join(f"{line};\n" for line in sql))
    start.chmod(0o644)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                _program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
                f"--socket={folder}/s", f"--pid-file={folder}/pid", f"--init-file={start}", "--innodb-buffer-pool-size=16M",
                "--innodb-flush-method=nosync", *become,
            ],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        _wait(process, port, log)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
