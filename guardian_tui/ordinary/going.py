"""Commands that go somewhere: screens, a host's page, back."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart


class GoingCommands(CommandPart):
    """Where to go."""

    def command_go_fleet(self, arguments: tuple[str, ...]) -> None:
        """`g 1`, `:hosts [FILTER]`."""
        self._go_list("fleet", arguments)

    def command_go_alerts(self, arguments: tuple[str, ...]) -> None:
        """`g 2`, `:alerts [FILTER]`."""
        self._go_list("alerts", arguments)

    def command_go_audit(self, arguments: tuple[str, ...]) -> None:
        """`g 4`, `:audit [FILTER]`."""
        self._go_list("audit", arguments)

    def command_go_people(self, arguments: tuple[str, ...]) -> None:
        """`g 6`, `:people`."""
        self._app.go("people")

    def command_go_engine(self, arguments: tuple[str, ...]) -> None:
        """`g 9`, `:engine`."""
        self._app.go("engine")

    def command_go_host(self, arguments: tuple[str, ...]) -> None:
        """`:host HOST`."""
        row = self._host(arguments)
        if row is not None:
            self._app.open_host(row.id)

    def command_last(self, arguments: tuple[str, ...]) -> None:
        """`-`."""
        self._app.go_last()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """`esc` where a screen does nothing of its own with it."""
