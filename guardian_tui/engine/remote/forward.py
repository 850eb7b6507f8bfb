"""A port on a host's side, reached over its SSH connection: what listens there stays closed to everybody else.

Our end is a Unix socket in a folder that only the engine's own user can enter: a TCP port on loopback would let every user of this machine in.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from guardian_tui.engine.remote.connections import Connection, words_of

BUFFER_BYTES = 1 << 16


class Forward:
    """One forwarded port.

    Attributes:
        settled: set once the host's side was connected to, or refused us.
        path: the Unix socket that leads there.
        refused: why the host's side could not be connected to, in words; empty while it could.
        prohibited: the host's sshd does not let us forward at all: that says nothing of the port.
    """

    def __init__(self, path: Path, connection: Connection, address: str, port: int) -> None:
        self.path = path
        self.refused = ""
        self.prohibited = False
        self._connection = connection
        self._address = address
        self._port = port
        self.settled = asyncio.Event()
        self._ends: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self._ends.add(writer)
        try:
            far_reader, far_writer = await self._connection.ssh.open_connection(
                self._address, self._port, encoding=None
            )
        except asyncssh.ChannelOpenError as error:
            self.refused = words_of(error)
            self.prohibited = error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        except (asyncssh.Error, OSError) as error:
            self.refused, self.prohibited = words_of(error), True
        else:
            self.settled.set()
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.channel.abort()
        finally:
            self.settled.set()
            writer.close()
            self._ends.discard(writer)

    def close(self) -> None:
        """Cut what is still carried: both pumps see the end."""
        for writer in self._ends:
            writer.transport.abort()


async def _pump(
    source: asyncio.StreamReader | asyncssh.SSHReader[bytes],
    sink: asyncio.StreamWriter | asyncssh.SSHWriter[bytes],
) -> None:
    with contextlib.suppress(asyncssh.Error, OSError):
        while data := await source.read(BUFFER_BYTES):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


@asynccontextmanager
async def forwarded(
    connection: Connection, address: str, port: int, *, name: str = "port"
) -> AsyncIterator[Forward]:
    """A way to ``address:port`` as the host sees it, for as long as the block lasts.

    Args:
        connection: the host's.
        address: where to, from the host's side.
        port: and which.
        name: file name of the socket (PostgreSQL's clients want one of theirs).
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="guardian-"))
    try:
        forward = Forward(folder / name, connection, address, port)
        server = await asyncio.start_unix_server(forward.serve, str(forward.path))
        try:
            yield forward
        finally:
            server.close()
            forward.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
