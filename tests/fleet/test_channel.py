"""The probe's channel: whole answers only, of the request that is open, in bounded memory."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.channel import ProbeChannel


class Wire:
    """An SSH channel that remembers."""

    def __init__(self) -> None:
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.aborted = True


class User:
    """Who hears of answers."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.lost_why: list[tuple[str, bool]] = []

    def answered(self, body: bytes) -> None:
        self.answers.append(body)

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        self.lost_why.append((why, no_probe))


def channel(limit: int = 10_000) -> tuple[ProbeChannel, Wire, User]:
    """An open channel."""
    user, wire = User(), Wire()
    one = ProbeChannel(user, limit)
    made: Any = wire
    one.connection_made(made)
    return one, wire, user


@given(st.lists(st.integers(1, 30), max_size=20))
def test_an_answer_cut_into_any_pieces_arrives_whole_and_once(cuts: list[int]) -> None:
    one, wire, user = channel()
    one.ask(5, "f")
    assert wire.sent == b"5 f\n"
    whole, place = b"=5 1\nu 1 2\nl 3 4 5\n.5\n", 0
    for cut in cuts:
        one.data_received(whole[place : place + cut], None)
        place += cut
    one.data_received(whole[place:], None)
    assert [body.split(b"\n.5")[0] for body in user.answers] == [b"u 1 2\nl 3 4 5"]


def test_an_answer_is_handed_on_without_its_first_and_last_line() -> None:
    one, _, user = channel()
    one.ask(5, "f")
    one.data_received(b"a banner\n=5 1\nu 1 2\nl 3 4 5\n.5\n", None)
    one.ask(6, "f")
    one.data_received(b"=6 1\n.6\n", None)
    assert user.answers == [b"u 1 2\nl 3 4 5", b""]


def test_a_late_answer_before_the_right_one_is_dropped() -> None:
    one, _, user = channel()
    one.ask(5, "f")
    one.data_received(b"=5 1\nu 1", None)
    one.ask(6, "f")
    one.data_received(b" 2\n.5\n", None)
    assert user.answers == []
    one.data_received(b"=6 1\nu 9 9\n.6\n", None)
    assert [body.split(b"\n")[0] for body in user.answers] == [b"u 9 9"]


def test_an_answer_without_its_head_says_nothing() -> None:
    one, _, user = channel()
    one.ask(5, "f")
    one.data_received(b"u 1 2\nl 3 4 5\n.5\n", None)
    # the head of another request is none
    one.ask(6, "f")
    one.data_received(b"=4 1\nu 1 2\nl 3 4 5\n.6\n", None)
    assert user.answers == [b"", b""]


def test_a_flood_ends_the_channel_asked_for_or_not() -> None:
    for asked in (True, False):
        one, wire, user = channel(limit=1000)
        if asked:
            one.ask(5, "f")
        for _ in range(100):
            one.data_received(b"x" * 99, None)
        assert wire.aborted and one.gone
        assert len(user.lost_why) == 1 and "more than" in user.lost_why[0][0]


def test_a_flood_on_stderr_ends_the_channel_too() -> None:
    one, wire, user = channel(limit=1000)
    one.ask(5, "f")
    for _ in range(100):
        one.data_received(b"x" * 99, 1)
    assert wire.aborted and len(user.lost_why) == 1 and "more than" in user.lost_why[0][0]


def test_half_a_line_for_ever_is_bounded_over_many_requests() -> None:
    one, wire, user = channel(limit=1000)
    for seq in range(1, 100):
        one.ask(seq, "f")
        one.data_received(b"=%d 1\nhalf a line" % seq, None)
    assert wire.aborted and len(user.lost_why) == 1


def test_what_goes_to_stderr_is_not_an_answer() -> None:
    one, _, user = channel()
    one.ask(5, "f")
    one.data_received(b"=5 1\nu 1\n.5\n", 1)
    assert user.answers == []


def test_a_host_without_awk_says_so_and_one_that_spoke_before_was_only_cut() -> None:
    one, _, user = channel()
    one.exit_status_received(127)
    assert user.lost_why == [("the account finds no sh, with which the probe is started", True)]
    one, _, user = channel()
    one.exit_status_received(1)
    assert user.lost_why == [("the account does not run the probe (exit status 1)", True)]
    one, _, user = channel()
    one.ask(1, "f")
    one.data_received(b"=1 1\nu 1\n.1\n", None)
    one.exit_status_received(1)
    one.connection_lost(None)
    assert user.lost_why == [("the probe ended", False)]


def test_after_it_was_given_up_nobody_hears_of_it() -> None:
    one, _, user = channel()
    one.ask(1, "f")
    one.forget()
    one.data_received(b"=1 1\nu 1\n.1\n", None)
    one.connection_lost(OSError())
    assert user.answers == [] and user.lost_why == []
