"""The probe's channel: kept open on a host's connection, one request at a time, one answer back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import asyncssh

from guardian_tui.engine.remote.shortcut import writer_of


class ChannelUser(Protocol):
    """Who hears of a channel's answers and of its end."""

    def answered(self, body: bytes) -> None:
        """A whole answer has come."""
        ...

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """The channel is gone; ``no_probe``: the account can't or may not run the probe."""
        ...


class ProbeChannel(asyncssh.SSHClientSession[bytes]):
    """Gathers bytes until the terminator of the request that is open.

    An answer to an earlier request is dropped; more than ``limit`` bytes without an answer close the channel, asked for or not.
    """

    def __init__(self, user: ChannelUser, limit: int) -> None:
        self._user = user
        self._limit = limit
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._write: Callable[[bytes], None]
        self._buffer = bytearray()
        self._head = b""
        self._end = b""
        self._discarded = 0
        self._spoken = False

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open."""
        self._channel = chan
        self._write = writer_of(chan)

    def ask(self, seq: int, sections: str) -> int:
        """Send a request; whatever was open is given up.  Answers its bytes."""
        self._discarded += len(self._buffer)
        self._buffer.clear()
        self._head = b"=%d 1\n" % seq
        self._end = b"\n.%d\n" % seq
        request = b"%d %s\n" % (seq, sections.encode())
        self._write(request)
        return len(request)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Gather; hand over what is whole."""
        if datatype is not None:
            # stderr: nothing of it is kept, but a flood of it is a flood
            self._discarded += len(data)
            data = b""
        buffer = self._buffer
        buffer += data
        if len(buffer) + self._discarded > self._limit:
            self.close(f"it sent more than {self._limit >> 10} KiB for one answer")
            return
        if not self._end:
            # a banner, or an answer that nobody waits for any more: bounded, and gone
            self._discarded += len(buffer)
            buffer.clear()
            return
        if not buffer.endswith(self._end):
            return
        start = buffer.find(self._head)
        # the last line is ours, as the first is
        body = bytes(buffer[start + len(self._head) : -len(self._end)]) if start >= 0 else b""
        self._end = b""
        self._discarded = 0
        self._spoken = True
        buffer.clear()
        self._user.answered(body)

    def close(self, why: str, *, no_probe: bool = False) -> None:
        """End the channel for a reason."""
        user, self._user = self._user, _NOBODY
        if self._channel is not None:
            self._channel.abort()
        user.lost(why, no_probe=no_probe)

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._user is _NOBODY

    def forget(self) -> None:
        """End the channel, and tell nobody."""
        self._user = _NOBODY
        if self._channel is not None:
            self._channel.abort()

    def exit_status_received(self, status: int) -> None:
        """The probe ended by itself: there is no sh, or the account is bound to another command."""
        if status == 127:
            self.close("the account finds no sh, with which the probe is started", no_probe=True)
        elif not self._spoken:
            self.close(f"the account does not run the probe (exit status {status})", no_probe=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel or the connection is gone."""
        user, self._user = self._user, _NOBODY
        user.lost("the connection was cut" if exc else "the probe ended")


class _Nobody:
    def answered(self, body: bytes) -> None:
        """Nobody listens."""

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """Nobody listens."""


_NOBODY = _Nobody()
