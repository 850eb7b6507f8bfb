"""A gate with its first admin, on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gate import Gate, gate


@pytest.fixture
async def door(tmp_path: Path, store_url: str) -> AsyncIterator[Gate]:
    """Nobody has an account yet."""
    async with gate(tmp_path / "state", store_url) as one:
        yield one


@pytest.fixture
async def home(door: Gate) -> Gate:
    """The admin ada has an account and is logged in."""
    await door.set_up()
    return door
