"""Commands on checks: add, edit, remove, make now."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.checks import CheckDetail, CheckRef, CheckRow, CheckSpec, EditCheck
from guardian_tui.text import safe
from screens.dialogs import ConfirmDialog
from screens.edit_check import EditCheckDialog


class CheckCommands(CommandPart):
    """What a person does with checks."""

    def command_go_checks(self, arguments: tuple[str, ...]) -> None:
        """`g 5`, `:checks [FILTER]`."""
        self._go_list("checks", arguments)

    def _check(self, arguments: tuple[str, ...]) -> CheckRow | None:
        """The check named, or the one in front."""
        app = self._app
        id = getattr(app.screen, "check_id", "")
        row = (
            next((row for row in app.world.checks.values() if row.name == arguments[0]), None)
            if arguments
            else app.world.checks.get(id)
        )
        if row is None:
            app.say(f"There is no check {arguments[0]}." if arguments else "Put the cursor on a check first, or name one.",
                    severity="warning")  # fmt: skip
        return row

    def command_check_add(self, arguments: tuple[str, ...]) -> None:
        """`n`, `:check-add [NAME [KIND]]`."""
        name, kind = (*arguments, "", "")[:2]
        hosts, _ = self._subjects()
        host = hosts[0].name if hosts and hosts[0].id != "local" else ""

        def entered(spec: CheckSpec | None) -> None:
            if spec is not None:
                self._app.order(
                    "checks.add",
                    CheckRow,
                    spec,
                    lambda row: self._app.say(f"{row.name} is checked from now on."),
                )

        self._app.push_screen(EditCheckDialog(name=name, kind=kind, host=host), entered)

    def command_check_edit(self, arguments: tuple[str, ...]) -> None:
        """`e`."""
        row = self._check(arguments)
        if row is not None:
            self._app.order("checks.show", CheckDetail, CheckRef(check=row.name), self._edit_check)

    def _edit_check(self, detail: CheckDetail) -> None:
        before = detail.spec

        def entered(spec: CheckSpec | None) -> None:
            if spec is None:
                return
            dropped = {name: "" for name in before.params if name not in spec.params}
            order = EditCheck(
                check=before.name, name=spec.name, params={**dropped, **spec.params}, where=spec.where or None,
                period_seconds=spec.period_seconds, timeout_seconds=spec.timeout_seconds, labels=spec.labels,
            )  # fmt: skip
            self._app.order(
                "checks.edit", CheckRow, order, lambda row: self._app.say(f"{row.name} is changed.")
            )

        self._app.push_screen(EditCheckDialog(before), entered)

    def command_check_switch(self, arguments: tuple[str, ...]) -> None:
        """`o`: off, or on again."""
        row = self._check(arguments)
        if row is not None:
            on = row.state == "off"
            words = f"{row.name} is made again." if on else f"{row.name} is switched off; its alerts end."
            self._app.order("checks.edit", CheckRow, EditCheck(check=row.name, enabled=on), words)

    def command_check_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`."""
        row = self._check(arguments)
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "checks.remove", Done, CheckRef(check=row.name), f"{row.name} is no longer checked."
                )

        lines = [
            f"{safe(row.name, 100)} is no longer checked, and its alerts end.",
            "Its history stays until retention ends it.",
        ]
        self._app.push_screen(ConfirmDialog("remove the check", lines), answered)

    def command_check_run(self, arguments: tuple[str, ...]) -> None:
        """`r`."""
        row = self._check(arguments)
        if row is not None:
            self._app.order(
                "checks.run", CheckDetail, CheckRef(check=row.name),
                lambda detail: self._app.say(f"{detail.row.name}: {detail.row.state}. {detail.row.words}"),
            )  # fmt: skip
