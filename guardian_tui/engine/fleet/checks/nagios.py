"""Nagios plugins, run on the host as they are: exit status, text and performance data."""

from __future__ import annotations

import shlex

from guardian_tui.engine.fleet.checks.perfdata import Perf, parse_output
from guardian_tui.engine.fleet.checks.result import Figure, Outcome, Result, Unsure
from guardian_tui.engine.fleet.checks.site import Site
from guardian_tui.protocol.check_params import NagiosParams
from guardian_tui.text import counted, safe

_STATES: dict[int, Outcome] = {0: "ok", 1: "warning", 2: "failed", 3: "unknown"}
NOT_FOUND = 127
OUTPUT_LIMIT_BYTES = 1 << 16
MOST_VALUES = 100


def command_of(params: NagiosParams, folders: tuple[str, ...]) -> str:
    """The command: the plugin of the first folder that has it."""
    arguments = shlex.join(params.arguments)
    places = " ".join(shlex.quote(f"{folder.rstrip('/')}/{params.plugin}") for folder in folders)
    return f'for p in {places}; do [ -x "$p" ] && exec "$p" {arguments}; done; exit {NOT_FOUND}'


async def check_nagios(params: NagiosParams, site: Site) -> Result:
    """Run it, and take its word."""
    done = await site.run(command_of(params, site.plugin_folders), limit_bytes=OUTPUT_LIMIT_BYTES)
    text, values = parse_output(done.out.decode("utf-8", "replace"))
    if done.exit_status == NOT_FOUND and not text:
        raise Unsure(f"the host has no plugin {params.plugin} in {', '.join(site.plugin_folders)}")
    if done.truncated or done.exit_status not in _STATES:
        how = "it says too much" if done.truncated else f"exit status {done.exit_status}"
        raise Unsure(f"{how}: {safe(text or done.err.decode('utf-8', 'replace').strip(), 200)}")
    words = safe(text, 300) or safe(done.err.decode("utf-8", "replace").strip(), 200) or "it says nothing"
    if len(values) > MOST_VALUES:
        words += f" ({counted(len(values) - MOST_VALUES, 'value')} left out)"
    return Result(_STATES[done.exit_status], words, tuple(map(figure_of, values[:MOST_VALUES])))


def figure_of(value: Perf) -> Figure:
    """A performance value as a figure, with its thresholds."""
    return Figure(
        "check_perfdata", value.value, value.label, value.unit or "count", value.warning, value.critical, value.least, value.most
    )  # fmt: skip
