"""Routes of hosts."""

from __future__ import annotations

from guardian_tui.protocol import bulk, changes, fleet, imports, sections
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import Route

HOSTS: tuple[Route, ...] = (
    Route("hosts.list", "GET", "/v1/hosts", "hosts.see", fleet.HostsQuery, fleet.HostList, "Hosts and their state.", scoping="rows"),
    Route("hosts.show", "GET", "/v1/hosts/{host}", "hosts.see", fleet.HostRef, fleet.HostDetail, "One host in full.", scoping="host"),
    Route("hosts.history", "GET", "/v1/hosts/{host}/history", "hosts.see", fleet.HistoryQuery, fleet.History, "A metric over time.", scoping="host"),
    Route("hosts.section", "GET", "/v1/hosts/{host}/sections/{section}", "hosts.see", sections.SectionQuery, sections.SectionTable,
          "A table of a host: processes, units…", scoping="host"),
    Route("hosts.changes", "GET", "/v1/hosts/{host}/changes", "hosts.see", changes.ChangesQuery, changes.ChangeList,
          "What changed on a host, newest first.", scoping="host"),
    Route("hosts.mark", "POST", "/v1/hosts/{host}/changes", "hosts.maintain", changes.SetMark, changes.Change,
          "Set a mark on a host (a deploy), to be seen in its charts.", "local", scoping="host"),
    Route("hosts.drift", "GET", "/v1/hosts/{host}/drift", "hosts.see", fleet.HostRef, sections.Differences,
          "What differs from the accepted baseline.", scoping="host"),
    Route("hosts.accept_drift", "POST", "/v1/hosts/{host}/drift", "hosts.trust", sections.AcceptDrift, sections.Differences,
          "Take what differs as meant.", "local", scoping="host"),
    Route("hosts.add", "POST", "/v1/hosts", "hosts.edit", fleet.HostSpec, fleet.HostRow, "Watch a host.", "local"),
    Route("hosts.edit", "PUT", "/v1/hosts/{host}", "hosts.edit", fleet.EditHost, fleet.HostRow, "Change how a host is reached.", "local",
          scoping="host"),
    Route("hosts.remove", "DELETE", "/v1/hosts/{host}", "hosts.edit", fleet.RemoveHost, Done, "Stop watching a host.", "local", scoping="host"),
    Route("hosts.test", "POST", "/v1/hosts/{host}/test", "hosts.edit", fleet.HostRef, fleet.DoctorReport, "Test the connection, step by step.",
          "remote", scoping="host"),
    Route("hosts.maintenance", "POST", "/v1/hosts/{host}/maintenance", "hosts.maintain", fleet.Maintenance, fleet.HostRow,
          "Set or end planned work.", "local", scoping="host"),
    Route("hosts.import", "POST", "/v1/hosts/import", "hosts.edit", imports.ImportRequest, imports.ImportPreview,
          "Show what a source of hosts would change, or change it.", "local"),
    Route("hosts.bulk", "POST", "/v1/hosts/bulk", "hosts.edit", bulk.BulkEdit, bulk.BulkReport,
          "Change many hosts at once; without a count it only says which.", "local", scoping="rows"),
    Route("hosts.bulk_maintenance", "POST", "/v1/hosts/bulk-maintenance", "hosts.maintain", bulk.BulkMaintenance, bulk.BulkReport,
          "Set or end planned work on many hosts; without a count it only says which.", "local", scoping="rows"),
    Route("hosts.sources", "GET", "/v1/host-sources", "hosts.see", Nothing, imports.SourceList, "Sources that were imported."),
    Route("hosts.forget_source", "DELETE", "/v1/host-sources", "hosts.edit", imports.SourceRef, Done,
          "Forget a source; its hosts stay.", "local"),
)  # fmt: skip
