"""Routes of the audit log."""

from __future__ import annotations

from guardian_tui.protocol import audit
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.routes.route import Route

AUDIT: tuple[Route, ...] = (
    Route("audit.list", "GET", "/v1/audit", "audit.see", audit.AuditQuery, audit.AuditPage, "Events, newest first.", scoping="whole"),
    Route("audit.verify", "POST", "/v1/audit/verify", "audit.see", Nothing, audit.AuditVerdict, "Check the whole chain.",
          scoping="whole", patience_seconds=3600.0),
    Route("audit.export", "POST", "/v1/audit/export", "audit.export", audit.AuditExport, audit.AuditBundle, "Export events with proof.",
          "local", scoping="whole"),
)  # fmt: skip
