"""Commands whose output is held back: nothing of it is lost when they end, and nobody is listened to for ever."""

from __future__ import annotations

import pytest

from guardian_tui.engine.remote import followed
from guardian_tui.engine.remote.followed import Ending, Hear, Stop, Stream, follow_here


class Slow:
    """Takes no more than a piece at a time, and then nothing for a while."""

    def __init__(self, pauses: int) -> None:
        self.bytes = 0
        self.asked = 0
        self._pauses = pauses
        self._left = 0

    def hear(self, stream: Stream, data: bytes) -> float:
        self.bytes += len(data)
        self.asked += not data
        self._left = self._pauses if data else self._left - 1
        return 0.05 if self._left > 0 else 0.0


async def follow(command: str, hear: Hear) -> Ending:
    return await follow_here(command, seconds=60, stdin=b"", hear=hear, stop=Stop())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "LINGER_SECONDS", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_what_was_written_before_the_end_is_heard_however_long_it_is_held_back() -> None:
    slow = Slow(pauses=12)
    # as much as pipes and readers hold: the command has ended long before it is read
    ending = await follow("head -c 120000 /dev/zero; printf x >&2", slow.hear)
    assert (ending, slow.bytes) == (Ending("exited", 0), 120_001)
    # each piece longer than anybody who left something running is listened to
    assert slow.asked >= 12


@pytest.mark.usefixtures("impatient")
async def test_what_it_left_running_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ending = await follow("sleep 60 & echo left", Slow(pauses=0).hear)
    assert ending == Ending("exited", 0, lingering=True)
    monkeypatch.setattr(followed, "UNDER_WAY_BYTES", 1 << 20)
    endless = Slow(pauses=1)
    assert (await follow("yes & echo left", endless.hear)).lingering
    assert endless.bytes > 1 << 20
