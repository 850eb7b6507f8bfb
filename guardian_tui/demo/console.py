"""The console of a demo: the real one, which logs in by itself and says that all it shows is simulated."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from typing import Any

import pyotp

from guardian_tui.app import GuardianApp, farewell_of
from guardian_tui.commands import COMMANDS, Command, Registry
from guardian_tui.config import Settings
from guardian_tui.demo.backstage import Backstage
from guardian_tui.demo.script import KINDS
from guardian_tui.own_keys import load_keys
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.errors import EngineUnreachable
from guardian_tui.protocol.system import Hello
from guardian_tui.terminal import own_encoding
from screens.lock import LockScreen
from screens.reports import ReportDialog

START_SECONDS = 60.0
CODE_SECONDS = 30
SCENES_KEPT = 12

DEMO_COMMANDS = (
    Command("demo.about", "About this demo", "Who you are, how to log in again, and what has gone wrong so far.", words=("demo",)),
    Command("demo.trouble", "Make trouble", "Lets something go wrong now; again heals it.", words=("trouble",), arguments="NAME"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Admin:
    """The account that the demo made."""

    name: str
    password: str
    secret: str


class DemoApp(GuardianApp):
    """The console of a running demo.

    Args:
        backstage: the demo.
        theme: theme to begin with.
        encoding: of a terminal that has few signs; empty: it has all.
    """

    def __init__(self, backstage: Backstage, *, theme: str = "", encoding: str = "") -> None:
        super().__init__(backstage.paths, Settings(environment="demo"), theme=theme, encoding=encoding)
        self._backstage = backstage
        self._admin: Admin | None = None
        self._told = asyncio.Event()
        """The stage has said who may log in, or has ended."""
        self._used_step = 0
        self._scenes: list[str] = []
        commands = {**COMMANDS, **{command.name: command for command in DEMO_COMMANDS}}
        self.registry, _ = load_keys(self.paths.keys_file, Registry(commands))

    # --- coming up -------------------------------------------------------------------------------

    async def find_engine(self) -> Hello:
        """The demo's own engine, once the stage has made the account."""
        self.run_worker(self._listen(), group="stage", exit_on_error=False)
        self.set_interval(1.0, self._advise)
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._told.wait()
        except TimeoutError as error:
            raise EngineUnreachable("The demo did not come up.") from error
        if self._admin is None:
            raise EngineUnreachable(f"The demo has ended. It said: {self._backstage.last_words()}")
        return await super().find_engine()

    async def _meet_engine(self) -> None:
        await super()._meet_engine()
        if self.hello is not None and self._admin is not None:
            self._advise()
            self.login_screen.enter(self._admin.name, self._admin.password, self._code(self._admin))

    async def _listen(self) -> None:
        """Hear what the stage says."""
        assert self._backstage.stage.stdout is not None  # noqa: S101  # a pipe, as started
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._backstage.stage.stdout
        )
        while line := await reader.readline():
            told: dict[str, Any] = json.loads(line)  # Any: JSON of our own child
            if "admin" in told:
                self._admin = Admin(**told["admin"])
                self._told.set()
            elif scene := told.get("scene"):
                self._scenes = [*self._scenes, f"{time.strftime('%H:%M:%S')}  {scene['words']}"][
                    -SCENES_KEPT:
                ]
                if scene["begins"] and self.session is not None:
                    self.say(scene["words"], title="demo")
        self._told.set()
        self.say(f"The demo has ended. It said: {self._backstage.last_words()}", severity="error")

    def _code(self, admin: Admin) -> str:
        """A code that was not used yet."""
        step = max(int(time.time()) // CODE_SECONDS, self._used_step + 1)
        return pyotp.TOTP(admin.secret).at(step * CODE_SECONDS)

    def _advise(self) -> None:
        """Tell whoever stands before the login or the lock how to come in."""
        if (admin := self._admin) is not None:
            words = f"This is a demo: nothing behind it is real.\nname {admin.name} · password {admin.password} · code {self._code(admin)}"
            self.login_screen.advise(words)
            if isinstance(self.screen, LockScreen):
                self.screen.advise(words)

    def begin(self, session: Session) -> None:
        """A login went well."""
        # the newest code that it can have been
        self._used_step = max(int(time.time()) // CODE_SECONDS, self._used_step)
        super().begin(session)
        self.say(
            "These hosts are simulated; a day of faults passes in minutes. :demo says more, :trouble makes some.",
            title="demo",
        )

    # --- commands --------------------------------------------------------------------------------

    def command_demo_about(self, arguments: tuple[str, ...]) -> None:
        """`:demo`."""
        admin, stage = self._admin, self._backstage
        assert admin is not None  # noqa: S101  # somebody has logged in
        lines = [
            (f"{stage.hosts} simulated hosts: real SSH servers on loopback. One minute is {stage.speed:.0f} minutes of their day.", ""),
            ("The engine is an ordinary one, in a folder that is removed when you leave.", "muted"), ("", ""),
            (f"name      {admin.name}", ""), (f"password  {admin.password}", ""), (f"code      {self._code(admin)}", ""),
            (f"another   GUARDIAN_HOME={stage.folder} guardian-tui", ""), ("", ""),
            ("what has happened so far", "strong"), *((words, "") for words in self._scenes or ("nothing yet",)), ("", ""),
            (":trouble NAME lets something begin now, or heals it", "strong"),
            *((f"{name:<12}{kind.words}", "") for name, kind in KINDS.items()),
        ]  # fmt: skip
        self.push_screen(ReportDialog("about this demo", lines))

    def command_demo_trouble(self, arguments: tuple[str, ...]) -> None:
        """`:trouble NAME`."""
        if len(arguments) != 1 or arguments[0] not in KINDS:
            self.say(f"Name one of {', '.join(KINDS)}.", severity="warning")
            return
        try:
            self._backstage.order(arguments[0])
        except OSError:
            self.say("The demo's stage has ended.", severity="error")


def run_demo(backstage: Backstage, *, mouse: bool, theme: str, ascii: bool = False) -> int:
    """Show a demo; returns the exit code."""
    # nobody's own agent is handed to a demo
    os.environ.pop("SSH_AUTH_SOCK", None)
    app = DemoApp(backstage, theme=theme, encoding=own_encoding(ascii=ascii))
    app.on_terminal = True
    app.run(mouse=mouse)
    return farewell_of(app)
