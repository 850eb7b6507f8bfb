"""Where checkpoints go beside the store: an append-only file, and syslog or journald, which others keep."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

log = logging.getLogger(__name__)

SYSLOG = Path("/dev/log")
_AUTHPRIV_NOTICE = 10 * 8 + 5  # RFC 5424: facility authpriv, severity notice
READ_LIMIT_BYTES = 256 << 20


class Anchors:
    """Writes checkpoints outside of the store."""

    def __init__(self, file: Path, *, syslog: bool, syslog_socket: Path = SYSLOG) -> None:
        self._file = file
        self._syslog = syslog
        self._socket = syslog_socket

    def write(self, line: str) -> None:
        """Append a checkpoint to the file, durably, and tell syslog.

        Raises:
            OSError: the file can't be written; what syslog does is only logged.
        """
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        if self._syslog:
            self._tell_syslog(line)

    def _tell_syslog(self, line: str) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.sendto(f"<{_AUTHPRIV_NOTICE}>guardian-audit: {line}".encode(), str(self._socket))
        except OSError as error:
            log.info("syslog did not take a checkpoint: %s", error.strerror)
        finally:
            sock.close()

    def read(self) -> list[str]:
        """All checkpoints of the file; a half-written last line (power cut) is left out."""
        try:
            with self._file.open("rb") as file:
                data = file.read(READ_LIMIT_BYTES)
        except FileNotFoundError:
            return []
        whole, _, _half = data.rpartition(b"\n")
        return [line.decode("utf-8", "replace") for line in whole.split(b"\n") if line]
