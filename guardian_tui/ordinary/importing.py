"""Hosts of ~/.ssh/config: what it found is shown before anything is added."""

from __future__ import annotations

import msgspec

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from guardian_tui.source_files import known_hosts_text, read_source
from guardian_tui.text import safe
from screens.reports import ReportDialog

MOST_FOUND = 200


class ImportCommands(CommandPart):
    """Import of hosts and their keys."""

    def command_host_import(self, arguments: tuple[str, ...]) -> None:
        """`i`."""
        self.offer_import()

    def offer_import(self) -> None:
        """Show what ~/.ssh/config and known_hosts hold, and add it if that is wanted."""
        try:
            source = read_source("~/.ssh/config", "ssh_config")
        except InvalidRequest:
            self._app.say("There is no ~/.ssh/config to import from. n adds a host by hand.")
            return
        request = ImportRequest(source=source, known_hosts=known_hosts_text())
        self._app.order("hosts.import", ImportPreview, request, lambda preview: self._offer(request, preview))

    def _offer(self, request: ImportRequest, preview: ImportPreview) -> None:
        new = [found for found in preview.found if found.status == "new"]
        lines = [(f"{len(new)} new hosts of {len(preview.found)} in ~/.ssh/config", "strong"), ("", "")]
        for found in preview.found[:MOST_FOUND]:
            spec = found.spec
            way = f"{spec.user + '@' if spec.user else ''}{spec.address or spec.name}:{spec.port}" + (
                f" through {', '.join(spec.jump)}" if spec.jump else ""
            )
            note = (
                "is there already"
                if found.status != "new"
                else "its key is known"
                if found.pinned
                else "its key will be asked for"
            )
            lines.append(
                (
                    f"{safe(spec.name, 40):<24} {safe(way, 80)} · {note}",
                    "muted" if found.status != "new" else "",
                )
            )
            if found.unsupported:
                lines.append((f"    not supported: {safe(', '.join(found.unsupported), 200)}", "error"))
        lines += [(safe(problem, 200), "error") for problem in preview.problems[:20]]

        def answered(yes: bool | None) -> None:
            if yes:
                order = msgspec.structs.replace(request, names=tuple(found.spec.name for found in new))
                self._app.order(
                    "hosts.import",
                    ImportPreview,
                    order,
                    lambda done: self._app.say(f"{done.added} hosts added, {done.pins} keys pinned."),
                )

        self._app.push_screen(
            ReportDialog("hosts to watch", lines, accept="watch them" if new else ""), answered
        )
