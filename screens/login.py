"""Login: painted before anything slow is imported, accepts input as soon as the engine answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Middle
from textual.screen import Screen
from textual.widgets import Input

from guardian_tui.protocol.access import Login, Session
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.system import Hello
from guardian_tui.text import safe
from screens.forms import CODE_HINT, Card, Field, SecretInput, Words, advise
from screens.work import begin

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp


FIRST = "The engine is starting; the first time takes a moment."
STORE_FILE = "state.db"
"""Of a private engine, in its state folder."""
KEYS = "⏎ log in · ^n first login with an enrolment code · esc leave"
RESTART_KEYS = "^r restart the engine · esc leave everything as it is"


class LoginScreen(Screen[None]):
    """Name, password and code, always all three."""

    CONTEXT = "login"
    AUTO_FOCUS = "#name"
    DEFAULT_CSS = """
    LoginScreen { align: center middle; }
    LoginScreen Middle { align: center middle; width: 100%; }
    LoginScreen.-nobody Field { display: none; }
    """
    BINDINGS = [
        ("escape", "app.quit", "Leave"),
        ("ctrl+n", "enrol", "First login with an enrolment code"),
        ("ctrl+r", "restart_engine", "Restart an engine of another version"),
    ]  # as Textual has it

    def __init__(self, words: str = "") -> None:
        super().__init__()
        self._words = words
        self._advice = ""
        self._ready = False
        self._busy = False
        self._shown = False
        self._failed = ""
        self._restartable = False
        self._keys = KEYS

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    def compose(self) -> ComposeResult:
        """One card in the middle."""
        # where nobody has an account yet there is nothing to fill in, and what is typed would be lost
        self.set_class(self._nobody, "-nobody")
        if self._nobody:
            self._words = self._words or FIRST
            self._keys = "esc leave"
        with Middle(), Card() as card:
            card.border_title = "guardian"
            yield Field("Name", Input(id="name", max_length=64))
            yield Field("Password", SecretInput(id="password"))
            yield Field("Code", Input(id="code", max_length=40, placeholder=CODE_HINT))
            yield Words(self._words or "The engine is starting…", id="words", classes="muted")
            yield Words(self._keys, id="keys", classes="muted")
            yield Words(id="advice")

    @property
    def _nobody(self) -> bool:
        """Whether nobody has an account, as far as can be told: the engine says so, or it is private and has no store yet."""
        hello, paths = self.console.hello, self.console.paths
        return not hello.set_up if hello else paths.shared is None and not (paths.state / STORE_FILE).exists()

    def _show_form(self) -> None:
        """The engine has said whether somebody could log in: show the fields, or none."""
        hidden = self.has_class("-nobody")
        self.set_class(self._nobody, "-nobody")
        if not hidden or self._nobody:
            return
        self._words = "" if self._words == FIRST else self._words
        self._keys = KEYS
        self.query_one("#keys", Words).say(KEYS)
        self.query_one("#name", Input).focus()

    def advise(self, words: str) -> None:
        """Words that stay under the form."""
        self._advice = words
        advise(self, words)

    def enter(self, name: str, password: str, code: str) -> None:
        """Fill in the form and log in, as a person does who types it."""
        for field, value in (("name", name), ("password", password), ("code", code)):
            self.query_one(f"#{field}", Input).value = value
        self._submit()

    def engine_ready(self, hello: Hello) -> None:
        """The engine answers: login can go on."""
        self._ready = True
        if not self._shown:
            return
        self._show_form()
        card = self.query_one(Card)
        card.border_subtitle = f"{hello.environment or hello.mode} · {hello.version}"
        words = self._words
        if not words and hello.vault_locked and hello.set_up:
            words = "The first login since the engine's start also opens the vault."
        shared = self.console.shared
        ready = f"Ready: {safe(shared, 100)}." if shared else "Ready."
        self.query_one("#words", Words).say(f"{ready} {words}" if words and shared else words or ready)

    def engine_failed(self, words: str) -> None:
        """The engine did not come up: say why, and what to do."""
        self._failed = words
        if self._shown:
            self.query_one("#words", Words).say(words, error=True)

    def engine_foreign(self, words: str, *, ours: bool) -> None:
        """The engine speaks another protocol; a private one can be restarted by a key."""
        self._restartable = ours
        self._keys = RESTART_KEYS if ours else "esc leave"
        self.engine_failed(words)
        if self._shown:
            self.query_one("#keys", Words).say(self._keys)

    def action_restart_engine(self) -> None:
        """The offered restart; no key of any other moment."""
        if not self._restartable:
            return
        self._restartable, self._failed, self._keys = False, "", KEYS
        self.query_one("#words", Words).say("The engine stops in good order, and a new one starts…")
        self.query_one("#keys", Words).say(KEYS)
        self.console.restart_engine()

    def on_mount(self) -> None:
        """Words that were decided before we were on screen."""
        # not is_mounted: that turns true only some time after this
        self._shown = True
        self.advise(self._advice)
        hello = self.console.hello
        if self._ready and hello is not None:
            self.engine_ready(hello)
        elif self._failed:
            self.engine_failed(self._failed)
            self.query_one("#keys", Words).say(self._keys)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next empty field, then logs in."""
        for name in ("name", "password", "code"):
            entry = self.query_one(f"#{name}", Input)
            if not entry.value:
                self.set_focus(entry)
                return
        self._submit()

    def _submit(self) -> None:
        if not self._ready:
            self.query_one("#words", Words).say("The engine is still starting; one moment.")
        elif not self._busy:
            begin(self, self._login, exclusive=True)

    async def _login(self) -> None:
        words = self.query_one("#words", Words)
        name, password, code = (self.query_one(f"#{field}", Input) for field in ("name", "password", "code"))
        words.say("Checking…")
        self._busy = True
        try:
            order = Login(
                name=name.value.strip(),
                password=password.value,
                code=code.value.strip().replace(" ", ""),
                agent_socket=os.environ.get("SSH_AUTH_SOCK", ""),
            )
            session = await self.console.client.call("login", Session, order)
        except GuardianError as error:
            words.say(refusal(error), error=True)
            code.value = ""
            self.set_focus(code)
            return
        finally:
            self._busy = False
        password.value = code.value = ""
        self.console.begin(session)

    def action_enrol(self) -> None:
        """First login of a person who was given an enrolment code."""
        from screens.first_start import FirstStartScreen

        if self._ready:
            self.app.push_screen(FirstStartScreen(enrol=True))


def refusal(error: GuardianError) -> str:
    """Words for a login that was refused, with how long to wait."""
    words = error.detail if error.detail and error.detail != error.title else error.title
    wait = f" Try again in {error.retry_after_seconds:.0f} s." if error.retry_after_seconds else ""
    return words.rstrip(".") + "." + wait
