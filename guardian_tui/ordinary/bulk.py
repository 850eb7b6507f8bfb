"""Commands on many hosts at once: the same change on all marked ones, after saying how many they are."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from guardian_tui.bulk_words import A_FEW, SYNTAX, edit_of
from guardian_tui.ordinary.part import CommandPart, named
from guardian_tui.protocol.bulk import BulkEdit, BulkMaintenance, BulkReport
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.text import counted, safe
from screens.dialogs import ConfirmDialog, TextDialog


class BulkCommands(CommandPart):
    """Changes of all marked hosts."""

    def command_host_set(self, arguments: tuple[str, ...]) -> None:
        """`E`, `:set KEY=VALUE…`."""
        self._with_words("set", SYNTAX, arguments, lambda words: edit_of(words, ()))

    def command_host_unset(self, arguments: tuple[str, ...]) -> None:
        """`:unset label.KEY group=NAME…`."""
        self._with_words("unset", "label.KEY or group=NAME", arguments, lambda words: edit_of((), words))

    def _with_words(
        self, what: str, syntax: str, arguments: tuple[str, ...], read: Callable[[tuple[str, ...]], BulkEdit]
    ) -> None:
        hosts, _ = self._subjects()
        if not hosts:
            self._app.say("Put the cursor on a host first, or mark some.", severity="warning")
            return

        def entered(text: str | None) -> None:
            words = arguments or tuple((text or "").split())
            if not words:
                return
            try:
                order = read(words)
            except InvalidRequest as error:
                self._app.say(error.detail, severity="error")
                return
            self.change_many(hosts, "hosts.bulk", order, f"{what} {' '.join(words)}")

        if arguments:
            entered(None)
        else:
            self._app.push_screen(TextDialog(f"{what} on {counted(len(hosts), 'host')}", syntax), entered)

    def change_many(
        self, hosts: list[HostRow], route: str, order: BulkEdit | BulkMaintenance, words: str
    ) -> None:
        """Say which hosts and how many, then change them; for more than a few the count is typed in."""
        count = len(hosts)
        lines = [safe(words, 300), "", *named([row.name for row in hosts])]

        def answered(yes: bool | None) -> None:
            if yes:
                full = msgspec.structs.replace(order, hosts=tuple(row.id for row in hosts), count=count)
                self._app.order(route, BulkReport, full, self._many_changed)

        dialog = ConfirmDialog(
            f"change {counted(count, 'host')}?", lines, typed=str(count) if count > A_FEW else ""
        )
        self._app.push_screen(dialog, answered)

    def _many_changed(self, report: BulkReport) -> None:
        same = f", {counted(report.unchanged, 'was', 'were')} so already" if report.unchanged else ""
        self._app.say(f"{counted(report.changed, 'host')} changed{same}.")
