"""Two people at two consoles, a real engine, a real sshd: runs that somebody leads, watches, approves, rolls back, and that prove what they mended."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
import pytest
import pytest_asyncio
from textual._context import active_app
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.client import Client
from guardian_tui.config import (
    AlertsSettings,
    AuditSettings,
    FleetSettings,
    RunbooksSettings,
    Settings,
)
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import (
    BeginEnrolment,
    ConfirmEnrolment,
    Enrolled,
    Enrolment,
    GrantSpec,
    Invite,
    Invited,
    Session,
)
from guardian_tui.protocol.checks import CheckRow, CheckSpec
from guardian_tui.protocol.errors import NotFound
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from screens.alert import AlertScreen
from screens.dialogs import ConfirmDialog, TextDialog
from screens.fleet import FleetScreen
from screens.runbook import RunbookScreen
from screens.runbook_run import StepScreen
from screens.transcript import TranscriptScreen
from tests.screens.test_pictures import picture
from tests.support.console import PASSWORD, House, house, until
from tests.support.sshd import Sshd, SshUser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

HOSTS = ("web-1", "web-2", "web-3", "web-4")
HEAD = "---\nid: {id}\ntitle: {title}\nversion: 1\nhosts: person\n---\n"
TURNS = """
```step tell
instruct: Look at the lamp.
```
```step turn
run: echo turned >> "$HOME/turns"; echo "it turns"
```
```step last
instruct: Look at it again.
```
"""
EMPTY = """
```step ok
approve: May the queue be emptied?
```
```step empty
run: echo emptied
```
"""
ROLL = """---
id: roll
title: Roll it out
version: 1
hosts: person
vars:
  name: {type: host, from: inventory.name}
---
```step change
run: |
  touch "$HOME/broken-$NAME"; echo "$NAME is changed"; i=0
  while test "$NAME" = web-1 && ! test -e "$HOME/seen" && test "$i" -lt 300; do sleep 0.2; i=$((i + 1)); done
rollback: rm -f -- "$HOME/broken-$NAME"
env: {NAME: "{{name}}"}
fanout: {serial: [1, 100%], settle: 1s}
```
"""
UNSTICK = """---
id: unstick
title: A queue is stuck
version: 1
for: [check_failed]
hosts: alert
vars:
  queue: {type: word, from: alert.instance}
---
```step free
run: rm -f -- "$HOME"/{{queue}}
```
"""
BOOKS = {
    "turns": HEAD.format(id="turns", title="Turn it") + TURNS,
    "empty": HEAD.format(id="empty", title="Empty the queue") + EMPTY,
    "roll": ROLL,
    "unstick": UNSTICK,
}


@dataclass
class Seat:
    """One console, and who sits at it."""

    app: GuardianApp
    pilot: Pilot[int]
    notices: list[str] = field(default_factory=list)
    """All since it was at the fleet last: on a busy machine one may come and go between two looks."""

    def note(self) -> None:
        """Keep notices from now on."""
        notify = self.app.notify

        def noting(message: str, **more: Any) -> None:
            self.notices.append(f"{more.get('title', '')} {message}")
            notify(message, **more)

        self.app.notify = noting  # type: ignore[method-assign,assignment]  # as it is called here

    def here(self) -> GuardianApp:
        """What is asked of widgets from now on is asked of this console: there are two in the process."""
        active_app.set(self.app)
        return self.app

    async def press(self, *keys: str) -> None:
        self.here()
        await self.pilot.press(*keys)

    async def until(self, check: Callable[[], object], words: str = "") -> None:
        try:
            await until(lambda: self.here() and check(), words)
        except TimeoutError:
            pytest.fail(f"{words or 'it'} never came about:\n{self.words}")

    @property
    def words(self) -> str:
        """All that is on screen."""
        self.here()
        return "\n".join(picture(self.app))

    @property
    def told(self) -> str:
        """All notices so far."""
        return " ".join(self.notices)

    async def seen(self, *words: str) -> None:
        await self.until(lambda: all(word in self.words for word in words), f"{words} on screen")

    async def type(self, text: str) -> None:
        """Into the field that has the focus."""
        await self.until(lambda: isinstance(self.app.screen.focused, Input), "a field has the focus")
        entry = self.app.screen.focused
        assert isinstance(entry, Input)
        entry.value = text
        await self.press("enter")

    async def dialog(self, kind: type) -> None:
        await self.until(
            lambda: isinstance(self.app.screen, kind) and self.app._held is None, f"a {kind.__name__}"
        )

    async def line(self, text: str) -> None:
        await self.press(":")
        await self.type(text)

    async def home(self) -> None:
        """Back to the fleet."""
        self.here()
        while len(self.app.screen_stack) > 1:
            self.app.pop_screen()
            await self.pilot.pause()
        self.app.go("fleet")
        await self.until(lambda: isinstance(self.app.screen, FleetScreen))
        self.app.clear_notifications()
        self.notices.clear()

    async def open(self, run: str) -> StepScreen:
        """A run, as from the list of runs."""
        self.here()
        self.app.open_runbook_run(run)
        await self.until(lambda: isinstance(self.app.screen, StepScreen) and self.app.screen.run is not None)
        assert isinstance(self.app.screen, StepScreen)
        return self.app.screen

    async def asked(self, what: str) -> StepScreen:
        """Until the run asks this, and a key would answer."""
        await self.until(
            lambda: (
                isinstance(self.app.screen, StepScreen)
                and self.app.screen.run is not None
                and self.app.screen.run.asked == what
                and self.app.screen.ready
            ),
            f"the run asks {what!r}",
        )
        assert isinstance(self.app.screen, StepScreen)
        return self.app.screen


@dataclass
class Desk:
    """All that the tests of this module share."""

    house: House
    sshd: Sshd
    ada: Seat
    grace: Seat
    again: Seat
    """Ada, at another console."""
    sessions: dict[str, Session] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The home of whom commands run as."""
        return self.sshd.home

    async def begin(self, book: str, *hosts: str) -> str:
        """Ada begins a run; answers its id."""
        run = await self.house.client.call(
            "runbooks.run", wire.RunbookRun, wire.StartRunbook(runbook=book, hosts=hosts)
        )
        return run.id

    async def answer(self, run: str) -> None:
        """Ada goes on, out of sight."""
        row = (await self.row(run)).run
        order = wire.AnswerRunbook(run=run, version=row.version)
        await self.house.client.call("runbooks.answer", wire.RunbookRun, order)

    async def row(self, run: str) -> wire.RunbookRunDetail:
        order = wire.RunbookRunRef(run=run)
        return await self.house.client.call("runbooks.follow", wire.RunbookRunDetail, order)


async def enrolled(one: House, name: str, profile: str) -> Session:
    """A colleague, logged in just now."""
    invite = Invite(name=name, grants=(GrantSpec(profile=profile),))
    invited = await one.client.call("accounts.invite", Invited, invite)
    client = Client(one.paths.socket)
    try:
        order = BeginEnrolment(name=name, enrolment_code=invited.enrolment_code, password=f"{PASSWORD} too")
        begun = await client.call("enrol.begin", Enrolment, order)
        confirm = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
        return (await client.call("enrol.confirm", Enrolled, confirm)).session
    finally:
        await client.close()


async def seated(stack: AsyncExitStack, one: House, session: Session, size: tuple[int, int]) -> Seat:
    """A console of a session."""
    app = one.app()
    pilot = await stack.enter_async_context(app.run_test(size=size))
    seat = Seat(app, pilot)
    seat.note()
    await seat.until(lambda: app.hello is not None)
    app.begin(session)
    await seat.until(lambda: isinstance(app.screen, FleetScreen) and app.world.runbooks)
    return seat


async def watched(one: House, server: Sshd, folder: Path) -> None:
    """Four hosts, all of them one machine, and checks of what runs break and mend there."""
    key = folder / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    known = f"[{server.address}]:{server.port} {server.host_key}"
    await one.client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
    for name in HOSTS:
        spec = HostSpec(
            name=name, address=server.address, port=server.port, user=server.user, credential=f"key:{key}"
        )
        await one.client.call("hosts.add", HostRow, spec)
    for name, host, file in (("change", "web-1", "broken-web-1"), ("stuck", "web-3", "stuck")):
        spec_of = CheckSpec(
            name=name, kind="file", host=host, period_seconds=1.0,
            params={"path": str(server.home / file), "absent": True},
        )  # fmt: skip
        await one.client.call("checks.add", CheckRow, spec_of)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(unix_user: SshUser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The engine, its hosts and three consoles."""
    folder = tmp_path_factory.mktemp("led")
    books = folder / "books"
    books.mkdir(mode=0o755)
    for name, text in BOOKS.items():
        (books / f"{name}.md").write_text(text)
    settings = Settings(
        fleet=FleetSettings(interval_seconds=1.0), audit=AuditSettings(syslog=False),
        alerts=AlertsSettings(boot_grace_seconds=0.0), runbooks=RunbooksSettings(folder=str(books), shipped=False),
    )  # fmt: skip
    # not in a folder that is closed to others: sshd reads authorized_keys as the user
    outside = Path(tempfile.mkdtemp(prefix="sshd-"))
    outside.chmod(0o755)
    server = Sshd(outside / "0", unix_user, "127.0.0.2", {})
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, outside, ignore_errors=True)
        server.start()
        stack.callback(server.stop)
        one = await stack.enter_async_context(house(folder, settings))
        await watched(one, server, folder)
        assert one.enrolled is not None
        ada, grace = one.enrolled.session, await enrolled(one, "grace", "operator")
        seats = [
            await seated(stack, one, session, size)
            for session, size in ((ada, (120, 40)), (grace, (80, 24)), (ada, (80, 24)))
        ]
        await seats[0].until(
            lambda: all((row := seats[0].app.world.host_named(name)) and row.state == "up" for name in HOSTS),
            "all hosts are up",
        )
        await seats[0].until(lambda: all(one.state == "ok" for one in seats[0].app.world.checks.values()))
        yield Desk(one, server, *seats)
        for seat in seats:
            seat.here()
            await seat.app.shut()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(shared: Desk) -> AsyncIterator[Desk]:
    """All consoles at the fleet; runs that a test leaves behind are stopped."""
    seats = (shared.ada, shared.grace, shared.again)
    for seat in seats:
        await seat.home()
    yield shared
    for run in shared.ada.app.world.active_runs():
        # one that has ended just now is on the console's list still
        with suppress(NotFound):
            await shared.house.client.call("runbooks.stop", wire.RunbookRun, wire.StopRunbook(run=run.id))
    await until(lambda: not shared.ada.app.world.active_runs())


def at_once(*seats: Seat) -> None:
    """The next answers of these consoles leave them in one moment: neither has news of the other's."""
    barrier = asyncio.Barrier(len(seats))
    for seat in seats:
        seat.app.client.call = together(seat.app.client, barrier)  # type: ignore[method-assign]  # for one call


def together(client: Client, barrier: asyncio.Barrier) -> Callable[..., Awaitable[Any]]:
    """A call that waits for the other's, once."""
    send = client.call

    async def call(name: str, kind: type, request: Any = None) -> Any:
        if name == "runbooks.answer":
            del client.call  # type: ignore[method-assign]  # what was put over it
            async with asyncio.timeout(60):
                await barrier.wait()
        return await send(name, kind, request)

    return call


async def test_two_press_next_at_once_and_one_of_them_is_told(desk: Desk) -> None:
    ada, grace = desk.ada, desk.grace
    run = await desk.begin("turns", "web-1")
    await desk.answer(run)
    for seat in (ada, grace):
        await seat.open(run)
    await desk.again.open(run)
    # each sees who else is there, and who leads
    await ada.seen("grace and you at another console look on", "led by ada")
    await grace.seen("ada leads")
    await desk.again.home()
    await ada.seen("grace looks on")
    assert "another console" not in ada.words
    await ada.asked("confirm")
    await grace.asked("confirm")
    at_once(ada, grace)
    async with asyncio.TaskGroup() as both:
        both.create_task(ada.press("enter"))
        both.create_task(grace.press("enter"))
    await until(lambda: "gone on meanwhile" in ada.told + grace.told)
    told, won = (ada, grace) if "gone on meanwhile" in ada.told else (grace, ada)
    assert "gone on meanwhile" not in won.told
    assert f"{won.app.session.account} was faster" in told.told  # type: ignore[union-attr]  # somebody sits there
    for seat in (ada, grace):
        await seat.asked("confirm")
        screen = seat.app.screen
        assert isinstance(screen, StepScreen) and screen.run is not None
        assert screen.run.step == "last"
        await seat.seen("Look at it again.")
    assert (desk.folder / "turns").read_text() == "turned\n", "it was run once"
    # ada goes away and says so; grace is handed the run, and told
    await ada.press("h")
    await ada.dialog(TextDialog)
    await ada.type("grace")
    await grace.until(lambda: "ada hands a run over to you" in grace.told)
    await ada.seen("led by grace", "handed over by ada")
    await grace.press("h")
    await grace.dialog(TextDialog)
    await grace.press("escape")
    await ada.home()
    await grace.until(lambda: "ada" not in people(grace), "nobody else looks on")
    await grace.asked("confirm")
    await grace.press("enter")
    await grace.seen("✓ done")


def people(seat: Seat) -> str:
    """Who else there is, as a narrow screen has it."""
    seat.here()
    found = seat.app.screen.query("AskPane")
    return str(found.first().border_subtitle) if found else ""


async def test_another_person_approves_on_screen_what_will_run(desk: Desk) -> None:
    ada, grace = desk.ada, desk.grace
    await ada.line("runbook empty web-2")
    await ada.until(lambda: isinstance(ada.app.screen, RunbookScreen) and ada.app.screen.plan is not None)
    await ada.seen("Another person approves: May the queue be emptied?", "echo emptied")
    await ada.press("enter")
    await ada.asked("approve")
    await ada.seen("it waits for another person", "0 of 1")
    await grace.until(lambda: "an approval is asked of you" in grace.told)
    await grace.line("approvals")
    await grace.seen("Empty the queue, step ok")
    await grace.press("enter")
    await grace.asked("approve")
    await grace.seen("May the queue be emptied?", "y approve", "ada leads")
    await grace.press("y")
    await grace.dialog(TextDialog)
    await grace.type("seen it")
    await ada.asked("confirm")
    await ada.seen("echo emptied", "1 ok")
    await ada.press("enter")
    await ada.seen("✓ done", "emptied")
    await ada.press("t")
    await ada.until(lambda: isinstance(ada.app.screen, TranscriptScreen))
    await ada.seen("grace", "seen it")


async def test_a_roll_out_stops_by_itself_after_the_canary_and_is_taken_back(desk: Desk) -> None:
    ada, grace = desk.ada, desk.grace
    await ada.line(f"runbook roll {' '.join(HOSTS)}")
    await ada.until(lambda: isinstance(ada.app.screen, RunbookScreen) and ada.app.screen.plan is not None)
    await ada.seen("up to 4 hosts", "1, then 3 hosts")
    await ada.press("enter")
    screen = await ada.asked("confirm")
    await grace.open(screen.run_id)
    await ada.press("enter")
    # the change breaks what its host is watched for, and that is noticed before the others are touched
    await ada.until(lambda: (desk.folder / "broken-web-1").exists())
    await ada.until(lambda: any(one.rule == "check_failed" for one in ada.app.world.firing()))
    (desk.folder / "seen").touch()
    await ada.until(lambda: screen.run is not None and screen.run.state == "paused", "it stops by itself")
    await ada.seen("Check failed began to fire on web-1", "u ", "roll back")
    await ada.seen("web-1", "web-4", "waiting")
    await grace.seen("Check failed began to fire on web-1")
    assert not (desk.folder / "broken-web-2").exists()
    await ada.until(lambda: screen.ready)
    await ada.press("u")
    await ada.dialog(ConfirmDialog)
    await ada.press("y")
    await ada.asked("undo")
    await ada.seen('rm -f -- "$HOME/broken-$NAME"', "NAME=web-1")
    await ada.type("web-1")
    await ada.seen("↶ rolled back")
    assert not (desk.folder / "broken-web-1").exists()
    await grace.seen("↶ rolled back")
    await ada.until(lambda: not [one for one in ada.app.world.firing() if one.state == "firing"])


async def test_an_alert_closes_because_its_runbook_is_proven_to_have_mended_it(desk: Desk) -> None:
    ada = desk.ada
    (desk.folder / "stuck").touch()
    desk.folder.joinpath("stuck").chmod(0o666)
    await ada.until(lambda: any(one.state == "firing" for one in ada.app.world.firing()), "an alert")
    alert = next(one for one in ada.app.world.firing() if one.state == "firing")
    ada.app.open_alert(alert.id)
    await ada.until(lambda: isinstance(ada.app.screen, AlertScreen))
    await ada.seen("A queue is stuck", "r starts it")
    await ada.press("r")
    await ada.until(lambda: isinstance(ada.app.screen, RunbookScreen) and ada.app.screen.plan is not None)
    await ada.seen("queue = stuck", 'rm -f -- "$HOME"/stuck', "on web-3", "is measured anew at the end")
    await ada.press("enter")
    screen = await ada.asked("confirm")
    await ada.press("enter")
    await ada.until(lambda: screen.run is not None and screen.run.proof == "fixed", "the fix is proven")
    await ada.seen("✓ done", "fixed")
    closed = ada.app.world.alerts[alert.id]
    assert (closed.state, closed.why) == ("resolved", "proven by a fresh probe after a runbook")
    await ada.press("t")
    await ada.until(lambda: isinstance(ada.app.screen, TranscriptScreen))
    await ada.seen("holds no more, by a probe after the last step")
