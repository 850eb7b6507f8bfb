"""Routes of acts on a host: processes, units, logs."""

from __future__ import annotations

from guardian_tui.protocol import acts
from guardian_tui.protocol.routes.route import Route

ACTS: tuple[Route, ...] = (
    Route("processes.signal", "POST", "/v1/hosts/{host}/processes/{pid}/signal", "processes.signal", acts.SignalProcess, acts.Acted,
          "Send a signal to a process.", "remote", scoping="host", told=("pid", "signal", "command")),
    Route("units.control", "POST", "/v1/hosts/{host}/units/{unit}", "units.control", acts.ControlUnit, acts.Acted,
          "Start, stop, restart or reload a unit.", "remote", scoping="host", told=("unit", "act")),
    Route("logs.read", "GET", "/v1/hosts/{host}/log", "logs.see", acts.LogQuery, acts.LogLines,
          "Read a log: the journal, a unit's, a file's.", scoping="host"),
)  # fmt: skip
