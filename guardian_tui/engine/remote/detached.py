"""Runs on hosts, and on this machine, that survive everything above them: the SSH session, the engine, the terminal.

What a run does on its host is in ``detached.sh``: a supervisor in a session of its own (and, where systemd rules, in a scope of its own) keeps output and
exit code in a folder there.  This side starts, looks, cancels and forgets, each by one command, and remembers nothing.
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
from typing import Literal, get_args

from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import Target
from guardian_tui.protocol.errors import HostUnavailable
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
ROW_BYTES = 400
"""More than the words about one run take."""
KNOWN_LIMIT_BYTES = 1 << 20
MANAGER = "/run/systemd/system"
"""Folder that is there when systemd is the init that runs."""

ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_SECRET = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
_NUMBER = re.compile(rb"[0-9]{1,15}\Z")

State = Literal["running", "ended", "lost", "absent"]
"""``lost``: it runs no more, and nobody knows how it ended; ``absent``: the host knows nothing of it."""


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
    """

    id: str
    script: str
    most_seconds: float
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    nice: int = 0
    idle_io: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How a run is, and what it wrote since the last look.

    Attributes:
        exit_code: how it ended; 128 and more: by a signal.
        cancelled, timed_out: somebody, or its time limit, has asked it to end.
        started_at: by the host's clock.
        out, err: what comes next of its output.
        out_offset, err_offset: where to go on reading.
        more: whether there is more to read already.
        clipped: whether output is missing: there was too much of it, or the disk was full.  The file says where.
    """

    state: State
    exit_code: int | None = None
    cancelled: bool = False
    started_at: float | None = None
    out: bytes = b""
    out_offset: int = 0
    err: bytes = b""
    err_offset: int = 0
    timed_out: bool = False
    more: bool = False
    clipped: bool = False


FailureKind = Literal["folder", "no_space", "program", "start", "running", "answer"]


class DetachedFailed(HostUnavailable):
    """A host could not do it; ``kind`` is stable, the detail is for people."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: FailureKind = kind


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
        self._folder = folder
        self._shell = tuple(shell)
        self._manager = manager
        self._grace = grace_seconds
        self._head = head_bytes
        self._turn = 0

    async def start(self, target: Target | None, run: DetachedRun) -> None:
        """Start a run; one that was started already under this id is left as it is.

        Raises:
            DetachedFailed: the host can't.
            ConnectFailed: it could not be asked, or gave no answer in time: then only a look tells whether it runs.
        """
        check(run)
        told = {"g_script": run.script, "g_secrets": assignments(run.secrets)}
        words = (
            self._folder, run.id, ceil(run.most_seconds), self._grace, run.nice, int(run.idle_io), self._head, TAIL_BYTES,
            shlex.join(self._shell), self._manager, *scope_options(run),
        )  # fmt: skip
        await self._ask(target, "start", words, START_SECONDS, told=told)

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
        words = [self._folder, limit_bytes, max(1, limit_bytes // 4)]
        for id_ in ids:
            words += [_checked(id_), *(max(0, offset) for offset in wants[id_])]
        room = limit_bytes + len(ids) * ROW_BYTES
        return looks(await self._ask(target, "look", words, LOOK_SECONDS, room=room), wants)

    async def cancel(self, target: Target | None, id_: str) -> None:
        """Have a run ended: TERM, and KILL a grace later, to all that came from it.  The host does it by itself; a look tells when it is done.

        Raises:
            DetachedFailed, ConnectFailed: the host can't, or could not be asked.
        """
        words = (self._folder, _checked(id_), self._grace, shlex.join(self._shell))
        await self._ask(target, "cancel", words, ORDER_SECONDS)

    async def forget(self, target: Target | None, id_: str) -> None:
        """Remove what the host keeps of a run that is over.

        Raises:
            DetachedFailed: it is not over (``running``), or the host can't.
            ConnectFailed: it could not be asked.
        """
        await self._ask(target, "forget", (self._folder, _checked(id_)), ORDER_SECONDS)

    async def known(self, target: Target | None) -> list[str]:
        """Ids of the runs that the host keeps.

        Raises:
            DetachedFailed, ConnectFailed: as for :meth:`look`.
        """
        answer = await self._ask(target, "known", (self._folder,), ORDER_SECONDS, room=KNOWN_LIMIT_BYTES)
        *names, end = answer.decode(errors="replace").split("\n")[:-1] or [""]
        if end != "end.":
            raise DetachedFailed("answer", "The host's list of runs has no end.")
        return [name for name in names if ID.match(name)]

    async def _ask(
        self, target: Target | None, verb: str, words: Sequence[object], seconds: float, *,
        told: Mapping[str, str] | None = None, room: int = 0,
    ) -> bytes:  # fmt: skip
        word = f"guardian-{random.token_hex(8)}"
        command = f"exec {shlex.join(self._shell)} -c 'eval \"$(cat)\"'"
        done = await self._commands.run(
            target, command, timeout=seconds, limit_bytes=room + ANSWER_ROOM_BYTES, stdin=order(verb, words, word, told or {})
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
        said = safe((done.err or done.out).strip(), 300) or f"exit status {done.exit_status}"
        raise DetachedFailed("answer", f"{where} did not {verb} a run as it should: {said}.")


@cache
def program() -> str:
    """The text that hosts run."""
    return files(__package__).joinpath("detached.sh").read_text(encoding="utf-8")


def order(verb: str, words: Sequence[object], word: str, told: Mapping[str, str]) -> bytes:
    """What a host's shell evaluates; braces around it, so that a part of it does nothing.

    Args:
        verb: function of the program.
        words: its arguments.
        word: begins its answer.
        told: further variables.
    """
    variables = {"g_word": word, "g_program": program(), **told}
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    call = shlex.join(["g_main", verb, *map(str, words)])
    return "\n".join(["{", *lines, 'eval "$g_program"', call, "}", ""]).encode(errors="surrogateescape")


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
    """Options of systemd-run for the scope that a run lives in.

    A scope, not a service: the run keeps the environment of a login (services have no HOME), and its secrets need no way through the manager.
    """
    return (
        "--scope", "--quiet", "--collect", "--no-ask-password", f"--unit=guardian-run-{run.id}", f"--description=Guardian run {run.id}",
        "--property=KillMode=control-group", "--property=SendSIGKILL=yes", f"--property=TimeoutStopSec={GRACE_SECONDS}",
        f"--property=RuntimeMaxSec={ceil(run.most_seconds) + BACKSTOP_SECONDS}",
    )  # fmt: skip


def looks(answer: bytes, wants: Mapping[str, tuple[int, int]]) -> dict[str, Look]:
    """What a host says of runs.

    Raises:
        DetachedFailed: it says other things than it was asked.
    """
    found: dict[str, Look] = {}
    place = 0
    while True:
        end = answer.find(b"\n", place, place + ROW_BYTES)
        row = answer[place:end] if end >= 0 else b""
        place = end + 1
        if row == b"end" and place == len(answer) and len(found) == len(wants):
            return found
        words = row.split(b" ")
        id_ = words[1].decode(errors="replace") if len(words) == len(_ROW) else ""
        if words[0] != b"run" or id_ not in wants or id_ in found:
            raise DetachedFailed("answer", f"The host's answer about its runs is nonsense: {safe(row, 80)}.")
        look, place = _look(words, answer, place, wants[id_])
        found[id_] = look


_ROW = (
    "run",
    "id",
    "state",
    "code",
    "cancelled",
    "late",
    "cut",
    "started",
    "out",
    "out_size",
    "err",
    "err_size",
)


def _look(words: Sequence[bytes], answer: bytes, place: int, offsets: tuple[int, int]) -> tuple[Look, int]:
    row = dict(zip(_ROW, words, strict=True))
    state = row["state"].decode(errors="replace")
    numbers = {name: int(text) for name, text in row.items() if _NUMBER.match(text)}
    needed = {"cancelled", "late", "cut", "out", "out_size", "err", "err_size"} | (
        {"code"} if state == "ended" else set()
    )
    if state not in get_args(State) or not needed <= numbers.keys():
        raise DetachedFailed(
            "answer", f"The host says of a run what it can't be: {safe(b' '.join(words), 120)}."
        )
    middle, last = place + numbers["out"], place + numbers["out"] + numbers["err"]
    if last > len(answer):
        raise DetachedFailed("answer", "The host promised more of a run's output than it sent.")
    out_offset, err_offset = max(0, offsets[0]) + numbers["out"], max(0, offsets[1]) + numbers["err"]
    return Look(
        state=state,  # type: ignore[arg-type]  # one of its words, by the line above
        exit_code=numbers["code"] if state == "ended" else None,
        cancelled=bool(numbers["cancelled"]), timed_out=bool(numbers["late"]), clipped=bool(numbers["cut"]),
        started_at=float(numbers["started"]) if "started" in numbers else None,
        out=answer[place:middle], out_offset=out_offset, err=answer[middle:last], err_offset=err_offset,
        more=out_offset < numbers["out_size"] or err_offset < numbers["err_size"],
    ), last  # fmt: skip


def failure(where: str, answer: bytes) -> DetachedFailed:
    """What a host says that it can't."""
    _, kind, *said = answer.split(b" ", 2)
    words = safe(b" ".join(said).strip(), 300).rstrip(".")
    if b"No space left" in answer or b"Disk quota" in answer:
        return DetachedFailed(
            "no_space", f"{where} has no room for a run: {words}. Free some, and start it again."
        )
    if kind == b"running":
        return DetachedFailed("running", f"{where} still runs it: {words}. Cancel it first.")
    if kind == b"program":
        return DetachedFailed(
            "program", f"{where} can't start what outlives a login: {words}. Install util-linux."
        )
    if kind == b"folder":
        return DetachedFailed("folder", f"{where} can't keep a run's folder: {words}.")
    return DetachedFailed("start", f"{where} could not start a run: {words}.")


def _checked(id_: str) -> str:
    if not ID.match(id_):
        raise ValueError(f"{safe(id_, 80)} is no id of a run")
    return id_
