"""A shell on a host in this terminal: keys go there, what may be drawn comes here, until it ends or `~.` leaves it.

The engine holds the shell; this is a client like any other, with a connection of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from guardian_tui.client import Client
from guardian_tui.host_screen import LEAVE, HostScreen
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.shells import Shell, ShellInput, ShellOutput, ShellRef, ShellSize
from guardian_tui.text import safe

LOOK_SECONDS = 0.25
"""How often the size of the terminal is looked at while nothing is typed."""
TOUCH_SECONDS = 20.0
READ_BYTES = 4096


@dataclass(slots=True)
class LineStart:
    """Finds `~.` at the beginning of a line, as ssh has it; `~~` is one tilde."""

    _fresh: bool = True
    _tilde: bool = False

    def take(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes to the host, and whether the person leaves."""
        out = bytearray()
        for byte in typed:
            char = bytes([byte])
            if self._tilde:
                self._tilde = self._fresh = False
                if char == b".":
                    return bytes(out), True
                out += b"" if char == b"~" else b"~"
            elif self._fresh and char == b"~":
                self._tilde = True
                continue
            out += char
            self._fresh = char in b"\r\n"
        return bytes(out), False


class ShellHere:
    """One shell, carried on over descriptors of a terminal.

    Args:
        client: with the session that opened it; used by nobody else.
        shell: what was opened.
        keys, picture: descriptors that are read from and written to.
    """

    def __init__(self, client: Client, shell: Shell, keys: int, picture: int) -> None:
        self._client = client
        self._shell = shell
        self._keys = keys
        self._picture = picture
        self._over = threading.Event()
        self._touched_at = time.monotonic()
        self._size = self.size()

    def size(self) -> os.terminal_size:
        """Of the terminal that is drawn on."""
        with contextlib.suppress(OSError):
            return os.get_terminal_size(self._picture)
        return os.terminal_size((80, 24))

    async def carry_on(self) -> str:
        """Until it ends; answers why."""
        name, user = safe(self._shell.host, 100), safe(self._shell.user, 64)
        self._write(
            f"\x1b[H\x1b[2J{user} on {name}, in the audit log. ~. at the start of a line leaves it.\r\n"
        )
        reading = asyncio.create_task(self._read())
        typing = asyncio.create_task(self._type())
        try:
            await asyncio.wait((reading, typing), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else typing.result()
        except GuardianError as error:
            return error.detail
        finally:
            self._over.set()
            for task in (reading, typing):
                task.cancel()
            await asyncio.gather(reading, typing, return_exceptions=True)
            with contextlib.suppress(GuardianError):
                await self._client.call("shell.close", Done, ShellRef(shell=self._shell.id))
            self._write(LEAVE)

    async def _read(self) -> str:
        screen = HostScreen()
        while True:
            output = await self._client.call("shell.read", ShellOutput, ShellRef(shell=self._shell.id))
            if output.data:
                self._write(screen.feed(output.data))
            if output.ended:
                return output.words

    async def _type(self) -> str:
        start = LineStart()
        while True:
            typed = await asyncio.to_thread(self._wait_for_keys)
            await self._resize()
            if typed is None:
                return "the terminal is gone"
            data, leaves = start.take(typed)
            if data:
                await self._client.call("shell.write", Done, ShellInput(shell=self._shell.id, data=data))
                await self._touch()
            if leaves:
                return "you left it"

    def _wait_for_keys(self) -> bytes | None:
        """What was typed; nothing if nothing was for a while, None if the terminal is gone."""
        if self._over.is_set() or not select.select([self._keys], [], [], LOOK_SECONDS)[0]:
            return b""
        try:
            return os.read(self._keys, READ_BYTES) or None
        except OSError:
            return None

    async def _resize(self) -> None:
        if (size := self.size()) != self._size:
            self._size = size
            order = ShellSize(shell=self._shell.id, columns=size.columns, lines=size.lines)
            await self._client.call("shell.resize", Done, order)

    async def _touch(self) -> None:
        """Who types is there: the idle lock is put off."""
        now = time.monotonic()
        if now - self._touched_at >= TOUCH_SECONDS:
            self._touched_at = now
            await self._client.call("session.touch", Session)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._picture, data) :]


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """A terminal that hands on every key, and is as it was afterwards."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def carry_on(client: Client, shell: Shell, *, keys: int = 0, picture: int = 1) -> str:
    """Hand the terminal to a shell until it ends; answers why.  Nothing else may read or draw meanwhile."""
    ended: list[str] = []

    async def work() -> str:
        # connections belong to the loop in which they are used
        own = Client(client.socket, client.token)
        try:
            return await ShellHere(own, shell, keys, picture).carry_on()
        finally:
            await own.close()

    with raw(keys):
        # the console's own loop runs in this thread, and stands still
        thread = threading.Thread(target=lambda: ended.append(asyncio.run(work())), name="shell")
        thread.start()
        thread.join()
    return ended[0] if ended else "it ended by a fault of the console"
