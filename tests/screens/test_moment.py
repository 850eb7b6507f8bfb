"""A database restored to a moment, on screen: the window in words, a moment picked or typed, refused outside, previewed, and only then ordered."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.widgets import Input

from guardian_tui.protocol.backups import Restore, RestorePlan, RunDetail, Snapshot, SnapshotList, Window
from guardian_tui.protocol.events import Delta
from screens.choice import ChoiceDialog
from screens.moment import MomentDialog, moment_lines, proposals, refusal, typed_moment, window_words
from screens.reports import ReportDialog
from screens.run_log import RunLogScreen
from tests.screens.test_backups import BASE, RUNNING, words_of
from tests.support.canned import NOW, canned
from tests.support.console import until

HOUR = 3600.0
WINDOW = Window(earliest=NOW - 30 * HOUR, latest=NOW - 600.25, pending=True)
PLAN = RestorePlan(
    host="db-1", target="/var/tmp/restore-shop", files=0, bytes=5 << 30, free_bytes=50 << 30,
    commands=("make the folder, readable by nobody else", "pgbackrest --stanza=shop restore", "replay the log up to the moment"),
)  # fmt: skip
SHOP = replace(BASE, id="pg", name="shop", engine="pgbackrest")


def local(*fields: int) -> float:
    return time.mktime((*fields, 0, 0, -1) if len(fields) == 6 else (*fields, 0, 0, 0, -1))


def test_a_moment_is_read_as_people_write_it() -> None:
    now = local(2026, 11, 28, 14, 30, 0)
    read = {
        "14:05": local(2026, 11, 28, 14, 5, 0), "14:05:30": local(2026, 11, 28, 14, 5, 30), "today 9:07": local(2026, 11, 28, 9, 7, 0),
        "yesterday 23:00": local(2026, 11, 27, 23, 0, 0), "2026-11-02  01:02": local(2026, 11, 2, 1, 2, 0), "2h ago": now - 7200, "90 m ago": now - 5400,
        # the hour is still to come today
        "18:00": local(2026, 11, 27, 18, 0, 0), "latest": WINDOW.latest, "14:05:30.250000": local(2026, 11, 28, 14, 5, 30) + 0.25,
    }  # fmt: skip
    for text, at in read.items():
        assert typed_moment(text, now, WINDOW) == at, text
    for text in (
        "",
        "noon",
        "25:00",
        "14:61",
        "2026-02-31 10:00",
        "2026-13-01 10:00",
        "14",
        "tomorrow 9:00",
        "-1h ago",
        "14:05; rm",
        "99999-01-01 1:00",
    ):
        assert typed_moment(text, now, WINDOW) is None, text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("0123456789:-. agotdyshmlate"), max_size=30))
def test_whatever_is_typed_is_a_moment_or_refused(text: str) -> None:
    at = typed_moment(text, NOW, WINDOW)
    assert at is None or isinstance(refusal(at, NOW, WINDOW), str)


def test_the_window_is_told_in_words_and_what_can_be_picked_lies_in_it() -> None:
    assert "Any moment from" in window_words(WINDOW, NOW) and "10m ago" in window_words(WINDOW, NOW)
    assert "once the log is archived" in window_words(WINDOW, NOW)
    assert "Nothing was committed after that" in window_words(replace(WINDOW, pending=False), NOW)
    assert "no full backup" in window_words(Window(), NOW)
    assert "archived nothing" in window_words(Window(earliest=NOW), NOW)
    assert "restore the backup itself" in window_words(Window(earliest=NOW, latest=NOW - 5), NOW)
    backups = [Snapshot(id="x", repository="pg", at=NOW - hours * HOUR) for hours in (2, 20, 50)]
    offered = proposals(WINDOW, backups, NOW)
    assert offered[0][2].startswith("the last that can be restored") and offered[-1][0] == "typed"
    ats = [float(id) for id, _, _ in offered[:-1]]
    assert ats == sorted(ats, reverse=True) and all(not refusal(at, NOW, WINDOW) for at in ats)
    assert NOW - 2 * HOUR in ats and NOW - 50 * HOUR not in ats


def test_a_preview_says_what_stands_against_it() -> None:
    words = "\n".join(
        line
        for line, _ in moment_lines(
            replace(PLAN, fits=False, overwritten_files=1, notes=("Of the archive: it fails.",)), NOW, NOW
        )
    )
    for said in (
        "does not fit",
        "something at /var/tmp/restore-shop already",
        "Of the archive",
        "2. pgbackrest",
    ):
        assert said in words


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_moment_is_picked_or_typed_previewed_and_only_then_ordered(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        run = replace(RUNNING, id="rx", operation="restore", job="shop")
        client.answers |= {
            "backups.window": WINDOW, "backups.snapshots": SnapshotList(snapshots=(), total=0), "backups.preview": PLAN, "backups.restore": run,
            "backups.log": RunDetail(row=run, log="recovering 2026-11-28 13:00:00"),
        }  # fmt: skip
        app._changed(Delta(seq=100, backups=(SHOP,)))
        app.run_line("restore shop")
        await until(lambda: isinstance(app.screen, ChoiceDialog) and "the last that can" in words_of(app))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, MomentDialog) and "Any moment from" in words_of(app))
        field = app.screen.query_one("#at", Input)
        field.value = "yesterday noon"
        await pilot.press("enter")
        assert "Write a moment like" in words_of(app)
        field.value = "2020-01-01 10:00"
        await pilot.press("enter")
        assert "is before the window" in words_of(app)
        field.value = "3h ago"
        await pilot.press("enter")
        app.screen.query_one("#target", Input).value = "relative"
        await pilot.press("enter")
        assert "begins with /" in words_of(app) and not client.orders
        app.screen.query_one("#target", Input).value = "/var/tmp/restore-shop"
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ReportDialog) and "replay the log" in words_of(app))
        assert "Nothing that is there is touched" in words_of(app)
        assert not [name for name, _ in client.orders if name == "backups.restore"]
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunLogScreen) and "recovering" in words_of(app))
        (order,) = [order for name, order in client.orders if name == "backups.restore"]
        assert isinstance(order, Restore) and (order.job, order.target) == ("shop", "/var/tmp/restore-shop")
        assert order.at == pytest.approx(NOW - 3 * HOUR, abs=120)


async def test_the_last_moment_is_taken_as_it_is_and_no_window_is_said() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= {
            "backups.window": WINDOW,
            "backups.snapshots": SnapshotList(snapshots=(), total=0),
            "backups.preview": replace(PLAN, fits=False),
        }
        app._changed(Delta(seq=100, backups=(SHOP,)))
        app.run_line("restore shop")
        await until(lambda: isinstance(app.screen, ChoiceDialog) and "the last that can" in words_of(app))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, MomentDialog) and "Any moment from" in words_of(app))
        await pilot.press("enter", "enter")
        await until(lambda: isinstance(app.screen, ReportDialog) and "does not fit" in words_of(app))
        asked = client.asked[-1]
        assert asked.at == WINDOW.latest
        await pilot.press("enter")
        await pilot.pause()
        assert not client.orders or all(name != "backups.restore" for name, _ in client.orders)
        client.answers["backups.window"] = Window(words="archive_mode is off: nothing is archived")
        app.run_line("restore shop")
        await until(lambda: isinstance(app.screen, ReportDialog) and "archive_mode is off" in words_of(app))
