"""No log of asyncssh's for our connections: it makes the words of each packet, channel and request before it looks whether anybody wants them."""

from __future__ import annotations

from typing import Any

import asyncssh
from asyncssh.logging import SSHLogger


def _nothing(*_: Any, **__: Any) -> None:  # Any: what would have been told
    """Tell nobody."""


class _Silent(SSHLogger):
    """Takes what would be told, and makes nothing of it; there is one for all connections and their channels."""

    log = info = debug = debug1 = debug2 = packet = _nothing

    def get_child(self, child: str = "", context: str = "") -> SSHLogger:
        """Itself."""
        return self


_SILENT = _Silent()


def keep_no_log(conn: asyncssh.SSHClientConnection) -> None:
    """Have a connection, and what will be opened on it, log nothing; what asyncssh raises tells all that we say of a host."""
    whole: Any = conn  # Any: with what it keeps to itself
    whole._logger = _SILENT
    whole.log_sent_packet = whole.log_received_packet = _nothing
