"""What root does where others may write: by handles, with their rights, and nothing that others could have put there."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from guardian_tui.protocol.errors import GuardianError

SYSTEM_IDS = 1000
"""Unix groups below it are the system's own (login.defs(5))."""
HIDDEN_BELOW = (Path("/home"), Path("/root"), Path("/run/user"))
"""What the unit's ProtectHome hides."""


class CommandFailed(GuardianError):
    """A program of the system did not do what it was asked for."""

    code, status, title = "command-failed", 500, "The system refused it"


def out_of_reach(program: str) -> str:
    """Why the engine's user could not run a program; empty: it can."""
    for path in {Path(program.split()[0]), Path(program.split()[0]).resolve(), Path(__file__).resolve()}:
        for folder in path.parents:
            hidden = folder in HIDDEN_BELOW
            if hidden or (folder.exists() and not folder.stat().st_mode & 0o001):
                return (
                    f"The engine's user can't run {path}: {folder} is closed to it. Install Guardian for the whole machine "
                    "(`pipx install --global .`, or a virtual environment below /opt), or name another with --program."
                )
    return ""


def in_other_hands(program: str) -> str:
    """Who else than root could put something else in the place of what the engine runs, in words; empty: nobody."""
    command = Path(program.split()[0])
    roots = {
        command,
        command.resolve(),
        Path(__file__).resolve(),
        Path(sys.executable),
        Path(sys.executable).resolve(),
    }
    for path in {one for root in roots for one in (root, *root.parents)}:
        if not path.exists():
            continue
        found = path.stat()
        group = found.st_mode & 0o020 and found.st_gid >= SYSTEM_IDS
        others = found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX
        if found.st_uid or group or others:
            return (
                f"{path} is not root's alone: whoever can change it decides what the engine does with everybody's hosts. Install Guardian "
                "as root (`pipx install --global .`, or a virtual environment below /opt), or name another with --program."
            )
    return ""


def make_folder(path: Path, mode: int, owner: str) -> None:
    """Make a folder, or take one that is root's or the owner's already.

    Raises:
        CommandFailed: something else is there.
    """
    known = pwd.getpwnam(owner)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise CommandFailed(f"{path} is no folder, or a link to one: move it away.") from error
    try:
        if os.fstat(handle).st_uid not in (0, known.pw_uid):
            raise CommandFailed(f"{path} is somebody else's: move it away.")
        # by its handle: whoever may write in the folder above may put another thing in its place meanwhile
        os.fchown(handle, known.pw_uid, known.pw_gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def as_user(user: str, work: Callable[[], None]) -> None:
    """Do something in a user's own folders with that user's rights and no more: what they put there leads root nowhere.

    Raises:
        CommandFailed: it did not go well.
    """
    known = pwd.getpwnam(user)
    child = os.fork()
    if not child:
        # as little as can be: no handler, no buffer of the parent's is to be run or written twice
        try:
            os.setgroups([])
            os.setresgid(known.pw_gid, known.pw_gid, known.pw_gid)
            os.setresuid(known.pw_uid, known.pw_uid, known.pw_uid)
            os.umask(0o077)
            work()
        except BaseException as error:  # whatever it is, the child ends here
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise CommandFailed(f"What {user} was to do below {known.pw_dir} did not go well.")
