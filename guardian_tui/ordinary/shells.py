"""A shell on a host: the screen goes away, the terminal is the host's, and comes back."""

from __future__ import annotations

import os

from textual.app import SuspendNotSupported

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.shells import OpenShell, Shell, ShellRef
from guardian_tui.shell_here import carry_on


class ShellCommands(CommandPart):
    """Hands the terminal over."""

    def command_host_shell(self, arguments: tuple[str, ...]) -> None:
        """`$`, `:shell [HOST]`."""
        row = self._host(arguments)
        if row is None:
            return
        size = self._app.size
        order = OpenShell(
            host=row.id, columns=size.width, lines=size.height, terminal=os.environ.get("TERM", "") or "xterm-256color"
        )  # fmt: skip
        self._app.order("shell.open", Shell, order, self._hand_over)

    def _hand_over(self, shell: Shell) -> None:
        app = self._app
        try:
            with app.suspend():
                words = carry_on(app.client, shell)
        except SuspendNotSupported:
            app.order(
                "shell.close",
                Done,
                ShellRef(shell=shell.id),
                "This is no terminal that could be handed over.",
            )
            return
        app.say(f"Back from {shell.host}: {words}.".replace("..", "."))
