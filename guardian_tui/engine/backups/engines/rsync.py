"""Backups that are a folder of dated trees made by rsync: what did not change is one file with many names.

``YYYYMMDDThhmmssZ-JOB-RUN`` is a tree, ``….manifest`` beside it says what it should hold, ``….sha256`` its hashes when it was saved, and ``latest-JOB`` leads to the
newest.  A run writes to ``.partial-RUN`` and renames it when all is there.  Everybody who can read files can restore, without us.

Commands run where the job's data are and reach the folder by ``ssh`` if it is elsewhere.  What happens in the folder is done by constant scripts
(:mod:`.rsync_scripts`) that take values as arguments alone.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence

from guardian_tui.engine.backups.dumping import dump_command, dump_name
from guardian_tui.engine.backups.engines import rsync_output, rsync_verdict
from guardian_tui.engine.backups.engines import rsync_scripts as scripts
from guardian_tui.engine.backups.engines.base import (
    Capabilities,
    Event,
    FileEntry,
    Judgement,
    Place,
    RestoreOrder,
    Stage,
    StageEnd,
    Stream,
)
from guardian_tui.engine.backups.engines.rsync_output import BACKUP, DUMP, HASHES
from guardian_tui.engine.backups.engines.rsync_verdict import CUT, LASTING, LOCKED
from guardian_tui.engine.backups.engines.ssh import LEAVE_IT_OUT, PASSWORD_INSIDE, SSH
from guardian_tui.protocol.backups import (
    BackupEngine,
    CheckLevel,
    JobSpec,
    Operation,
    RepositorySpec,
    Retention,
    Snapshot,
)
from guardian_tui.text import safe

OLDEST = (3, 1)
"""Since when there is ``--info=progress2``."""
INCOMPLETE = (0, 23, 24)
"""Exit codes of rsync when it did all that it could."""
_OPTIONS = ("fake-super", "hashes", "rsh", "rsync-path")
_YES_OR_NO = ("fake-super", "hashes")
_VERSION = re.compile(r"rsync\s+version v?(\d+(?:\.\d+)+)")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]{0,99}\Z")
_TREE = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_REMOTE = re.compile(r"([^/:@\s-][^/:@\s]*@)?[^/:@\s-][^/:@\s]*:/(?!/)")
_ENV = {"LC_ALL": "C", "TZ": "UTC"}
"""So that numbers, times and complaints are written in a way that is known, and bytes that are no ASCII as such."""


class Rsync:
    """A folder of trees."""

    name: BackupEngine = "rsync"
    secrets: tuple[str, ...] = ()
    locked, cut, lasting = LOCKED, CUT, LASTING

    def probe(self) -> tuple[str, ...]:
        """Command that tells the version."""
        return ("rsync", "--version")

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        found = _VERSION.match(out)
        if exit_code != 0 or not found:
            return Capabilities((), "rsync is not installed, or can't be run. Install rsync 3.1 or newer.")
        version = tuple(int(number[:9]) for number in found[1].split("."))
        if version < OLDEST:
            return Capabilities((), f"rsync {found[1]} is too old. Install rsync 3.1 or newer.")
        return Capabilities(version, f"rsync {found[1]}")

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given, and what to write instead; empty: nothing stands against it."""
        if PASSWORD_INSIDE.search(spec.location):
            return LEAVE_IT_OUT
        if not spec.location.startswith("/") and not _REMOTE.match(spec.location):
            return f"{safe(spec.location, 100)!r} is no folder for trees of rsync: write a whole path, or user@host:/path."
        if spec.secrets:
            return f"A folder of trees has no secret {min(spec.secrets)}: ssh takes the host's own key."
        for option, value in spec.options.items():
            if option not in _OPTIONS:
                return f"A folder of trees has no option {safe(option)!r}: it has {', '.join(_OPTIONS)}."
            if option in _YES_OR_NO and value not in ("yes", "no"):
                return f"The option {option} is yes or no."
        if spec.options.get("fake-super") == "yes" and spec.location.startswith("/"):
            return "The option fake-super is for folders on another host: here root keeps owners as they are."
        return ""

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the folder; one that is there stays as it is."""
        return (_there(place, "init", scripts.INIT),)

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """Save the job's dumps, then its sources; hash what was saved.

        Raises:
            ValueError: the job, or a dump, can't be saved so.
        """
        if not _RUN.match(run_id):
            raise ValueError(f"A run can't be called {run_id!r}.")
        if not job.sources and not job.dumps:
            raise ValueError("The job names nothing to save.")
        names = [dump_name(dump) for dump in job.dumps]
        end = f"guardian-end-{run_id}"
        dumps = [
            _there(
                place, f"{DUMP}{name}", scripts.TAKE, run_id, name, end, exit_codes=(0, 65), source_may_fail=True,
                source=("sh", "-c", scripts.DUMP, "guardian-dump", end, *dump_command(dump, packed=True)),
            )
            for dump, name in zip(job.dumps, names, strict=True)
        ]  # fmt: skip
        host = re.sub(r"[^A-Za-z0-9._-]", "_", job.host) or "-"
        keep = (run_id, job.name, host, *names)
        stages = [_lock(place, "lock", "take"), _there(place, "prepare", scripts.PREPARE, run_id), *dumps]
        if job.sources:
            save = (*_rsync(place), "--relative", "--delete", f"--link-dest=../latest-{job.name}")
            save += tuple(f"--filter=protect /{name}" for name in names)
            save += (*(f"--exclude={pattern}" for pattern in job.excludes), *_limit(job), "--")
            save += (*map(_source, job.sources), f"{place.spec.location.rstrip('/')}/.partial-{run_id}/")
            kept = shlex.join(_words(place, scripts.KEEP, *keep))
            stages.append(
                Stage(BACKUP, ("sh", "-c", scripts.SAVE, "guardian-rsync", kept, *save), env=_ENV, exit_codes=INCOMPLETE)
            )  # fmt: skip
        else:
            stages.append(_there(place, BACKUP, scripts.KEEP, *keep, "0"))
        if place.spec.options.get("hashes") != "no":
            stages.append(_there(place, HASHES, scripts.HASH, run_id, job.name))
        return (*stages, _lock(place, "release", "release", always=True))

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all trees."""
        return (_there(place, "list", scripts.LIST, kept=True),)

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """The trees that are in the folder, oldest first."""
        return rsync_output.snapshots(place.spec.name, out)

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Nothing: it is a folder, and its place tells."""
        return ()

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell what stands in a folder of a tree, itself included; an empty folder: all files."""
        _known(snapshot)
        # as one of a list of names, which unlike an argument no rsync takes for a pattern
        how = ("--dirs", "--no-implied-dirs") if folder else ("--recursive",)
        inside = _escaped(folder.strip("/"), place)
        tree = f"{place.spec.location.rstrip('/')}/{snapshot}/./{inside}".rstrip("/")
        argv = ("rsync", "--list-only", "--no-h", "-s", "--relative", *how, *_reach(place), "--", f"{tree}/")
        return (Stage("files", argv, env=_ENV, kept=True),)

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """What :meth:`files` told."""
        return rsync_output.entries(out)

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Hold trees against their manifests: numbers and sizes, a share of the hashes of each job's newest, or all hashes of all.

        Raises:
            ValueError: there is no such part.
        """
        number, shares = part
        if not 1 <= number <= shares:
            raise ValueError(f"There is no part {number} of {shares}.")
        return (
            _there(place, "check", scripts.CHECK, level, str(number - 1), str(shares), exit_codes=(0, 65)),
        )

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """Copy files back.  What is wanted goes as a list of names: nothing in it is taken for a pattern, and the target itself stays as it is."""
        _known(order.snapshot)
        whole = not order.includes or "/" in order.includes
        names = [path.strip("/") for path in order.includes]
        source = _words(place, scripts.TOP, order.snapshot) if whole else ("printf", "/%s\\0", *names)
        tree = f"{place.spec.location.rstrip('/')}/{order.snapshot}/"
        argv = (
            *_rsync(place),
            "--recursive",
            "--from0",
            "--files-from=-",
            "--",
            tree,
            f"{order.target.rstrip('/')}/",
        )
        return (
            Stage("target", ("mkdir", "-p", "--", order.target), told=False),
            Stage("restore", argv, source=source, env=_ENV, exit_codes=INCOMPLETE),
        )  # fmt: skip

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Forget the job's trees that the policy does not keep; it is decided where they are, from what is there at that moment."""
        kept = ",".join(map(str, (keep.last, keep.hourly, keep.daily, keep.weekly, keep.monthly, keep.yearly)))  # fmt: skip
        forget = _there(place, "forget", scripts.RETAIN, job.name, kept, "dry" if dry else "really", kept=dry)
        if dry:
            return (forget,)
        return (_lock(place, "lock", "take"), forget, _lock(place, "release", "release", always=True))

    def doomed(self, out: bytes) -> Sequence[str]:
        """Trees that a dry :meth:`retain` would forget."""
        return rsync_output.doomed(out)

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Nothing: files that trees share would be copied once for each of them; a second job to the other folder does it better."""
        return ()

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """Those of :meth:`copy`.

        Raises:
            ValueError: always, as there is no copying.
        """
        raise ValueError(
            "Trees of rsync can't be copied to another folder: make a second job that saves there."
        )

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Remove a lock whose owner died, which only its own host knows; any other stays."""
        return (_lock(place, "unlock", "clear"),)

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line of output says; None: nothing that is counted."""
        return rsync_output.parse(operation, stage, line, stream)

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it, from the exit codes and what was read."""
        return rsync_verdict.verdict(operation, job, ends, events)


def packing(place: Place, snapshot: str, path: str) -> Stage:
    """Write a path of a tree as a tar archive to standard output."""
    _known(snapshot)
    return _there(place, "carry", scripts.PACK, snapshot, path)


def _split(place: Place) -> tuple[str, str]:
    """Where the folder is (empty: on this host), and its path there."""
    host, _, path = (
        ("", "", place.spec.location)
        if place.spec.location.startswith("/")
        else place.spec.location.partition(":")
    )
    return host, path.rstrip("/") or "/"  # fmt: skip


def _words(place: Place, script: str, *values: str) -> tuple[str, ...]:
    """Command that runs a script where the folder is, the folder's path before the other values."""
    host, path = _split(place)
    argv = ("sh", "-c", script, "guardian-rsync", path, *values)
    if not host:
        return argv
    return (*shlex.split(place.spec.options.get("rsh", SSH)), host, shlex.join(argv))


def _there(
    place: Place,
    name: str,
    script: str,
    *values: str,
    source: tuple[str, ...] = (),
    exit_codes: tuple[int, ...] = (0,),
    kept: bool = False,
    source_may_fail: bool = False,
) -> Stage:
    return Stage(
        name, _words(place, script, *values), source, _ENV, exit_codes=exit_codes, kept=kept,
        source_may_fail=source_may_fail,
    )  # fmt: skip


def _lock(place: Place, name: str, how: str, *, always: bool = False) -> Stage:
    wait = str(math.ceil(place.lock_wait_seconds) if how == "take" else 0)
    argv = ("sh", "-c", scripts.LOCK, "guardian-lock", how, wait, *_words(place, scripts.HOLD))
    return Stage(name, argv, env=_ENV, always=always)


def _reach(place: Place) -> tuple[str, ...]:
    host, _ = _split(place)
    options = place.spec.options
    return (
        *([f"--rsh={options.get('rsh', SSH)}"] if host else []),
        *([f"--rsync-path={options['rsync-path']}"] if "rsync-path" in options else []),
        *(["--remote-option=--fake-super"] if options.get("fake-super") == "yes" else []),
    )


def _rsync(place: Place) -> tuple[str, ...]:
    flags = ("-aHAXs", "--numeric-ids", "--no-h", "--stats", "--info=progress2", "--outbuf=L")
    return ("rsync", *flags, *_reach(place))


def _limit(job: JobSpec) -> tuple[str, ...]:
    return (f"--bwlimit={job.upload_kib}",) if job.upload_kib else ()


def _source(path: str) -> str:
    """A source as rsync must read it: neither another host's, nor cut where it says ``/./``."""
    path = re.sub(r"/(?:\./)+", "/", path)
    return path if path.startswith("/") else f"./{path}"


def _escaped(path: str, place: Place) -> str:
    """What the rsync of another host would take for a pattern."""
    return re.sub(r"[\\*?\[]", r"\\\g<0>", path) if _split(place)[0] else path


def _known(snapshot: str) -> None:
    if not _TREE.match(snapshot):
        raise ValueError(f"No tree can be called {snapshot!r}.")
