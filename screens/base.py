"""What all screens share: the header, the footer, the banner, the prompt, and keys read from the command registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.screen import Screen

from guardian_tui import filter as filters
from guardian_tui.commands import Command, shown_key
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.views import View
from guardian_tui.world import EVERYTHING, Change
from widgets.banner import Banner
from widgets.footer import Footer, FooterKey
from widgets.header import Header
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

LOW_ROWS = 32
"""A terminal with fewer has no room that notices may hide."""


class GuardianScreen(Screen[None]):
    """A screen after login: one line of header, the content, one line of footer.

    Subclasses give :attr:`CONTEXT` (which commands work here), compose their content in :meth:`content`, and draw what
    :meth:`world_changed` tells them.  A command ``host.add`` is carried out by a method ``command_host_add`` of the screen, else of the app.
    """

    CONTEXT: ClassVar[str] = ""
    FOOTER_FIRST: ClassVar[tuple[str, ...]] = ()
    """Names of the commands whose keys stand first in the footer: on a narrow terminal the others have no room."""
    AUTO_FOCUS: ClassVar[str | None] = None
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_ROWS, "-tall")]  # as Textual has it
    # where there are few rows a notice takes some of them, and hides none: what is in front has the rest
    DEFAULT_CSS = """
    GuardianScreen.-low ToastRack { layer: default; dock: bottom; margin: 0 0 1 0; max-height: 4; scrollbar-size: 0 0; visibility: visible; }
    GuardianScreen.-low Toast { width: 1fr; max-width: 100%; margin: 0; padding: 0 1; }
    """

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names under which commands know this screen."""
        return (self.CONTEXT,)

    @property
    def table_shown(self) -> tuple[list[str], list[tuple[object, ...]]] | None:
        """The list on it as column names and rows, for saving; None: there is none."""
        return None

    @property
    def kept_view(self) -> dict[str, object] | None:
        """How its list is looked at, as fields of a view; None: there is no such list."""
        return None

    def show_view(self, view: View) -> None:
        """Look at its list as a view says."""
        self.filter_typed(view.filter, done=True)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where we are, for the header."""
        return (self.CONTEXT,)

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Host ids and alert ids that a command acts on now."""
        return (), ()

    def compose(self) -> ComposeResult:
        """Header, banner, content, prompt, footer."""
        yield Header(id="header")
        yield Banner(id="banner")
        yield from self.content()
        yield Prompt(self._complete, id="prompt", describe=self._describe)
        yield Footer(id="footer")

    def content(self) -> ComposeResult:
        """The screen's own widgets."""
        raise NotImplementedError

    @property
    def questioned(self) -> bool:
        """Whether a host in front asks something that a key answers."""
        return bool(self.console.world.questions)

    def offered(self) -> list[Command]:
        """Commands that work here for this session."""
        return self.console.offered(self.contexts)

    composed = False
    """Whether all its widgets are there: on a busy machine a second or an event may come before they are."""

    def on_mount(self) -> None:
        """All widgets are there, also those in panes (Textual calls this beside a subclass's own)."""
        self.composed = True
        if self.console.session is not None:
            self.on_screen_resume()

    def on_screen_resume(self) -> None:
        """Draw everything anew: much may have changed while we were away."""
        if not self.composed:
            # it is drawn as soon as it is there
            return
        self.refresh_frame()
        self.world_changed(EVERYTHING)

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
        self.query_one(Footer).show(self.footer_keys(), self.footer_note())

    def footer_keys(self) -> tuple[FooterKey, ...]:
        """The keys that work here and now."""
        console = self.console
        shown = [c for c in self.offered() if self.in_footer(c)]
        rank = {name: place for place, name in enumerate(self.FOOTER_FIRST)}
        shown.sort(key=lambda c: rank.get(c.name, len(rank)))
        # a page that lies over another is left by a key that nobody must guess
        over = [FooterKey(shown_key("escape"), "back")] if self is not console.screen_stack[0] else []
        return (*over, *(FooterKey(console.key_of(c), c.footer, c.name == "help") for c in shown))

    def in_footer(self, command: Command) -> bool:
        """Whether a command that works here is told in the footer."""
        return bool(command.footer) and (command.name != "host.answer" or self.questioned)

    def footer_note(self) -> str:
        """The right end of the footer."""
        return self.console.footer_note()

    # --- the prompt ------------------------------------------------------------------------------

    def _complete(self, text: str) -> Sequence[str]:
        word, blank, rest = text.partition(" ")
        if not blank:
            return self.console.registry.complete(word)
        command = self.console.registry.by_word().get(word)
        return (
            [f"{word} {name}" for name in self.arguments_of(command) if name.startswith(rest)]
            if command
            else []
        )

    def _describe(self, line: str) -> str:
        """What the command that a line names is, and what may follow it."""
        command = self.console.registry.by_word().get(line.split(" ")[0])
        return f"{command.title}  {command.arguments}".strip() if command else ""

    def arguments_of(self, command: Command) -> Sequence[str]:
        """What could follow a command's word on the `:` line."""
        if command.arguments.startswith(("HOST", "[HOST")):
            return sorted(row.name for row in self.console.world.hosts.values())
        return ()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Text of the filter or command line."""
        if event.kind == "/":
            self.filter_typed(event.text, done=event.done)
        elif event.done:
            self.console.run_line(event.text)
        if event.done:
            self.give_back_focus()

    def on_prompt_left(self, event: Prompt.Left) -> None:
        """The prompt was given up: a filter that was being typed is gone."""
        if event.kind == "/":
            self.filter_typed("", done=True)
        self.give_back_focus()

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter the list in front."""

    def parsed_filter(self, text: str, *, done: bool) -> filters.Filter | None:
        """What was typed, understood; None if it can't be: said in the prompt while it is typed, else as an error."""
        try:
            return filters.parse(text)
        except InvalidRequest as error:
            if done:
                self.console.say_error(error)
            else:
                self.query_one(Prompt).say(error.detail)
            return None

    def give_back_focus(self) -> None:
        """Focus what had it before the prompt."""
        self.set_focus(None)

    def focus_shown(self) -> None:
        """What has come into sight has the keys: arrows would move what nobody sees."""
        focused = self.focused
        if self.is_current and (focused is None or not focused.region.height):
            self.give_back_focus()

    def command_line(self, arguments: tuple[str, ...]) -> None:
        """`:`."""
        self.query_one(Prompt).open(":")

    def command_filter(self, arguments: tuple[str, ...]) -> None:
        """`/`."""
        if arguments:
            self.filter_typed(" ".join(arguments), done=True)
        else:
            self.query_one(Prompt).open("/")


def filter_crumb(text: str) -> str:
    """A filter as a place in the header: ``/web``, also where it was typed with its slash."""
    return f"/{text.strip().removeprefix('/')}"
