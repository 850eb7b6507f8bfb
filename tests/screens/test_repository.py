"""A repository's page, and the lines below the lists of backups: all of a reason, what to do, room and growth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol.backups import (
    CopiesReport,
    RepositoryDetail,
    RepositoryRow,
    RepositorySpec,
    RunDetail,
)
from guardian_tui.protocol.events import Delta
from screens.backup import BackupScreen
from screens.backups import BackupsScreen
from screens.dialogs import ConfirmDialog
from screens.edit_backup import EditRepositoryDialog
from screens.repository import RepositoryScreen
from screens.run_log import RunLogScreen
from tests.screens.test_backups import BASE, DETAIL, ENDED, ROWS, RUNNING, SHORT, SNAPSHOTS, WELL, words_of
from tests.screens.test_pictures import picture
from tests.support.canned import NOW, SESSION, canned, standing_still
from tests.support.console import until

DAY = 86400.0
WHY = (
    "The repository is locked. restic says: unable to create lock in backend: repository is already locked by PID 7770 on web-eu-01 by root,"
    " lock was created at 2026-11-30 09:18:58\x1b[2J."
)
ADVICE = "Try again later. If whoever holds it is dead, unlock the repository: only stale locks are removed."
FULL = RepositoryRow(
    id="b", name="store", engine="restic", location="s3:https://s3.example.org/bucket", host="web-eu-01", verdict="locked", words=WHY, advice=ADVICE,
    listed_at=NOW - 7200, tried_at=NOW - 60, snapshots=1, oldest_at=NOW - 9000, newest_at=NOW - 9000, version="0.18.0", site="oslo", keeper="ops", jobs=1,
    capacity_bytes=2 << 40, taken_bytes=1 << 40, growth_bytes_per_day=float(8 << 30), full_at=NOW + 128 * DAY, doubles_at=NOW + 128 * DAY,
    verified_at=NOW - 3 * DAY, check_level="sample",
)  # fmt: skip
SPEC = RepositorySpec(
    name="store", engine="restic", location="s3:https://s3.example.org/bucket", host="web-eu-01", capacity_bytes=2 << 40, site="oslo", keeper="ops",
)  # fmt: skip
SHOWN = RepositoryDetail(
    row=FULL, spec=SPEC, runs=(replace(ENDED, id="r7", operation="check", job="", repository="store", verdict="ok", words="No errors."),),
    sizes=tuple((NOW - (9 - day) * DAY, float((900 + day * 10) << 30)) for day in range(10)),
)  # fmt: skip
HERE = replace(
    ROWS,
    backups=(replace(BASE, repository="store"), *ROWS.backups[1:]),
    repositories=(*ROWS.repositories, FULL),
)


def plain(app: GuardianApp) -> str:
    """What is on screen, without frames and folds."""
    return " ".join(" ".join(picture(app)).replace("│", " ").split())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_repositorys_page_tells_the_whole_reason_what_to_do_and_how_it_grows(
    size: tuple[int, int],
) -> None:
    async with canned(size) as (app, pilot, client):
        client.answers |= {
            "repositories.show": SHOWN,
            "backups.show": DETAIL,
            "backups.snapshots": SNAPSHOTS,
            "backups.log": RunDetail(row=SHOWN.runs[0]),
        }
        app._changed(HERE)
        await pilot.press("g", "3", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and "locked" in words_of(app))
        # below the list all of it, as far as there is room
        assert "unable to create lock in backend" in plain(app) and ADVICE[:60] in plain(app)
        assert "1 jobs  2 hosts  3 repositories  4 runs  5 copies" in words_of(app)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RepositoryScreen) and "2.0 TiB" in words_of(app))
        await until(lambda: "No errors." in words_of(app))
        assert ("10 days" in words_of(app)) == (size[1] > 24)
        shown = plain(app)
        assert WHY.replace("\x1b", "␛") in shown and f"do {ADVICE}" in shown
        for words in (
            "restic 0.18.0, s3:https://s3.example.org/bucket, read by web-eu-01", "2h ago, tried 60s ago", "1 snapshot, the oldest 2h old", "checked 3d ago (sample)",
            *(["site oslo, ops can delete it"] if size[1] > 24 else []), "1.0 TiB of 2.0 TiB", "8.0 GiB a day; full in 128d", "● ok",
        ):  # fmt: skip
            assert words in shown, (words, shown)
        assert "\x1b" not in shown
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, BackupScreen))
        await pilot.press("escape", "tab", "enter")
        await until(lambda: isinstance(app.screen, RunLogScreen))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, RepositoryScreen))
        # what is under way in it is seen from its beginning
        app._changed(Delta(seq=120, runs=(replace(RUNNING, id="r8", repository="store", job="web"),)))
        await until(lambda: "backup web" in plain(app) and "55 %" in words_of(app))
        await pilot.press("home", "x")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("escape", "escape")
        await until(lambda: isinstance(app.screen, BackupsScreen))


async def test_by_its_keys_the_repository_in_front_is_edited_read_checked_and_forgotten() -> None:
    async with canned((80, 24)) as (app, pilot, client):
        client.answers |= {
            "repositories.show": SHOWN,
            "repositories.read": FULL,
            "repositories.check": RUNNING,
            "repositories.edit": FULL,
        }
        app._changed(HERE)
        for open_page in (False, True):
            app.go("backups")
            await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
            await pilot.press("3", "home")
            if open_page:
                await pilot.press("enter")
                await until(lambda: isinstance(app.screen, RepositoryScreen) and "2.0 TiB" in words_of(app))
            await pilot.press("e")
            await until(lambda: isinstance(app.screen, EditRepositoryDialog))
            field = app.screen.query_one("#capacity_bytes", Input)
            assert field.value == "2T"
            field.value = "much"
            await pilot.press("ctrl+s")
            await until(lambda: "Holds at most: write a size" in words_of(app))
            field.value = "3T"
            await pilot.press("ctrl+s")
            await until(lambda: any(name == "repositories.edit" for name, _ in client.orders))
            order = next(request for name, request in client.orders if name == "repositories.edit")
            assert order.spec == replace(SPEC, capacity_bytes=3 << 40)  # type: ignore[attr-defined]  # of EditRepository
            await pilot.press("u", "V")
            await until(
                lambda: {"repositories.read", "repositories.check"} <= {name for name, _ in client.orders}
            )
            assert (
                next(request for name, request in client.orders if name == "repositories.read").repository
                == "store"
            )  # type: ignore[attr-defined]  # of its reference
            await pilot.press("delete")
            await until(lambda: isinstance(app.screen, ConfirmDialog) and "its 1 snapshot stay" in plain(app))
            await pilot.press("escape")
            client.orders.clear()


async def test_a_repository_that_is_gone_says_so_and_one_without_capacity_tells_how_fast_it_doubles() -> None:
    async with canned((120, 40)) as (app, _, client):
        client.answers["repositories.show"] = replace(SHOWN, sizes=())
        told = replace(
            FULL,
            capacity_bytes=0,
            full_at=None,
            forecast="a store like s3 tells nobody how much room it has: say it yourself",
        )
        app._changed(replace(HERE, repositories=(told,)))
        app.open_repository("b")
        await until(
            lambda: isinstance(app.screen, RepositoryScreen) and "twice as large in 128d" in words_of(app)
        )
        assert "say it yourself" in plain(app)
        app.open_repository("nowhere")
        await until(lambda: "This repository is looked at no longer." in words_of(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("what", ["copies", "repository"])
def test_the_whole_picture(snap_compare: Callable[..., bool], size: tuple[int, int], what: str) -> None:
    nowhere = Path("/nonexistent")
    with standing_still():
        app = GuardianApp(
            Paths(nowhere, nowhere, nowhere), Settings(), theme="guardian-dark", clock=lambda: NOW
        )

        async def begin(pilot: Pilot[int]) -> None:
            await until(lambda: app.hello is not None)
            app.client.answers |= {
                "backups.copies": CopiesReport(rows=(WELL, SHORT)),
                "repositories.show": SHOWN,
            }  # type: ignore[attr-defined]  # the canned one
            app.begin(SESSION)
            await until(lambda: bool(app.world.hosts))
            app._changed(HERE)
            if what == "copies":
                app.run_line("copies")
                await until(lambda: "1/2 as they should be" in words_of(app))
            else:
                app.open_repository("b")
                await until(lambda: "No errors." in words_of(app))
            app.screen.refresh_frame()  # type: ignore[attr-defined]  # it has one
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=begin)
