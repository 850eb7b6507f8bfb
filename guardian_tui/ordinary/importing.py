"""Imports of hosts: what a source would change is shown before anything is done, and chosen by marks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.imports import Found, ImportPreview, ImportRequest
from guardian_tui.source_files import known_hosts_text, read_source
from guardian_tui.text import counted
from screens.choosing import ChoiceDialog
from widgets.choice_list import Choice

OWN = "~/.ssh/config"
_GONE = "gone:"
_STYLES = {"new": ("+", "text"), "changed": ("~", "accent")}


class ImportCommands(CommandPart):
    """Import of hosts and their keys."""

    def command_host_import(self, arguments: tuple[str, ...]) -> None:
        """`i`, `:import [FILE]`."""
        self.offer_import(arguments[0] if arguments else OWN)

    def offer_import(self, name: str = OWN) -> None:
        """Show what a source and known_hosts hold, and take what is marked."""
        self._app.run_worker(self._import(name), exit_on_error=False)

    async def _import(self, name: str) -> None:
        try:
            # a script may take its time, and runs here, as the person
            source = await asyncio.to_thread(read_source, name, "ssh_config" if name == OWN else None)
        except InvalidRequest as error:
            if name == OWN and not Path(OWN).expanduser().exists():
                add = self._app.key_of(self._app.registry.get("host.add"))
                self._app.say(
                    f"There is no {OWN} to import from. {add} adds a host by hand, :import FILE reads another source."
                )
            else:
                self._app.say_error(error)
            return
        keys = known_hosts_text() if source.format == "ssh_config" else ""
        request = ImportRequest(source=source, known_hosts=keys)
        self._app.order("hosts.import", ImportPreview, request, lambda preview: self._offer(request, preview))

    def _offer(self, request: ImportRequest, preview: ImportPreview) -> None:
        choices = [_choice(found) for found in preview.found if found.status != "unchanged"]
        choices += [
            Choice(
                _GONE + gone.name, "-", f"{gone.name}  is gone from the source", "muted",
                (f"{counted(len(gone.behind), 'host is', 'hosts are')} reached through it.",) if gone.behind else ("It is watched until you mark it and go on.",),
            )
            for gone in preview.gone
        ]  # fmt: skip
        choices += [
            Choice(f"problem:{place}", "!", problem, "warning", (problem,), told=True)
            for place, problem in enumerate(preview.problems)
        ]
        name = request.source.name if request.source else ""
        if not choices:
            self._app.say(f"{counted(len(preview.found), 'host')} in {name}, all of them as they are here.")
            return
        new = [found.spec.name for found in preview.found if found.status == "new"]
        same = sum(found.status == "unchanged" for found in preview.found)
        other = sum(found.status not in ("new", "unchanged") for found in preview.found)
        title = f"{counted(len(new), 'new host')} in {name}"
        title += (f", {other} changed" if other else "") + (f", {same} unchanged" if same else "")

        def chosen(ids: tuple[str, ...] | None) -> None:
            if ids:
                order = msgspec.structs.replace(
                    request, names=tuple(id for id in ids if not id.startswith(_GONE)),
                    remove=tuple(id.removeprefix(_GONE) for id in ids if id.startswith(_GONE)),
                )  # fmt: skip
                self._app.order("hosts.import", ImportPreview, order, self._imported)

        self._app.push_screen(ChoiceDialog(title, choices, "take", marked=new), chosen)

    def _imported(self, done: ImportPreview) -> None:
        words = [f"{counted(done.added, 'host')} added"]
        words += [f"{done.changed} changed"] if done.changed else []
        words += [f"{done.removed} removed"] if done.removed else []
        words += [f"{counted(done.pins, 'key')} pinned"] if done.pins else []
        left_out = [problem for problem in done.problems if "is left out" in problem]
        self._app.say(", ".join(words) + ".")
        if left_out:
            self._app.say(left_out[0], severity="warning")


def _choice(found: Found) -> Choice:
    spec = found.spec
    way = f"{spec.user + '@' if spec.user else ''}{spec.address or spec.name}:{spec.port}"
    through = f" through {', '.join(spec.jump)}" if spec.jump else ""
    groups = f" [{', '.join(spec.groups)}]" if spec.groups else ""
    glyph, style = _STYLES[found.status]
    about = [f"{change.field}: {change.old or '–'} → {change.new or '–'}" for change in found.changes]
    if found.unsupported:
        about.append(f"not supported: {', '.join(found.unsupported)}")
    about.append(
        f"{found.where} · {'its key is known' if found.pinned else 'its key is accepted later, if it is not yet'}"
    )
    return Choice(spec.name, glyph, f"{spec.name:<24} {way}{through}{groups}", style, tuple(about))
