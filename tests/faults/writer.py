"""A client that writes without pause, and says what it was told: for tests that kill engines, or it.

``python -m tests.faults.writer SOCKET NAME ALERT`` reads a session's token from its input.  Each order is one line of JSON before it is
given (``{"try": …}``) and one after it was acknowledged (``{"done": …}``).  While no engine answers it tries the next order.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from guardian_tui.client import Client
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, Alert, EndSilence, Silence
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, EngineUnreachable, NotFound
from guardian_tui.protocol.fleet import HostRow, HostSpec

KEPT = 5
"""So many silences of ours hold before the oldest is ended."""


class Writer:
    """Gives orders in turn: silences, their ends, acknowledgements, hosts."""

    def __init__(self, client: Client, name: str, alert: str) -> None:
        self._client = client
        self._name = name
        self._alert = alert
        self._holding: list[tuple[str, str]] = []

    async def write(self, number: int) -> None:
        """One order."""
        word = f"{self._name}-{number}"
        if number % 12 == 0:
            # port 1 refuses: a dead host, which costs nothing
            spec = HostSpec(name=f"h-{word}", address="127.0.0.1", port=1, interval_seconds=3600.0)
            self._say("try", "host", spec.name)
            await self._client.call("hosts.add", HostRow, spec)
            self._say("done", "host", spec.name)
        elif number % 4 == 0:
            self._say("try", "note", word)
            await self._client.call("alerts.acknowledge", Alert, Acknowledge(alert=self._alert, note=word))
            self._say("done", "note", word)
        elif len(self._holding) > KEPT:
            silence, reason = self._holding.pop(0)
            self._say("try", "end", reason)
            await self._client.call("silences.end", Done, EndSilence(silence=silence))
            self._say("done", "end", reason)
        else:
            order = AddSilence(rule="load", instance=word, reason=word, seconds=7200)
            self._say("try", "silence", word)
            made = await self._client.call("silences.add", Silence, order)
            self._say("done", "silence", word)
            self._holding.append((made.id, word))

    @staticmethod
    def _say(when: str, kind: str, word: str) -> None:
        print(json.dumps({when: [kind, word]}), flush=True)


async def main() -> None:
    """Write until killed."""
    client = Client(Path(sys.argv[1]), sys.stdin.readline().strip())
    writer = Writer(client, sys.argv[2], sys.argv[3])
    number = 0
    while True:
        number += 1
        try:
            await writer.write(number)
        except EngineUnreachable:
            await asyncio.sleep(0.01)
        except Conflict:
            # this machine was not heard of for so long, on a busy one, that its alert is over: the others go on
            await asyncio.sleep(0.01)
        except NotFound:
            # an engine that has just begun does not offer everything yet, or our end was carried out and not told
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
