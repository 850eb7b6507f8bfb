"""Running checks for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.checks.certificates import Authority
from tests.checks.lab import Lab
from tests.checks.lab import lab as make_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Checks over a fleet of this machine alone."""
    async with make_lab(tmp_path) as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority that no system trusts."""
    return Authority(tmp_path)
