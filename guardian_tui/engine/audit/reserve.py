"""A preallocated reserve on the disk: when the disk is full, it is given up so that the audit log still takes events."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


class Reserve:
    """A file of real blocks that can be let go."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size = size_bytes

    @property
    def held(self) -> bool:
        """Whether the reserve is there."""
        try:
            return self._size > 0 and self._path.stat().st_size >= self._size
        except OSError:
            return False

    def fill(self) -> bool:
        """Take the reserve, if the disk has twice as much to spare."""
        if self._size == 0 or self.held:
            return self.held
        room = os.statvfs(self._path.parent)
        if room.f_bavail * room.f_frsize < 2 * self._size:
            return False
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError as error:
            log.warning("the audit log's reserve can't be taken: %s", error.strerror)
            return False
        return True

    def release(self) -> bool:
        """Let it go; True if there was one."""
        if not self.held:
            return False
        self._path.unlink(missing_ok=True)
        log.error("the disk is full: the audit log's reserve was given up")
        return True
