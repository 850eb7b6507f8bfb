"""The engine's Unix socket: bound by us with the mode we want, and peers that can't lie about who they are.

uvicorn would make its socket world-writable and drops the peer's credentials, so the socket is bound here and the HTTP protocol
class reads SO_PEERCRED when a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import stat
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from guardian_tui.config import Settings
from guardian_tui.protocol.errors import Conflict, InvalidRequest, StoreUnavailable

_UCRED = struct.Struct("3i")
HEAD_SECONDS = 30.0
"""For the head of a request to come whole; uvicorn itself waits for ever for a first one, and for half of a later one."""


MOST_OF_A_UID = 256
"""Connections: so that nobody takes all of them."""


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows the uid on the other end (SO_PEERCRED, unix(7)), and hangs up on who says nothing, or holds too many."""

    _patience: asyncio.TimerHandle | None = None
    _uid: int | None = None
    _open: ClassVar[Counter[int]] = Counter()
    """Connections by uid."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Read the peer's credentials before the first byte."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            pid, uid, _gid = _UCRED.unpack(
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            )
            self.client = (f"unix:{uid}:{pid}", 0)
            self._uid = uid
            self._open[uid] += 1
            if self._open[uid] > MOST_OF_A_UID:
                transport.abort()
                return
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
        if self._uid is not None:
            self._open[self._uid] -= 1
            if not self._open[self._uid]:
                del self._open[self._uid]
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine listens, and the group that may attach to it; no group: its own account alone."""

    path: Path
    group: str = ""

    @property
    def mode(self) -> int:
        """Of the socket."""
        return 0o660 if self.group else 0o600

    @property
    def folder_mode(self) -> int:
        """Of the folder that it lies in: those of the group go through it, and write nothing there."""
        return 0o750 if self.group else 0o700

    @property
    def gid(self) -> int:
        """Of the group; -1: as it is.

        Raises:
            InvalidRequest: there is no such group.
        """
        try:
            return grp.getgrnam(self.group).gr_gid if self.group else -1
        except KeyError:
            raise InvalidRequest(
                f"[engine] group: there is no Unix group {self.group!r} on this machine.",
                field="engine.group",
            ) from None


def place_of(settings: Settings, private: Path) -> Place:
    """Where an engine of these settings listens.

    Args:
        settings: mode, socket and group.
        private: the socket of a personal engine.

    Raises:
        InvalidRequest: a team's engine has no group, or a personal one has.
    """
    team, wanted = settings.mode == "team", settings.engine
    if team != bool(wanted.group):
        raise InvalidRequest(
            'mode = "team" wants [engine] group, the Unix group of the people who may attach.'
            if team
            else '[engine] group is for mode = "team": a personal engine serves its own account alone.',
            field="engine.group",
        )
    # in a person's own settings it names the shared engine that their console attaches to
    return Place(Path(wanted.socket) if team and wanted.socket else private, wanted.group)


def bind_socket(place: Place) -> socket.socket:
    """Bind and listen on a Unix socket in a folder that nobody else writes to.

    Raises:
        Conflict: another engine listens there.
        StoreUnavailable: the folder is not ours alone, can't be made, or can't be reached by the group.
    """
    path, gid = place.path, place.gid
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.parent.lstat()
    except OSError as error:
        raise StoreUnavailable(
            f"The folder of the socket, {path.parent}, can't be made: {error.strerror}."
        ) from error
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise StoreUnavailable(f"{path.parent} is not a folder of ours; remove it and start again.")
    _give(path.parent, place.folder_mode, gid, info)
    if place.group:
        _check_way(path.parent.parent, gid)
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
    _give(path, place.mode, gid, path.lstat())
    sock.listen(128)
    sock.setblocking(False)
    return sock


def _give(path: Path, mode: int, gid: int, info: os.stat_result) -> None:
    """Set group and mode, in an order that at no moment lets in more than both together."""
    try:
        if gid not in (-1, info.st_gid):
            path.chmod(mode & 0o700)
            os.chown(path, -1, gid)
        if stat.S_IMODE(path.lstat().st_mode) != mode:
            path.chmod(mode)
    except PermissionError as error:
        raise StoreUnavailable(
            f"{path} can't be given to the group {gid}: the engine's own account must be a member of it."
        ) from error


def _check_way(folder: Path, gid: int) -> None:
    """Raise StoreUnavailable where the group could not come as far as the socket's folder."""
    for one in (folder, *folder.parents):
        info = one.stat()
        if not (info.st_mode & 0o001 or (info.st_gid == gid and info.st_mode & 0o010)):
            raise StoreUnavailable(
                f"The group can't reach the socket: {one} lets nobody else through. Let [engine] socket be in a folder such as /run/guardian."
            )


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
