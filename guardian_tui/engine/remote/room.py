"""Room for open files: hosts take most of what the engine may have open, and never all of it."""

from __future__ import annotations

import errno
import os
import resource

KEPT_BACK = 64
"""For consoles, the store, logs and commands; a quarter of the limit where that is less."""


def leave_room(files: int) -> None:
    """Look whether another connection would leave enough.

    Args:
        files: how many it takes; through a jump host it takes none.

    Raises:
        OSError: it would not (EMFILE), though the kernel would still allow it.
    """
    if not files:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the kernel gives the lowest number that is free
    number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.close(number)
    if limit != resource.RLIM_INFINITY and number >= limit - min(KEPT_BACK, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
