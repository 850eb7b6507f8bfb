"""Commands on checks: add, edit, remove, make now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from guardian_tui.bulk_words import A_FEW
from guardian_tui.ordinary.part import CommandPart, named
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.checks import CheckDetail, CheckRef, CheckRow, CheckSpec, EditCheck
from guardian_tui.text import counted, safe
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

    def _checks(self, arguments: tuple[str, ...]) -> list[CheckRow]:
        """The check named, the marked ones, or the one in front."""
        world, marked = self._app.world, getattr(self._app.screen, "check_ids", ())
        if not arguments and len(marked) > 1:
            return [world.checks[id] for id in marked if id in world.checks]
        row = self._check(arguments)
        return [] if row is None else [row]

    def _asked(self, what: str, rows: list[CheckRow], lines: list[str], go: Callable[[], None]) -> None:
        """Say which they are before it is done; of more than a few the number is typed in."""

        def answered(yes: bool | None) -> None:
            if yes:
                go()

        count = len(rows)
        title = what if count == 1 else f"{what}: {count} of them"
        named_ones = named([row.name for row in rows]) if count > 1 else []
        typed = str(count) if count > A_FEW else ""
        self._app.push_screen(ConfirmDialog(title, [*named_ones, *lines], typed=typed), answered)

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
        """`o`: off, or on again; of several all off, or if all are off, on."""
        rows = self._checks(arguments)
        on = all(row.state == "off" for row in rows)

        def words(done: list[CheckRow]) -> str:
            what = done[0].name if len(done) == 1 else counted(len(done), "check")
            are, alerts = ("is", "its alerts end") if len(done) == 1 else ("are", "their alerts end")
            return f"{what} {are} made again." if on else f"{what} {are} switched off; {alerts}."

        def go() -> None:
            orders = [(row.name, EditCheck(check=row.name, enabled=on)) for row in rows]
            self._order_each("checks.edit", CheckRow, orders, words)

        if len(rows) == 1:
            go()
        elif rows:
            self._asked("switch on" if on else "switch off", rows, [], go)

    def command_check_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`."""
        rows = self._checks(arguments)
        if not rows:
            return

        def words(done: list[Done]) -> str:
            what = f"{rows[0].name} is" if len(rows) == 1 else f"{counted(len(done), 'check')} are"
            return f"{what} no longer made."

        def go() -> None:
            orders = [(row.name, CheckRef(check=row.name)) for row in rows]
            self._order_each("checks.remove", Done, orders, words)

        lines = [
            "",
            "They are no longer made, and their alerts end.",
            "Their history stays until retention ends it.",
        ]
        if len(rows) == 1:
            lines = [
                f"{safe(rows[0].name, 100)} is no longer made, and its alerts end.",
                "Its history stays until retention ends it.",
            ]
        self._asked("remove the check" if len(rows) == 1 else "remove checks", rows, lines, go)

    def command_check_run(self, arguments: tuple[str, ...]) -> None:
        """`r`."""
        rows = self._checks(arguments)

        def words(done: list[CheckDetail]) -> str:
            if len(done) == 1:
                return f"{done[0].row.name}: {done[0].row.state}. {done[0].row.words}"
            states = Counter(detail.row.state for detail in done)
            return f"{counted(len(done), 'check')} made: {', '.join(f'{count} {state}' for state, count in states.items())}."

        if rows:
            self._order_each(
                "checks.run", CheckDetail, [(row.name, CheckRef(check=row.name)) for row in rows], words
            )
