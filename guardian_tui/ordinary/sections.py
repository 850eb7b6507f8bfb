"""Commands on what a host's page opens: its sections, its logs, signals to processes, acts on units."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.acts import Acted, ControlUnit, SignalName, SignalProcess, UnitAct
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.sections import SECTIONS
from guardian_tui.text import safe
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
        self._app.push_screen(
            LogScreen([row.id for row in hosts[:20]], arguments[0] if arguments else "journal")
        )

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
                return
            lines = [
                f"SIG{signal} on {safe(host, 200)}, to {len(chosen)} process{'es' if len(chosen) > 1 else ''}:",
                "",
            ]
            lines += [
                f"{row['pid']:.0f}  {safe(str(row['user']), 20)}  {safe(str(row['command']), 48)}"
                for row in chosen[:12]
            ]
            lines += [f"… and {len(chosen) - 12} more"] if len(chosen) > 12 else []

            def answered(yes: bool | None) -> None:
                for row in chosen if yes else ():
                    order = SignalProcess(
                        host=host, pid=int(row["pid"] or 0), command=str(row["command"]), signal=signal
                    )
                    self._act("processes.signal", order, screen)

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
                return

            def answered(yes: bool | None) -> None:
                for unit in units if yes else ():
                    self._act("units.control", ControlUnit(host=host, unit=unit, act=act), screen)

            lines = [
                f"{act} on {safe(host, 200)}: {UNIT_ACTS[act]}",
                "",
                *[safe(unit, 60) for unit in units[:12]],
            ]
            lines += [f"… and {len(units) - 12} more"] if len(units) > 12 else []
            typed = str(len(units)) if len(units) > 3 else ""
            self._app.push_screen(ConfirmDialog(f"{act} units", lines, typed=typed), answered)

        if arguments:
            picked(arguments[0])
        else:
            self._app.push_screen(
                ChoiceDialog("what to do", [(act, act, help) for act, help in UNIT_ACTS.items()]), picked
            )

    def _act(self, route: str, order: SignalProcess | ControlUnit, screen: SectionScreen) -> None:
        def done(answer: Acted) -> None:
            self._app.say(answer.words)
            screen.read()

        try:
            self._app.order(route, Acted, order, done)
        except GuardianError as error:
            self._app.say_error(error)

    def command_unit_log(self, arguments: tuple[str, ...]) -> None:
        """`l` on a unit: its own log."""
        screen = self._app.screen
        if isinstance(screen, SectionScreen) and screen.chosen and "unit" in screen.chosen[0]:
            hosts, _ = self._subjects()
            self._app.push_screen(LogScreen([row.id for row in hosts], f"unit:{screen.chosen[0]['unit']}"))
