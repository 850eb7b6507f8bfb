"""GuardianApp: the terminal's side.  Owns no data and does no work: it follows the stream, and turns keys into orders."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import click
from msgspec import structs
from textual.app import App
from textual.screen import Screen

from guardian_tui import frame
from guardian_tui.attach import shut_out
from guardian_tui.client import Client
from guardian_tui.commands import COMMANDS, Registry
from guardian_tui.config import Paths, Settings, load_settings
from guardian_tui.following import Follower, Hearers
from guardian_tui.keyboard import KeyboardApp
from guardian_tui.meeting import listener_of, meet, mismatch, replace_engine, whose
from guardian_tui.ordinary import OrdinaryCommands
from guardian_tui.own_keys import load_keys
from guardian_tui.picture import Picture
from guardian_tui.protocol.access import Session, StepUp
from guardian_tui.protocol.backups import RunRow
from guardian_tui.protocol.base import Done, Request, Response
from guardian_tui.protocol.errors import (
    GuardianError,
    InvalidRequest,
    NotAuthenticated,
    SessionLocked,
    StepUpRequired,
)
from guardian_tui.protocol.events import Delta, Heartbeat
from guardian_tui.protocol.system import Hello
from guardian_tui.remembered import remembered_theme
from guardian_tui.ringing import ring
from guardian_tui.terminal import own_encoding
from guardian_tui.text import safe
from guardian_tui.world import World
from screens.alert import AlertScreen
from screens.alerts import AlertsScreen
from screens.approvals import ApprovalsScreen
from screens.audit import AuditScreen
from screens.backup import BackupScreen
from screens.backups import BackupsScreen
from screens.base import GuardianScreen
from screens.check import CheckScreen
from screens.checks import ChecksScreen
from screens.dialogs import CodeDialog
from screens.engine import EngineScreen
from screens.first_start import FirstStartScreen
from screens.fleet import FleetScreen
from screens.host import HostScreen
from screens.lock import LockScreen
from screens.login import LoginScreen
from screens.people import PeopleScreen
from screens.repository import RepositoryScreen
from screens.run_log import RunLogScreen
from screens.runbooks import RunbooksScreen
from themes import DEFAULT, ThemeSet, folder_signature, for_terminal, load_themes
from widgets.header import HeaderLine

R = TypeVar("R", bound=Response)

THEME_SECONDS = 2.0
"""A person's theme files are looked at so often."""
TERMINAL = 0
"""The descriptor of the terminal that we draw on and read from."""
TOUCH_SECONDS = 20.0
"""A pressed key puts off the idle lock, told to the engine at most so often."""
STAY_SECONDS = 10.0
"""How often the engine hears that somebody is here, stream or none: a private one stops some time after its last client.  It is the measure of the
engine's delay too."""


class GuardianApp(OrdinaryCommands, KeyboardApp):
    """The console.

    Args:
        paths: where files live.
        settings: of this installation.
        process: the private engine that was just started, if one was.
        read_only: offer nothing that changes anything.
        theme: theme to begin with.
        encoding: of a terminal that has few signs; empty: it has all.
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
        "people": PeopleScreen,
        "checks": ChecksScreen,
        "backups": BackupsScreen,
        "runbooks": RunbooksScreen,
        "approvals": ApprovalsScreen,
        "engine": EngineScreen,
    }

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        process: subprocess.Popen[bytes] | None = None,
        *,
        read_only: bool = False,
        theme: str = "",
        encoding: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(encoding)
        self.paths = paths
        self.settings = settings
        self.read_only = read_only
        self.clock = clock
        self.client = Client(paths.socket)
        self.world = World()
        self.follower = Follower(self.client, Hearers(self._changed, self._beat, self._lost, self._ended))
        self.hello: Hello | None = None
        self.shared = ""
        """Words for a shared engine that we are attached to; empty for one's own."""
        self.problems: list[str] = []
        self.registry, problems = load_keys(paths.keys_file, Registry(COMMANDS))
        self.problems += problems
        self.themes: ThemeSet = load_themes(paths.themes)
        self._wanted_theme = theme or settings.ui.theme
        self._process = process
        self.picture = Picture(self)
        self._touched_at = 0.0
        self._last_mode = ""

    # --- coming up ---------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Paint the login first; the engine is waited for behind it."""
        self._register_themes()
        own = for_terminal(self.console.color_system, os.environ)
        chosen = remembered_theme(self.paths, self.themes.themes) if own == DEFAULT else ""
        self.theme = self.themes.pick(self._wanted_theme or chosen or own)
        self.problems += self.themes.problems
        self.set_interval(THEME_SECONDS, self._reload_themes)
        self.login_screen = LoginScreen()
        self.push_screen(self.login_screen)
        self.run_worker(self._meet_engine(), exclusive=True, group="meet", exit_on_error=False)
        self.set_interval(1.0, self._tick)
        self.set_interval(STAY_SECONDS, self._stay)

    def on_unmount(self) -> None:
        """The screens go away: nothing may be drawn on them any more."""
        self.follower.stop()

    async def find_engine(self) -> Hello:
        """The engine that we attach to; a private one is started if none listens.

        Raises:
            GuardianError: none comes up; says why.
        """
        hello, self._process = await meet(self.paths, self._process)
        return hello

    async def _meet_engine(self) -> None:
        try:
            self.hello = await self.find_engine()
        except GuardianError as error:
            self.login_screen.engine_failed(safe(error.detail, 1000))
            return
        foreign = mismatch(self.hello, listener_of(self.paths.socket))
        if foreign is not None:
            self.login_screen.engine_foreign(safe(foreign.words, 1000), ours=foreign.ours)
            return
        self.shared = whose(self.paths)
        self.problems += [words] if (words := shut_out()) and not self.shared else []
        self.login_screen.engine_ready(self.hello)
        self.problems += self.hello.store_mended
        if not self.hello.set_up:
            self.push_screen(FirstStartScreen())

    def _register_themes(self) -> None:
        self._themes_seen = folder_signature(self.paths.themes)
        for theme in self.themes.textual_themes(self.console.color_system):
            self.register_theme(theme)

    def _reload_themes(self) -> None:
        """A person has changed their theme files: paint with them at once."""
        if folder_signature(self.paths.themes) == self._themes_seen:
            return
        worn = self.themes.themes[self.theme]
        self.themes = load_themes(self.paths.themes)
        self.themes.keep(worn)
        self._register_themes()
        self.mutate_reactive(App.theme)
        for words in self.themes.problems:
            self.say(words, severity="warning")

    def restart_engine(self) -> None:
        """Replace the engine of another version by one of ours, and go on to the login."""
        self.run_worker(self._restart_engine(), exclusive=True, group="meet", exit_on_error=False)

    async def _restart_engine(self) -> None:
        if self.hello is None:
            return
        try:
            self._process = await replace_engine(self.paths, self.hello)
        except GuardianError as error:
            self.login_screen.engine_failed(safe(error.detail, 1000))
        else:
            await self._meet_engine()

    def begin(self, session: Session) -> None:
        """A login went well: follow the stream and show the fleet."""
        self.session = session
        if self.hello is not None:
            # of the first start it still says that nobody has an account
            self.hello = structs.replace(self.hello, set_up=True)
        self.client.token = session.token or self.client.token
        self.follower.start()
        while isinstance(self.screen, LoginScreen | FirstStartScreen | LockScreen):
            if len(self.screen_stack) == 1:
                break
            self.pop_screen()
        if self.current_mode not in self.MODES:
            self.switch_mode("fleet")
        self._stay()
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

    # --- the stream --------------------------------------------------------------------------

    def _beat(self, heartbeat: Heartbeat) -> None:
        self.world.beat(heartbeat)

    def _lost(self) -> None:
        self.world.connected = False
        self.picture.draw()

    def _changed(self, delta: Delta) -> None:
        change = self.world.apply(delta)
        ring(self, change.fired)
        for run in change.asking[:3]:
            self.tell_approval(run)
        for run in change.handed[:3]:
            self.tell_handed(run)
        for run in change.judged[:3]:
            self.tell_judged(run)
        for one in change.approvals[:3]:
            self.tell_order(one)
        self.picture.changed(change)

    def _ended(self, reason: str) -> None:
        if reason == "locked":
            self.show_lock()
        elif reason == "version":
            self.hello = None
            self.leave_to_login("The engine was replaced by one of another version.")
            self.run_worker(self._meet_engine(), exclusive=True, group="meet", exit_on_error=False)
        else:
            self.leave_to_login(
                "You were logged out." if reason == "logout" else "Your session has ended; log in again."
            )

    def _tick(self) -> None:
        if self.on_terminal and not os.isatty(TERMINAL):
            # it is gone, and nobody hung up on us: what can't be seen or typed into must not stay and turn in circles
            self.exit(1)
            return
        # while the app ends, panes go before their screen
        if self.session is not None and self.is_running:
            self.picture.tick()

    def touched(self) -> None:
        """A key was pressed: put off the idle lock."""
        now = time.monotonic()
        if self.session is None or now - self._touched_at < TOUCH_SECONDS:
            return
        self._touched_at = now
        self.run_worker(self._touch(), group="touch", exclusive=True, exit_on_error=False)

    def _stay(self) -> None:
        """Locked or at the login there is no stream, and hosts are to be watched all the same."""
        self.run_worker(self._say_hello(), group="stay", exclusive=True, exit_on_error=False)

    async def _say_hello(self) -> None:
        with contextlib.suppress(GuardianError):
            await self.client.hello()

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
        self.follower.stop()
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
        environment = self.hello.environment if self.hello else ""
        return frame.header_line(self.session, environment, self.world, crumbs, self.clock())

    def banner_words(self) -> str:
        """What must be known above all else; empty when nothing must."""
        key = self.key_of(self.registry.get("pause"))
        return frame.banner_words(self.world, self.follower.trouble, self.picture.paused_at, key)

    def footer_note(self) -> str:
        """Right end of the footer: the engine's delay."""
        waiting = len(self.world.wait_for_others())
        delay = None if self.follower.trouble else self.client.round_trip_seconds
        return frame.footer_note(delay, self.world.status, waiting, self.picture.every_seconds)

    # --- screens -----------------------------------------------------------------------------

    def open_host(self, host_id: str) -> None:
        """Open a host's page."""
        self.push_screen(HostScreen(host_id))

    def open_check(self, check_id: str) -> None:
        """Open a check."""
        self.push_screen(CheckScreen(check_id))

    def open_backup(self, job_id: str) -> None:
        """Open a backup job."""
        self.push_screen(BackupScreen(job_id))

    def open_repository(self, repository_id: str) -> None:
        """Open a repository."""
        self.push_screen(RepositoryScreen(repository_id))

    def open_run(self, run: RunRow) -> None:
        """Open a run's log."""
        self.push_screen(RunLogScreen(run))

    def open_alert(self, alert_id: str) -> None:
        """Open an alert."""
        self.push_screen(AlertScreen(alert_id))

    def go(self, mode: str) -> None:
        """Go to a screen, remembering where we were; from a page that lies over it, back to it."""
        if self.current_mode != mode:
            self._last_mode = self.current_mode
            self.switch_mode(mode)
            return
        # a page that stayed in front would hide that anything has happened; what hides the picture stays
        while len(self.screen_stack) > 1 and isinstance(self.screen, GuardianScreen):
            self.pop_screen()

    def go_last(self) -> None:
        """Back to the screen before; again returns."""
        if self._last_mode in self.MODES:
            self.go(self._last_mode)

    @property
    def audit_holds(self) -> bool:
        """Whether the chain verified when it was last checked."""
        return self.world.status is None or self.world.status.audit_ok

    def verified_words(self) -> str:
        """When the chain was checked, for the audit pane's border."""
        return frame.verified_words(self.world.status)

    async def action_quit(self) -> None:
        """Leave."""
        await self.shut()

    async def shut(self) -> None:
        """End the session and leave."""
        self.follower.stop()
        if self.session is not None:
            # if nobody answers, it expires by itself
            with contextlib.suppress(GuardianError, TimeoutError):
                await asyncio.wait_for(self.client.call("logout", Done), 3.0)
        await self.client.close()
        self.exit(0)


def run_console(
    paths: Paths,
    process: subprocess.Popen[bytes] | None,
    *,
    read_only: bool,
    mouse: bool,
    theme: str,
    ascii: bool = False,
) -> int:
    """Run the console; returns the exit code."""
    try:
        settings = load_settings(paths)
    except GuardianError as error:
        click.echo(f"{error.title}: {error.detail}", err=True)
        return 2
    encoding = own_encoding(ascii=ascii or settings.ui.ascii)
    app = GuardianApp(paths, settings, process, read_only=read_only, theme=theme, encoding=encoding)
    app.on_terminal = True
    app.run(mouse=mouse and settings.ui.mouse)
    if app.farewell:
        click.echo(app.farewell)
    return farewell_of(app)


def farewell_of(app: GuardianApp) -> int:
    """The exit code of a console that has ended; a fault of its own is said, without what it held in its hands."""
    code = app.return_code or 0
    if code:
        click.echo("The console ended by a fault of its own. The engine goes on; start it again.", err=True)
    return code
