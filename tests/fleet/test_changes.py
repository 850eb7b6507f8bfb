"""What changed on a host: told once, in words, kept over a restart, and marks that people set."""

from __future__ import annotations

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import StateChanged
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.sections import Difference


def changes(store: Store, clock: ManualClock) -> tuple[Changes, Bus]:
    bus = Bus()
    return Changes(store, bus, clock), bus


async def told(one: Changes, host: str = "h1") -> list[tuple[str, str]]:
    return [(change.kind, change.words) for change in reversed(await one.of(host, 0.0, 100))]


async def test_states_units_facts_and_drift_are_told_once_and_kept(store: Store, clock: ManualClock) -> None:
    one, bus = changes(store, clock)
    bus.publish(StateChanged("h1", "web-1", "unknown", "up", clock.now(), ""))
    clock.advance(1)
    bus.publish(StateChanged("h1", "web-1", "up", "down", clock.now(), "refused"))
    clock.advance(1)
    one.units(
        "h1",
        {"unit_failed{a.service}": 0.0},
        {"unit_failed{a.service}": 1.0, "unit_restarts{b.service}": 2.0},
    )
    one.units(
        "h1",
        {"unit_failed{a.service}": 1.0, "unit_restarts{b.service}": 2.0},
        {"unit_failed{a.service}": 1.0},
    )
    clock.advance(1)
    one.facts("h1", {}, {"kernel": "6.1"})
    one.facts("h1", {"kernel": "6.1"}, {"kernel": "6.2"})
    clock.advance(1)
    new = Difference("suid_files", "/tmp/su", "new", "", "root 4755", 0.0)
    one.drift("h1", (), (new,))
    one.drift("h1", (new,), (new,))
    wanted = [
        ("state", "down: refused"), ("unit", "a.service failed"), ("unit", "b.service was restarted by its supervisor"),
        ("facts", "kernel 6.1 → 6.2"), ("drift", "suid_files new: /tmp/su"),
    ]  # fmt: skip
    assert sorted(await told(one)) == sorted(wanted)
    await one.save()
    await one.save()
    again, _ = changes(store, clock)
    assert sorted(await told(again)) == sorted(wanted)
    assert await told(again, "h2") == []


async def test_old_changes_end_and_new_ones_stay(store: Store, clock: ManualClock) -> None:
    one, _ = changes(store, clock)
    one.note("h1", "unit", "old")
    clock.advance(100)
    one.note("h1", "unit", "new")
    await one.save()
    await one.retain(clock.now() - 50)
    assert await told(one) == [("unit", "new")]


async def test_a_host_on_which_everything_fails_tells_some_of_it(store: Store, clock: ManualClock) -> None:
    one, _ = changes(store, clock)
    one.units("h1", {}, {f"unit_failed{{{n}.service}}": 1.0 for n in range(500)})
    assert len(await told(one)) == 20


async def test_a_mark_is_there_at_once_and_its_words_are_harmless(store: Store, clock: ManualClock) -> None:
    one, _ = changes(store, clock)
    async with store.write() as tx:
        await one.mark(tx, "h1", "shop 4.19.0 \x1b]0;x\x07", "ci")
    ((kind, words),) = await told(one)
    assert kind == "mark" and words.isprintable()
