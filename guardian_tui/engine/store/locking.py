"""One engine per store: a lock file for SQLite, an advisory lock for PostgreSQL."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from guardian_tui.protocol.errors import StoreUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"}
)  # fmt: skip
_ADVISORY_KEY = 0x67756172  # "guar"
_HOLDER = text(
    "SELECT l.pid, a.application_name FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objid = :key AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class StoreLock:
    """An exclusive flock(2) on a file that holds our pid; the kernel gives it back when we die."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> StoreLock:
        """Take the lock.

        Raises:
            StoreUnavailable: another engine has it; says which process.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise StoreUnavailable(
                f"Another engine (process {holder}) has this store. One engine per store."
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Give it back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


async def advisory_lock(engine: AsyncEngine) -> AsyncConnection:
    """Hold PostgreSQL's advisory lock of this database for as long as the returned connection lives.

    Raises:
        StoreUnavailable: another engine has it.
    """
    conn = await engine.connect()
    # outside of a transaction: an idle one would hold back vacuum
    conn = await conn.execution_options(isolation_level="AUTOCOMMIT")
    taken = (await conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY})).scalar()
    if not taken:
        found = await conn.execute(_HOLDER, {"key": _ADVISORY_KEY})
        holder = next((f"{name or 'unnamed'}, backend {pid}" for pid, name in found), "unknown")
        await conn.close()
        raise StoreUnavailable(f"Another engine ({holder}) has this database. One engine per store.")
    return conn


def file_system_of(path: Path, mounts: str) -> str:
    """Type of the file system that holds a path, from the text of /proc/self/mounts (proc(5))."""
    best, kind = "", ""
    real = str(path.resolve())
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].encode().decode("unicode_escape", "replace")
        if (real == mount or real.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


def refuse_network_file_system(folder: Path) -> None:
    """SQLite's locks don't hold on network file systems (sqlite.org/faq.html#q5).

    Raises:
        StoreUnavailable: the folder is on one.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return
    kind = file_system_of(folder, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"{folder} is on {kind}; SQLite is not safe there. Use a local folder, or PostgreSQL (store.url)."
        )
