"""Meets the engine at the start: which one listens, whether it speaks our protocol, and how a private one is replaced."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from guardian_tui import __version__
from guardian_tui.attach import engine_listens, no_answer, start_engine, wait_until_listening
from guardian_tui.client import wait_for_engine
from guardian_tui.config import Paths
from guardian_tui.protocol.base import PROTOCOL_VERSION
from guardian_tui.protocol.errors import EngineUnreachable
from guardian_tui.protocol.system import Hello

HELLO_SECONDS = 20.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Listener:
    """The process that listens on a socket, and whose it is."""

    pid: int
    uid: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An engine that speaks another protocol: what to say of it, and whether its restart is ours to offer."""

    words: str
    ours: bool


def listener_of(path: Path) -> Listener | None:
    """Who listens on a Unix socket (SO_PEERCRED of the listening end); None if nobody does."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(2.0)
    try:
        probe.connect(str(path))
        pid, uid, _gid = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return None
    finally:
        probe.close()
    return Listener(pid, uid)


async def meet(
    paths: Paths, process: subprocess.Popen[bytes] | None = None
) -> tuple[Hello, subprocess.Popen[bytes] | None]:
    """The hello of the engine that listens, else of a private one that is started where no shared one is named.

    Args:
        paths: where files live.
        process: the private engine that is coming up already, if one is.

    Raises:
        GuardianError: it did not come up or does not answer.
    """
    if process is None and not engine_listens(paths.socket):
        if paths.shared is not None:
            raise no_answer(paths.shared)
        process = start_engine(paths, linger=False)
    if process is not None:
        await wait_until_listening(paths, process)
    return await wait_for_engine(paths.socket, HELLO_SECONDS), process


def mismatch(hello: Hello, listener: Listener | None) -> Mismatch | None:
    """What is to be said of an engine of another protocol version; None if it speaks ours."""
    if hello.protocol == PROTOCOL_VERSION:
        return None
    words = (
        f"The engine that runs is Guardian {hello.version} (protocol {hello.protocol}); this console is "
        f"{__version__} (protocol {PROTOCOL_VERSION}). They can't talk to each other. "
    )
    if hello.mode == "personal" and listener is not None and listener.uid == os.getuid():
        return Mismatch(
            words + "It is your own: restarted, it is of this version, and hosts are watched on.", True
        )
    whom = _name_of(listener.uid) if listener is not None else "another account"
    return Mismatch(
        words + f"It belongs to {whom}: ask whoever runs it to bring both to the same version.", False
    )


def whose(paths: Paths) -> str:
    """Words for a shared engine that we are attached to; empty for one's own."""
    listener = listener_of(paths.socket)
    if listener is None or (paths.shared is None and listener.uid == os.getuid()):
        return ""
    return f"the shared engine of {_name_of(listener.uid)}"


def _name_of(uid: int) -> str:
    try:
        return f"the account {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the account {uid}"


async def stop_engine(paths: Paths, seconds: float = STOP_SECONDS) -> bool:
    """Stop this account's engine in good order, and wait until it is gone; False if none ran.

    Raises:
        EngineUnreachable: it is not ours to stop, or did not end in time.
    """
    listener = listener_of(paths.socket)
    if listener is None:
        return False
    try:
        os.kill(listener.pid, signal.SIGTERM)
    except PermissionError as error:
        raise EngineUnreachable(
            f"The engine belongs to {_name_of(listener.uid)}, who alone may stop it."
        ) from error
    except ProcessLookupError:
        return True
    deadline = asyncio.get_running_loop().time() + seconds
    while engine_listens(paths.socket) or _runs(listener.pid):
        if asyncio.get_running_loop().time() > deadline:
            raise EngineUnreachable(
                f"Process {listener.pid} did not end within {seconds:.0f} s; see {paths.state / 'engine.log'}."
            )
        await asyncio.sleep(0.05)
    return True


async def replace_engine(paths: Paths, old: Hello) -> subprocess.Popen[bytes]:
    """Stop the engine that listens and start one of our version, which stays if the old one did.

    Raises:
        EngineUnreachable: the old one did not end.
    """
    await stop_engine(paths)
    return start_engine(paths, linger=old.lingering)


def _runs(pid: int) -> bool:
    # whoever started it may not have waited for it yet, a console for one: it has a pid still, and has ended
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
