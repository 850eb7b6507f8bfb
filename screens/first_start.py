"""First start, and a new person's first login: a name and a password, the authenticator, the codes to keep, hosts to watch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Middle, Vertical
from textual.screen import Screen
from textual.widgets import Input

from guardian_tui.protocol.access import BeginEnrolment, ConfirmEnrolment, Enrolled, Enrolment, SetUp
from guardian_tui.protocol.errors import GuardianError, LoginRefused, NotFound
from screens.forms import Card, Field, SecretInput, Words
from screens.login import refusal
from widgets.qr import QrCode

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp


class FirstStartScreen(Screen[None]):
    """Three steps on one screen: who, the authenticator, what to keep.

    Args:
        enrol: a new person with an enrolment code, not the first admin.
    """

    CONTEXT = "first-start"
    AUTO_FOCUS = "#name"
    BINDINGS = [("escape", "leave", "Back")]  # as Textual has it
    DEFAULT_CSS = """
    FirstStartScreen { align: center middle; }
    FirstStartScreen Middle { align: center middle; width: 100%; }
    FirstStartScreen #scan { width: 100%; height: 100%; }
    FirstStartScreen #scan QrCode { width: auto; height: auto; margin: 0 2 0 1; }
    FirstStartScreen #scan Vertical { width: 1fr; height: auto; padding: 1 1 0 0; }
    FirstStartScreen #scan Field > Label { width: 6; }
    FirstStartScreen .strong { text-style: bold; }
    """

    def __init__(self, *, enrol: bool = False) -> None:
        super().__init__()
        self._enrol = enrol
        self._enrolment: Enrolment | None = None
        self._enrolled: Enrolled | None = None
        self._name = ""

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    @property
    def _code_wanted(self) -> bool:
        """Whether a shared engine asks for the code that was printed when it was installed."""
        return not self._enrol and self.console.hello is not None and self.console.hello.code_wanted

    def compose(self) -> ComposeResult:
        """The first step; the others replace it."""
        with Middle(id="step"):
            yield from self._who()

    def _who(self) -> ComposeResult:
        with Card() as card:
            card.border_title = "first login" if self._enrol else "welcome to guardian"
            card.border_subtitle = "1 of 3"
            yield Words(
                "Somebody gave you an enrolment code. Choose a password of your own."
                if self._enrol
                else "Nobody has an account here yet. Yours will be the first, and an admin."
            )
            yield Field("Name", Input(id="name", max_length=64, placeholder="small letters, digits, . _ -"))
            if self._code_wanted:
                yield Field(
                    "Set-up code", Input(id="setup", max_length=200, placeholder="from engine install")
                )
            if self._enrol:
                yield Field("Enrolment code", Input(id="enrolment", max_length=200))
            yield Field("Password", SecretInput("12 characters or more", id="password"))
            yield Field("Once more", SecretInput(id="again"))
            yield Words(f"⏎ next · esc {'back' if self._enrol else 'leave'}", id="words", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next empty field, then to the next step."""
        for entry in self.query(Input):
            if not entry.value:
                self.set_focus(entry)
                return
        worker = self._begin() if self._enrolment is None else self._confirm()
        self.run_worker(worker, exclusive=True, exit_on_error=False)

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    async def _begin(self) -> None:
        words = self.query_one("#words", Words)
        if self._value("password") != self._value("again"):
            words.say("The two passwords differ: type the second one again.", error=True)
            self.query_one("#again", Input).value = ""
            self.query_one("#again", Input).focus()
            return
        words.say("One moment…")
        self._name = self._value("name").strip().lower()
        try:
            if self._enrol:
                order = BeginEnrolment(
                    name=self._name,
                    enrolment_code=self._value("enrolment").strip(),
                    password=self._value("password"),
                )
                self._enrolment = await self.console.client.call("enrol.begin", Enrolment, order)
            else:
                code = self._value("setup").strip() if self._code_wanted else ""
                first = SetUp(name=self._name, password=self._value("password"), code=code)
                self._enrolment = await self.console.client.call("setup.begin", Enrolment, first)
        except GuardianError as error:
            words.say(refusal(error), error=True)
            self._go_to_fault(error)
            return
        await self._show_code(self._enrolment)

    def _go_to_fault(self, error: GuardianError) -> None:
        """Put the cursor where the fault can be mended."""
        for entry in self.query(f"#{error.field}").results(Input) if error.field.isalpha() else ():
            entry.focus()

    async def _show_code(self, enrolment: Enrolment) -> None:
        step = self.query_one("#step", Middle)
        await step.remove_children()
        groups = [enrolment.secret[i : i + 4] for i in range(0, len(enrolment.secret), 4)]
        lines = [" ".join(groups[i : i + 4]) for i in range(0, len(groups), 4)]
        # a QR code takes the whole height of a small terminal, so there is no card around it
        column = Vertical(
            Words("Scan this with an authenticator app, or type it in:", classes="muted"),
            Words("\n".join(lines), id="secret", classes="strong"),
            Words(""),
            Field("Code", Input(id="code", max_length=10, placeholder="six digits")),
            Words("⏎ next · esc back · 2 of 3", id="words", classes="muted"),
        )
        await step.mount(Horizontal(QrCode(enrolment.uri), column, id="scan"))
        self.query_one("#code", Input).focus()

    async def _confirm(self) -> None:
        assert self._enrolment is not None  # noqa: S101  # by on_input_submitted
        words, code = self.query_one("#words", Words), self.query_one("#code", Input)
        order = ConfirmEnrolment(token=self._enrolment.token, code=code.value.strip().replace(" ", ""))
        route = "enrol.confirm" if self._enrol else "setup.confirm"
        try:
            self._enrolled = await self.console.client.call(route, Enrolled, order)
        except GuardianError as error:
            # that it has run out is mended a step before
            back = " esc goes back to the password." if isinstance(error, NotFound) else ""
            words.say(
                _clock_words() if isinstance(error, LoginRefused) else refusal(error) + back, error=True
            )
            code.value = ""
            self.set_focus(code)
            return
        await self._show_keepsakes(self._enrolled)

    async def _show_keepsakes(self, enrolled: Enrolled) -> None:
        step = self.query_one("#step", Middle)
        await step.remove_children()
        codes = enrolled.recovery_codes
        rows = ["   ".join(codes[i : i + 2]) for i in range(0, len(codes), 2)]
        parts = [
            Words(
                "Write these down; they are shown this once. Each code stands in for your authenticator one time.",
                classes="muted",
            ),
            Words("\n".join(rows), id="codes", classes="strong"),
        ]
        if enrolled.recovery_key:
            parts += [
                Words(
                    "The recovery key opens the vault when every password is lost. Keep it on paper.",
                    classes="muted",
                ),
                Words(enrolled.recovery_key, id="recovery-key", classes="strong"),
            ]
        card = Card(*parts, Words("⏎ I have written them down", id="words"))
        card.border_title = "keep these"
        card.border_subtitle = "3 of 3"
        await step.mount(card)
        self.set_focus(None)

    def on_key(self, event: events.Key) -> None:
        """Enter at the last step ends it."""
        if self._enrolled is not None and event.key == "enter":
            event.stop()
            enrolled, self._enrolled = self._enrolled, None
            self.console.begin(enrolled.session)
            if not self._enrol and Path("~/.ssh/config").expanduser().exists():
                self.console.call_later(self.console.offer_import)

    async def _back_to_who(self) -> None:
        self._enrolment = None
        await self.recompose()
        self.query_one("#name", Input).value = self._name or ""
        self.query_one("#enrolment" if self._enrol else "#password", Input).focus()

    def action_leave(self) -> None:
        """From the code a step back, else back to the login; where nobody could log in, leave."""
        if self._enrolled is not None:
            return
        if self._enrolment is not None:
            self.run_worker(self._back_to_who(), exclusive=True, exit_on_error=False)
        elif self._enrol:
            self.app.pop_screen()
        else:
            self.run_worker(self.app.action_quit(), exit_on_error=False)


def _clock_words() -> str:
    """Of a code that does not fit: most often two clocks differ."""
    return f"This code does not fit: type the one shown now. It is {time.strftime('%H:%M:%S')} here; is it on your phone?"
