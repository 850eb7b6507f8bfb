"""A running fleet, or runs on this machine, for each test."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.fleet.conftest import world
from tests.support.detached import SHELLS, Bench

__all__ = ["world"]


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Runs under a shell, which the test is run with each of; what is left of them is killed."""
    if shutil.which(request.param[0]) is None:
        pytest.fail(f"{request.param[0]} is not installed")
    bench = Bench(tmp_path / "runs", request.param)
    yield bench
    for process in bench.of(*await bench.runs.known(None)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
