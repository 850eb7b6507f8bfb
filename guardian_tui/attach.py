"""Attach to a shared engine, else to one's own, or start a private one when none listens, as tmux does."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from guardian_tui.config import Paths, find_paths, load_settings
from guardian_tui.protocol.errors import EngineUnreachable, InvalidRequest

START_SECONDS = 30.0
LOG_TAIL_LINES = 6
TEAM_SOCKET = Path("/run/guardian/engine.sock")
"""Where a team's engine listens, as `guardian-tui engine install` sets it up."""


def attach_paths() -> Paths:
    """Paths of this person, with the shared engine that clients attach to, if there is one.

    ``GUARDIAN_SOCKET`` names it, else ``[engine] socket`` of the settings; else it is the team's engine of this machine, if one takes
    our connections.  Who set ``GUARDIAN_HOME`` asked for an installation of their own.
    """
    paths = find_paths()
    named = os.environ.get("GUARDIAN_SOCKET") or _named_by_settings(paths)
    if named:
        return replace(paths, shared=Path(named).expanduser())
    if not os.environ.get("GUARDIAN_HOME") and engine_listens(TEAM_SOCKET):
        return replace(paths, shared=TEAM_SOCKET)
    return paths


def _named_by_settings(paths: Paths) -> str:
    try:
        return load_settings(paths).engine.socket
    except InvalidRequest:
        # whoever reads the settings for their own sake says what is wrong
        return ""


def shut_out() -> str:
    """Words for a team's engine that we may not attach to; empty if there is none."""
    folder = TEAM_SOCKET.parent
    if os.environ.get("GUARDIAN_HOME") or not folder.is_dir() or os.access(folder, os.X_OK):
        return ""
    return (
        f"There is a shared engine on this machine ({folder}), and you are not in its group: ask whoever runs it, then log in again. "
        "What you see is a private one."
    )


def no_answer(path: Path) -> EngineUnreachable:
    """The error of a shared engine that does not take connections."""
    return EngineUnreachable(
        f"The shared engine on {path} takes no connection: it does not run, or you are not in its group. Ask whoever runs it "
        "(`systemctl status guardian`)."
    )


def engine_listens(path: Path) -> bool:
    """Whether something takes connections on the engine's socket."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1.0)
    try:
        probe.connect(str(path))
    except OSError:
        return False
    finally:
        probe.close()
    return True


def start_engine(paths: Paths, *, linger: bool) -> subprocess.Popen[bytes]:
    """Start a private engine in the background, in a session of its own, so that no terminal's end stops it.

    Its standard error goes to ``engine.err`` in the state folder: what it says before its log is open.
    """
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "guardian_tui.engine", *(["--linger"] if linger else [])]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    handle = os.open(paths.state / "engine.err", flags, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, start_new_session=True, close_fds=True,
        )  # fmt: skip
    finally:
        os.close(handle)


async def wait_until_listening(
    paths: Paths, process: subprocess.Popen[bytes], seconds: float = START_SECONDS
) -> None:
    """Wait until the engine takes connections.

    Raises:
        EngineUnreachable: it ended or did not come up; says what it wrote last.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not engine_listens(paths.socket):
        if process.poll() is not None and not engine_listens(paths.socket):
            raise EngineUnreachable(f"The engine ended at its start. {last_words(paths)}")
        if asyncio.get_running_loop().time() > deadline:
            raise EngineUnreachable(f"The engine did not come up within {seconds:.0f} s. {last_words(paths)}")
        await asyncio.sleep(0.02)


def last_words(paths: Paths) -> str:
    """What the engine wrote to standard error before it ended."""
    try:
        lines = (paths.state / "engine.err").read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    tail = " / ".join(line.strip() for line in lines[-LOG_TAIL_LINES:])
    return f"It said: {tail}" if tail else f"See {paths.state / 'engine.log'}."
