"""Verifies the chain in the store by hashes, MACs and checkpoints, and the store against the file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from guardian_tui.audit_verify import Checkpoint, Verifier, read_checkpoint
from guardian_tui.engine.audit.anchors import Anchors
from guardian_tui.engine.audit.checkpoints import Checkpoints
from guardian_tui.engine.audit.keys import AuditKeys
from guardian_tui.engine.audit.rows import ChainRows
from guardian_tui.protocol.audit import AuditVerdict

BATCH = 2000


class Inspection:
    """Walks one chain in batches, in a worker thread."""

    def __init__(
        self, rows: ChainRows, checkpoints: Checkpoints, anchors: Anchors, keys: AuditKeys, chain: str
    ) -> None:
        self._rows = rows
        self._checkpoints = checkpoints
        self._anchors = anchors
        self._keys = keys
        self._chain = chain
        self._one = asyncio.Lock()

    async def whole(self, now: float, head: int) -> AuditVerdict:
        """Everything, from the first event on to ``head``, which this engine has written, whatever the store says."""
        async with self._one:
            async with self._checkpoints.lock:
                stored = await self._rows.checkpoints()
                anchored = await asyncio.to_thread(self._anchors.read)
                anchored.append(self._checkpoints.pending)
            verifier = self._verifier()
            await self._expect(verifier, stored, anchored)
            await self._feed(verifier, 1)
            verdict = verifier.verdict(now=now)
            if verdict.ok and verifier.next_seq <= head:
                cut = f"events {verifier.next_seq} to {head} were cut off: this engine wrote them"
                verifier.fail(verifier.next_seq, cut)
                verdict = verifier.verdict(now=now)
            return verdict

    async def tail(self, now: float) -> AuditVerdict:
        """What came after the last checkpoint but one: enough at a start, if all was verified once."""
        async with self._one:
            async with self._checkpoints.lock:
                stored = await self._rows.newest_checkpoints(2)
                anchored = await asyncio.to_thread(self._anchors.tail)
                anchored.append(self._checkpoints.pending)
            verifier = self._verifier()
            first = 1
            begin = read_checkpoint(stored[0]) if len(stored) == 2 else None
            if begin is not None:
                first = verifier.next_seq = begin.seq
                anchored = [line for line in anchored if _seq(line) >= first]
            await self._expect(verifier, stored, anchored)
            await self._feed(verifier, first)
            return verifier.verdict(now=now)

    def _verifier(self) -> Verifier:
        return Verifier(self._chain, self._keys.public, self._keys.mac)

    async def _expect(self, verifier: Verifier, stored: list[str], anchored: list[str]) -> None:
        # a line that can't be read is half of one: a power cut, or the store's own is missed below
        kept = {line for line in anchored if read_checkpoint(line) is not None}
        for point in _points(set(stored) - kept):
            verifier.fail(point.seq, f"checkpoint {point.seq} is missing in {self._anchors.name}")
        for point in _points(kept - set(stored)):
            if point.holds(self._keys.public) and point.chain == self._chain:
                verifier.fail(point.seq, f"checkpoint {point.seq} is missing in the store")
        everything = sorted({*stored, *kept}, key=_seq)
        await asyncio.to_thread(verifier.expect, everything)

    async def _feed(self, verifier: Verifier, first: int) -> None:
        seq = first
        while True:
            events = await self._rows.span(seq, seq + BATCH - 1)
            if not events:
                # a gap wider than a batch must not end the walk early
                following = await self._rows.next_after(seq)
                if following is None:
                    return
                if not isinstance(following, int):
                    verifier.fail(seq, f"after event {seq - 1} stands a row that is no event")
                    return
                seq = following
                continue
            if any(not isinstance(event.seq, int) for event in events):
                verifier.fail(seq, f"between events {seq} and {seq + BATCH} stands a row that is no event")
                return
            if verifier.events == 0 and first > 1:
                verifier.prev_hash = events[0].prev_hash
            await asyncio.to_thread(verifier.feed, events)
            seq = events[-1].seq + 1


def _points(lines: Iterable[str]) -> list[Checkpoint]:
    return sorted(filter(None, map(read_checkpoint, lines)), key=lambda point: point.seq)


def _seq(line: object) -> int:
    point = read_checkpoint(line)
    return point.seq if point else 0
