"""Verifies an archive, and restores it where no state is: made whole in folders of its own, then renamed into place."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from guardian_tui.config import Paths, Settings, StoreSettings, parse_settings
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.records import StoredRun
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import Clock, SystemClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.own_state import archive, postgresql
from guardian_tui.engine.own_state.archive import Archive, Manifest, Part, Private
from guardian_tui.engine.own_state.snapshot import integrity
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.faults import words_of
from guardian_tui.engine.store.locking import StoreLock
from guardian_tui.engine.store.migrate import HEADS
from guardian_tui.engine.store.tables import sessions
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.errors import Conflict, InvalidRequest, StoreUnavailable

ROOM_BYTES = 64 << 20
"""Beside what the archive holds: for migrations, and for the audit log's reserve."""
_URL = re.compile(r'^(\s*url\s*=\s*)("[^"\n]*"|\'[^\'\n]*\')', re.MULTILINE)
_STORE_TABLE = re.compile(r"^\s*\[store\]\s*(#.*)?$", re.MULTILINE)
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore."""

    manifest: Manifest
    verdict: AuditVerdict
    """On all of the audit log, the restore's own event included."""
    aside: tuple[Path, ...]
    """Where what was there before is now."""


def verify(path: Path) -> Archive:
    """Read all of an archive: its hashes, every page of its databases, its dump to the end.

    Raises:
        InvalidRequest: it is cut, damaged, of a newer program, or no archive; says which.
        OSError: it can't be read, or there is no room to look at its databases.
    """
    beside = path.parent if os.access(path.parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".guardian-verify-", dir=beside) as folder:

        @contextmanager
        def databases(part: Part) -> Iterator[IO[bytes] | None]:
            if part.name not in (archive.STATE, archive.METRICS, archive.DUMP):
                yield None
                return
            with (Path(folder) / part.name.rpartition("/")[2]).open("xb") as out:
                yield out

        found = archive.read(path, databases)
        for file in sorted(Path(folder).iterdir()):
            wrong = _wrong(file)
            if wrong:
                raise InvalidRequest(f"{path.name} holds a {file.name} that is damaged: {wrong}.")
    _refuse_newer(path, found.manifest)
    return found


def _wrong(file: Path) -> str:
    if file.name == "store.dump":
        with file.open("rb") as dumped:
            return postgresql.check(dumped)
    return integrity(file)


def _refuse_newer(path: Path, manifest: Manifest) -> None:
    newer = [kind for kind, revision in manifest.revisions.items() if revision > HEADS.get(kind, "")]
    if newer:
        raise InvalidRequest(
            f"{path.name} was made by a newer program ({manifest.program}): its {newer[0]} tables are at {manifest.revisions[newer[0]]}, and"
            f" this program knows {HEADS.get(newer[0], 'none')}. Update guardian-tui."
        )


async def restore(
    found: Archive,
    passphrase: str,
    paths: Paths,
    *,
    url: str = "",
    force: bool = False,
    clock: Clock | None = None,
) -> Restored:
    """Bring a state back: all of it, or nothing.

    Args:
        found: the archive, verified.
        passphrase: that it was made with.
        paths: where it goes to.
        url: of an empty PostgreSQL database, in place of the one that the settings name.
        force: move a state that is there aside.
        clock: the time.

    Raises:
        InvalidRequest: the passphrase is another one; the store is of another kind; the settings can't be used.
        Conflict: a state is there, or in the database; an engine works on it.
        StoreUnavailable: the store can't be made.
        OSError: the disk is full, or a folder can't be written.
    """
    clock = clock or SystemClock()
    private = found.open(passphrase)
    text = private.settings if not url else _with_url(private.settings or "", url)
    settings = parse_settings(text or "", "the archive's config.toml")
    _refuse_other_store(found.manifest, settings, url)
    there = [folder for folder in (paths.state, paths.config) if _holds(folder)]
    if there and not force:
        raise Conflict(
            f"{there[0]} holds a state or settings already. Move them away, or say --force: they are moved aside, not deleted."
        )
    with _nobody_works_in(paths), _beside(paths.state) as state, _beside(paths.config) as config:
        _refuse_no_room(found.manifest, state)
        _lay_out(found, private, text, state, config)
        dumped = state / "store.dump" if found.manifest.store == "postgresql" else None
        if dumped is not None:
            _refuse_filled(settings.store)
            postgresql.restore(settings.store.url, dumped)
            dumped.unlink()
        try:
            verdict = await _brought_forward(found, settings, state, clock)
            aside = _into_place(((config, paths.config), (state, paths.state)), clock.now())
        except BaseException:
            if dumped is not None:
                # it was empty, and is again
                with suppress(SQLAlchemyError):
                    postgresql.drop(settings.store.url)
            raise
    return Restored(found.manifest, verdict, aside)


def _refuse_other_store(manifest: Manifest, settings: Settings, url: str) -> None:
    if manifest.store == "sqlite" and settings.store.url:
        raise InvalidRequest("The archive holds SQLite files: it can't be restored into PostgreSQL.", field="store_url")  # fmt: skip
    if manifest.store == "postgresql" and not settings.store.url:
        raise InvalidRequest(
            "The archive holds a PostgreSQL dump: name an empty database with --store-url.", field="store_url"
        )
    if url and settings.store.url != url:
        raise InvalidRequest("store.url could not be set in the settings.", field="store_url")


def _with_url(text: str, url: str) -> str:
    """The settings with another ``store.url``; whoever calls sees whether that is what it says then."""
    line = f"url = {msgspec.json.encode(url).decode()}"
    table = _STORE_TABLE.search(text)
    if table is None:
        return f"{text.rstrip()}\n\n[store]\n{line}\n".lstrip()
    following = _TABLE.search(text, table.end())
    end = following.start() if following else len(text)
    body = text[table.end() : end]
    old = _URL.search(body)
    body = f"{body[: old.start()]}\n{line}{body[old.end() :]}" if old else f"\n{line}{body}"
    return text[: table.end()] + body + text[end:]


# --- what stands against it ---------------------------------------------------------------------------


def _holds(folder: Path) -> bool:
    """Whether there is anything that a restore would take the place of; a log, or an empty folder, is nothing."""
    names = ("state.db", "metrics.db", "keys", "audit", "config.toml", "keys.toml", "themes")
    return any((folder / name).exists() for name in names)


@contextmanager
def _nobody_works_in(paths: Paths) -> Iterator[None]:
    """Hold the lock of the store that is there, if one is."""
    if not paths.state.is_dir():
        yield
        return
    try:
        lock = StoreLock.take(paths.state / "engine.lock")
    except StoreUnavailable as error:
        raise Conflict(f"{error.detail} Stop it first: `guardian-tui engine stop`.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder on the same disk that is gone in the end, unless it was renamed."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-restoring-", dir=folder.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _refuse_no_room(manifest: Manifest, folder: Path) -> None:
    needed, free = manifest.bytes + ROOM_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            28,
            f"No space left on device: {needed >> 20} MiB are needed and {free >> 20} are free",
            str(folder.parent),
        )


def _refuse_filled(store: StoreSettings) -> None:
    engine = postgresql.engine_of(store.url)
    try:
        with engine.connect() as conn:
            if not postgresql.is_empty(conn):
                raise Conflict(
                    "The database that store.url names is not empty. Make another one, and name it with --store-url: nothing is ever restored"
                    " over a database."
                )
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"PostgreSQL can't be used: {words_of(error)}. Check store.url.") from error
    finally:
        engine.dispose()


# --- and how it is made -------------------------------------------------------------------------------


def _lay_out(found: Archive, private: Private, settings: str | None, state: Path, config: Path) -> None:
    def place(part: Part) -> AbstractContextManager[IO[bytes]]:
        where, _, name = part.name.partition("/")
        return _new(({"state": state, "config": config})[where] / name)

    archive.read(found.path, place)
    kept = {state / "keys" / "audit-mac.key": private.audit_mac, state / "keys" / "audit-signing.key": private.audit_signing}  # fmt: skip
    if settings is not None:
        kept[config / "config.toml"] = settings.encode()
    for path, data in kept.items():
        with _new(path) as file:
            file.write(data)


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


async def _brought_forward(found: Archive, settings: Settings, state: Path, clock: Clock) -> AuditVerdict:
    """Migrate it, end its sessions, note the restore in the audit log, and verify all of that."""
    manifest = found.manifest
    store = await Store.open(settings.store, state, clock)
    try:
        audit = AuditLog(store, Live(), clock, settings.audit, state, reserve_bytes=0)
        await audit.start()
        body = {
            "made_at_ms": int(manifest.made_at * 1000), "machine": manifest.machine, "program": manifest.program, "head": manifest.head,
            "store": manifest.store,
        }  # fmt: skip
        left = await records.unfinished_runs(store)
        async with store.write() as tx:
            await _close_runs(tx, left, manifest, clock.now())
            # whoever held a token where the state was lost has it still
            await tx.execute(update(sessions).where(sessions.c.ended_at.is_(None)).values(ended_at=clock.now()))  # fmt: skip
            await audit.append(
                tx, Entry(f"uid:{os.getuid()}", "state.restore", "own state", "ok", peer_uid=os.getuid(), body=body)
            )  # fmt: skip
        await audit.stop()
        return await audit.verify()
    finally:
        await store.close()


async def _close_runs(tx: Tx, left: Sequence[StoredRun], manifest: Manifest, now: float) -> None:
    """End the backup runs that went with the machine, the one that saved this archive first of all; those on other hosts are found again there."""
    # as the inventory names the engine's own machine
    lost = manifest.machine.split(".")[0] or "localhost"
    for run in left:
        if run.row.state == "running" and run.row.host != lost:
            continue
        words = "It had not ended when Guardian's own state was saved, and went with the machine."
        row = msgspec.structs.replace(run.row, state="ended", verdict="cancelled", words=words, ended_at=now, progress=None)  # fmt: skip
        await records.put_run(
            tx, row, run.plan, job_id=run.job_id, repository_id=run.repository_id, new=False
        )


def _into_place(moves: tuple[tuple[Path, Path], ...], now: float) -> tuple[Path, ...]:
    """Rename each folder to where it belongs; what stands there steps aside, and comes back if one can't be renamed."""
    word = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    done: list[tuple[Path, Path]] = []
    aside: list[Path] = []
    try:
        for made, folder in moves:
            if folder.exists():
                old = folder.with_name(f"{folder.name}-before-{word}")
                folder.rename(old)
                done.append((old, folder))
                if _holds(old):
                    aside.append(old)
            made.rename(folder)
            done.append((folder, made))
    except OSError:
        for now_at, was_at in reversed(done):
            now_at.rename(was_at)
        raise
    for old, _ in done:
        if old not in aside and old.name.endswith(f"-before-{word}"):
            # a log, a lock: what is left of an engine that never had a state
            shutil.rmtree(old, ignore_errors=True)
    return tuple(aside)
