"""A runbook by its keys: the real app, a real engine, a real sshd; from the list to the verdict."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.config import AuditSettings, FleetSettings, RunbooksSettings, Settings
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.runbook import RunbookScreen
from screens.runbook_run import StepScreen
from screens.runbooks import RunbooksScreen
from screens.transcript import TranscriptScreen
from tests.screens.test_console import console, dialog, go
from tests.screens.test_pictures import picture
from tests.support.console import House, house, until
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(240)

BOOK = """---
id: look
title: Look at a host
version: 1
hosts: person
vars:
  word: {type: word, prompt: Which word?}
---
## Look first

See who we *are* there.
```step who
check: id -un; printf '\\033]0;evil\\007%s\\n' {{word}}
capture: {user: '(\\w+)'}
```
```step cause
choose: What is it?
options: {short: days, long: stop}
```
```step days
input: How many days?
type: int
min: 2
```
## Change something
```step write
run: printf '%s\\n' {{days}} > "$HOME/runbook-days"
dangerous: what was in it is gone
rollback: rm -f -- "$HOME/runbook-days"
```
```step fails
check: test -e /nonexistent
```
```step done
instruct: Tell your colleagues.
```
"""


@asynccontextmanager
async def watched(folder: Path, server: Sshd) -> AsyncIterator[House]:
    """An engine that watches a real host, and has one runbook."""
    books = folder / "books"
    books.mkdir(mode=0o755)
    (books / "look.md").write_text(BOOK)
    settings = Settings(
        fleet=FleetSettings(interval_seconds=1.0), audit=AuditSettings(syslog=False), runbooks=RunbooksSettings(folder=str(books), shipped=False)
    )  # fmt: skip
    key = folder / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    async with house(folder, settings) as one:
        known = f"[{server.address}]:{server.port} {server.host_key}"
        await one.client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
        spec = HostSpec(
            name="real", address=server.address, port=server.port, user=server.user, credential=f"key:{key}"
        )
        await one.client.call("hosts.add", HostRow, spec)
        yield one


async def seen(app: GuardianApp, *words: str) -> None:
    """Wait until these words are on screen."""
    try:
        await until(lambda: all(word in "\n".join(picture(app)) for word in words))
    except TimeoutError:
        pytest.fail(f"{words} are not on screen:\n" + "\n".join(picture(app)))


async def asks(app: GuardianApp, what: str) -> StepScreen:
    """Wait until the run asks this, and a key would answer."""
    screen = app.screen
    assert isinstance(screen, StepScreen)
    await until(lambda: screen.run is not None and screen.run.asked == what and screen.ready, what)
    return screen


async def typed(app: GuardianApp, pilot: Pilot[int], text: str) -> None:
    entry = app.screen.focused
    assert isinstance(entry, Input), "the field has the focus when something is to be typed"
    entry.value = text
    await pilot.press("enter")


def behind_by_one(app: GuardianApp) -> None:
    """The next answer is given to the run as it was before it went on, as if news of that were still on its way."""
    send = app.client.call

    async def late(name: str, kind: type, request: Any = None) -> Any:
        if name == "runbooks.answer":
            del app.client.call
            request = replace(request, version=request.version - 1)
        return await send(name, kind, request)

    app.client.call = late


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
async def test_a_person_is_led_from_the_list_to_the_verdict(
    tmp_path: Path, sshd: Callable[..., Sshd], size: tuple[int, int]
) -> None:
    async with watched(tmp_path, sshd()) as one, console(one, size) as (app, pilot):
        await until(lambda: app.world.host_named("real") and app.world.runbooks)
        await pilot.press("g", "7")
        await until(lambda: isinstance(app.screen, RunbooksScreen))
        await seen(app, "Look at a host", "never")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan is not None)
        # what is missing has the focus, and says what it wants
        await until(lambda: isinstance(app.screen.focused, Input) and app.screen.focused.id == "value-word")
        await seen(app, "Which word?")
        app.screen.query_one("#value-word", Input).value = "-rf"
        app.screen.query_one("#hosts", Input).value = "real"
        await pilot.press("enter")
        await seen(app, "word")
        await until(lambda: isinstance(app.screen.focused, Input), "what was refused has the focus")
        app.screen.query_one("#value-word", Input).value = "hi_there"
        await pilot.press("enter")
        await seen(app, "1 host", "real")
        await until(
            lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan and not app.screen.plan.missing
        )
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, StepScreen))

        await asks(app, "confirm")
        await seen(app, "id -un", "nothing is changed", "step 1 of 6")
        # somebody else was faster: what is on screen is no longer what the run asks
        await asks(app, "confirm")
        behind_by_one(app)
        await pilot.press("enter")
        await until(lambda: any("gone on meanwhile" in str(note.message) for note in app._notifications))
        await asks(app, "confirm")
        await pilot.press("enter")
        screen = await asks(app, "choose")
        # what is asked about stands above it, also where there is no room for the steps beside it
        await seen(app, "hi_there")
        assert "\x1b" not in "\n".join(picture(app))
        await seen(app, "What is it?", "1 short", "2 long")
        await pilot.press("1")
        await asks(app, "input")
        await typed(app, pilot, "1")
        await seen(app, "✖ it is less than 2")
        await asks(app, "input")
        await typed(app, pilot, "5")
        await asks(app, "type")
        await seen(app, "what was in it is gone", "Type real", "rm -f")
        await typed(app, pilot, "rael")
        assert screen.run is not None and screen.run.asked == "type", "another word runs nothing"
        await typed(app, pilot, "real")
        await asks(app, "confirm")
        await pilot.press("enter")
        await asks(app, "decide")
        await seen(app, "what now?")
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await seen(app, "try again", "roll back")
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        await asks(app, "decide")
        await pilot.press("k")
        await dialog(app, TextDialog)
        await pilot.press(*"not here", "enter")
        await until(lambda: app.screen is screen)
        await asks(app, "confirm")
        await seen(app, "Tell your colleagues.")
        await pilot.press("enter")
        await until(lambda: screen.run is not None and screen.run.state == "ended")
        await seen(app, "done")
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, TranscriptScreen))
        await seen(app, "Look at a host", "sha256")
        await pilot.press("slash", *"colleagues", "enter")
        await seen(app, "colleagues")
        await pilot.press("escape", "escape")
        await until(lambda: isinstance(app.screen, RunbooksScreen))
        await pilot.press("2")
        await seen(app, "● done", "real")
        await go(app, pilot, "find colleagues")
        await seen(app, "found “colleagues”")
