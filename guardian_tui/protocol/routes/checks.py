"""Routes of checks."""

from __future__ import annotations

from guardian_tui.protocol import checks
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.routes.route import Route

CHECKS: tuple[Route, ...] = (
    Route("checks.list", "GET", "/v1/checks", "checks.see", checks.ChecksQuery, checks.CheckList, "Checks and what came of them.", scoping="rows"),
    Route("checks.show", "GET", "/v1/checks/{check}", "checks.see", checks.CheckRef, checks.CheckDetail, "One check in full.", scoping="host"),
    Route("checks.add", "POST", "/v1/checks", "checks.edit", checks.CheckSpec, checks.CheckRow, "Check something from now on.", "local",
          scoping="host"),
    Route("checks.edit", "PUT", "/v1/checks/{check}", "checks.edit", checks.EditCheck, checks.CheckRow, "Change what is checked.", "local",
          scoping="host"),
    Route("checks.remove", "DELETE", "/v1/checks/{check}", "checks.edit", checks.CheckRef, Done, "Check it no longer.", "local", scoping="host"),
    Route("checks.run", "POST", "/v1/checks/{check}/run", "checks.run", checks.CheckRef, checks.CheckDetail, "Make the check now.", "remote",
          scoping="host"),
)  # fmt: skip
