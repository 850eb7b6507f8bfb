"""What commands of a run write: masked, kept whole up to a limit, its end shown at once, and never more of it in memory than is bounded."""

from __future__ import annotations

import codecs
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.followed import Stream
from guardian_tui.engine.runbooks.bounded import Beginning, Ending, size_of
from guardian_tui.engine.runbooks.masking import Masker
from guardian_tui.protocol.runbooks import RunbookPiece
from guardian_tui.text import safe

KEPT_BYTES = 1 << 20
"""Of what a step writes on one host so much is kept from its beginning, …"""
END_BYTES = 64 << 10
"""…and so much from its end; the middle is left out under a line that says so."""
STEP_BYTES = 64 << 20
"""Over many hosts each keeps its share of so much, …"""
LEAST_BYTES = 32 << 10
"""…and no less than that."""
READ_CHARACTERS = 256 << 10
"""What expectations and captures see of the beginning; of the end they see :data:`END_BYTES`."""
PIECE_CHARACTERS = 16 << 10
PENDING_BYTES = 4 << 20
"""More is not read before it is on disk."""
PENDING_PAUSE_SECONDS = 0.1
BYTES_A_SECOND = 8 << 20
"""All commands together are read no faster: a flood must not take the engine's time from everybody else."""
TAIL_CHARACTERS = 4096
TAIL_LINES = 60
LINE_CHARACTERS = 200
PACKET_BYTES = 64 << 10
"""Most that is heard at once."""


def most_held_bytes(hosts: int, *, read: bool) -> int:
    """What a run over so many hosts at once holds in memory at the most, of output of which each character takes a byte.

    Args:
        hosts: on which a command runs at the same time.
        read: something is expected of what it writes, or taken from it.
    """
    judged = READ_CHARACTERS + END_BYTES if read else TAIL_CHARACTERS
    ear = 2 * (judged + PIECE_CHARACTERS) + END_BYTES
    # a packet each may come when no more is wanted; a quarter for what pieces take beside their characters, and the oldest of them
    each = ear * 5 // 4 + 2 * PACKET_BYTES + TAIL_CHARACTERS
    return hosts * each + PENDING_BYTES + TAIL_LINES * TAIL_CHARACTERS


def kept_bytes(hosts: int) -> int:
    """What is kept from the beginning of a host's output, of a step over so many hosts."""
    return max(LEAST_BYTES, min(KEPT_BYTES, STEP_BYTES // max(1, hosts)))


class Budget:
    """How fast output is read, over all runs."""

    def __init__(self, monotonic: Callable[[], float], bytes_a_second: float = BYTES_A_SECOND) -> None:
        self._monotonic = monotonic
        self._rate = bytes_a_second
        self._free_at = 0.0

    def spend(self, count: int) -> float:
        """So many bytes were read; answers for how many seconds nothing more should be."""
        now = self._monotonic()
        self._free_at = max(now, self._free_at) + count / self._rate
        wait = self._free_at - now
        return wait if wait > 0.01 else 0.0


@dataclass(slots=True)
class Tail:
    """The end of what a step writes, on all of its hosts."""

    named: bool
    """Whether lines begin with the name of their host."""
    of: tuple[str, int, bool] = ("", 0, False)
    """Whose end it is: a step, which attempt at it, whether that is taken back."""
    _lines: deque[tuple[str, str]] = field(default_factory=deque)
    _open: dict[str, str] = field(default_factory=dict)
    changed: bool = False

    def add(self, host: str, text: str) -> None:
        """More output of a host."""
        *whole, rest = (self._open.get(host, "") + text[-TAIL_CHARACTERS:]).split("\n")
        self._lines += [(host, line[-TAIL_CHARACTERS:]) for line in whole[-TAIL_LINES:]]
        while len(self._lines) > TAIL_LINES:
            self._lines.popleft()
        self._open[host] = rest[-TAIL_CHARACTERS:]
        self.changed = True

    def close(self, host: str) -> None:
        """A host's command has ended: its last line is whole."""
        rest = self._open.pop(host, "")
        if rest:
            self._lines.append((host, rest))
            self.changed = True

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return sum(sys.getsizeof(line) for _, line in self._lines) + size_of(self._open.values())

    def text(self) -> str:
        """As it is shown."""
        lines = [*self._lines, *((host, rest) for host, rest in self._open.items() if rest)]
        shown = [
            (f"{host}: " if self.named else "") + safe(line.rstrip("\r"), LINE_CHARACTERS, newlines=True)
            for host, line in lines[-TAIL_LINES:]
        ]
        return "\n".join(shown)[-TAIL_CHARACTERS:]


class Output:
    """Takes the output of one run.

    Args:
        number: of the newest piece that is on disk.
        budget: shared by all runs.
    """

    def __init__(self, clock: Clock, budget: Budget, number: int = 0) -> None:
        self._clock = clock
        self.budget = budget
        self._number = number
        self.pending: list[RunbookPiece] = []
        self.pending_bytes = 0
        self.total_bytes = 0

    @property
    def pause(self) -> float:
        """For how many seconds no more should be read, because so much waits for the disk."""
        return PENDING_PAUSE_SECONDS if self.pending_bytes > PENDING_BYTES else 0.0

    def add(self, step: str, attempt: int, host: str, stream: Stream, text: str) -> None:
        """A piece to be written."""
        self._number += 1
        self.pending.append(
            RunbookPiece(
                number=self._number, at=self._clock.now(), step=step, attempt=attempt, host=host, stream=stream, text=text
            )
        )  # fmt: skip
        self.pending_bytes += len(text)

    def written(self, count: int) -> None:
        """So many of those that waited are on disk."""
        self.pending_bytes -= sum(len(piece.text) for piece in self.pending[:count])
        del self.pending[:count]

    @property
    def held_bytes(self) -> int:
        """What waits for the disk, in memory."""
        return size_of(piece.text for piece in self.pending)

    def ear(
        self, step: str, attempt: int, host: str, secrets: Iterable[str], tail: Tail, kept_bytes: int = KEPT_BYTES, *, read: bool = True
    ) -> Ear:  # fmt: skip
        """Takes what one command writes on one host; ``read``: something is expected of it, or taken from it."""
        return Ear(self, (step, attempt, host), tuple(secrets), tail, kept_bytes, read=read)


class Ear:
    """What one command writes on one host."""

    def __init__(
        self, output: Output, place: tuple[str, int, str], secrets: tuple[str, ...], tail: Tail, kept_bytes: int, *, read: bool
    ) -> None:  # fmt: skip
        self._output = output
        self._place = place
        self._tail = tail
        self._room = kept_bytes
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {
            "out": decoder("backslashreplace"),
            "err": decoder("backslashreplace"),
        }
        self._maskers: dict[Stream, Masker] = {"out": Masker(secrets), "err": Masker(secrets)}
        self._open: dict[Stream, str] = {"out": "", "err": ""}
        self._ends = Ending(END_BYTES)
        most, most_of_end = (READ_CHARACTERS, END_BYTES) if read else (0, TAIL_CHARACTERS)
        self._read: dict[Stream, Beginning] = {"out": Beginning(most), "err": Beginning(most)}
        self._read_ends: dict[Stream, Ending] = {"out": Ending(most_of_end), "err": Ending(most_of_end)}
        self.bytes = 0
        self.last_line = ""

    @property
    def clipped(self) -> bool:
        """Whether some of it was not kept."""
        return self._ends.left_out > 0

    def hear(self, stream: Stream, data: bytes) -> float:
        """More output; answers for how many seconds no more should be read, or without any, whether more can be taken."""
        if not data:
            return self._output.pause
        self.bytes += len(data)
        self._output.total_bytes += len(data)
        self._take(stream, self._decoders[stream].decode(data))
        return max(self._output.budget.spend(len(data)), self._output.pause)

    def _take(self, stream: Stream, text: str) -> None:
        text = self._maskers[stream].feed(text)
        if text:
            self._show(stream, text)

    def _show(self, stream: Stream, text: str) -> None:
        if rest := self._read[stream].add(text):
            self._read_ends[stream].add(stream, rest)
        self._tail.add(self._place[2], text)
        last = text.rstrip().rpartition("\n")[2].strip()
        if last:
            self.last_line = safe(last[-2 * LINE_CHARACTERS :], LINE_CHARACTERS)
        if self._room > 0:
            kept, text = text[: self._room], text[self._room :]
            self._room -= len(kept)
            self._open[stream] += kept
            while len(self._open[stream]) >= PIECE_CHARACTERS:
                self._output.add(*self._place, stream, self._open[stream][:PIECE_CHARACTERS])
                self._open[stream] = self._open[stream][PIECE_CHARACTERS:]
        if text:
            self._ends.add(stream, text)

    def flush(self) -> None:
        """Hand over what waits for more, so that it is on disk soon."""
        for stream, text in self._open.items():
            if text:
                self._output.add(*self._place, stream, text)
                self._open[stream] = ""

    def close(self) -> None:
        """Nothing more comes."""
        for stream, masker in self._maskers.items():
            rest = masker.feed(self._decoders[stream].decode(b"", final=True)) + masker.close()
            if rest:
                self._show(stream, rest)
        self.flush()
        if self._ends.left_out:
            words = f"\n[… {self._ends.left_out} characters were left out here]\n"
            self._output.add(*self._place, "out", words)
        for stream, text in self._ends.pieces:
            self._output.add(*self._place, stream, text)
        self._tail.close(self._place[2])

    def text(self, stream: Stream = "out") -> str:
        """What expectations and captures are held against: its beginning, and where that is not all, its end."""
        return "".join(self._read[stream].pieces) + self._read_ends[stream].text()

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        read = sum(size_of(one.pieces) for one in self._read.values())
        ends = sum(one.held_bytes for one in (self._ends, *self._read_ends.values()))
        return read + ends + size_of(self._open.values())
