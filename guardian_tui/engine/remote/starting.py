"""Processes of this machine, begun so that whoever gives up meanwhile waits for nothing."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


async def started(start: Coroutine[Any, Any, Process], end: Callable[[Process], Awaitable[None]]) -> Process:
    """The process that is begun; when it is no longer wanted meanwhile, it is ended as soon as it is there.

    A start that is cancelled while its pipes are connected is waited for by Python for ever: nothing cancels it.
    """
    starting = asyncio.create_task(start)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await end(starting.result())
        raise
