"""Runs over a real store, on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.runbooks.lab import Lab, lab


@pytest.fixture
async def lab_(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as one:
        yield one


@pytest.fixture
def restorable() -> Iterator[Path]:
    """A folder where the shipped runbooks restore to: they refuse others, the folder of tests in memory among them."""
    with tempfile.TemporaryDirectory(
        prefix="guardian-restored-", dir="/var/tmp"
    ) as folder:  # that is what it is about
        yield Path(folder)
