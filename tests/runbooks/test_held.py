"""How much of what commands write is held in memory, by the engine and by a console: counted in bytes, whatever comes and however it comes."""

from __future__ import annotations

import pytest

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.runbooks.output import (
    PENDING_BYTES,
    Budget,
    Ear,
    Output,
    Tail,
    kept_bytes,
    most_held_bytes,
)
from guardian_tui.protocol.runbooks import RunbookPiece, RunbookProgress
from widgets.runbook_output import KEPT_CHARACTERS, RunOutput

LINE = "all work and no play makes a dull host of each of them, whatever its role may be\n"


class Flood:
    """A run over many hosts, on a disk that takes what waits now and then."""

    def __init__(self, hosts: int, *, read: bool) -> None:
        clock = ManualClock()
        self.output = Output(clock, Budget(clock.monotonic, 1e12))
        self.tail = Tail(named=True)
        self.ears: list[Ear] = [
            self.output.ear("it", 1, f"web-{number}", ("hunter2",), self.tail, kept_bytes(hosts), read=read)
            for number in range(hosts)
        ]
        self.most = 0

    def hear(self, data: bytes) -> None:
        """All of them write this, as far as it is read."""
        for ear in self.ears:
            if not ear.hear("out", b""):
                ear.hear("out", data)
                ear.hear("err", data)

    def count(self) -> None:
        held = self.output.held_bytes + self.tail.held_bytes + sum(ear.held_bytes for ear in self.ears)
        self.most = max(self.most, held)

    def write(self) -> None:
        """The disk takes what waits."""
        for ear in self.ears:
            ear.flush()
        self.count()
        self.output.written(len(self.output.pending))


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize(
    ("hosts", "text", "chunk", "times", "width"),
    [(20, LINE, 32_768, 80, 1), (8, "é€", 30_000, 40, 2), (8, "🖧", 32_768, 40, 4)],
    ids=["packets", "two bytes a letter", "four bytes a letter"],
)
def test_the_engine_holds_no_more_than_is_bounded(
    hosts: int, text: str, chunk: int, times: int, width: int, read: bool
) -> None:
    flood = Flood(hosts, read=read)
    data = (text * (chunk // len(text.encode()) + 1)).encode()[:chunk]
    for number in range(times):
        flood.hear(data)
        if number % (times // 8) == 0:
            flood.count()
            flood.write()
    assert flood.most <= most_held_bytes(hosts, read=read) * width


def test_a_host_that_writes_letter_by_letter_takes_no_more_room() -> None:
    clock = ManualClock()
    output = Output(clock, Budget(clock.monotonic, 1e12))
    ear = output.ear("it", 1, "web", (), Tail(named=True), kept_bytes=100)
    for _ in range(10_000):
        ear.hear("out", b"x")
    # what expectations see of it, and its end
    assert ear.held_bytes < 25_000
    ear.close()
    assert len(ear.text()) == sum(len(piece.text) for piece in output.pending) == 10_000


def test_a_disk_that_takes_nothing_stops_the_reading() -> None:
    flood = Flood(20, read=False)
    for _ in range(100):
        flood.hear(LINE.encode() * 400)
    flood.count()
    assert flood.output.pending_bytes > PENDING_BYTES
    assert flood.most <= most_held_bytes(20, read=False)
    read = flood.output.total_bytes
    flood.hear(LINE.encode())
    assert flood.output.total_bytes == read
    flood.write()
    flood.hear(LINE.encode())
    assert flood.output.total_bytes > read


def test_a_console_holds_no_more_than_it_shows() -> None:
    held = RunOutput()
    number, most = 0, 0
    for attempt in range(1, 20):
        for host in range(20):
            for _ in range(2):
                number += 1
                piece = RunbookPiece(
                    number=number, at=0.0, step="it", attempt=attempt, host=f"web-{host}", stream="out", text=LINE * 200
                )  # fmt: skip
                held.take_pieces([piece], named=True)
        held.take_tail(RunbookProgress(id="r", step="it", attempt=attempt, measured_at=0.0, tail=LINE * 50))
        most = max(most, held.held_bytes)
    # each line is an object of its own, beside its letters
    assert most < 2 * KEPT_CHARACTERS
    lines = held.lines({}, 100)
    assert len(lines) < 20_000
    # nothing is wrapped anew where nothing has changed
    assert held.lines({}, 100)[-1] is lines[-1]
    assert held.lines({}, 60)[-1] is not lines[-1]
