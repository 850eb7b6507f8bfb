"""What forks or touches mounts on a host: asked over a second channel of the same probe, so that a dead mount never stops the fast figures."""

from __future__ import annotations

import asyncio
import time

import asyncssh

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.channel import ProbeChannel
from guardian_tui.engine.fleet.mounts import Mount, Room, chosen, parse_rooms, rooms_request
from guardian_tui.engine.remote.connections import Connection, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.text import safe

SLOW_TIMEOUT_SECONDS = 10.0
HUNG_MAX_SECONDS = 3600.0
"""What hung is asked for again ever more rarely, up to this."""
ANSWER_LIMIT_BYTES = 4 << 20
_FACTS = {"k": "kernel", "a": "architecture", "s": "os", "n": "cpu_count", "v": "probe"}


class SlowLine:
    """One host's second channel: one question at a time; implements the channel's user.

    Args:
        pause_seconds: how often it is asked; a question that hung waits longer each time.
    """

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._channel: ProbeChannel | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._mounts: list[Mount] | None = None
        self._chosen: tuple[list[Mount], list[Mount]] = [], []
        """Which of them are asked for, local and remote."""
        self._apart = False
        """Its probe answers no two questions at once."""
        self._seq = 0
        self._hung: dict[str, tuple[int, float]] = {}
        """What did not end: how often in a row, and when it is worth another try."""

    async def rooms(
        self, connection: Connection, mounts: list[Mount], sections: str = ""
    ) -> tuple[list[Room], list[str], bytes | None]:
        """The room of the mounts worth asking for, what could not be learned, in words, and the lines of ``sections``.

        These come with the room of local mounts, since a wake-up of the host's and of ours costs more than to read them; None: they
        did not, and are to be asked for by themselves.
        """
        if mounts is not self._mounts:
            self._mounts, self._chosen = mounts, chosen(mounts)
        where, remote = self._chosen
        rooms: list[Room] = []
        problems: list[str] = []
        told = None
        if sections and where and not self._apart:
            answer = await self.ask(connection, rooms_request(where, sections), "df and sections")
            if answer is not None:
                room, begins, lines = (b"\n" + answer).partition(b"\nS\t")
                rooms, where = parse_rooms(room, where), []
                told = b"S\t" + lines if begins else None
                # an older probe, or a shell, takes it for a request for rooms
                self._apart = not begins
        for some, name in ((where, "df"), (remote, "df of remote mounts")):
            if not some:
                continue
            answer = await self.ask(connection, rooms_request(some), name)
            if answer is None:
                problems.append(f"{name} did not answer in {SLOW_TIMEOUT_SECONDS:.0f} s: is a mount dead?")
            else:
                rooms += parse_rooms(answer, some)
        return rooms, problems, told

    async def facts(self, connection: Connection) -> dict[str, str]:
        """Kernel, architecture, operating system, processors."""
        answer = await self.ask(connection, "i", "facts")
        facts = {}
        for line in (answer or b"").decode("utf-8", "replace").splitlines():
            key, kind, words = line[:1], line[2:3], line[4:]
            if key == "i" and kind in _FACTS and words:
                facts[_FACTS[kind]] = safe(words, 80)
        return facts

    async def ask(
        self, connection: Connection, request: str, name: str, seconds: float = 0.0, *, patient: bool = True
    ) -> bytes | None:  # fmt: skip
        """An answer; None if it hangs, or did lately: no second one beside it on the host.

        ``seconds``: after which it hangs; 0: the usual.  What hangs is remembered by its ``name``;
        without being ``patient`` it is tried again even if it hung lately (a person asks).
        """
        times, again = self._hung.get(name, (0, 0.0))
        if patient and time.monotonic() < again:
            return None
        try:
            async with asyncio.timeout(seconds or SLOW_TIMEOUT_SECONDS):
                answer = await self._ask(connection, request)
        except TimeoutError:
            self.close()
            pause = min(HUNG_MAX_SECONDS, self._pause_seconds * 2.0 ** min(times + 1, 10))
            self._hung[name] = (times + 1, time.monotonic() + pause)
            return None
        self._hung.pop(name, None)
        return answer

    async def _ask(self, connection: Connection, request: str) -> bytes:
        channel = self._channel
        if channel is None or channel.gone:
            channel = ProbeChannel(self, ANSWER_LIMIT_BYTES)
            try:
                opened = channel
                await connection.open_channel(opened, probe.command())
            except (asyncssh.Error, OSError) as error:
                raise ConnectFailed("closed", f"no second channel: {words_of(error)}") from error
            self._channel = channel
        self._seq = self._seq % 999_999_999 + 1
        self._answer = asyncio.get_running_loop().create_future()
        channel.ask(self._seq, request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def answered(self, body: bytes) -> None:
        """The channel's answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(body)

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """The channel is gone; the next question opens another."""
        self._channel = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectFailed("closed", f"the second channel was lost: {why}"))

    def close(self) -> None:
        """End the channel, and tell nobody."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.forget()
