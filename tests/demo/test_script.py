"""The script of the demo's day, judged by the engine's own rules on a clock that we move."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from guardian_tui.demo.roles import roster
from guardian_tui.demo.script import DAY_MINUTES, KINDS, TIMELINE, Act, Trouble, only, victims
from guardian_tui.engine.alerts.rules import EVENT_RULES, METRIC_RULES
from guardian_tui.engine.fleet.sections import ALL
from tests.demo.day import day

PLACES = roster(40)


def test_a_day_is_played_within_a_day_and_every_kind_of_trouble_comes_up() -> None:
    assert {act.trouble for act in TIMELINE} == set(get_args(Trouble)) == set(KINDS)
    assert all(0 < act.at < act.ends < DAY_MINUTES for act in TIMELINE)
    assert list(TIMELINE) == sorted(TIMELINE, key=lambda act: act.at)
    rules = {rule.rule for rule in (*METRIC_RULES, *EVENT_RULES)}
    assert {rule for kind in KINDS.values() for rule in kind.alerts} <= rules


def test_every_act_finds_its_host_in_a_fleet_of_forty_and_none_is_befallen_twice_at_once() -> None:
    for act in TIMELINE:
        assert victims(PLACES, act)
    for act in TIMELINE:
        for other in TIMELINE:
            if (
                act is not other
                and act.at <= other.at < act.ends
                and "" not in (KINDS[act.trouble].victim, KINDS[other.trouble].victim)
            ):
                assert not set(victims(PLACES, act)) & set(victims(PLACES, other)), (act, other)


def test_a_fleet_too_small_for_an_act_is_spared_it() -> None:
    assert victims(roster(1), Act(0, "disk")) == []


def test_faults_by_name_take_different_hosts_and_last_all_day() -> None:
    first, second = only(["disk", "disk"])
    assert victims(PLACES, first) != victims(PLACES, second)
    assert first.at < 5 and first.ends > DAY_MINUTES - 5


@pytest.mark.timeout(900)  # a minute on a quiet machine; it waits for nothing but the processor
async def test_the_day_raises_the_alerts_that_it_should_in_their_order_and_no_others(tmp_path: Path) -> None:
    async with day(tmp_path, 20) as one:
        places = roster(20)
        await one.play(TIMELINE)
        awaited: dict[tuple[str, str], int] = {}
        for act in TIMELINE:
            hosts = victims(places, act) if KINDS[act.trouble].victim else [""]
            begun = act.at
            for rule in KINDS[act.trouble].alerts:
                (host,) = hosts
                times = [
                    minute
                    for minute, *what in one.fired
                    if what == [rule, host] and begun <= minute <= act.ends + 1
                ]
                assert times, f"{act}: {rule} on {host or 'the engine'} never fired: {one.fired}"
                begun = times[0]
                awaited[rule, host] = awaited.get((rule, host), 0) + 1
        # whatever else fired would be a false alarm
        assert {tuple(what) for _, *what in one.fired} == set(awaited)
        assert not one.alerts.book.firing


@pytest.mark.timeout(900)  # a minute on a quiet machine; it waits for nothing but the processor
async def test_a_quiet_day_raises_no_alert_whatever_the_hosts_tell_of_themselves(tmp_path: Path) -> None:
    # a fault of a few minutes would be a fault of the demo: what the rules judge lasts longer
    async with day(tmp_path, 10, 180.0) as one:
        await one.until(DAY_MINUTES + 60)
        # what one reading of each section told is in the judges' hands: they would speak if anything were wrong
        assert {name for _, name in one.raws} >= {
            section.name for section in ALL.values() if section.kind.period_seconds
        }
        assert not one.fired


def test_the_manual_lists_every_trouble_with_its_alerts() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "demo.md").read_text()
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.words} | {', '.join(f'`{rule}`' for rule in kind.alerts)} |" in manual
