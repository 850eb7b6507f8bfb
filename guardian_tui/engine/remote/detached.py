"""Runs on hosts, and on this machine, that survive everything above them: the SSH session, the engine, the terminal.

What a run does on its host is in ``detached.sh``, what is ordered of it in ``detached_orders.sh``: a supervisor in a session of its own (and, where systemd
rules, in a scope of its own) keeps output and exit code in a folder there.  This side starts, looks, cancels and forgets, each by one command, and
remembers nothing.
"""

from __future__ import annotations

import re
import secrets as random
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import ceil

from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached_looks import ROW_BYTES, failure, known, looks
from guardian_tui.engine.remote.detached_looks import DetachedFailed as DetachedFailed
from guardian_tui.engine.remote.detached_looks import Look as Look
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.text import safe

START_SECONDS = 60.0
LOOK_SECONDS = 45.0
ORDER_SECONDS = 30.0
GRACE_SECONDS = 20
"""Between TERM and KILL."""
BACKSTOP_SECONDS = 120
"""After the time limit that the supervisor keeps, systemd's own strikes."""
HEAD_BYTES = 64 << 20
"""Most that is kept of the beginning of what a run writes, for each of its two files."""
TAIL_BYTES = 128 << 10
"""And of the end, when the middle was dropped."""
SECRETS_LIMIT_BYTES = 64 << 10
ANSWER_ROOM_BYTES = 16 << 10
"""For what a login shell says before."""
KNOWN_LIMIT_BYTES = 1 << 20
MANAGER = "/run/systemd/system"
"""Folder that is there when systemd is the init that runs."""

ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_SECRET = re.compile(r"[A-Z_][A-Z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class DetachedRun:
    """What is run.

    Attributes:
        id: its name on the host; there is one run of a name.
        script: text for /bin/sh; anybody on the host may see it.
        secrets: environment variables that only the run gets to see.
        most_seconds: after so long it is ended.
        nice: how much it yields to others, 0 to 19.
        idle_io: whether it gets the disk only when nobody else wants it.
        job: its tag on the host: of all runs with the same one at a time is at work; empty: it has none.
    """

    id: str
    script: str
    most_seconds: float
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    nice: int = 0
    idle_io: bool = False
    job: str = ""


class DetachedRuns:
    """Starts runs and finds them again.

    Args:
        commands: the engine's.
        folder: where a host keeps them; empty: the usual place of whoever logs in.
        shell: the shell there, POSIX.
        manager: as :data:`MANAGER`.
    """

    def __init__(
        self, commands: Commands, *, folder: str = "", shell: Sequence[str] = ("/bin/sh",), manager: str = MANAGER,
        grace_seconds: int = GRACE_SECONDS, head_bytes: int = HEAD_BYTES,
    ) -> None:  # fmt: skip
        self._commands = commands
        self.folder = folder
        self.shell = shlex.join(shell)
        self.manager = manager
        self.grace_seconds = grace_seconds
        self._head = head_bytes
        self._turn = 0

    async def start(self, target: Target | None, run: DetachedRun) -> None:
        """Start a run; one that was started already under this id is left as it is.

        Raises:
            DetachedFailed: the host can't, or another run of its job is at work there (``running``).
            ConnectFailed: it could not be asked, or gave no answer in time: then only a look tells whether it runs.
        """
        check(run)
        told = {"g_script": run.script, "g_secrets": assignments(run.secrets), "g_job": run.job}
        words = (
            self.folder, run.id, ceil(run.most_seconds), self.grace_seconds, run.nice, int(run.idle_io), self._head, TAIL_BYTES,
            self.shell, self.manager, *scope_options(run),
        )  # fmt: skip
        await self.ask(target, "start", words, START_SECONDS, told=told)

    async def look(
        self, target: Target | None, wants: Mapping[str, tuple[int, int]], *, limit_bytes: int = 1 << 20
    ) -> dict[str, Look]:
        """See how runs are; one command, however many they are.

        Args:
            target: the way for commands; None: this machine.
            wants: id → offsets in out and err from which on they are read.
            limit_bytes: most output that is read of all of them.

        Raises:
            DetachedFailed: the answer is nonsense.
            ConnectFailed: the host could not be asked.
        """
        if not wants:
            return {}
        # who comes first gets most of what is read: each in its turn
        ids = list(wants)
        self._turn += 1
        ids = ids[self._turn % len(ids) :] + ids[: self._turn % len(ids)]
        words = [self.folder, limit_bytes, max(1, limit_bytes // 4)]
        for id_ in ids:
            words += [_checked(id_), *(max(0, offset) for offset in wants[id_])]
        room = limit_bytes + len(ids) * ROW_BYTES
        return looks(await self.ask(target, "look", words, LOOK_SECONDS, room=room), wants)

    async def cancel(self, target: Target | None, id_: str) -> None:
        """Have a run ended: TERM, and KILL a grace later, to all that came from it.  The host does it by itself; a look tells when it is done.

        Raises:
            DetachedFailed, ConnectFailed: the host can't, or could not be asked.
        """
        words = (self.folder, _checked(id_), self.grace_seconds, self.shell)
        await self.ask(target, "cancel", words, ORDER_SECONDS)

    async def forget(self, target: Target | None, id_: str) -> None:
        """Remove what the host keeps of a run that is over.

        Raises:
            DetachedFailed: it is not over (``running``), or the host can't.
            ConnectFailed: it could not be asked.
        """
        await self.ask(target, "forget", (self.folder, _checked(id_)), ORDER_SECONDS)

    async def known(self, target: Target | None) -> list[str]:
        """Ids of the runs that the host keeps.

        Raises:
            DetachedFailed, ConnectFailed: as for :meth:`look`.
        """
        answer = await self.ask(target, "known", (self.folder,), ORDER_SECONDS, room=KNOWN_LIMIT_BYTES)
        return [name for name in known(answer) if ID.match(name)]

    async def ask(
        self, target: Target | None, verb: str, words: Sequence[object], seconds: float, *,
        told: Mapping[str, str] | None = None, room: int = 0, more: str = "",
    ) -> bytes:  # fmt: skip
        """Give an order as :func:`order` writes it, and read its answer, at most ``room`` bytes of it.

        Raises:
            DetachedFailed: the host can't, or says nonsense.
            ConnectFailed: it could not be asked.
        """
        word = f"guardian-{random.token_hex(8)}"
        command = f"exec {self.shell} -c 'eval \"$(cat)\"'"
        done = await self._commands.run(
            target, command, timeout=seconds, limit_bytes=room + ANSWER_ROOM_BYTES, stdin=order(verb, words, word, told or {}, more)
        )  # fmt: skip
        where = target.name if target else "This machine"
        if done.truncated:
            raise DetachedFailed("answer", f"{where} answered more than it was asked about its runs.")
        _, found, answer = done.out.partition(f"\n{word} ".encode())
        verdict, _, rest = answer.partition(b"\n")
        if verdict == b"done":
            return rest
        if found and verdict.startswith(b"failed "):
            raise failure(where, answer)
        if done.exit_status is None:
            # it may have been done all the same
            raise ConnectFailed("closed", f"The connection was cut before {where} had answered.")
        said = safe((done.err or done.out).strip(), 300) or f"exit status {done.exit_status}"
        raise DetachedFailed("answer", f"{where} did not {verb} a run as it should: {said}.")


@cache
def text_of(name: str) -> str:
    """One of the texts for a host's shell that stand beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def order(verb: str, words: Sequence[object], word: str, told: Mapping[str, str], more: str = "") -> bytes:
    """What a host's shell evaluates; braces around it, so that a part of it does nothing.

    Args:
        verb: function of ``detached_orders.sh``, or of the further text.
        words: its arguments.
        word: begins its answer.
        told: further variables.
        more: a further text.
    """
    variables = {"g_word": word, "g_program": text_of("detached.sh"), **told}
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    call = shlex.join([f"g_{verb}", *map(str, words)])
    return "\n".join(
        ["{", *lines, 'eval "$g_program"', text_of("detached_orders.sh"), more, call, "}", ""]
    ).encode(errors="surrogateescape")


def assignments(secrets: Mapping[str, str]) -> str:
    """Secrets as a shell takes them up."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items())


def check(run: DetachedRun) -> None:
    """See that a run can be handed over.

    Raises:
        ValueError: it can't.
    """
    _checked(run.id)
    for name, value in run.secrets.items():
        if not _SECRET.match(name):
            raise ValueError(f"{safe(name, 60)} is no name of a secret's variable")
        if "\0" in value:
            raise ValueError(f"the secret {name} holds a NUL, which no variable can")
    if "\0" in run.script:
        raise ValueError("a script can't hold a NUL")
    if len(assignments(run.secrets).encode(errors="surrogateescape")) > SECRETS_LIMIT_BYTES:
        raise ValueError("the secrets are too long to be handed over")
    if run.most_seconds <= 0 or not 0 <= run.nice <= 19:
        raise ValueError("a run has a time limit above 0 and a niceness from 0 to 19")


def scope_options(run: DetachedRun) -> tuple[str, ...]:
    """Options of systemd-run for the scope that a run lives in; the first is left out where systemd does not know it yet.

    A scope, not a service: the run keeps the environment of a login (services have no HOME), and its secrets need no way through the manager.
    """
    return scope_words(run.id, str(ceil(run.most_seconds) + BACKSTOP_SECONDS))


def scope_words(id_: str, most_seconds: str) -> tuple[str, ...]:
    """The same for a run whose name and limit are known later, to a shell."""
    return (
        f"--property=RuntimeMaxSec={most_seconds}",
        "--scope", "--quiet", "--collect", "--no-ask-password", f"--unit=guardian-run-{id_}", f"--description=Guardian run {id_}",
        "--property=KillMode=control-group", "--property=SendSIGKILL=yes", f"--property=TimeoutStopSec={GRACE_SECONDS}",
    )  # fmt: skip


def _checked(id_: str) -> str:
    if not ID.match(id_):
        raise ValueError(f"{safe(id_, 80)} is no id of a run")
    return id_
