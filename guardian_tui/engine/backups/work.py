"""What a run is to do, as it is kept on disk, and the stages that do it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from guardian_tui.engine.backups import hashes, own_state, point_in_time
from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.engine.backups.dump_drills import restoring, source_of
from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.engine.backups.engines.base import Adapter, Place, RestoreOrder, Stage
from guardian_tui.engine.backups.engines.carrying import Part
from guardian_tui.engine.backups.engines.pgbackrest import Pgbackrest, server_of
from guardian_tui.engine.backups.hashes import Hash
from guardian_tui.protocol.backups import BackupEngine, CheckLevel, DrillPolicy, Dump, JobSpec, Operation

DRILLS = "/var/tmp/guardian-drill-"  # noqa: S108  # a folder of mode 0700 below it, by a name that nobody can guess
ROOM = "room"
FOLDER = "folder"
COUNT = "count"
CLEAN = "clean"


class Init(msgspec.Struct, frozen=True, tag="init"):
    """Make the repository."""


class Backup(msgspec.Struct, frozen=True, tag="backup"):
    """Save what the job says."""


class Check(msgspec.Struct, frozen=True, tag="check"):
    """Verify the repository; of ``parts`` shares the one with this number is read."""

    level: CheckLevel
    part: int = 1
    parts: int = 1


class Unlock(msgspec.Struct, frozen=True, tag="unlock"):
    """Remove stale locks."""


class Retain(msgspec.Struct, frozen=True, tag="retain"):
    """Forget what the job's policy does not keep."""


class Copy(msgspec.Struct, frozen=True, tag="copy"):
    """Copy snapshots to another repository of the same engine."""

    repository: str
    """Id of the other."""
    name: str
    snapshots: tuple[str, ...]
    at: float
    """When the backup of the newest of them began."""


class Restore(msgspec.Struct, frozen=True, tag="restore"):
    """Restore, and compare with what was hashed at backup time."""

    snapshot: str
    includes: tuple[str, ...]
    target: str
    bytes: int
    """What it needs."""
    known: tuple[tuple[str, str], ...] = ()
    """Path and SHA-256 of files that it restores."""
    carried: tuple[Part, ...] = ()
    """What the engine carries from the host that reads the repository; none: the host that it goes to reads it by itself."""


class Drill(msgspec.Struct, frozen=True, tag="drill"):
    """Restore to a temporary folder, compare, and delete it."""

    snapshot: str
    includes: tuple[str, ...]
    bytes: int
    known: tuple[tuple[str, str], ...] = ()
    dumps: tuple[tuple[str, Dump], ...] = ()
    """Snapshot and dump that must be whole."""
    whole: bool = False
    """Whether all of the snapshot is restored: then its duration is a measured RTO."""
    own_state: str = ""
    """The archive of Guardian's own state in the snapshot, which is verified."""


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """Bring a database back to a moment, in a new folder; a drill proves it and deletes it again."""

    at: float
    folder: str
    drill: bool = False
    probe_sql: str = ""
    snapshot: str = ""
    probe_answer: str = ""
    push: bool = False
    """Whether the running server's log is pushed on first: the moment is the last one, and only a later commit tells that it is reached."""
    to_end: bool = False
    """Whether all that is archived is replayed: its server is gone, and nothing comes after the last moment."""


Work = Init | Backup | Check | Unlock | Retain | Copy | Restore | Drill | Moment

REPEATABLE = (Backup, Check, Copy, Drill)
"""What may be started again without asking anybody, where it is certain that it has not begun."""
OPERATIONS: dict[type, Operation] = {
    Moment: "restore", Init: "init", Backup: "backup", Check: "check", Unlock: "unlock", Retain: "retain", Copy: "copy", Restore: "restore", Drill: "drill",
}  # fmt: skip


def operation_of(work: Work) -> Operation:
    """What the run is called."""
    return "drill" if isinstance(work, Moment) and work.drill else OPERATIONS[type(work)]


def ends_with_job(work: Work) -> bool:
    """Whether nobody wants it any more once its job is removed; what is being restored somebody waits for."""
    return isinstance(work, Backup | Copy | Retain | Drill) or (isinstance(work, Moment) and work.drill)


EXCLUSIVE: dict[BackupEngine, frozenset[Operation]] = {
    "restic": frozenset({"init", "check", "retain", "unlock"}),
    "borg": frozenset({"init", "backup", "check", "retain", "unlock", "restore", "drill"}),
    "pgbackrest": frozenset({"init", "backup", "check", "retain", "unlock"}),
    "dumps": frozenset({"init", "retain"}),
    "rsync": frozenset({"init", "backup", "retain"}),
}
"""What needs a repository for itself; everything else goes on side by side."""


def stages_of(
    work: Work, adapter: Adapter, place: Place, job: JobSpec | None, run_id: str, other: Place | None = None
) -> tuple[Stage, ...]:
    """The stages of a run.

    Args:
        work: what it is to do.
        adapter: of its repository's engine.
        place: its repository, where it runs.
        job: the job; None: it is of a repository as a whole.
        run_id: tags its snapshots.
        other: the repository that is copied to.

    Raises:
        ValueError: it can't be done; says why.
    """
    match work:
        case Init():
            return adapter.init(place)
        case Check():
            return adapter.check(place, work.level, (work.part, work.parts))
        case Unlock():
            return adapter.unlock(place)
    if job is None:
        raise ValueError("its job is gone")
    match work:
        case Backup():
            return _backup(adapter, place, job, run_id)
        case Copy():
            if other is None:
                raise ValueError("the repository that it copies to is gone")
            return adapter.copy(place, other, work.snapshots)
        case Retain():
            return adapter.retain(place, job, job.keep, dry=False)
        case Restore():
            return _restore(work, adapter, place)
        case Drill():
            return _drill(work, adapter, place, run_id, job.drill)
        case Moment():
            return _moment(work, adapter, place, run_id)


def _moment(work: Moment, adapter: Adapter, place: Place, run_id: str) -> tuple[Stage, ...]:
    if not isinstance(adapter, Pgbackrest):
        raise ValueError("only pgBackRest brings a database back to a moment")
    folder = work.folder or f"{DRILLS}{run_id}"
    server = server_of(place.spec)
    order = point_in_time.Order(
        run_id, folder, server.user, point_in_time.Target(work.at), server.role, drill=work.drill, probe_sql=work.probe_sql, probe_answer=work.probe_answer,
        source=server if work.push else None, to_end=work.to_end,
    )  # fmt: skip
    return point_in_time.stages(order, adapter.restore_to(place, order))


def _backup(adapter: Adapter, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
    own = adapter.backup(place, job, run_id)
    taking = hashes.taking(job, run_id)
    if taking is not None:
        own = (taking[0], *own, taking[1])
    return (*_hooks("before", job.before), *own, *_hooks("after", job.after))


def _hooks(name: str, commands: Sequence[str]) -> tuple[Stage, ...]:
    """Commands of the job's admin, as they stand: the one place where a shell reads words of a person."""
    return tuple(
        Stage(f"{name} {number}", ("/bin/sh", "-c", command), told=False, always=name == "after")
        for number, command in enumerate(commands, 1)
    )


def room_stage(folder: str, needed: int) -> Stage:
    """Ends with 1 where the disk below a folder (or below the nearest that is there) has not the room."""
    script = (
        'd=$1; while [ ! -d "$d" ]; do d=$(dirname -- "$d"); done; '
        'set -- "$2" $(df -Pk -- "$d" | awk \'END { print $4 }\'); '
        '[ "$2" -ge "$1" ] || { echo "No space left: $1 KiB are needed, $2 are free" >&2; exit 1; }'
    )
    return Stage(ROOM, ("/bin/sh", "-c", script, "sh", folder, str(needed // 1024 + 1)), told=False)


def _restore(work: Restore, adapter: Adapter, place: Place) -> tuple[Stage, ...]:
    order = RestoreOrder(work.snapshot, work.includes, work.target)
    stages = [room_stage(work.target, work.bytes), *adapter.restore(place, order)]
    if work.target != "/":
        stages.insert(1, folder_stage(work.target, place.spec.options.get("user", "")))
    if work.known:
        stages.append(hashes.comparing([Hash(*one) for one in work.known], work.target))
    return tuple(stages)


_OWN_FOLDER = """
user=$1 folder=$2; shift 2
if [ -d "$folder" ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then exec "$@"; fi
umask 022
mkdir -p -- "$folder" && chmod 700 "$folder" && chown -- "$user" "$folder"
"""


def folder_stage(target: str, user: str) -> Stage:
    """Makes the folder that is restored into; where an engine runs as another user it is theirs, wherever root may make it."""
    make = ("mkdir", "-p", "--", target)
    if not user:
        return Stage(FOLDER, make, told=False)
    argv = ("sh", "-c", _OWN_FOLDER, "guardian", user, target, *as_user(user, make))
    return Stage(FOLDER, argv, told=False)


def _drill(
    work: Drill, adapter: Adapter, place: Place, run_id: str, policy: DrillPolicy
) -> tuple[Stage, ...]:
    folder = f"{DRILLS}{run_id}"
    stages = [room_stage(folder, work.bytes), Stage(FOLDER, ("mkdir", "-m", "700", "--", folder), told=False)]
    if (work.whole or work.includes) and work.snapshot not in {snapshot for snapshot, _ in work.dumps}:
        stages += adapter.restore(place, RestoreOrder(work.snapshot, work.includes, folder))
        stages.append(Stage(COUNT, ("/bin/sh", "-c", _COUNT, "sh", folder), told=False, kept=True))
    if work.known:
        stages.append(hashes.comparing([Hash(*one) for one in work.known], folder))
    for number, (snapshot, dump) in enumerate(work.dumps):
        below, name = f"{folder}/dump-{number}", dump_name(dump)
        stages.append(Stage(FOLDER, ("mkdir", "-m", "700", "--", below), told=False))
        stages += adapter.restore(place, RestoreOrder(snapshot, (f"/{name}",), below))
        # the probe is asked of the first
        argv = restoring(dump, f"{folder}-db-{number}", policy if number == 0 else DrillPolicy())
        stages.append(Stage(f"verify {name}", argv, source=source_of(dump, below), told=False, kept=True))
    if work.own_state:
        stages.append(own_state.verifying(f"{folder}{work.own_state}"))
    stages.append(Stage(CLEAN, ("rm", "-rf", "--", folder), told=False, always=True))
    return tuple(stages)


_COUNT = 'find "$1" -type f | wc -l; du -sk -- "$1" | awk \'{ print $1 * 1024 }\''
"""Files and bytes that are there now."""
