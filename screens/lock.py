"""A locked session: the picture is hidden, the place is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Middle
from textual.screen import Screen
from textual.widgets import Input

from guardian_tui.protocol.access import Session, Unlock
from guardian_tui.protocol.errors import GuardianError, NotAuthenticated
from screens.forms import CODE_HINT, Card, Field, SecretInput, Words, advise
from screens.login import refusal
from screens.work import begin

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp


class LockScreen(Screen[None]):
    """Password and code open it again, where it was left."""

    CONTEXT = "lock"
    BINDINGS = [("ctrl+q", "leave", "Log out and leave")]  # as Textual has it
    AUTO_FOCUS = "#password"
    DEFAULT_CSS = """
    LockScreen { align: center middle; }
    LockScreen Middle { align: center middle; width: 100%; }
    """

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    def compose(self) -> ComposeResult:
        """One card in the middle."""
        session = self.console.session
        with Middle(), Card() as card:
            card.border_title = "locked"
            yield Words(f"{session.account if session else ''} is logged in; hosts are watched meanwhile.")
            yield Field("Password", SecretInput(id="password"))
            yield Field("Code", Input(id="code", max_length=40, placeholder=CODE_HINT))
            yield Words("⏎ unlock · ^q log out and leave", id="words", classes="muted")
            yield Words(id="advice")

    def on_mount(self) -> None:
        """Nobody has advice yet."""
        self.advise("")

    def advise(self, words: str) -> None:
        """Words that stay under the form."""
        advise(self, words)

    async def action_leave(self) -> None:
        """Nobody must kill their terminal because they can't unlock it."""
        await self.console.shut()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next empty field, then unlocks."""
        for name in ("password", "code"):
            entry = self.query_one(f"#{name}", Input)
            if not entry.value:
                self.set_focus(entry)
                return
        begin(self, self._unlock, exclusive=True)

    async def _unlock(self) -> None:
        password, code = self.query_one("#password", Input), self.query_one("#code", Input)
        order = Unlock(password=password.value, code=code.value.strip())
        try:
            session = await self.console.client.call("session.unlock", Session, order)
        except NotAuthenticated:
            self.console.leave_to_login("Your session has ended; log in again.")
            return
        except GuardianError as error:
            self.query_one("#words", Words).say(refusal(error), error=True)
            code.value = ""
            self.set_focus(code)
            return
        self.console.begin(session)
