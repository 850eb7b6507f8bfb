"""Which function makes which kind of check.  Each is loaded when the first check of its kind runs."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from guardian_tui.engine.fleet.checks.result import Result
from guardian_tui.engine.fleet.checks.site import Site

Run = Callable[[Any, Site], Awaitable[Result]]  # Any: the kind's own parameters
_ROOM = "guardian_tui.engine.fleet.checks."

_PLACES: dict[str, tuple[str, str]] = {
    "http": ("http", "check_http"),
}  # fmt: skip


@cache
def runner(kind: str) -> Run:
    """What makes a check of this kind."""
    module, name = _PLACES[kind]
    found: Run = getattr(importlib.import_module(_ROOM + module), name)
    return found
