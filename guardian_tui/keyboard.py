"""What a person types becomes a command: keys, keys typed ahead, the `:` line, the palette."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial
from typing import Any

from textual import events
from textual.app import SystemCommand
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from guardian_tui.commands import Command, Registry, shown_key
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.errors import ApprovalNeeded, GuardianError, InvalidRequest
from guardian_tui.terminal import TerminalApp
from guardian_tui.text import safe
from screens.base import GuardianScreen
from screens.forms import Field
from widgets.painting import LEVEL_SIGNS

HELD_SECONDS = 5.0
"""Keys are held for a dialog that is coming up at most so long."""
NOTICES = 100
"""So many are kept to be read again."""
LONGEST_NOTICE_SECONDS = 20.0
ENTER_SECONDS = 2.0
"""Keys are held for the field that follows at most so long."""


class KeyboardApp(TerminalApp):
    """An app whose keys, `:` line and palette are the registry's.

    Attributes:
        registry: the commands, with the person's own keys.
        session: of the person who is logged in; it says what is offered.
        read_only: offer nothing that changes anything.
    """

    registry: Registry
    session: Session | None = None
    read_only = False

    def __init__(self, encoding: str = "") -> None:
        super().__init__(encoding)
        self.said: deque[tuple[float, str, str, str]] = deque(maxlen=NOTICES)
        """Notices of late: when, how grave, title, words."""
        self._pressed_at = time.monotonic()
        self._prefix = ""
        self._held: list[events.Key] | None = None
        self._entering: asyncio.Task[None] | None = None

    def touched(self) -> None:
        """A key was pressed."""

    def idle_seconds(self) -> float:
        """How long ago the last key was pressed."""
        return time.monotonic() - self._pressed_at

    # --- words ---------------------------------------------------------------------------------------

    def say(self, words: str, *, severity: str = "information", title: str = "") -> None:
        """A short notice; the words are never markup."""
        kind = severity if severity in ("information", "warning", "error") else "information"
        self.said.append((time.time(), kind, safe(title, 80), safe(words, 600)))
        # as long as it takes to look up and read it; what went by is in `:notices`
        seconds = min(LONGEST_NOTICE_SECONDS, (4.0 if kind == "information" else 7.0) + len(words) / 20)
        # how grave it is is said by a sign too, not by a colour alone
        sign = LEVEL_SIGNS.get({"error": "critical"}.get(kind, kind), "")
        title, words = (f"{sign} {title}", words) if title else ("", f"{sign} {words}")
        self.notify(
            safe(words.lstrip(), 600), title=safe(title.strip(), 80), severity=kind, timeout=seconds, markup=False,  # type: ignore[arg-type]  # checked above
        )  # fmt: skip

    def say_error(self, error: GuardianError) -> None:
        """What happened, what it means, what to do next."""
        detail = error.detail if error.detail != error.title else ""
        if error.retry_after_seconds:
            detail += f" Try again in {error.retry_after_seconds:.0f} s."
        # that another person has to agree is no failure
        severity = "warning" if isinstance(error, ApprovalNeeded) else "error"
        # that a request is not valid is a program's word: the detail says what is wrong with it
        title = error.title if detail and not isinstance(error, InvalidRequest) else ""
        self.say(detail or error.title, severity=severity, title=title)

    # --- what is offered --------------------------------------------------------------------------------

    def registry_title(self, route: str) -> str:
        """What a person calls the command of a route."""
        return next((c.title for c in self.registry.all() if c.route == route), route)

    def offered(self, context: str | tuple[str, ...]) -> list[Command]:
        """Commands that work in a context for this session."""
        held = self.session.permissions if self.session else ()
        return self.registry.offered(context, held, read_only=self.read_only)

    def key_of(self, command: Command) -> str:
        """Its first key as a person reads it."""
        return shown_key(command.keys[0]) if command.keys else ":" + command.words[0]

    async def on_event(self, event: events.Event) -> None:
        """Take keys that are commands at once, in the order in which they come.

        Textual hands a key to the focused widget and goes on with the next one, so that what is typed ahead (over a slow link, a whole
        `:audit` comes in one packet) would still go to the list while the prompt or dialog is on its way.  So a command is carried out here, and
        while a dialog is coming up keys are held for it.
        """
        if isinstance(event, events.Key):
            if self._held is not None:
                self._held.append(event)
                return
            screen = self.screen
            if isinstance(screen, GuardianScreen) and not screen.composed:
                self._held = [event]
                self._hold_for(screen)
                return
            if self._take_key(event.key):
                return
            entry = screen.focused
            if event.key == "enter" and isinstance(entry, Input):
                self._held = []
                self._entering = asyncio.create_task(self._enter(entry), name="a field is entered")
                return
            if (
                event.key in ("tab", "shift+tab")
                and isinstance(entry, Input)
                and isinstance(entry.parent, Field)
            ):
                # at once: a password that is typed on must not stand in the clear behind the name
                if event.key == "tab":
                    screen.focus_next()
                else:
                    screen.focus_previous()
                return
        await super().on_event(event)

    async def _enter(self, entry: Input) -> None:
        """Enter what a field holds; keys that are typed meanwhile are for the field to which that leads."""
        screen = self.screen
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                # what was typed into it is there first; then word of it goes up to the screen, from one queue to the next
                await _done_so_far(entry)
                await entry.action_submit()
                for node in entry.ancestors_with_self:
                    await _done_so_far(node)
                    if node is screen:
                        break
        except TimeoutError:
            # it waits for something else: the keys are not kept from anybody for that
            pass
        finally:
            if isinstance(self.screen, ModalScreen) and self.screen is not screen:
                self.screen.call_after_refresh(self._release_keys)
            else:
                await self._release_keys()

    def _take_key(self, key: str) -> bool:
        self._pressed_at = time.monotonic()
        screen = self.screen
        if not isinstance(screen, GuardianScreen):
            return False
        self.touched()
        if isinstance(screen.focused, Input):
            return False
        prefix, self._prefix = self._prefix, ""
        wanted = f"{prefix} {key}".strip()
        for command in screen.offered():
            if wanted in command.keys:
                self.perform(command, ())
                return True
            if not prefix and any(own.startswith(f"{key} ") for own in command.keys):
                self._prefix = key
                return True
        return bool(prefix)

    def push_screen(self, screen: Any, *rest: Any, **more: Any) -> Any:  # Any: as in the base class
        """Show a screen; keys are held until it can take them."""
        pushed = super().push_screen(screen, *rest, **more)
        if isinstance(screen, ModalScreen) and self._held is None:
            self._held = []
            self._hold_for(screen)
        return pushed

    def _hold_for(self, screen: Screen[Any]) -> None:  # Any: whatever it answers
        screen.call_after_refresh(self._release_keys)
        # whatever becomes of it, keys are not held for ever
        self.set_timer(HELD_SECONDS, partial(self._release_still, self._held))

    async def _release_still(self, held: list[events.Key] | None) -> None:
        """Release keys that are held still: not those that something else holds by now."""
        if held is not None and self._held is held:
            await self._release_keys()

    async def _release_keys(self) -> None:
        held, self._held = self._held or [], None
        for event in held:
            await self.on_event(event)

    def action_perform(self, name: str) -> None:
        """Carry out a command by its name (keys)."""
        self.perform(self.registry.get(name), ())

    def perform(self, command: Command, arguments: tuple[str, ...]) -> None:
        """Carry out a command on the screen in front, else here."""
        method = "command_" + command.name.replace(".", "_")
        for owner in (self.screen, self):
            handler = getattr(owner, method, None)
            if handler is not None:
                handler(arguments)
                return
        self.say(f"{command.title} does not work on this screen.", severity="warning")

    def run_line(self, line: str) -> None:
        """Carry out a `:` line."""
        try:
            typed = self.registry.parse(line)
        except GuardianError as error:
            self.say_error(error)
            return
        held = set(self.session.permissions) if self.session else set()
        if typed.command.permission and typed.command.permission not in held:
            self.say(f"You may not do this: it needs {typed.command.permission}.", severity="error")
            return
        self.perform(typed.command, typed.arguments)

    def get_system_commands(self, screen: Screen[Any]) -> Any:  # Any: as in the base class
        """The palette shows the registry, and nothing else."""
        for command in self.offered(getattr(screen, "contexts", "")):
            if command.name != "palette":
                keys = "  ".join(shown_key(key) for key in command.keys)
                told = f"{keys:<5} {command.help}" if keys else f":{command.words[0]}  {command.help}"
                yield SystemCommand(command.title, told, lambda name=command.name: self.action_perform(name))


async def _done_so_far(node: MessagePump) -> None:
    """Wait until a widget has dealt with all that waits for it now."""
    done = asyncio.Event()
    if node.call_later(done.set):
        await done.wait()
