"""Hosts of ~/.ssh/config: what it found is shown before anything is added."""

from __future__ import annotations

from pathlib import Path

import msgspec

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.fleet import ImportPreview, ImportRequest
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
        texts = {}
        for name in ("config", "known_hosts"):
            try:
                texts[name] = (
                    Path("~/.ssh").expanduser().joinpath(name).read_text(encoding="utf-8", errors="replace")
                )
            except OSError:
                texts[name] = ""
        if not texts["config"].strip():
            self._app.say("There is no ~/.ssh/config to import from. n adds a host by hand.")
            return
        request = ImportRequest(
            ssh_config=texts["config"][:1_000_000], known_hosts=texts["known_hosts"][:8_000_000]
        )
        self._app.order("hosts.import", ImportPreview, request, lambda preview: self._offer(request, preview))

    def _offer(self, request: ImportRequest, preview: ImportPreview) -> None:
        new = [found for found in preview.found if not found.exists]
        lines = [(f"{len(new)} new hosts of {len(preview.found)} in ~/.ssh/config", "strong"), ("", "")]
        for found in preview.found[:MOST_FOUND]:
            spec = found.spec
            way = f"{spec.user + '@' if spec.user else ''}{spec.address or spec.name}:{spec.port}" + (
                f" through {', '.join(spec.jump)}" if spec.jump else ""
            )
            note = (
                "is there already"
                if found.exists
                else "its key is known"
                if found.pinned
                else "its key will be asked for"
            )
            lines.append(
                (f"{safe(spec.name, 40):<24} {safe(way, 80)} · {note}", "muted" if found.exists else "")
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
