"""The engine's Unix socket: bound by us with the mode we want, and peers that can't lie about who they are.

uvicorn would make its socket world-writable and drops the peer's credentials, so the socket is bound here and the HTTP protocol
class reads SO_PEERCRED when a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from guardian_tui.protocol.errors import Conflict, StoreUnavailable

_UCRED = struct.Struct("3i")
HEAD_SECONDS = 30.0
"""For the head of a request to come whole; uvicorn itself waits for ever for a first one, and for half of a later one."""


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows the uid on the other end (SO_PEERCRED, unix(7)), and hangs up on who says nothing."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Read the peer's credentials before the first byte."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            pid, uid, _gid = _UCRED.unpack(
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            )
            self.client = (f"unix:{uid}:{pid}", 0)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Hand on what came; half a head gets so much time and no more."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._patience is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def bind_socket(path: Path, mode: int = 0o600) -> socket.socket:
    """Bind and listen on a Unix socket in a folder of 0700.

    Raises:
        Conflict: another engine listens there.
        StoreUnavailable: the folder is not ours alone, or can't be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.parent.lstat()
    except OSError as error:
        raise StoreUnavailable(
            f"The folder of the socket, {path.parent}, can't be made: {error.strerror}."
        ) from error
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise StoreUnavailable(f"{path.parent} is not a folder of ours; remove it and start again.")
    if stat.S_IMODE(info.st_mode) & 0o077 and mode == 0o600:
        path.parent.chmod(0o700)
    if len(os.fsencode(path)) > 107:
        raise StoreUnavailable(
            f"{path} is too long for a Unix socket (107 bytes): set GUARDIAN_HOME to a shorter path."
        )
    if path.exists():
        if someone_listens(path):
            raise Conflict(f"An engine already listens on {path}.")
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(old)
    path.chmod(mode)
    sock.listen(128)
    sock.setblocking(False)
    return sock


def someone_listens(path: Path) -> bool:
    """Whether a connection to the socket is taken."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(2.0)
    try:
        probe.connect(str(path))
    except OSError:
        return False
    finally:
        probe.close()
    return True


class Listener(uvicorn.Server):
    """uvicorn on our socket, without its own signal handling and logging."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app, http=PeerProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=False, timeout_graceful_shutdown=5, timeout_keep_alive=75,
            limit_concurrency=1024,
        )  # fmt: skip
        super().__init__(config)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End, when the requests that are under way are answered."""
        self.should_exit = True
        self._stop.set()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's own looks ten times a second whether it has come."""
        await self.on_tick(0)
        await self._stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the engine's, not the server's."""
        yield
