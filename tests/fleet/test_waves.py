"""Turns: few wake-ups, everyone once an interval, nobody forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.waves import WAVE_HOSTS, Waves


class Scene:
    """Waves, and a clock that is set by hand."""

    def __init__(self, tick: float, count: int, interval: float) -> None:
        self.now = 1000.0
        self.waves: Waves[str] = Waves(tick, lambda: self.now)
        self.members = {key: key for key in (f"h{n}" for n in range(count))}
        for key in self.members:
            self.waves.join(key, interval, key)

    def until(self, end: float) -> list[list[str]]:
        """Wake up whenever somebody is due, until ``end``: whose turn it was each time."""
        turns = []
        while self.waves.due_at < end:
            self.now = self.waves.due_at
            turns.append(self.waves.take(self.members)[0])
        self.now = end
        return turns


def test_up_to_a_wave_of_hosts_share_one_turn() -> None:
    scene = Scene(0.25, WAVE_HOSTS, 5.0)
    scene.until(1005.1)
    assert [len(turn) for turn in scene.until(1010.1)] == [WAVE_HOSTS]


@given(st.integers(1, 1200), st.sampled_from([0.25, 1.0, 5.0, 60.0]))
def test_everyone_has_one_turn_in_every_interval(hosts: int, interval: float) -> None:
    scene = Scene(0.25, hosts, interval)
    scene.until(1000.1 + interval)
    turns = scene.until(1000.1 + 2 * interval)
    assert sorted(key for turn in turns for key in turn) == sorted(scene.members)
    assert len(turns) <= -(-hosts // WAVE_HOSTS)


def test_who_left_has_no_turn_and_makes_room_and_who_came_back_has_one() -> None:
    scene = Scene(1.0, 2 * WAVE_HOSTS, 5.0)
    for key in list(scene.members)[WAVE_HOSTS:]:
        del scene.members[key]
    scene.members["h0"] = "h0 again"
    scene.waves.join("h0", 5.0, "h0 again")
    scene.until(1010.5)
    (turn,) = scene.until(1015.5)
    assert len(turn) == WAVE_HOSTS and "h0 again" in turn and "h0" not in turn


def test_a_retry_is_due_no_earlier_than_asked_for_and_not_much_later() -> None:
    scene = Scene(0.25, 0, 5.0)
    scene.now = 1007.2
    scene.waves.once(0.6, "x")
    assert 1007.8 <= scene.waves.due_at < 1008.1
    assert scene.waves.take({}) == ([], [])
    scene.now = scene.waves.due_at - 1e-8
    assert scene.waves.take({}) == ([], ["x"])
    assert scene.waves.take({}) == ([], [])


def test_what_is_wanted_now_is_due_now() -> None:
    scene = Scene(0.25, 0, 5.0)
    scene.now = 1007.2
    scene.waves.once(0.0, "x")
    assert scene.waves.due_at <= scene.now
    assert scene.waves.take({}) == ([], ["x"])
    assert scene.waves.due_at > scene.now


def test_after_a_long_sleep_everyone_is_due_once_and_then_at_his_turn() -> None:
    scene = Scene(1.0, 3, 10.0)
    scene.now += 3600.5
    assert sorted(scene.waves.take(scene.members)[0]) == ["h0", "h1", "h2"]
    assert scene.now < scene.waves.due_at <= scene.now + 10


def test_who_changes_his_pace_has_turns_at_the_new_one_alone() -> None:
    scene = Scene(1.0, 2, 5.0)
    scene.waves.join("h0", 20.0, scene.members["h0"])
    turns = scene.until(1040.5)
    assert [key for turn in turns for key in turn].count("h0") == 2
    assert [key for turn in turns for key in turn].count("h1") == 8
    scene.waves.join("h0", 5.0, scene.members["h0"])
    turns = scene.until(1060.5)
    assert [key for turn in turns for key in turn].count("h0") == 4
