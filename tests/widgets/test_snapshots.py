"""Pictures of the fleet's widgets, with time standing still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.widgets.fleet_app import FleetApp, fleet


@pytest.fixture(autouse=True)
def greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in UTC, in 24-bit colour."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_fleet_in_the_dark_theme(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert snap_compare(FleetApp(fleet()), terminal_size=size)


def test_the_fleet_in_the_light_theme(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(FleetApp(fleet(), "guardian-light"), terminal_size=(120, 40))
