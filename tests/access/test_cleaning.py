"""What is over is removed after its time, and nothing that still counts."""

from __future__ import annotations

import asyncio
import logging

import pytest
from sqlalchemy import func, select

from guardian_tui.engine.access import cleaning
from guardian_tui.engine.access.cleaning import Cleaning
from guardian_tui.engine.store.tables import accounts, grants, recovery_codes, sessions, vault_slots
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.errors import StoreUnavailable
from tests.support.gate import Gate

DAY = 86400.0
VIEWER = wire.GrantSpec(profile="viewer")


async def counts(home: Gate) -> dict[str, int]:
    """Rows by table."""
    async with home.store.read() as conn:
        return {
            table.name: int((await conn.execute(select(func.count()).select_from(table))).scalar() or 0)
            for table in (accounts, grants, recovery_codes, sessions, vault_slots)
        }


def keeper(home: Gate) -> Cleaning:
    """The gate's own."""
    return home.access._cleaning


async def test_what_is_over_goes_after_thirty_days_and_what_counts_stays(home: Gate) -> None:
    await home.invite("eve", VIEWER)
    late: wire.Invited = await home.call("accounts.invite", wire.Invite(name="late", grants=(VIEWER,)))
    gone = await home.login(code=home.codes[0])
    await home.call("logout", token=gone.token)
    before = await counts(home)
    assert await keeper(home).clean() == 0
    home.clock.advance(29 * DAY)
    assert await keeper(home).clean() == 0 and await counts(home) == before
    home.clock.advance(2 * DAY)
    # three sessions and the used code; the invitation ran out a week after it was made
    assert await keeper(home).clean() == 4
    now = await counts(home)
    assert now["sessions"] == 0 and now["recovery_codes"] == before["recovery_codes"] - 1
    assert now["accounts"] == before["accounts"]
    home.clock.advance(7 * DAY)
    assert await keeper(home).clean() == 1
    now = await counts(home)
    assert (now["accounts"], now["grants"]) == (before["accounts"] - 1, before["grants"] - 1)
    assert now["vault_slots"] == before["vault_slots"] - 1
    # nothing of it is an event; people who are in stay in, and the name is free again
    assert [event.action for event in home.events()].count("logout") == 1
    home.token = (await home.login()).token
    again = await home.call("accounts.invite", wire.Invite(name="late", grants=(VIEWER,)))
    assert again.account.id != late.account.id


async def test_a_clock_that_is_a_year_ahead_for_a_while_takes_nothing(home: Gate) -> None:
    gone = await home.login(code=home.codes[0])
    await home.call("logout", token=gone.token)
    before = await counts(home)
    home.clock.jump(365 * DAY)
    home.clock.advance(7 * DAY)
    assert await keeper(home).clean() == 0 and await counts(home) == before
    home.clock.jump(-365 * DAY)
    home.clock.advance(24 * DAY)
    assert await keeper(home).clean() == 3


async def test_it_goes_by_itself_says_how_many_and_takes_a_store_that_is_away(
    home: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(cleaning, "PERIOD_SECONDS", 0.0)
    troubles: list[Exception] = [RuntimeError("ours"), StoreUnavailable("the disk is full")]
    clean, done = Cleaning.clean, asyncio.Event()

    async def with_trouble(self: Cleaning) -> int:
        if troubles:
            raise troubles.pop()
        gone = await clean(self)
        if not gone:
            done.set()
        return gone

    monkeypatch.setattr(Cleaning, "clean", with_trouble)
    home.clock.advance(31 * DAY)
    await home.access.start()
    async with asyncio.timeout(30):
        await done.wait()
    await home.access.stop()
    await home.access.stop()
    told = [record.getMessage() for record in caplog.records if record.name == cleaning.__name__]
    assert told[:3] == [
        "what is over was not removed: the disk is full",
        "what is over was not removed; tried again in an hour",
        "removed 1 ended sessions, used codes and invitations that ran out",
    ]
    assert len(told) == 3
