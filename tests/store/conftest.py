"""An open store on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.store.database import Store


@pytest.fixture
def clock() -> ManualClock:
    """Stands at a whole hour."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
async def store(store_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(StoreSettings(url=store_url), tmp_path / "state", clock)
    yield opened
    await opened.close()
