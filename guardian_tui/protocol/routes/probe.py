"""Routes of the probe."""

from __future__ import annotations

from guardian_tui.protocol import probe
from guardian_tui.protocol.routes.route import Route

PROBE: tuple[Route, ...] = (
    Route("probe.install", "POST", "/v1/hosts/{host}/probe", "hosts.trust", probe.InstallProbe, probe.InstalledProbe,
          "Install the probe on a host, for a key that can do nothing else.", "remote", scoping="host", step_up=True),
)  # fmt: skip
