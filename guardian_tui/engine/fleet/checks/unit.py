"""Checks of systemd units."""

from __future__ import annotations

import shlex

from guardian_tui.engine.fleet.checks.result import Failed, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, ended_well
from guardian_tui.protocol.check_params import UnitParams
from guardian_tui.text import safe

_PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts"


def parse_properties(text: str) -> dict[str, str]:
    """Properties as `systemctl show` prints them."""
    return {name: value for name, sign, value in (line.partition("=") for line in text.splitlines()) if sign}


async def check_unit(params: UnitParams, site: Site) -> Result:
    """Ask systemd."""
    command = shlex.join(["systemctl", "show", f"--property={_PROPERTIES}", "--", params.unit])
    done = await site.run(command)
    if done.exit_status == 127:
        raise Unsure("the host has no systemctl")
    found = parse_properties(ended_well(done, "systemctl"))
    if "ActiveState" not in found:
        raise Unsure("systemctl does not say how the unit is")
    if found.get("LoadState") == "not-found":
        raise Failed(f"there is no unit {params.unit}")
    state, detail = safe(found["ActiveState"], 40), safe(found.get("SubState", ""), 40)
    words = f"{state} ({detail})"
    if (restarts := found.get("NRestarts", "0")) not in ("0", ""):
        words += f", restarted {'once' if restarts == '1' else f'{safe(restarts, 12)} times'}"
    if (why := found.get("Result", "success")) not in ("success", ""):
        words += f", {safe(why, 40)}"
    active = state in ("active", "reloading")
    return ok(words).and_if(active != (params.state == "active"), f"{words}, wanted {params.state}")
