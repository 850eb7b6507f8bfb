"""Routes of acts on a host: processes, units, logs, shells."""

from __future__ import annotations

from guardian_tui.protocol import acts, shells
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.routes.route import Route

ACTS: tuple[Route, ...] = (
    Route("processes.signal", "POST", "/v1/hosts/{host}/processes/{pid}/signal", "processes.signal", acts.SignalProcess, acts.Acted,
          "Send a signal to a process.", "remote", scoping="host", told=("pid", "signal", "command")),
    Route("units.control", "POST", "/v1/hosts/{host}/units/{unit}", "units.control", acts.ControlUnit, acts.Acted,
          "Start, stop, restart or reload a unit.", "remote", scoping="host", told=("unit", "act")),
    Route("logs.read", "GET", "/v1/hosts/{host}/log", "logs.see", acts.LogQuery, acts.LogLines,
          "Read a log: the journal, a unit's, a file's.", scoping="host"),
    Route("shell.open", "POST", "/v1/hosts/{host}/shells", "shell.open", shells.OpenShell, shells.Shell, "Open a shell on a host.",
          "remote", scoping="host", step_up=True),
    Route("shell.read", "GET", "/v1/shells/{shell}", "shell.open", shells.ShellRef, shells.ShellOutput, "What my shell wrote since.",
          scoping="host"),
    Route("shell.write", "POST", "/v1/shells/{shell}/input", "shell.open", shells.ShellInput, Done, "Type into my shell.",
          scoping="host"),
    Route("shell.resize", "POST", "/v1/shells/{shell}/size", "shell.open", shells.ShellSize, Done, "Tell my shell the terminal's size.",
          scoping="host"),
    Route("shell.close", "DELETE", "/v1/shells/{shell}", "shell.open", shells.ShellRef, Done, "Close my shell.",
          scoping="host"),
)  # fmt: skip
