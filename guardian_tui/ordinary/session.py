"""Commands on this session and its engine: lock, log out, invite, leave, stop."""

from __future__ import annotations

import time

import msgspec

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.access import GrantSpec, Invite, Invited
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.refusals import told
from guardian_tui.protocol.system import Shutdown
from screens.dialogs import ConfirmDialog
from screens.reports import ReportDialog


class SessionCommands(CommandPart):
    """Coming and going."""

    farewell = ""
    """Printed after the screen is given back."""

    def command_lock(self, arguments: tuple[str, ...]) -> None:
        """`^l`."""
        self._app.order("session.lock", Done, None, lambda _: self._app.show_lock())

    def command_logout(self, arguments: tuple[str, ...]) -> None:
        """`:logout`."""
        self._app.order("logout", Done, None, lambda _: self._app.leave_to_login("You are logged out."))

    def command_invite(self, arguments: tuple[str, ...]) -> None:
        """`:invite NAME PROFILE [LABEL=VALUE…]`."""
        if len(arguments) < 2:
            self._app.say(
                "Write :invite NAME PROFILE, and labels to bound it to some hosts.", severity="warning"
            )
            return
        try:
            grant = GrantSpec(profile=arguments[1], scope=" ".join(arguments[2:]))
            order = msgspec.convert({"name": arguments[0], "grants": [msgspec.to_builtins(grant)]}, Invite)
        except msgspec.ValidationError as error:
            self._app.say_error(InvalidRequest(told(error)))
            return

        def done(invited: Invited) -> None:
            lines = [
                (f"{invited.account.name} enrols with this code, once, until {time.strftime('%Y-%m-%d', time.localtime(invited.expires_at))}:", ""),
                ("", ""), (invited.enrolment_code, "strong"), ("", ""), ("It is shown only now. ^n on the login screen begins.", "muted"),
            ]  # fmt: skip
            self._app.push_screen(ReportDialog("invited", lines))

        self._app.order("accounts.invite", Invited, order, done)

    def command_quit(self, arguments: tuple[str, ...]) -> None:
        """`q`."""
        hello = self._app.hello
        stays = (
            "It goes on watching."
            if hello and hello.lingering
            else "The engine goes on for 15 minutes; `guardian-tui engine start` keeps it."
        )
        self.farewell = stays
        self._app.run_worker(self._app.shut(), exit_on_error=False)

    def command_engine_stop(self, arguments: tuple[str, ...]) -> None:
        """`:stop-engine`."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "engine.stop", Done, Shutdown(reason="asked for on screen"), "The engine stops."
                )

        self._app.push_screen(
            ConfirmDialog(
                "stop the engine",
                ["No host is watched and nobody is told until it is started again."],
                typed="stop",
            ),
            answered,
        )
