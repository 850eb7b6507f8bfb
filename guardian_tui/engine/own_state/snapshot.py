"""Takes the archive: of a state that an engine works on meanwhile, or of one that is at rest."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Connection, Engine, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from guardian_tui.audit_verify import FIRST_PREV, read_checkpoint
from guardian_tui.config import Paths, StoreSettings
from guardian_tui.engine.audit.keys import AuditKeys, are_made, load_keys
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.own_state import archive, postgresql
from guardian_tui.engine.own_state.archive import Manifest, Part, Private
from guardian_tui.engine.store.faults import words_of
from guardian_tui.engine.store.migrate import METRICS, STATE, stored_revision
from guardian_tui.engine.store.tables import audit_checkpoints, audit_events, meta
from guardian_tui.engine.vault.sealing import KdfParameters
from guardian_tui.protocol.errors import NotFound, StoreUnavailable

THEME_BYTES = 1 << 20
"""A theme that is larger is none."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose state is taken.

    Attributes:
        paths: where its files live.
        settings: where its store is.
    """

    paths: Paths
    settings: StoreSettings


@dataclass(frozen=True, slots=True)
class _Head:
    chain: str
    seq: int
    hash: str
    checkpoint: int
    """The event of the newest checkpoint."""
    revisions: dict[str, str]


def take(
    source: Source,
    target: Path,
    passphrase: str,
    now: float,
    *,
    with_metrics: bool = False,
    parameters: KdfParameters | None = None,
) -> Manifest:
    """Write the archive: whole, read again and 0600, or not at all.

    Args:
        source: whose state.
        target: the file; it is replaced.
        passphrase: opens what is sealed.
        now: Unix seconds.
        with_metrics: whether the samples are taken too.
        parameters: what opening it costs; as a login if they are not given.

    Raises:
        InvalidRequest: the passphrase is too short.
        NotFound: there is no state.
        StoreUnavailable: the store, or a key, can't be read.
        OSError: the disk is full, or the folder can't be written.
    """
    archive.check_passphrase(passphrase)
    work = Path(tempfile.mkdtemp(prefix=".guardian-state-", dir=target.parent))
    try:
        found, head = _store(source, work, with_metrics=with_metrics)
        keys = _keys(source.paths.state / "keys")
        signing = keys.signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        private = Private(keys.mac, signing, _text(source.paths.settings_file))
        parts = [
            (archive.part_of(name, path), path) for name, path in (*found, *_small(source.paths, head, work))
        ]
        manifest = Manifest(
            format=archive.FORMAT, made_at=now, machine=gethostname()[:253], store="postgresql" if source.settings.url else "sqlite",
            revisions=head.revisions, metrics=with_metrics, chain=head.chain, head=head.seq, head_hash=head.hash, public_key=keys.public,
            parts=tuple(part for part, _ in parts),
        )  # fmt: skip
        _write(work / "archive", manifest, private, passphrase, parts, parameters)
        archive.read(work / "archive").open(passphrase)
        (work / "archive").replace(target)
        _sync_folder(target.parent)
        return manifest
    finally:
        shutil.rmtree(work, ignore_errors=True)


def taker(source: Source, clock: Clock) -> Callable[[Path, str], Manifest]:
    """What a backup job makes its archive with: target, passphrase."""
    return lambda target, passphrase: take(source, target, passphrase, clock.now())


def _write(
    path: Path,
    manifest: Manifest,
    private: Private,
    passphrase: str,
    parts: list[tuple[Part, Path]],
    parameters: KdfParameters | None,
) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        archive.write(file, manifest, private, passphrase, parts, parameters)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _keys(folder: Path) -> AuditKeys:
    # new ones, made here, would open nothing of the chain that is taken
    if not are_made(folder):
        raise StoreUnavailable(
            f"The audit log's keys are not in {folder}. If they are systemd credentials of the engine's unit, only the engine has them: let a"
            " backup job save its state."
        )
    return load_keys(folder)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


# --- the store ----------------------------------------------------------------------------------------


def _store(source: Source, work: Path, *, with_metrics: bool) -> tuple[list[tuple[str, Path]], _Head]:
    """The parts that are the store, and where its chain was."""
    try:
        if source.settings.url:
            file = work / "store.dump"
            return [(archive.DUMP, file)], _postgresql(source.settings.url, file, with_metrics=with_metrics)
        return _sqlite(source.paths.state, work, with_metrics=with_metrics)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"The state can't be read: {words_of(error)}.") from error


def _sqlite(folder: Path, work: Path, *, with_metrics: bool) -> tuple[list[tuple[str, Path]], _Head]:
    if not (folder / "state.db").exists():
        raise NotFound(f"There is no state in {folder}: nothing to take.")
    copy = work / "state.db"
    copy_sqlite(folder / "state.db", copy)
    files = [(archive.STATE, copy)]
    if with_metrics and (folder / "metrics.db").exists():
        copy_sqlite(folder / "metrics.db", work / "metrics.db")
        files.append((archive.METRICS, work / "metrics.db"))
    revisions: dict[str, str] = {}
    head = _Head("", 0, "", 0, revisions)
    for name, file in files:
        with _reading(file) as engine, engine.connect() as conn:
            revisions |= _revisions(conn)
            if name == archive.STATE:
                head = _head(conn, revisions)
    return files, head


@contextmanager
def _reading(file: Path) -> Iterator[Engine]:
    """Connections to a file that nobody writes to."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)

    engine = create_engine("sqlite://", creator=connect)
    try:
        yield engine
    finally:
        engine.dispose()


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of one moment, by SQLite's online backup, with every page of it checked.

    Raises:
        StoreUnavailable: it is damaged, or locked.
        OSError: the disk is full.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=60.0)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            # all pages in one step: a writer in between would begin it anew
            old.backup(new)
    except sqlite3.Error as error:
        raise _sqlite_fault(source, error) from error
    if wrong := integrity(target):
        raise StoreUnavailable(f"{source.name} is damaged: {wrong}. The state was not taken.")


def _sqlite_fault(file: Path, error: sqlite3.Error) -> Exception:
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return OSError(28, os.strerror(28), str(file))
    return StoreUnavailable(f"{file.name} can't be copied: {words_of(error)}.")


def integrity(file: Path) -> str:
    """What is wrong with a SQLite file that nobody writes to; empty: every page is well."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as conn:
            found = str(conn.execute("PRAGMA integrity_check(3)").fetchone()[0])
    except sqlite3.Error as error:
        return words_of(error)
    return "" if found == "ok" else found.splitlines()[0][:200]


def _postgresql(url: str, file: Path, *, with_metrics: bool) -> _Head:
    engine = postgresql.engine_of(url)
    try:
        with engine.connect() as conn:
            # what we read here and what is dumped are of one moment
            conn = conn.execution_options(isolation_level="REPEATABLE READ")
            snapshot = str(conn.execute(text("SELECT pg_export_snapshot()")).scalar_one())
            if stored_revision(conn, STATE) is None:
                raise NotFound("There is no state in the database that store.url names: nothing to take.")
            head = _head(conn, _revisions(conn))
            postgresql.dump(url, snapshot, file, with_metrics=with_metrics)
    finally:
        engine.dispose()
    with file.open("rb") as dumped:
        wrong = postgresql.check(dumped)
    if wrong:
        raise StoreUnavailable(f"The dump is not whole: {wrong}")
    return head


def _revisions(conn: Connection) -> dict[str, str]:
    found = {kind: stored_revision(conn, kind) for kind in (STATE, METRICS)}
    return {kind: revision for kind, revision in found.items() if revision is not None}


def _head(conn: Connection, revisions: dict[str, str]) -> _Head:
    chain = conn.execute(select(meta.c.value).where(meta.c.key == "audit_chain")).scalar() or ""
    newest = select(audit_events.c.seq, audit_events.c.hash).where(audit_events.c.chain == chain)
    row = conn.execute(newest.order_by(audit_events.c.seq.desc()).limit(1)).first()
    point = select(func.max(audit_checkpoints.c.seq)).where(audit_checkpoints.c.chain == chain)
    seq, digest = (row.seq, row.hash) if row else (0, FIRST_PREV)
    return _Head(chain, seq, digest, conn.execute(point).scalar() or 0, revisions)


# --- and what lies beside it --------------------------------------------------------------------------


def _small(paths: Paths, head: _Head, work: Path) -> Iterable[tuple[str, Path]]:
    points = work / "checkpoints.jsonl"
    points.write_bytes(b"".join(line + b"\n" for line in _checkpoints(paths, head)))
    yield archive.CHECKPOINTS, points
    if paths.keys_file.is_file():
        yield archive.KEYS, paths.keys_file
    for theme in sorted(paths.themes.glob("*.toml")):
        if theme.is_file() and theme.stat().st_size <= THEME_BYTES:
            yield f"{archive.THEMES}{theme.name}", theme


def _checkpoints(paths: Paths, head: _Head) -> Iterable[bytes]:
    """The lines of the file but those that vouch for more than was taken: events may have come since."""
    try:
        whole, _, _half = (paths.state / "audit" / "checkpoints.jsonl").read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return
    for line in whole.split(b"\n"):
        point = read_checkpoint(line.decode(errors="replace"))
        if line and not (point is not None and point.chain == head.chain and point.seq > head.checkpoint):
            yield line
