"""One open SSH connection to a host, and what runs on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncssh

from guardian_tui.engine.remote.failures import words_of
from guardian_tui.engine.remote.shortcut import forget_beginning
from guardian_tui.engine.remote.target import ConnectFailed, Target

WINDOW_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended."""

    exit_status: int | None
    out: bytes
    err: bytes
    truncated: bool = False


class Connection:
    """An open connection to a host."""

    def __init__(self, target: Target, conn: asyncssh.SSHClientConnection, parent: Connection | None) -> None:
        self.target = target
        self.parent = parent
        self.ssh = conn
        self.fingerprint = _fingerprint(conn)
        forget_beginning(conn)

    @property
    def closed(self) -> bool:
        """Whether it is gone."""
        return self.ssh.is_closed()

    async def open_channel(
        self, session: asyncssh.SSHClientSession[bytes], command: str, window_bytes: int = WINDOW_BYTES
    ) -> asyncssh.SSHClientChannel[bytes]:
        """Start a command, whose bytes go to ``session``; the caller bounds it in time.

        No more than ``window_bytes`` of it are held while the session reads nothing.

        Raises:
            asyncssh.Error, OSError: it could not be started.
        """
        try:
            channel, _ = await self.ssh.create_session(
                lambda: session, command, encoding=None, window=window_bytes
            )
        except AttributeError as error:
            # asyncssh has forgotten the session of a channel that is closed while it is opened, and stumbles over that
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, "it was closed while it was opened"
            ) from error
        return channel

    async def open_terminal(
        self, session: asyncssh.SSHClientSession[bytes], name: str, size: tuple[int, int], window_bytes: int
    ) -> asyncssh.SSHClientChannel[bytes]:
        """Start the account's own shell in a terminal of this kind and size (columns, lines).

        Raises:
            asyncssh.Error, OSError: it could not be started.
        """
        channel, _ = await self.ssh.create_session(
            lambda: session, None, request_pty="force", term_type=name, term_size=size, encoding=None, window=window_bytes
        )  # fmt: skip
        return channel

    async def run(
        self, command: str, *, timeout: float, limit_bytes: int = 1 << 20, stdin: bytes = b""
    ) -> Completed:
        """Run a command to its end.

        Args:
            command: for the host's shell; join argument lists with :func:`shlex.join`.
            timeout: seconds for all of it.
            limit_bytes: most output that is read; more ends the command.
            stdin: what it is fed.

        Raises:
            ConnectFailed: it did not end in time, or the connection was cut.
        """
        try:
            async with asyncio.timeout(timeout):
                session = _Gathering(limit_bytes)
                channel = await self.open_channel(session, command)
                try:
                    if stdin:
                        channel.write(stdin)
                    channel.write_eof()
                    await session.ended.wait()
                finally:
                    channel.abort()
        except TimeoutError as error:
            raise ConnectFailed("timeout", f"The command did not end in {timeout:.0f} s.") from error
        except (asyncssh.Error, OSError) as error:
            raise ConnectFailed("closed", f"The connection was cut: {words_of(error)}.") from error
        return Completed(session.status, bytes(session.out), bytes(session.err), session.truncated)

    def close(self) -> None:
        """Close it, now."""
        self.ssh.abort()


class _Gathering(asyncssh.SSHClientSession[bytes]):
    """Collects output up to a limit."""

    def __init__(self, limit: int) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self.status: int | None = None
        self.truncated = False
        self.ended = asyncio.Event()
        self._limit = limit

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep what fits."""
        kept = self.err if datatype else self.out
        room = self._limit - len(self.out) - len(self.err)
        kept += data[: max(0, room)]
        if len(data) > room:
            self.truncated = True
            self.ended.set()

    def exit_status_received(self, status: int) -> None:
        """The command's own word."""
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        self.ended.set()


def _fingerprint(conn: asyncssh.SSHClientConnection) -> str:
    key = conn.get_server_host_key()
    return key.get_fingerprint() if key else ""
