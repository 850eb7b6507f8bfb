"""Commands on hosts: add, edit, remove, test, planned work."""

from __future__ import annotations

from guardian_tui.moments import parse_duration
from guardian_tui.ordinary.bulk import BulkCommands
from guardian_tui.ordinary.part import DEFAULT_SILENCE_SECONDS, clock_words
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.bulk import BulkMaintenance
from guardian_tui.protocol.fleet import (
    DoctorReport,
    EditHost,
    HostDetail,
    HostRef,
    HostRow,
    HostSpec,
    Maintenance,
    RemoveHost,
)
from guardian_tui.text import safe
from screens.dialogs import ConfirmDialog
from screens.edit_host import EditHostDialog
from screens.reports import ReportDialog


class HostCommands(BulkCommands):
    """What is watched, and how it is reached."""

    def command_host_add(self, arguments: tuple[str, ...]) -> None:
        """`n`, `:add [NAME [ADDRESS]]`."""
        name, address = (*arguments, "", "")[:2]

        def entered(spec: HostSpec | None) -> None:
            if spec is not None:
                self._app.order(
                    "hosts.add",
                    HostRow,
                    spec,
                    lambda row: self._app.say(f"{row.name} is watched from now on."),
                )

        self._app.push_screen(EditHostDialog(name=name, address=address), entered)

    def command_host_edit(self, arguments: tuple[str, ...]) -> None:
        """`e`."""
        row = self._host(arguments)
        if row is not None:
            self._app.order("hosts.show", HostDetail, HostRef(host=row.id), self._edit)

    def _edit(self, detail: HostDetail) -> None:
        def entered(spec: HostSpec | None) -> None:
            if spec is not None:
                order = EditHost(host=detail.row.id, spec=spec, before=detail.spec)
                self._app.order(
                    "hosts.edit", HostRow, order, lambda row: self._app.say(f"{row.name} is changed.")
                )

        self._app.push_screen(EditHostDialog(detail.spec), entered)

    def command_host_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`."""
        row = self._host(arguments)
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "hosts.remove", Done, RemoveHost(host=row.id), f"{row.name} is no longer watched."
                )

        lines = [
            f"{safe(row.name, 253)} is no longer watched, and its alerts end.",
            "Its history stays until retention ends it.",
        ]
        self._app.push_screen(ConfirmDialog("stop watching", lines, typed=row.name), answered)

    def command_host_test(self, arguments: tuple[str, ...]) -> None:
        """`t`."""
        row = self._host(arguments)
        if row is not None:
            self._app.say(f"Testing the way to {row.name}…")
            self._app.order(
                "hosts.test",
                DoctorReport,
                HostRef(host=row.id),
                lambda report: self._show_report(row, report),
            )

    def _show_report(self, row: HostRow, report: DoctorReport) -> None:
        lines = [
            (
                f"{'✓' if step.ok else '✗'} {step.name:<16} {safe(step.words, 300)}  ({step.seconds * 1000:.0f} ms)",
                "good" if step.ok else "error",
            )
            for step in report.steps
        ]
        if report.advice:
            lines += [("", ""), (report.advice, "strong")]
        self._app.push_screen(ReportDialog(f"the way to {safe(row.name, 60)}", lines))

    def command_host_maintenance(self, arguments: tuple[str, ...]) -> None:
        """`w`, `:maintenance [DURATION] [REASON]`: begins, or ends what is on."""
        app = self._app
        hosts, _ = self._subjects()
        if not hosts:
            app.say("Put the cursor on a host first.", severity="warning")
            return
        seconds = parse_duration(arguments[0]) if arguments else None
        reason = " ".join(arguments[1:] if seconds else arguments)
        if len(hosts) > 1:
            ends = all(row.state == "maintenance" for row in hosts) and not arguments
            until = None if ends else app.world.now() + (seconds or DEFAULT_SILENCE_SECONDS)
            words = "planned work ends" if until is None else f"planned work until {clock_words(until)}"
            self.change_many(
                hosts, "hosts.bulk_maintenance", BulkMaintenance(until=until, reason=reason), words
            )
            return
        for row in hosts:
            on = row.state == "maintenance"
            until = None if on and not arguments else app.world.now() + (seconds or DEFAULT_SILENCE_SECONDS)
            words = f"{row.name}: planned work {'ended' if until is None else 'until ' + clock_words(until)}."
            app.order(
                "hosts.maintenance", HostRow, Maintenance(host=row.id, until=until, reason=reason), words
            )
