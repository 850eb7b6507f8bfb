"""Borg 1.2 and 1.4: the commands.

Its output is read in :mod:`borg_output`, and what came of a run is judged in :mod:`borg_verdict`.

Each of a job's parts, its files and each of its dumps, is an archive of its own, named ``guardian~JOB~PART~RUN~TIME``: Borg 1 finds archives by name alone, so the name
is also a snapshot's id.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from guardian_tui.engine.backups.dumping import dump_command, dump_name
from guardian_tui.engine.backups.engines import borg_output, borg_verdict
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
from guardian_tui.engine.backups.engines.borg_output import BACKUP, DUMP, FILES, LOOK, TARGET, archive_name
from guardian_tui.engine.backups.engines.borg_verdict import CUT, LASTING, LOCKED
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

OLDEST = (1, 2)
"""Since when there is ``compact``."""
NEWER = (2,)
"""Borg 2 has other commands and other repositories."""
PASSPHRASE = "BORG_PASSPHRASE"  # noqa: S105  # the variable's name
SAMPLE_SECONDS = 1800
"""How long a check of a sample reads, unless the option ``sample-seconds`` says otherwise."""
_OPTIONS = ("compression", "encryption", "passcommand", "relocated", "remote-path", "rsh", "sample-seconds")
_UNENCRYPTED = "none"
_REASON = """sh -c '"$@" || { code=$?; sleep 1; exit $code; }' guardian-rsh"""
"""Holds the line for a moment: Borg that sees it closed first would not read why ssh gave up."""

_WARNINGS = (0, 1, *range(100, 126))
"""Exit codes of a run that was done, but for what it warns of."""
_VERSION = re.compile(r"borg (\d+(?:\.\d+)+)")
_LOCATION = re.compile(r"/.*|ssh://[^/-].*|[^/:-][^/:]*:[^/:].*|[^/:-][^/:]*:/[^/].*", re.DOTALL)


class Borg:
    """The adapter of Borg."""

    name: BackupEngine = "borg"
    secrets: tuple[str, ...] = (PASSPHRASE,)
    locked, cut, lasting = LOCKED, CUT, LASTING

    def probe(self) -> tuple[str, ...]:
        """Command that tells the version."""
        return ("borg", "--version")

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        found = _VERSION.match(out)
        if exit_code != 0 or not found:
            said = f" It said: {safe(out.strip(), 200)}." if exit_code == 0 and out.strip() else ""
            return Capabilities(
                (), f"Borg is not installed, or can't be run.{said} Install Borg 1.2 or 1.4 (borgbackup)."
            )
        version = tuple(int(number[:9]) for number in found[1].split("."))
        if not OLDEST <= version < NEWER:
            return Capabilities((), f"Borg {found[1]} can't be driven. Install Borg 1.2 or 1.4.")
        return Capabilities(version, f"Borg {found[1]}")

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given, and what to write instead; empty: nothing stands against it."""
        if PASSWORD_INSIDE.search(spec.location):
            return LEAVE_IT_OUT
        if "::" in spec.location or not _LOCATION.fullmatch(spec.location):
            return (
                f"{safe(spec.location, 100)!r} is no location of a Borg repository:"
                " write a whole path, or one like ssh://user@host/path."
            )
        if "{" in spec.location or "}" in spec.location:
            # doubled they would do, but Borg reads what it noted of them as placeholders again, and takes the repository for another one
            return "Borg puts other words in place of braces: choose a location without them."
        for variable in spec.secrets:
            if variable != PASSPHRASE:
                return f"Borg reads no secret from {variable}: it knows {PASSPHRASE}."
        for option in spec.options:
            if option not in _OPTIONS:
                return f"A Borg repository has no option {safe(option)!r}: it has {', '.join(_OPTIONS)}."
        if not spec.options.get("sample-seconds", "1").isdecimal():
            return "The option sample-seconds must be a number of seconds."
        if spec.options.get("relocated", "no") not in ("yes", "no"):
            return "The option relocated is yes or no."
        needed = spec.options.get("encryption") != _UNENCRYPTED
        if needed and PASSPHRASE not in spec.secrets and "passcommand" not in spec.options:
            return (
                f"A Borg repository needs its passphrase: give the secret {PASSPHRASE} or the option passcommand,"
                " or say by the option encryption: none that it is not encrypted."
            )
        return ""

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the repository, encrypted with a key that lies in it unless the option ``encryption`` says otherwise."""
        mode = place.spec.options.get("encryption", "repokey-blake2")
        return (_stage(place, "init", "init", f"--encryption={mode}", place.spec.location),)

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """Save the job's dumps, then its sources.

        Raises:
            ValueError: a dump can't be asked for so.
        """
        stages = [
            _stage(
                place, f"{DUMP}{dump_name(dump)}", *_create(place, job), f"--stdin-name={dump_name(dump)}",
                _new(place, job, dump_name(dump), run_id), "-",
                source=dump_command(dump), exit_codes=_WARNINGS, source_may_fail=True,
            )
            for dump in job.dumps
        ]  # fmt: skip
        if job.sources:
            # a lone dash would be standard input
            sources = ("./-" if source == "-" else source for source in job.sources)
            excludes = (f"--exclude={pattern}" for pattern in job.excludes)
            argv = (*_create(place, job), *excludes, "--", _new(place, job, FILES, run_id), *sources)
            stages.append(_stage(place, BACKUP, *argv, exit_codes=_WARNINGS))
        return tuple(stages)

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all archives; those that an interrupted run left are none."""
        return (_stage(place, "list", "list", "--json", place.spec.location, kept=True),)

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """What :meth:`list` told, oldest first; sizes would cost a request for each archive."""
        return borg_output.snapshots(place.spec.name, out)

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Tell what its chunks take, by the host's cache of them."""
        return (_stage(place, "size", "info", "--json", place.spec.location, kept=True),)

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell what stands in a folder of an archive, itself included; an empty folder: all files."""
        inside = re.escape(folder.strip("/"))
        within = f"re:^(?:{inside}(?:/[^/]+)?|)\\Z" if inside else r"re:^[^/]+\Z"
        argv = ("list", "--json-lines", "--format={size}{isomtime}", "--", _archive(place, snapshot))
        return (_stage(place, "files", *argv, *([within] if folder else []), kept=True),)

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """What :meth:`files` told; Borg 1.2 tells a byte that is no UTF-8 as ``?``."""
        return borg_output.entries(out)

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Verify the repository; a damaged file's data is found only where data is read.

        Borg knows no shares: a sample reads on for a time from where the last one ended, which the repository itself remembers.
        """
        how = {
            "structure": ("check of the structure", "--archives-only"),
            "sample": ("check of a sample", "--repository-only"),
            "all": ("check of all data", "--verify-data"),
        }
        name, flag = how[level]
        seconds = place.spec.options.get("sample-seconds", str(SAMPLE_SECONDS))
        limit = (f"--max-duration={seconds}",) if level == "sample" else ()
        argv = ("check", "--info", "--progress", flag, *limit, place.spec.location)
        return (_stage(place, name, *argv, exit_codes=(0, 1)),)

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """Count what is wanted, then restore it: Borg itself does not tell how much it restored."""
        archive = _archive(place, order.snapshot)
        whole = not order.includes or "/" in order.includes
        paths = [] if whole else [_literal(path) for path in order.includes]
        listed = (*_borg(place), "list", "--format=x", "--", archive, *paths)
        argv = ("extract", "--progress", "--numeric-ids", "--", archive, *paths)
        return (
            Stage(TARGET, ("mkdir", "-p", "--", order.target), told=False),
            Stage(LOOK, ("wc", "-c"), source=listed, env=_environment(place)),
            _stage(place, "restore", *argv, folder=order.target, exit_codes=_WARNINGS),
        )

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Forget what the policy does not keep of each part of a job, and free its room; nothing to do where it keeps all."""
        kinds = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
        policy = [f"--keep-{kind}={getattr(keep, kind)}" for kind in kinds if getattr(keep, kind)]
        if not policy:
            return ()
        parts = [dump_name(dump) for dump in job.dumps] + ([FILES] if job.sources else [])
        stages = []
        for part in parts:
            argv = (
                *_borg(place), "prune", "--list", *(["--dry-run"] if dry else []),
                f"--glob-archives={borg_output.archives_of(job.name, part)}", *policy, place.spec.location,
            )  # fmt: skip
            # its list goes where complaints go, and only what goes to standard output is kept
            joined = ("sh", "-c", 'exec "$@" 2>&1', "guardian-prune", *argv)
            stages.append(Stage(f"forget {part}", joined, env=_environment(place), kept=dry))
        if not dry:
            stages.append(_stage(place, "compact", "compact", "--progress", place.spec.location))
        return tuple(stages)

    def doomed(self, out: bytes) -> Sequence[str]:
        """Snapshot ids that a dry :meth:`retain` would forget."""
        return borg_output.doomed(out)

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Nothing: Borg 1 can't copy between repositories; a second job to the other one does."""
        return ()

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """Those of :meth:`copy`.

        Raises:
            ValueError: always, as there is no copying.
        """
        raise ValueError(
            "Borg can't copy between repositories: make a second job that saves to the other one."
        )

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Take the lock and give it back: on the way Borg removes what a dead process of the same host left, and nothing else.

        ``break-lock`` asks nobody whether the owner lives, so it is left to a person.
        """
        return (_stage(place, "unlock", "with-lock", place.spec.location, "true"),)

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line of output says; None: nothing that is counted."""
        return borg_output.parse(operation, stage, line, stream)

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it, from the exit codes and what was read."""
        return borg_verdict.verdict(operation, job, ends, events)


def exporting(place: Place, snapshot: str, path: str) -> Stage:
    """Write a path of an archive as a tar archive to standard output."""
    wanted = () if path == "/" else (_literal(path),)
    return _stage(place, "carry", "export-tar", "--", _archive(place, snapshot), "-", *wanted)


def _borg(place: Place) -> tuple[str, ...]:
    remote = place.spec.options.get("remote-path")
    return (
        "borg",
        "--log-json",
        f"--lock-wait={max(1, math.ceil(place.lock_wait_seconds))}",
        *([f"--remote-path={remote}"] if remote else []),
    )


def _stage(
    place: Place,
    name: str,
    *argv: str,
    source: tuple[str, ...] = (),
    exit_codes: tuple[int, ...] = (0,),
    kept: bool = False,
    source_may_fail: bool = False,
    folder: str = "",
) -> Stage:
    return Stage(
        name, (*_borg(place), *argv), source, _environment(place), exit_codes=exit_codes, kept=kept,
        source_may_fail=source_may_fail, folder=folder,
    )  # fmt: skip


def _environment(place: Place) -> dict[str, str]:
    """So that Borg asks nothing, tells times in UTC and failures by codes of their own.

    Whoever can change a repository's disk could put one without encryption in its place, or an old copy whose counters come again: Borg asks whether that
    is meant, and only an admin's word in the repository's options answers yes.
    """
    options = place.spec.options
    env = {
        "BORG_EXIT_CODES": "modern",
        "TZ": "UTC",
        # names are bytes to Borg only under UTF-8
        "PYTHONUTF8": "1",
        "BORG_DISPLAY_PASSPHRASE": "no",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": options.get("relocated", "no"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"
        if options.get("encryption") == _UNENCRYPTED
        else "no",
        "BORG_RSH": f"{_REASON} {options.get('rsh', SSH)}",
    }
    return env | ({"BORG_PASSCOMMAND": options["passcommand"]} if "passcommand" in options else {})


def _new(place: Place, job: JobSpec, part: str, run_id: str) -> str:
    return f"{place.spec.location}::{archive_name(job.name, part, run_id)}"


def _archive(place: Place, name: str) -> str:
    """Borg would put values in place of ``{now}`` and its like; a name is meant as it stands."""
    return f"{place.spec.location}::{name.replace('{', '{{').replace('}', '}}')}"


def _create(place: Place, job: JobSpec) -> tuple[str, ...]:
    compression = place.spec.options.get("compression")
    return (
        *([f"--upload-ratelimit={job.upload_kib}"] if job.upload_kib else []),
        "create", "--json", "--progress",
        *([f"--compression={compression}"] if compression else []),
    )  # fmt: skip


def _literal(path: str) -> str:
    """A pattern of a path and all below it; of one that Borg could not tell byte by byte, of any of its kind."""
    path = path.strip("/")
    if "?" not in path:
        return f"pp:{path}"
    return "re:^" + re.escape(path).replace("\\?", "(?s:.)") + r"(?:/|\Z)"
