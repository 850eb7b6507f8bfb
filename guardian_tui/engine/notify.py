"""Tells systemd that the engine is ready and alive (sd_notify(3)): a datagram to the socket that it named.

The sign of life is sent from the event loop: an engine that hangs there is restarted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket

log = logging.getLogger(__name__)


class Notifier:
    """Speaks to the manager that started us; to nobody where none did."""

    def __init__(self) -> None:
        # taken out: programs that we start are not the engine
        name = os.environ.pop("NOTIFY_SOCKET", "")
        period = os.environ.pop("WATCHDOG_USEC", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._period = int(period) / 2e6 if period.isdigit() else 0.0
        self._alive: asyncio.Task[None] | None = None

    def ready(self) -> None:
        """The engine serves and watches; from now on it gives signs of life."""
        self._say("READY=1")
        if self._address and self._period and self._alive is None:
            self._alive = asyncio.create_task(self._live(), name="watchdog")

    async def stopping(self) -> None:
        """The engine ends in good order."""
        self._say("STOPPING=1")
        if self._alive is not None:
            self._alive.cancel()
            await asyncio.gather(self._alive, return_exceptions=True)
            self._alive = None

    async def _live(self) -> None:
        while True:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self._period)

    def _say(self, words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(words.encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told %s: %s", words, error.strerror)
