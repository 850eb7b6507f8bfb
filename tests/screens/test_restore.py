"""Browsing a snapshot: it is seen that a folder is read, keys are kept for it, and what was read stays at hand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from guardian_tui.app import GuardianApp
from guardian_tui.protocol.backups import FileList, FilesQuery, SnapshotFile
from guardian_tui.protocol.errors import HostUnavailable
from screens.restore import FilesList, RestoreScreen, WhereDialog
from tests.screens.test_backups import BASE, SNAPSHOTS, words_of
from tests.support.canned import CannedClient, canned
from tests.support.console import until

TREE = {
    "": ("dir /etc", "dir /srv"),
    "/etc": ("file /etc/fstab", "file /etc/hosts"),
    "/srv": ("file /srv/a",),
}


class Slow:
    """A repository that answers when the test says so."""

    def __init__(self, client: CannedClient) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self._call = client.call
        client.call = self.call  # type: ignore[method-assign]  # this one method is another's now

    async def call(self, name: str, kind: type, request: object = None) -> object:
        if not isinstance(request, FilesQuery):
            return await self._call(name, kind, request)
        self.asked.append(request.folder)
        await self.gate.wait()
        if self.broken:
            raise HostUnavailable("restic could not tell the files.")
        words = [word.split() for word in TREE[request.folder]]
        return FileList(files=tuple(SnapshotFile(path=path, kind=kind) for kind, path in words))


@asynccontextmanager
async def browsing(size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[GuardianApp, Pilot[int], Slow]]:
    """A snapshot whose top is shown; what is read next waits."""
    async with canned(size) as (app, pilot, client):
        slow = Slow(client)
        app.push_screen(RestoreScreen(BASE, SNAPSHOTS.snapshots[0]))
        await until(lambda: isinstance(app.screen, RestoreScreen) and "srv/" in words_of(app))
        slow.gate.clear()
        yield app, pilot, slow


async def test_keys_that_are_pressed_while_a_folder_is_read_are_for_that_folder() -> None:
    async with browsing() as (app, pilot, slow):
        await pilot.press("enter")
        await until(lambda: "Reading /etc from the repository" in words_of(app))
        await pilot.press("down", "space", "R")
        assert (
            "1 chosen" not in words_of(app)
            and "srv/" not in words_of(app)
            and not isinstance(app.screen, WhereDialog)
        )
        slow.gate.set()
        await until(lambda: isinstance(app.screen, WhereDialog))
        await until(lambda: "What: /etc/hosts." in words_of(app))


async def test_a_second_enter_reads_nothing_twice_and_what_was_read_stays_at_hand() -> None:
    async with browsing() as (app, pilot, slow):
        await pilot.press("enter", "down", "enter")
        slow.gate.set()
        await until(lambda: "fstab" in words_of(app))
        assert slow.asked == ["", "/etc"]
        slow.gate.clear()
        await pilot.press("escape")
        await until(lambda: "srv/" in words_of(app) and "fstab" not in words_of(app))
        # it stays where it came from
        assert app.screen.query_one(FilesList).cursor_id == "/etc"
        await pilot.press("enter")
        await until(lambda: "fstab" in words_of(app))
        assert slow.asked == ["", "/etc"]


async def test_esc_goes_back_without_the_folder_and_forgets_the_keys() -> None:
    async with browsing() as (app, pilot, slow):
        await pilot.press("down", "enter")
        await until(lambda: "Reading /srv" in words_of(app))
        await pilot.press("space", "R", "escape")
        await until(lambda: "▌  srv/" in words_of(app))
        slow.gate.set()
        await pilot.press("space")
        await until(lambda: "1 chosen" in words_of(app))
        assert "◆ srv/" in words_of(app) and isinstance(app.screen, RestoreScreen)


async def test_it_is_seen_how_long_a_folder_has_been_read() -> None:
    told = re.compile(r"from the repository for \d+ s; esc goes back\. What you type is kept")
    async with browsing((120, 40)) as (app, pilot, _):
        await pilot.press("enter")
        await until(lambda: "Reading /etc from the repository" in words_of(app))
        app.screen._since -= 7  # type: ignore[attr-defined]  # as if it had begun so long ago
        app.screen.tick(app.world.now())  # type: ignore[attr-defined]  # a second passes
        await until(lambda: told.search(words_of(app)))


async def test_keys_that_lead_on_into_another_folder_take_the_rest_along() -> None:
    TREE["/deep"], TREE["/deep/er"] = ("dir /deep/er",), ("file /deep/er/a", "file /deep/er/b")
    TREE[""] = ("dir /deep", "dir /srv")
    try:
        async with browsing() as (app, pilot, slow):
            await pilot.press("enter", "enter", "down", "space")
            slow.gate.set()
            await until(lambda: "◆ b" in words_of(app))
            assert slow.asked == ["", "/deep", "/deep/er"]
    finally:
        TREE[""] = ("dir /etc", "dir /srv")


async def test_a_folder_that_can_t_be_read_says_why_and_leaves_the_other() -> None:
    async with browsing((120, 40)) as (app, pilot, slow):
        slow.broken = True
        await pilot.press("enter")
        slow.gate.set()
        await until(lambda: "restic could not tell the files." in words_of(app))
        await pilot.press("space", "escape")
        await until(lambda: "srv/" in words_of(app) and "chosen" not in words_of(app))


async def test_how_to_choose_stands_in_the_footer() -> None:
    for size in ((80, 24), (120, 40)):
        async with browsing(size) as (app, _, _):
            assert "space choose" in words_of(app)
