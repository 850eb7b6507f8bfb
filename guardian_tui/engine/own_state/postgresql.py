"""PostgreSQL's own programs: a dump of one snapshot, a restore in one transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, create_engine, text

from guardian_tui.engine.store.database import resolve_url
from guardian_tui.engine.store.migrate import METRICS, STATE, version_table
from guardian_tui.engine.store.tables import metrics, state
from guardian_tui.protocol.errors import StoreUnavailable
from guardian_tui.text import safe

HOURS = 6
_INSTALLED = Path("/usr/lib/postgresql")
_COUNT = text(
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT IN ('information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
)


def engine_of(url: str) -> Engine:
    """Connections to the store's database, for a thread."""
    return create_engine(resolve_url(url), connect_args={"connect_timeout": 10})


def is_empty(conn: Connection) -> bool:
    """Whether nothing is in a database."""
    return not conn.execute(_COUNT).scalar_one()


def dump(url: str, snapshot: str, file: Path, *, with_metrics: bool) -> None:
    """Write a dump of an exported snapshot.

    Raises:
        StoreUnavailable: it can't be dumped; says why.
        OSError: the disk is full.
    """
    argv = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--lock-wait-timeout=60000", f"--snapshot={snapshot}"]  # fmt: skip
    if not with_metrics:
        argv += [f"--exclude-table-data={table}" for table in metrics.tables]
    with file.open("wb") as out:
        _run("pg_dump", argv, url, stdout=out)
        out.flush()


def restore(url: str, file: Path) -> None:
    """Restore a dump into an empty database: all of it, or nothing.

    Raises:
        StoreUnavailable: it can't be restored; says why, and nothing was changed.
    """
    argv = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    with file.open("rb") as dumped:
        _run("pg_restore", argv, url, stdin=dumped)


def drop(url: str) -> None:
    """Take our tables out of a database that was empty before."""
    engine = engine_of(url)
    try:
        with engine.begin() as conn:
            state.drop_all(conn)
            metrics.drop_all(conn)
            for kind in (STATE, METRICS):
                conn.execute(text(f"DROP TABLE IF EXISTS {version_table(kind)}"))
    finally:
        engine.dispose()


def check(file: IO[bytes]) -> str:
    """What is wrong with a dump; empty: it unpacks to its end."""
    try:
        done = _ended("pg_restore", ["--file=/dev/null"], dict(os.environ), stdin=file)
    except StoreUnavailable as error:
        return error.detail
    return _last(done.stderr) or f"pg_restore ended with {done.returncode}" if done.returncode else ""


def _run(
    name: str, argv: Sequence[str], url: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    plain = resolve_url(url).replace("postgresql+psycopg://", "postgresql://", 1)
    fields = {key: str(value) for key, value in conninfo_to_dict(plain).items()}
    # whoever lists processes sees arguments, not the environment
    password = fields.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}
    if password is not None:
        environment["PGPASSWORD"] = password
    whole = [*argv, f"--dbname={make_conninfo(**fields)}", "--no-password"]
    done = _ended(name, whole, environment, stdin, stdout)
    if done.returncode == 0:
        return
    words = _last(done.stderr)
    if "No space left" in words:
        raise OSError(28, os.strerror(28))
    raise StoreUnavailable(f"{name} ended with {done.returncode}: {words or 'it said nothing'}")


def _ended(
    name: str, argv: Sequence[str], environment: dict[str, str], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    try:
        return subprocess.run(  # noqa: S603  # PostgreSQL's own program, found by us
            [str(_program(name)), *argv], env=environment, stdin=stdin or subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=HOURS * 3600, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StoreUnavailable(f"{name} did not end within {HOURS} hours.") from error


def _last(said: bytes) -> str:
    """The line that says why."""
    lines = said.decode(errors="replace").strip().splitlines()
    why = [line for line in lines if "error:" in line or "FATAL" in line] or lines
    return safe(why[0], 300) if why else ""


def _program(name: str) -> Path:
    """The newest that is installed: an older one refuses a newer server.

    Raises:
        StoreUnavailable: there is none.
    """
    versions = [path for path in _INSTALLED.glob(f"*/bin/{name}") if path.parent.parent.name.isdigit()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.parent.name))
    found = shutil.which(name)
    if found is None:
        raise StoreUnavailable(f"{name} is not installed here (Debian: apt-get install postgresql-client).")
    return Path(found)
