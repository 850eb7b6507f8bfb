"""Drift: the first reading is the baseline, and what differs from it stays so until a person accepts it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.fleet.drift import Drift, differences
from guardian_tui.engine.store.database import Store

KEYS = {"root:SHA256:abc": "ssh-ed25519 ada", "root:SHA256:def": "ssh-rsa old"}


async def drift(store: Store, at: float = 100.0) -> Drift:
    one = Drift(store, ManualClock(at))
    await one.load()
    return one


async def test_what_is_there_when_a_host_is_added_is_taken_as_meant(store: Store) -> None:
    one = await drift(store)
    assert one.compare("h1", "authorized_keys", KEYS) == ()
    assert one.compare("h1", "authorized_keys", dict(reversed(KEYS.items()))) == ()
    assert one.of("h1") == ()


async def test_a_new_a_changed_and_a_lost_item_differ_also_for_the_next_engine(store: Store) -> None:
    one = await drift(store)
    one.compare("h1", "authorized_keys", KEYS)
    await one.save()
    one = await drift(store, 900.0)
    found = one.compare(
        "h1", "authorized_keys", {"root:SHA256:def": "ssh-rsa forced", "eve:SHA256:xyz": "ssh-rsa eve"}
    )
    assert [(d.kind, d.item, d.was, d.now, d.accepted_at) for d in found] == [
        ("new", "eve:SHA256:xyz", "", "ssh-rsa eve", 100.0),
        ("changed", "root:SHA256:def", "ssh-rsa old", "ssh-rsa forced", 100.0),
        ("gone", "root:SHA256:abc", "ssh-ed25519 ada", "", 100.0),
    ]
    assert one.of("h1") == found and one.of("h2") == ()


async def test_what_was_accepted_differs_no_more_and_the_other_section_still_does(store: Store) -> None:
    one = await drift(store)
    for section in ("authorized_keys", "suid_files"):
        one.compare("h1", section, {"a": "1"})
        one.compare("h1", section, {"a": "1", "b": "2"})
    async with store.write() as tx:
        assert await one.accept(tx, "h1", "authorized_keys", "ada") == 1
    assert [d.section for d in one.of("h1")] == ["suid_files"]
    again = await drift(store)
    assert again.compare("h1", "authorized_keys", {"a": "1", "b": "2"}) == ()


async def test_an_order_that_fails_accepts_nothing(store: Store) -> None:
    one = await drift(store)
    one.compare("h1", "suid_files", {})
    one.compare("h1", "suid_files", {"/tmp/su": "root 4755"})
    try:
        async with store.write() as tx:
            await one.accept(tx, "h1", "", "ada")
            raise RuntimeError("the audit log can't be written")
    except RuntimeError:
        pass
    assert len(one.of("h1")) == 1


async def test_a_host_that_left_and_comes_back_has_a_new_baseline(store: Store) -> None:
    one = await drift(store)
    one.compare("h1", "suid_files", {"/bin/su": "root 4755"})
    await one.save()
    async with store.write() as tx:
        await one.forget(tx, "h1")
    assert one.compare("h1", "suid_files", {}) == ()


async def test_a_host_that_lists_without_end_is_bounded(store: Store) -> None:
    one = await drift(store)
    one.compare("h1", "suid_files", {})
    assert len(one.compare("h1", "suid_files", {f"/tmp/{n:06}": "" for n in range(20_000)})) == 5000


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_every_difference_is_named_once_and_nothing_else_is(
    accepted: dict[str, str], now: dict[str, str]
) -> None:
    found = differences("s", accepted, now, 0.0)
    assert {d.item for d in found} == {
        k for k in accepted.keys() | now.keys() if accepted.get(k) != now.get(k)
    }
    assert len(found) == len({d.item for d in found})
