"""restic, from Debian's 0.14 on: the commands.

The forms of its output that differ between versions are read in :mod:`restic_output`, and what came of a run is judged in :mod:`restic_verdict`.

Each of a job's parts, its files and each of its dumps, is a snapshot of its own with the tags ``guardian``, ``job=NAME``, ``run=ID`` and ``part=…``.
Retention goes part by part: a policy over all of them would keep a day's last dump and forget the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from guardian_tui.engine.backups.dumping import dump_command, dump_name
from guardian_tui.engine.backups.engines import restic_lists, restic_output, restic_place, restic_verdict
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
from guardian_tui.engine.backups.engines.restic_lists import OURS, part_tag
from guardian_tui.engine.backups.engines.restic_output import BACKUP, DUMP, LOCKS
from guardian_tui.engine.backups.engines.restic_place import LOCATION, SECRETS, base, command, options_of
from guardian_tui.engine.backups.engines.restic_words import CUT, LASTING, LOCKED
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

OLDEST = (0, 14)
COUNTS_RESTORED = (0, 16)
"""Since when a restore tells what it restored."""
MOST_PARTS = 256
"""restic's own limit of the shares of a repository."""

_PATTERN = re.compile(r"[\\*?\[]")
_SPEED = {"RESTIC_PROGRESS_FPS": "1"}
"""Or a log would grow by sixty lines a second."""
_VERSION = re.compile(r"restic (\d+(?:\.\d+)+)")


class Restic:
    """The adapter of restic."""

    name: BackupEngine = "restic"
    secrets: tuple[str, ...] = SECRETS
    locked, cut, lasting = LOCKED, CUT, LASTING

    def probe(self) -> tuple[str, ...]:
        """Command that tells the version."""
        return ("restic", "version")

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        found = _VERSION.match(out)
        if exit_code != 0 or not found:
            said = f" It said: {safe(out.strip(), 200)}." if exit_code == 0 and out.strip() else ""
            return Capabilities(
                (), f"restic is not installed, or can't be run.{said} Install restic 0.14 or newer."
            )
        version = tuple(int(number[:9]) for number in found[1].split("."))
        if version < OLDEST:
            return Capabilities((), f"restic {found[1]} is too old. Install restic 0.14 or newer.")
        return Capabilities(version, f"restic {found[1]}")

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given, and what to write instead; empty: nothing stands against it."""
        return restic_place.problem(spec)

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the repository."""
        return (Stage("init", (*base(place), "init", "--json")),)

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """Save the job's dumps, then its sources.

        Raises:
            ValueError: a dump can't be asked for so.
        """
        stages = [
            Stage(
                f"{DUMP}{dump_name(dump)}",
                (*_backup(place, job, run_id, dump_name(dump)), "--stdin", f"--stdin-filename={dump_name(dump)}"),
                source=dump_command(dump),
                env=_SPEED,
                # nothing read: restic says so by 1 or 3, and the source's own words are the better ones
                exit_codes=(0, 3),
                source_may_fail=True,
            )
            for dump in job.dumps
        ]  # fmt: skip
        if job.sources:
            excludes = [f"--exclude={pattern}" for pattern in job.excludes]
            argv = (*_backup(place, job, run_id, ""), *excludes, "--", *job.sources)
            stages.append(Stage(BACKUP, argv, env=_SPEED, exit_codes=(0, 3)))
        return tuple(stages)

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all snapshots."""
        return (Stage("list", (*base(place), "snapshots", "--json"), kept=True),)

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """What :meth:`list` told, oldest first; a time may lie in the future where a clock was wrong."""
        return restic_lists.snapshots(place.spec.name, out)

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Tell what its packs take: it reads the trees of all snapshots, and locks nobody out."""
        return (Stage("size", (*base(place), "stats", "--mode=raw-data", "--no-lock", "--json"), kept=True),)

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell what stands in a folder of a snapshot, itself included; an empty folder: all files."""
        argv = (*base(place), "ls", "--json", "--", snapshot, *([folder] if folder else []))
        return (Stage("files", argv, kept=True),)

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """What :meth:`files` told; restic tells a byte that is no UTF-8 as U+FFFD."""
        return restic_lists.entries(out)

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Verify the repository; a damaged pack is found only where data is read.

        Raises:
            ValueError: there is no such part.
        """
        number, parts = part
        argv = (*base(place), "check", "--json")
        if level == "structure":
            return (Stage("check of the structure", argv, env=_SPEED),)
        if level == "all":
            return (Stage("check of all data", (*argv, "--read-data"), env=_SPEED),)
        if not 1 <= number <= parts <= MOST_PARTS:
            raise ValueError(
                f"restic reads a repository in at most {MOST_PARTS} parts; part {number} of {parts} is none."
            )
        return (
            Stage(
                f"check of part {number} of {parts}",
                (*argv, f"--read-data-subset={number}/{parts}"),
                env=_SPEED,
            ),
        )

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """Restore; where restic does not tell what it restored it reads all of it again, so that something proves it."""
        proof = ("--json",) if place.capabilities.version >= COUNTS_RESTORED else ("--verify",)
        whole = not order.includes or "/" in order.includes
        includes = [] if whole else [f"--include={_literal(path)}" for path in order.includes]
        argv = (
            *base(place),
            "restore",
            *proof,
            f"--target={order.target}",
            *includes,
            "--",
            order.snapshot,
        )
        return (Stage("restore", argv, env=_SPEED),)

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Forget what the policy does not keep of each part of a job, and free its room; nothing to do where it keeps all."""
        counts = [
            ("last", keep.last),
            ("hourly", keep.hourly),
            ("daily", keep.daily),
            ("weekly", keep.weekly),
        ]
        counts += [("monthly", keep.monthly), ("yearly", keep.yearly)]
        policy = [f"--keep-{kind}={count}" for kind, count in counts if count]
        if not policy:
            return ()
        parts = [dump_name(dump) for dump in job.dumps] + ([""] if job.sources else [])
        stages = [
            Stage(
                f"forget {part or 'files'}",
                # tags with commas between: all of them; by host, so that two consoles whose jobs share a name stay apart
                (*base(place), "forget", "--json", *(["--dry-run"] if dry else []),
                 f"--tag={OURS},job={job.name},{part_tag(part)}", "--group-by=host", *policy),
                kept=dry,
            )
            for part in parts
        ]  # fmt: skip
        if not dry:
            stages.append(Stage("prune", (*base(place), "prune"), env=_SPEED))
        return tuple(stages)

    def doomed(self, out: bytes) -> Sequence[str]:
        """Snapshot ids that a dry :meth:`retain` would forget."""
        return restic_lists.doomed(out)

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Copy snapshots to another repository; none of them: nothing to do (restic would take all)."""
        if not snapshots:
            return ()
        options = options_of(place.spec) | options_of(other.spec)
        source = [] if LOCATION in place.spec.secrets else [f"--from-repo={place.spec.location}"]
        if "password-file" in place.spec.options:
            source.append(f"--from-password-file={place.spec.options['password-file']}")
        # without -v newer ones don't tell of those that were there already
        argv = (*command(other, options), "copy", "--verbose", *source, "--", *snapshots)
        return (Stage("copy", argv, env=_SPEED),)

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """Environment variable → reference of its secret, for :meth:`copy`.

        Raises:
            ValueError: restic can't tell them apart; says which.
        """
        return restic_place.copy_secrets(spec, other)

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Remove stale locks: those of dead processes of the same host, and those that were not renewed for half an hour; then tell the rest."""
        return (
            Stage("unlock", (*base(place), "unlock")),
            Stage(LOCKS, (*base(place), "list", "locks", "--no-lock")),
        )

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line of output says; None: nothing that is counted."""
        return restic_output.parse(operation, stage, line, stream)

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it, from the exit codes and what was read."""
        return restic_verdict.verdict(operation, job, ends, events)


def dumping(place: Place, snapshot: str, path: str) -> Stage:
    """Write a folder of a snapshot as a tar archive, or a file as it is, to standard output."""
    return Stage("carry", (*base(place), "dump", "--archive=tar", "--", snapshot, path))


def _backup(place: Place, job: JobSpec, run_id: str, part: str) -> tuple[str, ...]:
    tags = (OURS, f"job={job.name}", f"run={run_id}", part_tag(part))
    return (
        *base(place),
        *([f"--limit-upload={job.upload_kib}"] if job.upload_kib else []),
        "backup",
        "--json",
        *(f"--tag={tag}" for tag in tags),
        *([f"--host={job.host}"] if job.host else []),
    )


def _literal(path: str) -> str:
    """A pattern that a path alone matches; one that restic could not tell byte by byte, any of its kind."""
    return _PATTERN.sub(r"\\\g<0>", path).replace("\ufffd", "?")
