"""Jobs that save Guardian's own state: an archive is made of it before the run, saved like any source, and removed afterwards."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec.structs import replace

import guardian_tui
from guardian_tui.engine.backups.engines.base import Judgement, Stage
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import BackupEngine, JobSpec
from guardian_tui.protocol.errors import GuardianError, InvalidRequest, NotFound

SECRET = "secret:backups/own-state"  # noqa: S105  # the name of it
ARCHIVE = "guardian-state.tar"
ENGINES: tuple[BackupEngine, ...] = ("restic", "borg", "rsync")
"""Those that save files."""

Take = Callable[[Path, str], object]
"""Writes the archive to a file, sealed by a passphrase; in a thread."""


class OwnState:
    """Makes the archives of one engine.

    Args:
        folder: below the state folder, for as long as a run lasts; None: this engine can't.
        take: writes an archive.
        resolve: the secret behind a reference.
    """

    def __init__(
        self, folder: Path | None, take: Take | None, resolve: Callable[[str], Awaitable[str]]
    ) -> None:
        self._folder = folder
        self._take = take
        self._resolve = resolve

    def archive_of(self, job: JobSpec) -> str:
        """The archive's whole path, the same in each snapshot; empty: the job saves none."""
        return str(self._folder / job.name / ARCHIVE) if job.own_state and self._folder is not None else ""

    def spec(self, job: JobSpec) -> JobSpec:
        """The job as its engine is told it: the archive is a source, and each drill compares it."""
        archive = self.archive_of(job)
        if not archive:
            return job
        drill = replace(job.drill, pinned=(archive, *job.drill.pinned))
        return replace(job, sources=(str(Path(archive).parent), *job.sources), drill=drill)

    async def prepare(self, job: JobSpec, way: Way) -> Judgement | None:
        """Make the archive; why there is none, if there is none.

        Raises:
            GuardianError: the passphrase can't be had.
        """
        if self._folder is None or self._take is None:
            return Judgement("failed", "This engine can't save its own state.")
        if way.target is not None:
            return Judgement(
                "failed", "Guardian's own state is on the engine's own machine.", "Set the job's host to it."
            )
        try:
            passphrase = await self._resolve(SECRET)
        except NotFound as error:
            raise NotFound(
                "Guardian's own state is sealed by the secret backups/own-state, which is not there: `guardian-tui secrets set --name"
                " backups/own-state`, and keep the same passphrase elsewhere, for the day when this machine is gone."
            ) from error
        await self.clear(job)
        try:
            await asyncio.to_thread(_make, self._folder, Path(self.archive_of(job)), self._take, passphrase)
        except OSError as error:
            await self.clear(job)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                words = f"There is no room for the archive of Guardian's own state in {self._folder}."
                return Judgement("no_space", words, "Free space on the engine's disk.")
            return Judgement(
                "failed", f"The archive of Guardian's own state can't be written: {error.strerror}."
            )
        except InvalidRequest as error:
            await self.clear(job)
            return Judgement("auth", error.detail, "Set the secret backups/own-state anew.")
        except GuardianError as error:
            await self.clear(job)
            return Judgement("failed", error.detail)
        return None

    async def clear(self, job: JobSpec) -> None:
        """Remove the archive, also one that a killed engine left half-made."""
        if archive := self.archive_of(job):
            await asyncio.to_thread(shutil.rmtree, Path(archive).parent, ignore_errors=True)


def _make(folder: Path, archive: Path, take: Take, passphrase: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    archive.parent.mkdir(mode=0o700)
    take(archive, passphrase)


def problem(job: JobSpec, way: Way | None, engine: BackupEngine, reader: Way | None) -> str:
    """Why a job can't save Guardian's own state so; empty: nothing stands against it.

    Args:
        job: the job.
        way: to its host.
        engine: of its repository.
        reader: the way to the host that reads its repository.
    """
    if not job.own_state:
        return ""
    if job.match:
        return (
            "What another tool saves is no state of Guardian's own: match and own_state exclude each other."
        )
    if way is None or way.target is not None:
        return "Guardian's own state is on the engine's own machine: set the job's host to it."
    if engine not in ENGINES:
        return f"A repository of {engine} keeps no files: Guardian's own state wants one of {' or '.join(ENGINES)}."
    if reader is None or reader.target is not None:
        return "Guardian's own state is proven where the engine is: the repository's host must be the engine's own machine."
    return ""


def verifying(archive: str) -> Stage:
    """The stage of a drill that reads all of a restored archive."""
    # the home folder, where it runs, is not looked in for modules (-P)
    argv = (sys.executable, "-P", "-m", "guardian_tui", "state", "verify", archive)
    root = str(Path(guardian_tui.__file__).parent.parent)
    return Stage("verify Guardian's own state", argv, env={"PYTHONPATH": root}, told=False)
