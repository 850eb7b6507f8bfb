"""GuardianApp: the terminal's side.  Owns no data and does no work: it follows the stream, and turns keys into orders."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import click
from textual import events
from textual.app import App, SystemCommand
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from guardian_tui.attach import engine_listens, start_engine, wait_until_listening
from guardian_tui.client import Client, wait_for_engine
from guardian_tui.commands import COMMANDS, Command, Registry, load_keys, shown_key
from guardian_tui.config import Paths, Settings, load_settings
from guardian_tui.ordinary import OrdinaryCommands
from guardian_tui.protocol.access import Attach, Session, StepUp
from guardian_tui.protocol.base import PROTOCOL_VERSION, Done, Request, Response
from guardian_tui.protocol.errors import (
    EngineUnreachable,
    GuardianError,
    InvalidRequest,
    NotAuthenticated,
    SessionLocked,
    StepUpRequired,
)
from guardian_tui.protocol.events import Delta, End, Heartbeat
from guardian_tui.protocol.system import Hello
from guardian_tui.text import safe
from guardian_tui.world import Change, World
from screens.alert import AlertScreen
from screens.alerts import AlertsScreen
from screens.audit import AuditScreen
from screens.base import GuardianScreen
from screens.dialogs import CodeDialog
from screens.first_start import FirstStartScreen
from screens.fleet import FleetScreen
from screens.host import HostScreen
from screens.lock import LockScreen
from screens.login import LoginScreen
from themes import ThemeSet, load_themes
from widgets.backstop import Backstop
from widgets.header import HeaderLine

R = TypeVar("R", bound=Response)

TOUCH_SECONDS = 20.0
"""A pressed key puts off the idle lock, told to the engine at most so often."""
HELD_SECONDS = 2.0
"""Keys are held for a dialog that is coming up at most so long."""
QUIET_SECONDS = 6.0
"""Silence of the engine after which the banner says so."""


class GuardianApp(OrdinaryCommands, App[int]):
    """The console.

    Args:
        paths: where files live.
        settings: of this installation.
        process: the private engine that was just started, if one was.
        read_only: offer nothing that changes anything.
        theme: theme to begin with.
        clock: wall clock, for the header.
    """

    TITLE = "guardian"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[Any]] = []  # Any: as in the base class
    MODES: ClassVar[dict[str, Callable[[], Screen[Any]]]] = {  # type: ignore[assignment]  # factories are allowed
        "fleet": FleetScreen,
        "alerts": AlertsScreen,
        "audit": AuditScreen,
    }

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        process: subprocess.Popen[bytes] | None = None,
        *,
        read_only: bool = False,
        theme: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backstop = Backstop()
        super().__init__()
        self.paths = paths
        self.settings = settings
        self.read_only = read_only
        self.clock = clock
        self.client = Client(paths.socket)
        self.world = World()
        self.session: Session | None = None
        self.hello: Hello | None = None
        self.problems: list[str] = []
        self.registry, problems = load_keys(paths.keys_file, Registry(COMMANDS))
        self.problems += problems
        self.themes: ThemeSet = load_themes(paths.themes)
        self.problems += self.themes.problems
        self._wanted_theme = theme or settings.ui.theme
        self._process = process
        self._prefix = ""
        self._held: list[events.Key] | None = None
        self._paused_at: float | None = None
        self._touched_at = 0.0
        self._following: asyncio.Task[None] | None = None
        self._last_mode = ""
        self._trouble = ""

    # --- coming up ---------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Paint the login first; the engine is waited for behind it."""
        for theme in self.themes.textual_themes():
            self.register_theme(theme)
        self.theme = self.themes.pick(self._wanted_theme)
        self.login_screen = LoginScreen()
        self.push_screen(self.login_screen)
        self.run_worker(self._meet_engine(), exclusive=True, group="meet", exit_on_error=False)
        self.set_interval(1.0, self._tick)

    async def _meet_engine(self) -> None:
        try:
            if self._process is None and not engine_listens(self.paths.socket):
                self._process = start_engine(self.paths, linger=False)
            if self._process is not None:
                await wait_until_listening(self.paths, self._process)
            self.hello = await wait_for_engine(self.paths.socket, 20.0)
        except GuardianError as error:
            self.login_screen.engine_failed(safe(error.detail, 1000))
            return
        if self.hello.protocol != PROTOCOL_VERSION:
            self.login_screen.engine_failed(
                f"The engine is version {self.hello.version} and speaks another protocol. "
                "Stop it with `guardian-tui engine stop` and start again."
            )
            return
        self.login_screen.engine_ready(self.hello)
        self.problems += self.hello.store_mended
        if not self.hello.set_up:
            self.push_screen(FirstStartScreen())

    def begin(self, session: Session) -> None:
        """A login went well: follow the stream and show the fleet."""
        self.session = session
        self.client.token = session.token or self.client.token
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())
        while isinstance(self.screen, LoginScreen | FirstStartScreen | LockScreen):
            if len(self.screen_stack) == 1:
                break
            self.pop_screen()
        if self.current_mode not in self.MODES:
            self.switch_mode("fleet")
        for words in self.problems:
            self.say(words, severity="warning")
        self.problems.clear()

    # --- orders ------------------------------------------------------------------------------

    async def ask(self, name: str, kind: type[R], request: Request | None = None) -> R:
        """Give the engine an order; a fresh code is asked for where the route wants one.

        Raises:
            GuardianError: it was refused or failed.
        """
        try:
            return await self.client.call(name, kind, request)
        except StepUpRequired:
            await self._step_up(name)
            return await self.client.call(name, kind, request)
        except SessionLocked:
            self.show_lock()
            raise
        except NotAuthenticated:
            self.leave_to_login("Your session has ended; log in again.")
            raise

    async def _step_up(self, name: str) -> None:
        words = self.registry_title(name)
        code = await self.push_screen_wait(CodeDialog(words))
        if not code:
            raise InvalidRequest("Nothing was done: no code was given.")
        session = await self.client.call("session.step_up", Session, StepUp(code=code))
        self.session = session
        if session.token:
            self.client.token = session.token

    def registry_title(self, route: str) -> str:
        """What a person calls the command of a route."""
        return next((c.title for c in self.registry.all() if c.route == route), route)

    def order(
        self, name: str, kind: type[R], request: Request | None, done: Callable[[R], None] | str
    ) -> None:
        """Give an order in the background; say ``done`` (or call it with the answer) when it is carried out."""

        async def work() -> None:
            try:
                answer = await self.ask(name, kind, request)
            except GuardianError as error:
                self.say_error(error)
                return
            if isinstance(done, str):
                self.say(done)
            else:
                done(answer)

        self.run_worker(work(), group="orders", exit_on_error=False)

    def say(self, words: str, *, severity: str = "information", title: str = "") -> None:
        """A short notice; the words are never markup."""
        kind = severity if severity in ("information", "warning", "error") else "information"
        self.notify(safe(words, 600), title=safe(title, 80), severity=kind, markup=False)  # type: ignore[arg-type]  # checked above

    def say_error(self, error: GuardianError) -> None:
        """What happened, what it means, what to do next."""
        detail = error.detail if error.detail != error.title else ""
        if error.retry_after_seconds:
            detail += f" Try again in {error.retry_after_seconds:.0f} s."
        self.say(detail or error.title, severity="error", title=error.title if detail else "")

    # --- the stream --------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Follow the event stream, for ever: after a cut go on where it was."""
        pause = 0.3
        while self.session is not None:
            try:
                await self.client.call(
                    "session.attach", Session, Attach(agent_socket=os.environ.get("SSH_AUTH_SOCK", ""))
                )
                async for event in self.client.events(self.client.last_event_id):
                    pause = 0.3
                    if isinstance(event, Delta):
                        self._changed(event)
                    elif isinstance(event, Heartbeat):
                        self.world.beat(event)
                        self._trouble = ""
                    elif isinstance(event, End) and event.reason != "shutdown":
                        self._ended(event.reason)
                        return
                self._trouble = "The engine has stopped"
            except EngineUnreachable:
                self._trouble = "The engine does not answer"
            except SessionLocked:
                self._ended("locked")
                return
            except NotAuthenticated:
                self._ended("expired")
                return
            except GuardianError as error:
                self._trouble = error.title
            self.world.connected = False
            self._tick()
            await asyncio.sleep(pause)
            pause = min(pause * 1.6, 5.0)

    def _changed(self, delta: Delta) -> None:
        change = self.world.apply(delta)
        if change.fired and self.settings.ui.bell:
            self.bell()
        for alert in change.fired[:3]:
            self.say(
                f"{alert.host or 'engine'}: {alert.why or alert.title}", severity="error", title=alert.title
            )
        if self._paused_at is not None:
            return
        screen = self.screen
        if isinstance(screen, GuardianScreen) and screen.composed:
            screen.world_changed(change)

    def _ended(self, reason: str) -> None:
        self._following = None
        if reason == "locked":
            self.show_lock()
        else:
            self.leave_to_login(
                "You were logged out." if reason == "logout" else "Your session has ended; log in again."
            )

    def _tick(self) -> None:
        if self.session is None or self._paused_at is not None:
            return
        for screen in self.screen_stack:
            if isinstance(screen, GuardianScreen) and screen.is_current and screen.composed:
                screen.tick(self.world.now())

    def touched(self) -> None:
        """A key was pressed: put off the idle lock."""
        now = time.monotonic()
        if self.session is None or now - self._touched_at < TOUCH_SECONDS:
            return
        self._touched_at = now
        self.run_worker(self._touch(), group="touch", exclusive=True, exit_on_error=False)

    async def _touch(self) -> None:
        try:
            await self.client.call("session.touch", Session)
        except GuardianError:
            # the stream notices what there is to notice
            return

    # --- coming and going --------------------------------------------------------------------

    def show_lock(self) -> None:
        """Hide the picture until password and code."""
        if not isinstance(self.screen, LockScreen):
            self.push_screen(LockScreen())

    def leave_to_login(self, words: str) -> None:
        """Forget the session and show the login."""
        self.session = None
        self.client.token = ""
        self.client.last_event_id = ""
        self.world = World()
        if not isinstance(self.screen, LoginScreen):
            self.login_screen = LoginScreen(words)
            self.push_screen(self.login_screen)
            if self.hello is not None:
                self.login_screen.engine_ready(self.hello)

    # --- what the frame shows ----------------------------------------------------------------

    def header_line(self, crumbs: tuple[str, ...]) -> HeaderLine:
        """The figures of the header."""
        session, counts = self.session, self.world.counts()
        who = session.account if session else ""
        role = session.profiles[0] if session and session.profiles else ""
        return HeaderLine(
            environment=self.hello.environment if self.hello else "",
            crumbs=crumbs,
            states=counts.states,
            alerts=counts.alerts,
            critical=counts.critical,
            who=who,
            role=role,
            advisory=bool(session and session.advisory),
            clock=time.strftime("%H:%M:%S", time.localtime(self.clock())),
        )

    def banner_words(self) -> str:
        """What must be known above all else; empty when nothing must."""
        if self._paused_at is not None:
            return f"Paused at {time.strftime('%H:%M:%S', time.localtime(self._paused_at))}. p goes on."
        silent = self.world.silent_seconds()
        if self._trouble or silent > QUIET_SECONDS:
            return f"{self._trouble or 'The engine is silent'}: what you see is {silent:.0f} s old. It is tried again by itself."
        status = self.world.status
        if status is not None and status.cut_off_since is not None:
            return "Engine cut off: most hosts stopped answering at once, so the fault is on this side. Their states are unknown."
        if status is not None and status.store_problem:
            return f"The store can't be written: {safe(status.store_problem, 200)}"
        if status is not None and not status.audit_ok:
            return "The audit chain does not verify: see the audit screen."
        return ""

    def footer_note(self) -> str:
        """Right end of the footer: the engine's delay."""
        took, status = self.client.round_trip_seconds, self.world.status
        parts = [f"engine {took * 1000:.0f} ms"] if took is not None else []
        if status is not None:
            parts.append(f"{status.hosts} hosts / {status.interval_seconds:.0f} s")
        return " · ".join(parts)

    # --- commands ----------------------------------------------------------------------------

    def offered(self, context: str) -> list[Command]:
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
            if self._take_key(event.key):
                return
        await super().on_event(event)

    def _take_key(self, key: str) -> bool:
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
            screen.call_after_refresh(self._release_keys)
            # whatever becomes of the dialog, keys are not held for ever
            self.set_timer(HELD_SECONDS, self._release_keys)
        return pushed

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
        for command in self.offered(getattr(screen, "CONTEXT", "")):
            if command.name != "palette":
                yield SystemCommand(
                    command.title, command.help, lambda name=command.name: self.action_perform(name)
                )

    def open_host(self, host_id: str) -> None:
        """Open a host's page."""
        self.push_screen(HostScreen(host_id))

    def open_alert(self, alert_id: str) -> None:
        """Open an alert."""
        self.push_screen(AlertScreen(alert_id))

    def go(self, mode: str) -> None:
        """Go to a screen, remembering where we were."""
        if self.current_mode != mode:
            self._last_mode = self.current_mode
            self.switch_mode(mode)

    def go_last(self) -> None:
        """Back to the screen before; again returns."""
        if self._last_mode in self.MODES:
            self.go(self._last_mode)

    def toggle_pause(self) -> None:
        """Freeze the picture, or go on; what came meanwhile is shown at once."""
        self._paused_at = None if self._paused_at is not None else self.clock()
        screen = self.screen
        if isinstance(screen, GuardianScreen):
            screen.refresh_frame()
            if self._paused_at is None:
                screen.world_changed(Change(complete=True, alerts=True, audit=True, questions=True))

    @property
    def audit_holds(self) -> bool:
        """Whether the chain verified when it was last checked."""
        return self.world.status is None or self.world.status.audit_ok

    def verified_words(self) -> str:
        """When the chain was checked, for the audit pane's border."""
        status = self.world.status
        if status is None or status.audit_verified_at is None:
            return ""
        at = time.strftime("%H:%M", time.localtime(status.audit_verified_at))
        return f"✓ {at}" if status.audit_ok else f"✗ BROKEN {at}"

    async def action_quit(self) -> None:
        """Leave."""
        await self.shut()

    async def shut(self) -> None:
        """End the session and leave."""
        if self._following is not None:
            self._following.cancel()
        if self.session is not None:
            # if nobody answers, it expires by itself
            with contextlib.suppress(GuardianError, TimeoutError):
                await asyncio.wait_for(self.client.call("logout", Done), 3.0)
        await self.client.close()
        self.exit(0)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Nothing but printable characters leaves, whatever a widget drew."""
        return [*super().get_line_filters(), self._backstop]

    def _fatal_error(self) -> None:
        """End after a fault of ours without printing locals: they may hold passwords."""
        self.bell()
        self._close_messages_no_wait()


def run_console(
    paths: Paths, process: subprocess.Popen[bytes] | None, *, read_only: bool, mouse: bool, theme: str
) -> int:
    """Run the console; returns the exit code."""
    try:
        settings = load_settings(paths)
    except GuardianError as error:
        click.echo(f"{error.title}: {error.detail}", err=True)
        return 2
    app = GuardianApp(paths, settings, process, read_only=read_only, theme=theme)
    code = app.run(mouse=mouse and settings.ui.mouse)
    if app.farewell:
        click.echo(app.farewell)
    return code or 0
