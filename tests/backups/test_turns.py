"""Turns in a repository."""

from __future__ import annotations

import asyncio

import pytest

from guardian_tui.engine.backups.turns import Turns


async def test_one_that_needs_it_alone_waits_for_those_that_share_it_and_they_for_it() -> None:
    turns, told = Turns(), []

    async def hold(name: str, *, alone: bool, until: asyncio.Event, key: str = "r") -> None:
        async with turns.turn(key, alone=alone):
            told.append(f"{name}+")
            await until.wait()
            told.append(f"{name}-")

    first, second, third, other = (asyncio.Event() for _ in range(4))
    tasks = [
        asyncio.create_task(hold("a", alone=False, until=first)), asyncio.create_task(hold("b", alone=False, until=first)),
        asyncio.create_task(hold("c", alone=True, until=second)), asyncio.create_task(hold("d", alone=False, until=third)),
        asyncio.create_task(hold("x", alone=True, until=other, key="s")),
    ]  # fmt: skip
    await asyncio.sleep(0.01)
    assert told == ["a+", "b+", "x+"]
    first.set()
    await asyncio.sleep(0.01)
    assert told[3:] == ["a-", "b-", "c+"]
    second.set()
    await asyncio.sleep(0.01)
    assert told[6:] == ["c-", "d+"]
    third.set()
    other.set()
    await asyncio.gather(*tasks)


async def test_one_that_is_cancelled_while_it_waits_holds_nobody_up() -> None:
    turns, never = Turns(), asyncio.Event()

    async def hold(*, alone: bool) -> None:
        async with turns.turn("r", alone=alone):
            await never.wait()

    holder, waiter = asyncio.create_task(hold(alone=False)), asyncio.create_task(hold(alone=True))
    await asyncio.sleep(0.01)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn("r", alone=False):
        pass
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn("r", alone=True):
        pass


@pytest.mark.parametrize(("guest", "at_once"), [(True, []), (False, [False])])
async def test_one_that_is_there_already_waits_for_nobody_and_is_waited_for(
    guest: bool, at_once: list[bool]
) -> None:
    turns, leave = Turns(), asyncio.Event()
    told: list[bool] = []

    async def stay() -> None:
        async with turns.turn("r", alone=guest, waits=False):
            await leave.wait()

    async def come(alone: bool) -> None:
        async with turns.turn("r", alone=alone):
            told.append(alone)

    async with turns.turn("r", alone=False):
        there = asyncio.create_task(stay())
        await asyncio.sleep(0.01)
    others = [asyncio.create_task(come(False)), asyncio.create_task(come(True))]
    await asyncio.sleep(0.01)
    assert told == at_once
    leave.set()
    await asyncio.gather(there, *others)
    assert told == [False, True]
