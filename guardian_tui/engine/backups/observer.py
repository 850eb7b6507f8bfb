"""Reads repositories: what snapshots are in them, whoever made them.  A missed backup is judged by that, never by logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from guardian_tui.engine.backups import moments, records, rooms
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Adapter, Judgement, Place, StageEnd
from guardian_tui.engine.backups.point_in_time import Window
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.rooms import Room
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way, Ways
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.backups import RepositorySpec, Snapshot
from guardian_tui.protocol.errors import GuardianError, VaultLocked
from guardian_tui.text import counted, safe

log = logging.getLogger(__name__)

LIST_SECONDS = 300.0
WEIGH_SECONDS = 120.0
WEIGHT_BYTES = 1 << 20
"""Borg tells of each of its caches too."""
AT_ONCE = 4
DAY = 86400.0
SIZES_KEPT = 400
DAYS_KEPT = 31


@dataclass(frozen=True, slots=True)
class Listed:
    """What came of a reading."""

    judgement: Judgement
    snapshots: tuple[Snapshot, ...] = ()
    ours: bool = False
    """Whether it failed for a reason that says nothing of the repository."""


class Observer:
    """Reads repositories, a few at once, and writes what is new or gone.

    Args:
        told: called after what was read is on disk.
    """

    def __init__(
        self, store: Store, clock: Clock, ways: Ways, sites: Sites, told: Callable[[Repository], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._ways = ways
        self._sites = sites
        self._told = told
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._reading: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, asyncio.Task[Judgement]] = {}
        """Readings that have not begun: whoever asks meanwhile is answered by the same one."""
        self._readings: set[asyncio.Task[Judgement]] = set()
        self.touched: set[str] = set()
        """Jobs whose snapshots came or went on disk: whoever takes that up empties it."""

    async def read(self, repository: Repository, jobs: Iterable[Job]) -> Judgement:
        """Read a repository now, by a reading that begins after this was asked; what can't be read leaves what was known as it was."""
        reading = self._waiting.get(repository.id)
        if reading is None:
            reading = asyncio.create_task(
                self._read(repository, jobs), name=f"a reading of {repository.spec.name}"
            )
            self._waiting[repository.id] = reading
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)
        # others may wait for it too
        return await asyncio.shield(reading)

    def reads(self, repository: Repository) -> bool:
        """Whether a reading of it has begun, and not ended."""
        lock = self._reading.get(repository.id)
        return lock is not None and lock.locked()

    async def stop(self) -> None:
        """End all readings."""
        readings = list(self._readings)
        for reading in readings:
            reading.cancel()
        await asyncio.gather(*readings, return_exceptions=True)

    async def _read(self, repository: Repository, jobs: Iterable[Job]) -> Judgement:
        async with self._reading.setdefault(repository.id, asyncio.Lock()), self._turn:
            self._waiting.pop(repository.id, None)
            listed = await self._list(repository)
            memory, now = repository.memory, self._clock.now()
            memory.tried_at = now
            judgement = listed.judgement
            memory.verdict, memory.words, memory.advice = judgement.verdict, judgement.words, judgement.advice
            memory.ours = listed.ours
            if judgement.verdict == "ok":
                memory.listed_at = now
                if listed.snapshots:
                    # one that is empty says nothing of how it grows
                    await self._weigh(repository, now)
                await self._ask_archive(repository)
                await self._take(repository, listed.snapshots, jobs)
            else:
                async with self._store.write() as tx:
                    await records.remember_repository(tx, repository)
        self._told(repository)
        return judgement

    async def ask_archive(self, repository: Repository) -> None:
        """Ask how far the archive of a database reaches, and write it."""
        async with self._reading.setdefault(repository.id, asyncio.Lock()), self._turn:
            await self._ask_archive(repository)
            async with self._store.write() as tx:
                await records.remember_repository(tx, repository)

    async def _ask_archive(self, repository: Repository) -> None:
        """What can't be asked leaves what was known as it was: it grows old."""
        way = self._ways.way(repository.spec.host)
        if repository.spec.engine not in moments.ENGINES or way is None:
            return
        memory = repository.memory
        try:
            window = await moments.window_of(self._sites, way, repository)
        except GuardianError as error:
            memory.archive_asked_at = self._clock.now()
            memory.archive_words = f"How far the archive reaches could not be asked: {error.detail}"
            return
        archived(memory, self._clock.now(), window)

    async def _weigh(self, repository: Repository, now: float) -> None:
        """What a repository takes and what room there is, once a day; what can't be told is left as it is, and why is noted."""
        spec, memory = repository.spec, repository.memory
        way = self._ways.way(spec.host)
        by_engine = rooms.by_engine(spec)
        due = not memory.sizes or now - memory.sizes[-1][0] >= DAY or memory.unweighed
        if way is None or not (due or (by_engine and memory.whole_disk)):
            return
        memory.unweighed = ""
        room = None if by_engine else await self._ask_place(way, spec, memory)
        if room is None:
            # a place that tells nobody, or whose key may do nothing but what its engine does
            taken = await self._ask_engine(way, spec, memory)
            room = None if taken is None else Room(taken, None)
        if room is not None:
            memory.unweighed = ""
            grown(memory, now, room)

    async def _ask_place(
        self, way: Way, spec: RepositorySpec, memory: records.RepositoryMemory
    ) -> Room | None:
        stage, memory.unweighed = rooms.asking(spec)
        if stage is None:
            return None
        try:
            done = await self._sites.ask(way, spec, stage, WEIGH_SECONDS, limit_bytes=4096)
        except (ConnectFailed, GuardianError) as error:
            memory.unweighed = f"its place could not be asked: {error.detail}"
            return None
        room = rooms.room_of(spec, done.out)
        if room is None:
            memory.unweighed = f"its place tells of no room ({_said(done.err)})"
        return room

    async def _ask_engine(
        self, way: Way, spec: RepositorySpec, memory: records.RepositoryMemory
    ) -> int | None:
        why = ""
        try:
            place = await self._sites.place(way, spec)
            for stage in adapter(spec.engine).weigh(place):
                done = await self._sites.ask(way, spec, stage, WEIGH_SECONDS, limit_bytes=WEIGHT_BYTES)
                taken = rooms.weight_of(done.out)
                if taken is not None and done.exit_status in stage.exit_codes:
                    return taken
                why = f"{spec.engine} does not tell what it takes ({_said(done.err)})"
        except (ConnectFailed, GuardianError) as error:
            why = f"{spec.engine} could not be asked what it takes: {error.detail}"
        memory.unweighed = memory.unweighed or why
        return None

    async def _list(self, repository: Repository) -> Listed:
        spec = repository.spec
        way = self._ways.way(spec.host)
        if way is None:
            return Listed(
                Judgement(
                    "network", f"Its host {spec.host} is not watched.", "Add the host, or name another."
                )
            )
        try:
            place = await self._sites.place(way, spec)
            if not place.capabilities.version:
                return Listed(
                    Judgement("failed", place.capabilities.words, f"Install {spec.engine} on {way.name}.")
                )
            repository.memory.version = ".".join(map(str, place.capabilities.version))
            return await self._ask(way, place, adapter(spec.engine))
        except ConnectFailed as error:
            return Listed(Judgement("network", error.detail, "Test the connection of its host."))
        except GuardianError as error:
            return Listed(
                Judgement("auth", error.detail, "Unlock the vault, or give the repository its secret."),
                ours=isinstance(error, VaultLocked),
            )
        except ValueError as error:
            return Listed(Judgement("failed", f"Its list can't be read: {safe(str(error), 300)}."), ours=True)

    async def _ask(self, way: Way, place: Place, one: Adapter) -> Listed:
        out, ends = b"", []
        for stage in one.list(place):
            done = await self._sites.ask(way, place.spec, stage, LIST_SECONDS)
            if done.truncated:
                return Listed(
                    Judgement(
                        "failed", "Its list is longer than what is read of one.", "Forget old snapshots."
                    ),
                    ours=True,
                )
            out += done.out
            code = 255 if done.exit_status is None else done.exit_status
            ends.append(
                StageEnd(
                    stage.name, code, 0, "\n".join(safe(line, 500) for line in done.err.splitlines()[-20:])
                )
            )
            if code not in stage.exit_codes:
                break
        judgement = one.verdict("list", None, ends, ())
        if judgement.verdict not in ("ok", "partial"):
            return Listed(judgement)
        found = tuple(one.snapshots(place, out))
        return Listed(Judgement("ok", f"{counted(len(found), 'snapshot')}"), found)

    async def _take(self, repository: Repository, found: Sequence[Snapshot], jobs: Iterable[Job]) -> None:
        here = {snapshot.id: snapshot for snapshot in found}
        memory = repository.memory
        memory.snapshots = len(found)
        memory.oldest_at = min((s.at for s in found), default=None)
        memory.newest_at = max((s.at for s in found), default=None)
        # whose they are is found while nobody writes: a job that moves elsewhere meanwhile would be given them again
        async with self._store.write() as tx:
            known = await records.snapshot_ids(self._store, repository.id)
            mine = [
                job
                for job in jobs
                if job.repository_id == repository.id or repository.spec.name in job.spec.copies
            ]
            new = [
                (snapshot, owner_of(snapshot, mine, repository))
                for snapshot in found
                if snapshot.id not in known
            ]
            # what nobody owned may be a new job's
            changed = [
                (here[id], owner) for id, had in known.items() if id in here and not had and (owner := owner_of(here[id], mine, repository))
            ]  # fmt: skip
            gone = set(known) - set(here)
            if not await records.remember_repository(tx, repository):
                # removed while it was read: nothing of it is kept
                return
            await records.add_snapshots(tx, repository.id, new)
            for snapshot, owner in changed:
                await records.put_snapshot(tx, repository.id, snapshot, owner)
            await records.drop_snapshots(tx, repository.id, gone)
        self.touched |= {owner for _, owner in (*new, *changed)} | {known[id] for id in gone}
        self.touched.discard("")


def _said(err: bytes) -> str:
    return " ".join((safe(err[-300:].strip(), 300) or "it said nothing").split())


def owner_of(snapshot: Snapshot, jobs: Sequence[Job], repository: Repository) -> str:
    """Id of the job whose snapshot it is, in the job's own repository; empty: nobody's."""
    for job in jobs:
        if job.repository_id != repository.id:
            continue
        if job.spec.match:
            if matches(job.spec.match, snapshot):
                return job.id
        elif snapshot.job == job.spec.name:
            return job.id
    return ""


def matches(match: dict[str, str], snapshot: Snapshot) -> bool:
    """Whether a snapshot of another tool is one that a job watches."""
    return (
        match.get("host", snapshot.host) == snapshot.host
        and ("tag" not in match or match["tag"] in snapshot.tags)
        and ("path" not in match or match["path"] in snapshot.paths)
    )


def archived(memory: records.RepositoryMemory, now: float, window: Window) -> None:
    """Note how far the archive reaches, and the greatest age that its end had until now."""
    until = window.saved_until(now)
    ages = [now - at for at in (memory.archived_at, until) if at is not None]
    memory.archived_at, memory.archive_asked_at, memory.archive_words = until, now, window.words
    if not ages:
        return
    day = now - now % DAY
    worst = max(ages)
    if memory.archive_worst and memory.archive_worst[-1][0] == day:
        worst = max(worst, memory.archive_worst.pop()[1])
    memory.archive_worst.append((day, worst))
    del memory.archive_worst[:-DAYS_KEPT]


def grown(memory: records.RepositoryMemory, now: float, room: Room) -> None:
    """Note what a repository, or all that lies on its disk, takes there; one figure a day."""
    if memory.whole_disk != room.whole_disk:
        # it lies elsewhere now: what was measured before says nothing of that
        memory.sizes.clear()
    taken, memory.whole_disk, memory.room = room.taken, room.whole_disk, room.capacity
    memory.bytes = None if room.whole_disk else taken
    if memory.sizes and now - memory.sizes[-1][0] < DAY:
        return
    memory.sizes.append((now, taken))
    del memory.sizes[:-SIZES_KEPT]
