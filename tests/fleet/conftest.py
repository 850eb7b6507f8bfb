"""A running fleet for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fleet.world import World
from tests.fleet.world import world as make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running fleet without hosts; ``world.sims`` has hosts to offer."""
    async with make_world(tmp_path) as running:
        yield running
