"""Commands on what a host's page opens: its sections, its logs, signals to processes, acts on units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardian_tui.ordinary.part import CommandPart, named
from guardian_tui.protocol.acts import Acted, ControlUnit, SignalName, SignalProcess, UnitAct
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.sections import SECTIONS
from guardian_tui.text import counted, safe
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog
from screens.log import LogScreen
from screens.section import SectionScreen

SIGNALS: dict[SignalName, str] = {
    "TERM": "ask it to end", "KILL": "end it at once; it can't clean up", "HUP": "hang up: many daemons read their configuration again",
    "INT": "interrupt, as ^C", "STOP": "halt it", "CONT": "let it go on", "USR1": "what it takes it for", "USR2": "what it takes it for",
}  # fmt: skip
UNIT_ACTS: dict[UnitAct, str] = {
    "restart": "stop it and start it again", "reload": "let it read its configuration again", "start": "start it", "stop": "stop it",
    "reset-failed": "forget that it failed",
}  # fmt: skip

MOST_FOLLOWED = 20
"""The logs of so many hosts are followed beside each other."""


class SectionCommands(CommandPart):
    """Sections, logs and acts."""

    def _open_section(self, name: str, arguments: tuple[str, ...]) -> None:
        row = self._host(arguments[:1])
        if row is not None:
            self._app.push_screen(SectionScreen(row.id, name, " ".join(arguments[1:])))

    def command_host_processes(self, arguments: tuple[str, ...]) -> None:
        """`p`, `:processes [HOST [FILTER]]`."""
        self._open_section("processes", arguments)

    def command_host_units(self, arguments: tuple[str, ...]) -> None:
        """`u`, `:units [HOST [FILTER]]`."""
        self._open_section("unit_list", arguments)

    def command_host_section(self, arguments: tuple[str, ...]) -> None:
        """`o`, `:section NAME [HOST]`: pick one of all sections."""
        if arguments:
            found = next((name for name in SECTIONS if name.startswith(arguments[0])), "")
            if not found:
                self._app.say(f"There is no section {arguments[0]}; o lists them.", severity="error")
                return
            self._open_section(found, arguments[1:])
            return
        row = self._host(())
        if row is None:
            return

        def picked(name: str | None) -> None:
            if name:
                self._app.push_screen(SectionScreen(row.id, name))

        choices = [(kind.name, kind.title, kind.help) for kind in SECTIONS.values()]
        self._app.push_screen(ChoiceDialog(f"what to see of {row.name}", choices), picked)

    def command_host_logs(self, arguments: tuple[str, ...]) -> None:
        """`l`, `:log [unit:NAME | file:PATH]`: of the host in front, or of all that are marked."""
        hosts, _ = self._subjects()
        if not hosts:
            self._app.say("Put the cursor on a host first.", severity="warning")
            return
        if len(hosts) > MOST_FOLLOWED:
            self._app.say(
                f"Of {len(hosts)} hosts the first {MOST_FOLLOWED} are followed: mark fewer for the others.",
                severity="warning",
            )
        shown = [row.id for row in hosts[:MOST_FOLLOWED]]
        self._app.push_screen(LogScreen(shown, arguments[0] if arguments else "journal"))

    # --- acts ----------------------------------------------------------------------------------------

    def command_process_signal(self, arguments: tuple[str, ...]) -> None:
        """`x`, `:signal [NAME]`: to the marked processes, or the one under the cursor."""
        screen = self._app.screen
        if not isinstance(screen, SectionScreen) or screen.section != "processes" or not screen.chosen:
            self._app.say("Put the cursor on a process first.", severity="warning")
            return
        chosen, host = screen.chosen, screen.host_name

        def picked(name: str | None) -> None:
            signal = next((known for known in SIGNALS if known == name), None)
            if signal is None:
                self._unknown(name, SIGNALS, "signal")
                return
            lines = [
                f"SIG{signal} on {safe(host, 200)}, to {counted(len(chosen), 'process', 'processes')}:",
                "",
                *named(
                    [
                        f"{row['pid']:.0f}  {str(row['user'])[:20]}  {str(row['command'])[:48]}"
                        for row in chosen
                    ]
                ),
            ]
            orders = [
                (
                    f"{row['pid']:.0f}",
                    SignalProcess(
                        host=host, pid=int(row["pid"] or 0), command=str(row["command"]), signal=signal
                    ),
                )
                for row in chosen
            ]

            def answered(yes: bool | None) -> None:
                if yes:
                    many = (
                        f"SIG{signal} was sent to {counted(len(chosen), 'process', 'processes')} on {host}."
                    )
                    self._act_on("processes.signal", orders, screen, many)

            typed = str(len(chosen)) if len(chosen) > 3 else ""
            self._app.push_screen(ConfirmDialog("send a signal", lines, typed=typed), answered)

        if arguments:
            picked(arguments[0].upper().removeprefix("SIG"))
        else:
            choices = [(name, f"SIG{name}", help) for name, help in SIGNALS.items()]
            self._app.push_screen(ChoiceDialog("which signal", choices), picked)

    def command_unit_act(self, arguments: tuple[str, ...]) -> None:
        """`x`, `:unit restart|reload|start|stop|reset-failed`: on the marked units, or the one under the cursor."""
        screen = self._app.screen
        if not isinstance(screen, SectionScreen) or not screen.chosen or "unit" not in screen.chosen[0]:
            self._app.say("Put the cursor on a unit first.", severity="warning")
            return
        units, host = [str(row["unit"]) for row in screen.chosen], screen.host_name

        def picked(name: str | None) -> None:
            act = next((known for known in UNIT_ACTS if known == name), None)
            if act is None:
                self._unknown(name, UNIT_ACTS, "act")
                return
            orders = [(unit, ControlUnit(host=host, unit=unit, act=act)) for unit in units]

            def answered(yes: bool | None) -> None:
                if yes:
                    many = f"{act} of {counted(len(units), 'unit')} on {host} is done."
                    self._act_on("units.control", orders, screen, many)

            lines = [f"{act} on {safe(host, 200)}: {UNIT_ACTS[act]}", "", *named(units)]
            typed = str(len(units)) if len(units) > 3 else ""
            self._app.push_screen(ConfirmDialog(f"{act} units", lines, typed=typed), answered)

        if arguments:
            picked(arguments[0])
        else:
            self._app.push_screen(
                ChoiceDialog("what to do", [(act, act, help) for act, help in UNIT_ACTS.items()]), picked
            )

    def _act_on(
        self, route: str, orders: Sequence[tuple[str, Request]], screen: SectionScreen, many: str
    ) -> None:
        """Act on each, and read the section again."""

        def done(answers: list[Acted]) -> str:
            screen.read()
            all_of_many = len(answers) == len(orders) > 1
            return many if all_of_many else " ".join(answer.words for answer in answers)

        self._order_each(route, Acted, orders, done)

    def _unknown(
        self, name: str | None, known: Mapping[Any, str], what: str
    ) -> None:  # Any: words of a Literal
        """Say what there is; nothing where nothing was picked."""
        if name is not None:
            self._app.say(f"There is no {what} {name}; there are {', '.join(known)}.", severity="error")

    def command_unit_log(self, arguments: tuple[str, ...]) -> None:
        """`l` on a unit: its own log."""
        screen = self._app.screen
        if isinstance(screen, SectionScreen) and screen.chosen and "unit" in screen.chosen[0]:
            hosts, _ = self._subjects()
            self._app.push_screen(LogScreen([row.id for row in hosts], f"unit:{screen.chosen[0]['unit']}"))
