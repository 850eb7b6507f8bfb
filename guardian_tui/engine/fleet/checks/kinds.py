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
    "http": ("http", "check_http"), "tcp": ("tcp", "check_tcp"), "ssh": ("ssh", "check_ssh"), "smtp": ("mail", "check_smtp"),
    "imap": ("mail", "check_imap"), "dns": ("dns", "check_dns"), "icmp": ("icmp", "check_icmp"), "ntp": ("ntp", "check_ntp"),
    "postgresql": ("postgresql", "check_postgresql"), "mysql": ("mysql", "check_mysql"), "redis": ("redis", "check_redis"),
    "unit": ("unit", "check_unit"), "process": ("process", "check_process"), "file": ("file", "check_file"),
    "log": ("logfile", "check_log"), "nagios": ("nagios", "check_nagios"), "prometheus": ("prometheus", "check_prometheus"),
}  # fmt: skip


@cache
def runner(kind: str) -> Run:
    """What makes a check of this kind."""
    module, name = _PLACES[kind]
    found: Run = getattr(importlib.import_module(_ROOM + module), name)
    return found
