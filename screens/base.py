"""What all screens share: the header, the footer, the banner, and keys read from the command registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from guardian_tui.commands import Command
from guardian_tui.world import Change
from widgets.banner import Banner
from widgets.footer import Footer, FooterKey
from widgets.header import Header

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp


class GuardianScreen(Screen[None]):
    """A screen after login: one line of header, the content, one line of footer.

    Subclasses give :attr:`CONTEXT` (which commands work here), compose their content in :meth:`content`, and draw what
    :meth:`world_changed` tells them.  A command ``host.add`` is carried out by a method ``command_host_add`` of the screen, else of the app.
    """

    CONTEXT: ClassVar[str] = ""
    AUTO_FOCUS: ClassVar[str | None] = None

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where we are, for the header."""
        return (self.CONTEXT,)

    def compose(self) -> ComposeResult:
        """Header, banner, content, footer."""
        yield Header(id="header")
        yield Banner(id="banner")
        yield from self.content()
        yield Footer(id="footer")

    def content(self) -> ComposeResult:
        """The screen's own widgets."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Bind the keys of the commands that work here."""
        for command in self.offered():
            for key in command.keys:
                if " " in key:
                    self._bindings.bind(key.split()[0], f"app.prefix('{key.split()[0]}')", show=False)
                else:
                    self._bindings.bind(key, f"app.perform('{command.name}')", command.title, show=False)

    def offered(self) -> list[Command]:
        """Commands that work here for this session."""
        return self.console.offered(self.CONTEXT)

    def on_screen_resume(self) -> None:
        """Draw everything anew: much may have changed while we were away."""
        self.refresh_frame()
        self.world_changed(Change(complete=True, alerts=True, audit=True, questions=True))

    def on_key(self, event: events.Key) -> None:
        """Take the second key of a sequence (g 1)."""
        if self.console.take_prefixed(event.key):
            event.stop()
            event.prevent_default()
        elif event.is_printable or event.key in ("enter", "up", "down"):
            self.console.touched()

    def world_changed(self, change: Change) -> None:
        """Draw what an event changed."""

    def tick(self, now: float) -> None:
        """A second has passed: ages go on."""
        self.refresh_frame()

    def refresh_frame(self) -> None:
        """Header, banner and footer."""
        console = self.console
        if not self.is_mounted or console.session is None:
            return
        self.query_one(Header).show(console.header_line(self.crumbs))
        self.query_one(Banner).show(console.banner_words())
        keys = tuple(FooterKey(console.key_of(c), c.footer) for c in self.offered() if c.footer)
        self.query_one(Footer).show(keys, console.footer_note())
