"""Follows the engine's event stream, for ever: after a cut it goes on where it was."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

from guardian_tui.client import Client
from guardian_tui.protocol.access import Attach, Session
from guardian_tui.protocol.base import PROTOCOL_VERSION
from guardian_tui.protocol.errors import EngineUnreachable, GuardianError, NotAuthenticated, SessionLocked
from guardian_tui.protocol.events import Delta, End, Heartbeat
from guardian_tui.protocol.system import Hello

FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told what the stream brings.

    ``ended`` gets why the stream is over for good: ``locked``, ``expired``, ``version`` (it speaks another protocol now), or the engine's own word.
    """

    changed: Callable[[Delta], None]
    beat: Callable[[Heartbeat], None]
    lost: Callable[[], None]
    ended: Callable[[str], None]


class Follower:
    """One stream of one session.

    Args:
        client: holds the session's token and the id of the last event.
        hearers: who is told.
    """

    def __init__(self, client: Client, hearers: Hearers) -> None:
        self._client = client
        self._hearers = hearers
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why nothing comes, in words; empty when all is well."""

    def start(self) -> None:
        """Follow, unless it is being followed already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Listen no longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self) -> None:
        pause, again = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                if again and (await self._client.call("hello", Hello)).protocol != PROTOCOL_VERSION:
                    # the engine was replaced meanwhile
                    self._end("version")
                    return
                await self._client.call(
                    "session.attach", Session, Attach(agent_socket=os.environ.get("SSH_AUTH_SOCK", ""))
                )
                async for event in self._client.events(self._client.last_event_id):
                    pause = FIRST_PAUSE_SECONDS
                    if isinstance(event, Delta):
                        self._hearers.changed(event)
                    elif isinstance(event, Heartbeat):
                        self.trouble = ""
                        self._hearers.beat(event)
                    elif isinstance(event, End) and event.reason != "shutdown":
                        self._end(event.reason)
                        return
                self.trouble = "The engine has stopped"
            except EngineUnreachable:
                self.trouble = "The engine does not answer"
            except SessionLocked:
                self._end("locked")
                return
            except NotAuthenticated:
                self._end("expired")
                return
            except GuardianError as error:
                self.trouble = error.title
            except Exception as error:
                # a fault of ours in drawing one event must not end the stream: a picture would stand there for ever
                self._client.last_event_id = ""
                self.trouble = f"What the engine told could not be shown ({type(error).__name__})"
            self._hearers.lost()
            await asyncio.sleep(pause)
            pause, again = min(pause * 1.6, LONGEST_PAUSE_SECONDS), True

    def _end(self, reason: str) -> None:
        # whoever hears of it may begin a new session at once
        self._task = None
        self._hearers.ended(reason)
