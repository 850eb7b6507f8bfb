"""Where checkpoints go beside the store: an append-only file, and syslog or journald, which others keep."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

log = logging.getLogger(__name__)

SYSLOG = Path("/dev/log")
_AUTHPRIV_NOTICE = 10 * 8 + 5  # RFC 5424: facility authpriv, severity notice
TAIL_BYTES = 64 << 10


class Anchors:
    """Writes checkpoints outside of the store."""

    def __init__(self, file: Path, *, syslog: bool, syslog_socket: Path = SYSLOG) -> None:
        self._file = file
        self._syslog = syslog
        self._socket = syslog_socket

    @property
    def name(self) -> str:
        """The file, for a person."""
        return self._file.name

    def write(self, line: str) -> None:
        """Append a checkpoint to the file, durably, and tell syslog.

        Raises:
            OSError: the file can't be written; what syslog does is only logged.
        """
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            # a power cut or a full disk may have left half a line: it must not spoil this one
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line.encode() + b"\n"
            if os.write(handle, data) != len(data):
                raise OSError(28, "No space left on device", str(self._file))
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
        """All lines of the file; a half-written last one (power cut) is left out."""
        return self._lines(0)

    def tail(self) -> list[str]:
        """The last lines of the file, at least a hundred if it has as many."""
        return self._lines(TAIL_BYTES)

    def _lines(self, last_bytes: int) -> list[str]:
        try:
            with self._file.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = max(0, size - last_bytes) if last_bytes else 0
                file.seek(begin)
                data = file.read()
        except FileNotFoundError:
            return []
        whole, _, _half = data.rpartition(b"\n")
        lines = [line.decode("utf-8", "replace") for line in whole.split(b"\n")]
        if begin:
            del lines[0]  # its beginning was not read
        return [line for line in lines if line]
