"""A PostgreSQL cluster of our own on a private socket, for one test run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.support.schema import migrate_postgresql


def _programs() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return versions[-1] if versions else None


class Cluster:
    """A running cluster; gives databases away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.crashed = False
        self._made = 0
        self._migrated = ""

    def database(self, template: str = "template1") -> str:
        """The URL of an empty database."""
        self._made += 1
        name = f"t{self._made}"
        with psycopg.connect(
            host=str(self.folder), user="tester", dbname="postgres", autocommit=True
        ) as conn:
            # since 15 it writes every page to its log unless it is told to copy files, which takes half as long
            how = "STRATEGY file_copy" if conn.info.server_version >= 150_000 else ""
            conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} {how}")
        return f"postgresql://tester@/{name}?host={quote(str(self.folder))}"

    def store(self) -> str:
        """The URL of a store without rows, at the newest revision: migrated once, copied since."""
        if not self._migrated:
            url = self.database()
            migrate_postgresql(url)
            self._migrated = f"t{self._made}"
        return self.database(self._migrated)

    @contextmanager
    def standby(self, name: str) -> Iterator[Standby]:
        """A standby that streams from it through a slot of its own, for as long as the block lasts."""
        other = Standby(self, name)
        _run(
            self.folder, "pg_basebackup", "-h", str(self.folder), "-U", "tester", "-D", str(other.folder / "data"),
            "-R", "-C", "-S", name, "-X", "stream", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip
        other.start()
        try:
            yield other
        finally:
            other.stop()

    def restart(self, data: str = "data") -> None:
        """Stop the server in good order, and start it again, over another folder of data if that is named."""
        _run(self.folder, "pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop")
        self.data = self.folder / data
        _start(self.folder, self.data)

    def copy(self, name: str) -> None:
        """A folder of data as the server's is now, which goes on meanwhile: what a server has that lags behind."""
        _run(
            self.folder, "pg_basebackup", "-h", str(self.folder), "-U", "tester", "-D", str(self.folder / name),
            "-X", "stream", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip

    def crash(self) -> None:
        """Kill every process of the server as a machine that loses power would; it does not come back."""
        server = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        self.crashed = True
        for pid in (server, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Standby:
    """A standby on a private socket in a folder of its own."""

    def __init__(self, primary: Cluster, name: str) -> None:
        self.folder = primary.folder / name
        self._running = False

    def start(self) -> None:
        """Begin to stream."""
        _start(self.folder, self.folder / "data")
        self._running = True

    def stop(self) -> None:
        """Stop at once."""
        if self._running:
            self._running = False
            _run(
                self.folder.parent, "pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop"
            )


def _start(folder: Path, data: Path) -> None:
    """Start a server over its data, with its socket in a folder."""
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=40"
    _run(folder, "pg_ctl", "-D", str(data), "-o", options, "-w", "start")


def _run(folder: Path, program: str, *argv: str) -> None:
    """Run one of PostgreSQL's programs as its user: as root the server refuses to run."""
    programs = _programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*become, str(programs / program), *argv], check=True, timeout=120, cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts; ``settings``: more lines of its configuration, with ``{folder}`` for its folder."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    running = Cluster(folder)
    _run(
        folder, "initdb", "-D", str(running.data), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"
    )  # fmt: skip
    with (running.data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{line.format(folder=folder)}\n" for line in settings)
    _start(folder, running.data)
    try:
        yield running
    finally:
        if not running.crashed:
            _run(folder, "pg_ctl", "-D", str(running.data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
