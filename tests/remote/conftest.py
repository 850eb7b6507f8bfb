"""A running fleet for each test."""

from __future__ import annotations

from tests.fleet.conftest import world

__all__ = ["world"]
