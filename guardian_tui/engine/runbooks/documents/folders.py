"""A folder of runbooks as bytes: what lies in it, bounded, within it alone, and not open to everyone's writing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guardian_tui.engine.runbooks.documents.markdown import MOST_CHARACTERS
from guardian_tui.protocol.errors import InvalidRequest, NotFound

ENDING = ".md"
PART = "_"
"""Begins the name of a file that is only included."""
MOST_FILES = 500
MOST_LEVELS = 4
MOST_BYTES = 4 * MOST_CHARACTERS


@dataclass(frozen=True, slots=True)
class Folder:
    """The Markdown files below a folder, at one moment."""

    files: dict[str, tuple[int, int, int]]
    """Path within it → what changes when the file does: inode, size, time."""
    read: Callable[[str], bytes]
    """Bytes of a file by its path; raises GuardianError."""
    problem: str = ""
    """Why not all of it could be read."""


def survey(root: Path) -> Folder:
    """What lies in a folder.  Links that lead out of it are left out."""
    files: dict[str, tuple[int, int, int]] = {}
    try:
        problem = _walk(root, root, 0, files)
    except OSError as error:
        problem = f"{error.filename or root} can't be read: {error.strerror}."
    return Folder(files, lambda path: read_file(root, path), problem)


def _walk(root: Path, folder: Path, level: int, files: dict[str, tuple[int, int, int]]) -> str:
    if (open_to := _open_to_all(folder)) and not level:
        return open_to
    problem = ""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir():
                if level < MOST_LEVELS:
                    problem = _walk(root, Path(entry.path), level + 1, files) or problem
            elif entry.name.endswith(ENDING):
                if len(files) >= MOST_FILES:
                    return f"{root} holds more than {MOST_FILES} runbooks; the rest is left out."
                about = entry.stat()
                files[Path(entry.path).relative_to(root).as_posix()] = (
                    about.st_ino,
                    about.st_size,
                    about.st_mtime_ns,
                )
    return problem


def _open_to_all(path: Path) -> str:
    about = path.stat()
    if about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX:
        return f"Everyone can write to {path}, so nothing in it is read. chmod o-w it."
    return ""


def read_file(root: Path, path: str) -> bytes:
    """The bytes of a file within a folder.

    Raises:
        NotFound: there is none.
        InvalidRequest: it lies elsewhere, is too large, can't be read, or everyone can write to it.
    """
    place = root / path
    try:
        if not place.resolve().is_relative_to(root.resolve()):
            raise InvalidRequest(f"{path} lies outside of the folder.", field=path)
        # no link, no pipe that never ends: only a file, and not one that is swapped between two looks
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise InvalidRequest(f"{path} is no file.", field=path)
            if about.st_mode & stat.S_IWOTH:
                raise InvalidRequest(f"Everyone can write to {path}. chmod o-w it.", field=path)
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no {path} in {root}.", field=path) from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path} can't be read: {error}.", field=path) from error
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"{path} is larger than {MOST_BYTES // 1024} KB.", field=path)
    return data
