"""Where an engine's program runs, and what it can do there."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Capabilities, Place, Stage, StageEnd
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.engine.remote.secretly import exports, with_secrets
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import BackupEngine, Operation, RepositorySpec
from guardian_tui.protocol.errors import GuardianError, RepositoryUnavailable
from guardian_tui.text import safe

KNOWN_SECONDS = 3600.0
PROBE_SECONDS = 20.0
LIST_BYTES = 64 << 20


def cannot(
    spec: RepositorySpec, operation: Operation, stage: Stage, done: Completed
) -> RepositoryUnavailable:
    """Why a short command of an engine failed, as the verdict on a run would say it, and what to do."""
    tail = "\n".join(safe(line, 500) for line in (done.err or done.out).splitlines()[-20:])
    code = 255 if done.exit_status is None else done.exit_status
    judgement = adapter(spec.engine).verdict(operation, None, [StageEnd(stage.name, code, 0, tail)], ())
    return RepositoryUnavailable(f"{spec.name}: {judgement.words} {judgement.advice}".strip())


class Sites:
    """Runs the short commands of adapters, and knows what each host can do.

    Args:
        resolve: the secret behind a reference.
    """

    def __init__(self, commands: Commands, resolve: Callable[[str], Awaitable[str]]) -> None:
        self._commands = commands
        self._resolve = resolve
        self._known: dict[tuple[str, BackupEngine], tuple[float, Capabilities]] = {}

    async def place(self, way: Way, spec: RepositorySpec, lock_wait_seconds: float = 0.0) -> Place:
        """A repository as commands on this host need it.

        Raises:
            ConnectFailed: the host can't be reached.
        """
        return Place(spec, await self._capabilities(way, spec.engine), lock_wait_seconds)

    async def _capabilities(self, way: Way, engine: BackupEngine) -> Capabilities:
        known = self._known.get((way.host_id, engine))
        if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        one = adapter(engine)
        command = with_secrets(one.probe(), {"LC_ALL": "C"})
        done = await self._commands.run(way.target, command, timeout=PROBE_SECONDS, limit_bytes=1 << 16)
        found = one.capabilities(done.exit_status, (done.out or done.err).decode(errors="replace"))
        if found.version:
            self._known[way.host_id, engine] = (time.monotonic(), found)
        return found

    async def secrets(self, references: Mapping[str, str]) -> Mapping[str, str]:
        """The secrets of a repository, by variable.

        Raises:
            GuardianError: one can't be had; says which.
        """
        found = {}
        for name, reference in references.items():
            try:
                found[name] = await self._resolve(reference)
            except GuardianError as error:
                raise type(error)(f"{name}: {error.detail}") from error
        return found

    async def ask(
        self, way: Way, spec: RepositorySpec, stage: Stage, seconds: float, limit_bytes: int = LIST_BYTES
    ) -> Completed:
        """Run one short stage.

        Raises:
            ConnectFailed: the host can't be reached, or it took too long.
            GuardianError: a secret can't be had.
        """
        command = with_secrets(stage.argv, {"LC_ALL": "C.UTF-8", **stage.env}, stage.folder)
        stdin = exports(await self.secrets(spec.secrets))
        return await self._commands.run(
            way.target, command, timeout=seconds, limit_bytes=limit_bytes, stdin=stdin
        )
