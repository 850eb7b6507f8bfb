"""Turns: few wake-ups, everyone once an interval, nobody forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.waves import WAVE_HOSTS, Waves


def turns_of(waves: Waves[str], members: dict[str, str], ticks: int) -> list[list[str]]:
    return [waves.advance(members)[0] for _ in range(ticks)]


def test_up_to_a_wave_of_hosts_share_one_turn() -> None:
    waves: Waves[str] = Waves(0.25)
    members = {key: key for key in (f"h{n}" for n in range(WAVE_HOSTS))}
    for key in members:
        waves.join(key, 5.0, key)
    turns_of(waves, members, 20)
    assert [len(turn) for turn in turns_of(waves, members, 20) if turn] == [WAVE_HOSTS]


@given(st.integers(1, 1200), st.sampled_from([0.25, 1.0, 5.0, 60.0]))
def test_everyone_has_one_turn_in_every_interval(hosts: int, interval: float) -> None:
    waves: Waves[str] = Waves(0.25)
    members = {key: key for key in (f"h{n}" for n in range(hosts))}
    for key in members:
        waves.join(key, interval, key)
    ticks = round(interval / 0.25)
    turns_of(waves, members, ticks)
    turns = turns_of(waves, members, ticks)
    assert sorted(key for turn in turns for key in turn) == sorted(members)
    assert sum(bool(turn) for turn in turns) <= -(-hosts // WAVE_HOSTS)


def test_who_left_has_no_turn_and_makes_room_and_who_came_back_has_one() -> None:
    waves: Waves[str] = Waves(1.0)
    members = {key: key for key in (f"h{n}" for n in range(2 * WAVE_HOSTS))}
    for key in members:
        waves.join(key, 5.0, key)
    for key in list(members)[WAVE_HOSTS:]:
        del members[key]
    members["h0"] = "h0 again"
    waves.join("h0", 5.0, "h0 again")
    turns_of(waves, members, 10)
    turns = turns_of(waves, members, 5)
    assert sum(map(len, turns)) == WAVE_HOSTS and sum(map(bool, turns)) == 1
    assert any("h0 again" in turn for turn in turns) and not any("h0" in turn for turn in turns)


def test_a_retry_is_due_no_earlier_than_asked_for() -> None:
    waves: Waves[str] = Waves(0.25)
    waves.once(0.6, "x")
    assert [waves.advance({})[1] for _ in range(5)] == [[], [], [], ["x"], []]
