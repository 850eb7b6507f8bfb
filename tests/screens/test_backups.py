"""Backups on screen: the lists, a job's page, a restore; answers by table, rows by the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol.backups import (
    CopiesReport,
    CopiesRow,
    FileList,
    HeldCopy,
    JobDetail,
    JobRow,
    JobSpec,
    Progress,
    ReadinessRow,
    RepositoryRow,
    RestorePlan,
    RestoreQuery,
    RetentionPlan,
    RunDetail,
    RunRow,
    Snapshot,
    SnapshotFile,
    SnapshotList,
    TimerRow,
)
from guardian_tui.protocol.backups import Restore as RestoreOrder
from guardian_tui.protocol.events import Delta
from screens.backup import BackupScreen
from screens.backups import BackupsScreen
from screens.choice import ChoiceDialog
from screens.edit_backup import EditJobDialog
from screens.fleet import FleetScreen
from screens.growth import GrowthDialog, history_of, pace
from screens.reports import ReportDialog
from screens.restore import RestoreScreen, plan_lines
from screens.run_log import RunLogScreen
from tests.screens.test_pictures import picture
from tests.support.canned import NOW, SESSION, canned, standing_still
from tests.support.console import until
from widgets.backups_list import JobsList
from widgets.backups_pane import BackupsPane
from widgets.chart import Chart
from widgets.copies_list import CopiesList


def words_of(app: GuardianApp) -> str:
    """All that is on screen."""
    return "\n".join(picture(app))


RUNNING = RunRow(
    id="r1", job="db", host="db-eu-1", repository="vault", operation="backup", state="running", queued_at=NOW - 100, started_at=NOW - 90,
    by="schedule",
    progress=Progress(
        stage="backup", bytes_done=5 << 30, bytes_total=9 << 30, bytes_per_second=5e7, left_seconds=80.0, files_done=1, files_total=2, current="/srv/a\x1b[2J",
    ),
)  # fmt: skip
ENDED = RunRow(
    id="r2", job="files", host="files-2", repository="vault", operation="backup", state="ended", verdict="partial", words="1 file could not be read.",
    advice="Let the backup read it.", queued_at=NOW - 4000, started_at=NOW - 3990, ended_at=NOW - 3900, by="ada", warnings=1,
)  # fmt: skip
BASE = JobRow(
    id="j0", name="web", host_id="local", host="web-eu-01", repository="vault", engine="restic", state="ok", since=NOW - 90, rpo_seconds=93600.0,
    rto_seconds=14400.0, good_at=NOW - 20000, verified_at=NOW - 90000, drilled_at=NOW - 99999, drill="ok", next_at=NOW + 7200, schedule="daily", snapshots=2,
    copies=2, measured_rto_seconds=400.0, timer=TimerRow(place="host", form="cron", wanted="host", reconciled_at=NOW - 600),
)  # fmt: skip
JOBS = (
    BASE, replace(BASE, id="j1", name="db", state="running", run=RUNNING, good_at=NOW - 50000),
    replace(BASE, id="j2", name="files", state="failed", run=ENDED, words="1 file could not be read.", good_at=None, drilled_at=None, drill=None),
    replace(BASE, id="j3", name="mail", state="ok", good_at=NOW - 100000),
)  # fmt: skip
ROWS = Delta(
    seq=99, backups=JOBS, runs=(RUNNING, ENDED),
    repositories=(RepositoryRow(id="a", name="vault", engine="restic", location="/srv/b", host="web-eu-01", verdict="ok", listed_at=NOW - 60, snapshots=12),),
    readiness=(
        ReadinessRow(host_id="local", host="here", ready="no", why=("files: no good snapshot",), jobs=2),
        ReadinessRow(host_id="web-eu-01", host="web-eu-01", ready="yes", good_at=NOW - 20000, rto_seconds=400.0, rto_measured=True, copies=2, jobs=1),
        ReadinessRow(host_id="lab-7", host="lab-7", ready="none", why=("nothing of it is backed up",)),
    ),
)  # fmt: skip
SNAPSHOTS = SnapshotList(
    snapshots=(
        Snapshot(id="s2", repository="vault", at=NOW - 20000, files=30, bytes=60 << 20, drilled_at=NOW - 99999),
        Snapshot(id="s1", repository="vault", at=NOW - 110000, files=30, bytes=50 << 20, good=False, why="a source was missing"),
    ),
    total=2,
)  # fmt: skip
DETAIL = JobDetail(
    row=BASE, spec=JobSpec(name="web", host="web-eu-01", repository="vault", sources=("/etc", "/srv")), runs=(replace(ENDED, job="web", id="r9"),),
    days=(("2025-06-30", "ok"), ("2025-07-01", "partial")), growth=((NOW - 9e5, 5e7), (NOW - 2e4, 6e7)),
)  # fmt: skip


async def test_jobs_stand_in_the_order_of_their_trouble_with_age_progress_and_reason() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        app._changed(ROWS)
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        assert app.screen.query_one(JobsList).ids == ["j2", "j3", "j1", "j0"]
        shown = words_of(app)
        for words in (
            "✖ failed",
            "▲ late",
            "◷ running",
            "● ok",
            "55 %",
            "1 file could not be read",
            "2/4 in RPO",
        ):
            assert words in shown, words
        await pilot.press("2")
        assert "restore tonight? 1 yes" in words_of(app) and "files: no good snapshot" in words_of(app)
        await pilot.press("3")
        assert "/srv/b by web-eu-01" in words_of(app)
        await pilot.press("4")
        assert "1 running" in words_of(app)
        await pilot.press("1", "slash", *"mail", "enter")
        assert app.screen.query_one(JobsList).ids == ["j3"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_how_fast_a_run_is_and_when_it_ends_is_seen_on_every_terminal(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, _):
        app._changed(ROWS)
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        for view in ("1", "4"):
            await pilot.press(view)
            shown = words_of(app)
            assert "55 %" in shown and "48M/s" in shown and "80s left" in shown, shown


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_jobs_page_shows_its_run_its_half_year_and_its_snapshots(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        client.answers |= {
            "backups.show": DETAIL,
            "backups.snapshots": SNAPSHOTS,
            "backups.log": RunDetail(row=ENDED, log="open /etc/x: denied\x1b[2J"),
        }
        app._changed(ROWS)
        app.open_backup("j0")
        await until(lambda: isinstance(app.screen, BackupScreen) and "60.0 MiB" in words_of(app))
        shown = words_of(app)
        assert "measured 6m" in shown
        assert "timer     cron on the host; compared 10m ago" in shown or size[0] < 110
        assert "not whole: a sou" in shown
        assert ("half a year" in shown) == (size[0] >= 110)
        assert ("days      ·" in shown) == (size[0] < 110), (
            "without room for the calendar a strip stands in for it"
        )
        timer = TimerRow(
            place="engine", wanted="host", words="there is no systemd, and no crontab either\x1b[2J"
        )
        app._changed(replace(ROWS, seq=100, backups=(replace(BASE, timer=timer),)))
        mended = TimerRow(
            place="host", form="systemd", changed="its unit", changed_at=NOW - 60, words="it sleeps"
        )
        app._changed(replace(ROWS, seq=101, backups=(replace(BASE, timer=mended),)))
        await until(lambda: "timer     it sleeps; its unit: changed by others" in words_of(app))
        app._changed(replace(ROWS, seq=102, backups=(replace(BASE, timer=timer),)))
        await until(lambda: "timer     the engine; there is no systemd, and no" in words_of(app))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunLogScreen) and "denied" in words_of(app))
        assert "Let the backup read it." in words_of(app)
        assert "\x1b" not in words_of(app)


async def test_a_restore_is_browsed_previewed_and_only_then_ordered() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        files = FileList(
            files=(
                SnapshotFile(path="/etc", kind="dir"),
                SnapshotFile(path="/motd\x1b]0;x\x07", kind="file", size=5),
            )
        )
        plan = RestorePlan(
            host="web-eu-01",
            target="/",
            files=1,
            bytes=5,
            overwritten=("/etc/motd",),
            overwritten_files=1,
            free_bytes=1 << 30,
        )
        client.answers |= {
            "backups.show": DETAIL, "backups.snapshots": SNAPSHOTS, "backups.files": files, "backups.preview": plan, "backups.restore": RUNNING,
            "backups.log": RunDetail(row=RUNNING, log="restoring"),
        }  # fmt: skip
        app._changed(ROWS)
        app.open_backup("j0")
        await until(lambda: isinstance(app.screen, BackupScreen) and "60.0 MiB" in words_of(app))
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, RestoreScreen) and "etc/" in words_of(app))
        assert "\x1b" not in words_of(app)
        await pilot.press("space")
        assert "1 chosen" in words_of(app)
        await pilot.press("R")
        await until(lambda: "What: /etc." in words_of(app))
        await pilot.press("enter", *["backspace"] * 30, "slash", "enter")
        await until(lambda: "would be OVERWRITTEN" in words_of(app))
        asked = [request for request in client.asked if isinstance(request, RestoreQuery)]
        assert (asked[-1].includes, asked[-1].target) == (("/etc",), "/")
        assert not [name for name, _ in client.orders if name == "backups.restore"]
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunLogScreen))
        order = next(request for name, request in client.orders if name == "backups.restore")
        assert isinstance(order, RestoreOrder) and order.overwrite


async def test_no_key_acts_on_a_folder_that_was_left_and_one_that_was_read_is_there_at_once() -> None:
    top = FileList(files=(SnapshotFile(path="/boot", kind="dir"), SnapshotFile(path="/etc", kind="dir")))
    etc = FileList(files=(SnapshotFile(path="/etc/motd", kind="file", size=5),))
    async with canned((80, 24)) as (app, pilot, client):
        client.answers |= {"backups.show": DETAIL, "backups.snapshots": SNAPSHOTS, "backups.files": top}
        app._changed(ROWS)
        app.open_backup("j0")
        await until(lambda: isinstance(app.screen, BackupScreen) and "60.0 MiB" in words_of(app))
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, RestoreScreen) and "boot/" in words_of(app))
        client.answers["backups.files"] = etc
        client.held["backups.files"] = asyncio.Event()
        await pilot.press("down", "enter", "space")
        await until(lambda: "Reading /etc from the repository" in words_of(app))
        assert "boot/" not in words_of(app) and "chosen" not in words_of(app)
        await pilot.press("escape")
        # the cursor is where it was
        await until(lambda: "boot/" in words_of(app) and "▌  etc/" in words_of(app))
        await pilot.press("enter")
        client.held["backups.files"].set()
        await until(lambda: "motd" in words_of(app))
        read = len(client.asked)
        await pilot.press("escape")
        await until(lambda: "▌  etc/" in words_of(app))
        await pilot.press("enter")
        await until(lambda: "motd" in words_of(app))
        assert len(client.asked) == read


def test_a_host_that_does_not_get_at_the_repository_is_told_in_the_preview() -> None:
    plan = RestorePlan(host="web-2", target="/", files=1, bytes=5, hindered="web-2 does not get at vault")
    assert ("web-2 does not get at vault", "error") in plan_lines(plan)


async def test_where_a_host_does_not_get_at_the_repository_the_engine_can_be_let_carry_it() -> None:
    files = FileList(files=(SnapshotFile(path="/etc", kind="dir"),))
    plan = RestorePlan(host="web-2", target="/", files=1, bytes=5)
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= {
            "backups.show": DETAIL, "backups.snapshots": SNAPSHOTS, "backups.files": files, "backups.restore": RUNNING,
            "backups.preview": replace(plan, hindered="web-2 does not get at vault", carriable=True),
            "backups.log": RunDetail(row=RUNNING, log="restoring"),
        }  # fmt: skip
        app._changed(ROWS)
        app.open_backup("j0")
        await until(lambda: isinstance(app.screen, BackupScreen) and "60.0 MiB" in words_of(app))
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, RestoreScreen) and "etc/" in words_of(app))
        await pilot.press("R")
        await until(lambda: "What: all" in words_of(app))
        await pilot.press("enter", "enter")
        await until(lambda: "web-2 does not get at vault" in words_of(app))
        client.answers["backups.preview"] = plan
        before = app.screen
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ReportDialog) and app.screen is not before)
        assert "does not get at" not in words_of(app)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunLogScreen))
        queries = [request for request in client.asked if isinstance(request, RestoreQuery)]
        assert [one.carried for one in queries] == [False, True, True]
        order = next(request for name, request in client.orders if name == "backups.restore")
        assert isinstance(order, RestoreOrder) and order.carried


async def test_how_a_job_has_grown_is_a_chart() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers["backups.show"] = replace(
            DETAIL, growth=tuple((NOW - (40 - day) * 86400.0, float(day << 30)) for day in range(41))
        )
        app._changed(ROWS)
        app.go("backups")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        app.run_line(f"growth {BASE.name}")
        await until(lambda: isinstance(app.screen, GrowthDialog))
        chart = app.screen.query_one(Chart)
        await until(lambda: "size of" in str(chart.border_title))
        assert "+30.0 GiB a month" in str(chart.border_title) + words_of(app)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, BackupsScreen))
    assert pace([]) == "no pace yet" and pace([(0.0, 5.0), (86400.0 * 30, 3.0)]).startswith("−2")
    assert history_of([(0.0, 5.0)], 10) is None
    drawn = history_of([(0.0, 1.0), (10.0, 3.0), (100.0, 2.0)], 11)
    assert drawn is not None and drawn.mean[:3] == (1.0, 3.0, 3.0) and drawn.mean[-1] == 2.0


async def test_from_the_list_a_point_in_time_is_picked_before_anything_is_read() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= {
            "backups.snapshots": SNAPSHOTS, "backups.files": FileList(files=(SnapshotFile(path="/etc", kind="dir"),)),
        }  # fmt: skip
        app._changed(ROWS)
        app.go("backups")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, ChoiceDialog) and "5h ago" in words_of(app))
        shown = words_of(app)
        assert "5h ago, 60.0 MiB, 30 files, drilled" in shown
        assert "30h ago, 50.0 MiB, 30 files, not whole: a source was missing" in shown
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, RestoreScreen) and "etc/" in words_of(app))
        assert "It is not whole: a source was missing" in words_of(app)


async def test_a_repository_that_can_t_be_browsed_says_so_and_a_refused_preview_does_no_harm() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers["backups.snapshots"] = (
            SNAPSHOTS  # files and preview are refused: there is no answer for them
        )
        app._changed(ROWS)
        app.push_screen(RestoreScreen(BASE, SNAPSHOTS.snapshots[0]))
        await until(lambda: isinstance(app.screen, RestoreScreen) and app.screen.composed)
        await until(lambda: "reading the repository" not in words_of(app))
        await pilot.press("R")
        await until(lambda: "all of the snapshot" in words_of(app))
        await pilot.press("enter", "enter")
        await until(lambda: isinstance(app.screen, RestoreScreen) and "60.0 MiB" in words_of(app))
        await until(
            lambda: any(told.severity == "error" for told in app._notifications), "the refusal is told"
        )
        assert not [name for name, _ in client.orders if name == "backups.restore"]


async def test_hosts_of_which_nothing_is_known_are_told_too_and_an_estimate_is_no_measure() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        hosts = (
            ReadinessRow(
                host_id="a", host="a", ready="unknown", rto_seconds=9000.0, rto_measured=False, jobs=1
            ),
            ReadinessRow(host_id="b", host="b", ready="yes", rto_seconds=400.0, rto_measured=True, jobs=1),
        )
        app._changed(Delta(seq=99, backups=(BASE,), readiness=hosts))
        await pilot.pause()
        shown = words_of(app)
        assert "restore tonight? 1 yes 1 unknown" in shown and "worst RTO 6m measured, b" in shown
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        assert "1/1 in RPO · restore tonight 1 yes 1 unknown" in words_of(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_empty_list_says_what_to_do_next_in_full(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, _):
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        for key, words in (
            ("1", "O reads what a host's own programs back up already."),
            ("3", "O finds those that hosts fill already."),
            ("4", "r on a job backs up now."),
        ):
            await pilot.press(key)
            await until(lambda words=words: words in " ".join(words_of(app).replace("│", " ").split()))


async def test_a_wide_terminal_has_more_columns_and_no_title_touches_the_next() -> None:
    for width in (80, 120, 200):
        async with canned((width, 50)) as (app, pilot, _):
            app._changed(ROWS)
            await pilot.press("g", "3")
            await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
            assert ("RTO  copies" in words_of(app)) == (width == 200)
            await pilot.press("2")
            await pilot.pause()
            assert "RTO  copies why" in words_of(app)


async def test_the_fleet_has_the_backups_in_a_pane_and_folded_in_a_word() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        app._changed(ROWS)
        await pilot.pause()
        shown = words_of(app)
        for words in (
            "backups 2/4 in RPO",
            "55 %",
            "stale 27h",
            "1 good",
            "restore tonight? 1 yes 1 no 1 none",
            "worst RTO 6m measured, web-eu-01",
        ):
            assert words in shown, words
        await pilot.press("3")
        assert app.screen.query_one(BackupsPane).has_focus
    async with canned((80, 24)) as (app, pilot, _):
        app._changed(ROWS)
        await pilot.pause()
        assert "backups 2/4" in words_of(app)


async def test_a_job_that_is_typed_wrong_says_what_and_where_and_a_right_one_is_ordered() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers["backups.add"] = BASE
        app._changed(ROWS)
        app.go("backups")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        await pilot.press("n")
        await until(lambda: isinstance(app.screen, EditJobDialog))
        app.screen.query_one("#name").value = "new job"
        await pilot.press("ctrl+s")
        assert "name" in words_of(app) and isinstance(app.screen, EditJobDialog)
        app.screen.query_one("#name").value = "shop"
        app.screen.query_one("#sources").value = "/etc '/with space'"
        app.screen.query_one("#dumps").value = "postgresql:shop"
        app.screen.query_one("#keep").value = "daily=7"
        app.screen.query_one("#probe_sql").value = "SELECT count(*) > 9 FROM orders"
        app.screen.query_one("#probe_answer").value = "t"
        app.screen.query_one("#own_state").value = "may"
        await pilot.press("ctrl+s")
        assert "Own state: write yes" in words_of(app)
        app.screen.query_one("#own_state").value = "yes"
        await pilot.press("ctrl+s")
        await until(lambda: client.orders)
        name, spec = client.orders[-1]
        assert name == "backups.add" and isinstance(spec, JobSpec)
        assert spec.own_state
        assert (spec.drill.probe_sql, spec.drill.probe_answer) == ("SELECT count(*) > 9 FROM orders", "t")
        assert (spec.sources, spec.keep.daily, spec.dumps[0].database) == (("/etc", "/with space"), 7, "shop")


async def test_five_thousand_jobs_draw_only_what_is_seen() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        many = tuple(replace(BASE, id=f"m{n}", name=f"job-{n:04}") for n in range(5000))
        app._changed(Delta(seq=100, backups=many))
        app.go("backups")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        await pilot.pause()
        jobs = app.screen.query_one(JobsList)
        drawn = jobs.lines_drawn
        assert drawn < 200
        await pilot.press("down")
        await pilot.pause()
        assert jobs.lines_drawn - drawn <= 4
        drawn = jobs.lines_drawn
        jobs.redraw_all()
        await pilot.pause()
        assert jobs.lines_drawn - drawn <= jobs.size.height, "all of it anew is what is seen of it"
        drawn = jobs.lines_drawn
        await pilot.press("pagedown")
        await pilot.pause()
        assert jobs.lines_drawn - drawn <= 2 * jobs.size.height


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_whole_picture(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    nowhere = Path("/nonexistent")
    with standing_still():
        app = GuardianApp(
            Paths(nowhere, nowhere, nowhere), Settings(), theme="guardian-dark", clock=lambda: NOW
        )

        async def begin(pilot: Pilot[int]) -> None:
            await until(lambda: app.hello is not None)
            app.begin(SESSION)
            await until(
                lambda: isinstance(app.screen, FleetScreen) and app.screen.composed and app.world.hosts
            )
            app._changed(ROWS)
            app.go("backups")
            await until(lambda: isinstance(app.screen, BackupsScreen) and "in RPO" in words_of(app))
            app.screen.refresh_frame()  # type: ignore[attr-defined]  # it has one
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=begin)


WELL = CopiesRow(
    job="web", host="web-eu-01", copies=3, places=3, elsewhere=1, untouchable=1, errors=0,
    held=(
        HeldCopy(repository="vault", place="store-1", site="berlin", keeper="the key on web-eu-01", at=NOW - 20000, in_time=True),
        HeldCopy(repository="far", place="store-2", site="oslo", keeper="ops", at=NOW - 90000, in_time=True, elsewhere=True, untouchable=True),
    ),
)  # fmt: skip
SHORT = CopiesRow(
    job="db", host="db-eu-1\x1b[2J", copies=2, places=1, elsewhere=0, untouchable=0, errors=1, flags=("2 of 3 copies", "ops can destroy vault and far"),
    held=(HeldCopy(repository="vault", place="db-eu-1", keeper="ops", fault="was never checked"),),
)  # fmt: skip


async def test_copies_are_a_list_with_their_figures_what_is_missing_and_how_fresh_the_second_site_is() -> (
    None
):
    for size in ((80, 24), (120, 40)):
        async with canned(size) as (app, pilot, client):
            client.answers["backups.copies"] = CopiesReport(rows=(WELL, SHORT))
            app._changed(ROWS)
            app.run_line("copies")
            await until(
                lambda: isinstance(app.screen, BackupsScreen) and "1/2 as they should be" in words_of(app)
            )
            listing = app.screen.query_one(CopiesList)
            # one loss takes all of it: that comes first
            assert listing.ids == ["db", "web"]
            shown = words_of(app)
            assert "✖ db" in shown and "● web" in shown and "25h" in shown and "\x1b" not in shown
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, ReportDialog) and "was never checked" in words_of(app))
            told = words_of(app)
            assert (
                "hosts that hold them                        1 of 2" in told
                and "ops can destroy vault and far" in told
            )
            await pilot.press("escape", "down", "enter")
            await until(lambda: "Nothing is missing." in words_of(app))
            assert "far on store-2, site oslo (elsewhere): 25h old" in words_of(app)
            await pilot.press("escape", "slash", *"oslo", "enter")
            await until(lambda shown=listing: shown.ids == ["web"])


async def test_what_can_be_saved_is_the_list_as_it_is_filtered_and_sorted() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers["backups.copies"] = CopiesReport(rows=(WELL, SHORT))
        app._changed(ROWS)
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        screen = app.screen
        assert isinstance(screen, BackupsScreen)
        names, rows = screen.table_shown
        assert [row[names.index("name")] for row in rows] == ["files", "mail", "db", "web"]
        await pilot.press("S")
        assert "by name" in words_of(app) and screen.query_one(JobsList).ids == ["j1", "j2", "j3", "j0"]
        app.run_line("backups-sort drill")
        assert screen.query_one(JobsList).ids[0] == "j2"
        app.run_line("backups-sort colour")
        await until(lambda: any("sorted by trouble, name" in told.message for told in app._notifications))
        await pilot.press("5")
        await until(lambda: "1/2 as they should be" in words_of(app))
        names, rows = screen.table_shown
        assert names[:3] == ["job", "host", "copies"] and "held" not in names
        assert rows[0][names.index("flags")] == ("2 of 3 copies", "ops can destroy vault and far")
        for key in "234":
            await pilot.press(key, "S")
            assert screen.table_shown[1]


async def test_a_report_of_copies_that_can_t_be_had_says_why() -> None:
    async with canned((120, 40)) as (app, _, _):
        app.run_line("copies")
        await until(lambda: any(told.severity == "error" for told in app._notifications))
        await until(lambda: "No job yet" in words_of(app))


async def test_five_thousand_jobs_open_without_a_question_and_a_step_draws_few_lines() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        many = tuple(replace(BASE, id=f"m{n}", name=f"job-{n}", good_at=NOW - 1000 - n) for n in range(5000))
        app._changed(replace(ROWS, backups=many))
        client.asked.clear()
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        listing = app.screen.query_one(JobsList)
        await until(lambda: len(listing.ids) == 5000 and "job-" in words_of(app))
        # the stream has brought all of it
        assert not [request for request in client.asked if request is not None]
        drawn = listing.lines_drawn
        await pilot.press("down")
        await pilot.pause()
        assert listing.lines_drawn - drawn <= 4
        drawn = listing.lines_drawn
        await pilot.press("pagedown")
        await pilot.pause()
        assert listing.lines_drawn - drawn <= 45


async def test_why_a_backup_failed_and_what_to_do_can_be_read_on_the_jobs_page_without_opening_the_run() -> (
    None
):
    why = "A disk is full. restic says: unable to save snapshot: write to the repository: no space left on device, and it stays so."
    advice = "Free space where it is full, or keep fewer snapshots; unlock the repository if it stays locked."
    run = replace(ENDED, job="files", verdict="no_space", words=why, advice=advice)
    for size in ((80, 24), (120, 40)):
        async with canned(size) as (app, _, client):
            client.answers |= {
                "backups.show": replace(DETAIL, row=JOBS[2]), "backups.snapshots": SNAPSHOTS, "backups.log": RunDetail(row=run, log="Fatal"),
            }  # fmt: skip
            app._changed(replace(ROWS, backups=(replace(JOBS[2], words=why, run=run),), runs=(run,)))
            app.open_backup("j2")
            await until(lambda: isinstance(app.screen, BackupScreen) and "no_space" in words_of(app))
            # at 120 columns the calendar stands beside it
            left = [line[: 60 if size[0] == 120 else 80] for line in picture(app)]
            shown = " ".join(" ".join(left).replace("│", " ").split())
            assert why in shown and f"do {advice}" in shown, "\n".join(left)
            app.open_run(run)
            await until(lambda: isinstance(app.screen, RunLogScreen) and "Fatal" in words_of(app))
            told = " ".join(words_of(app).replace("│", " ").split())
            assert why in told and advice in told
            # what is over can't be ended
            await until(lambda: "end run" not in words_of(app))
            app.open_run(RUNNING)
            client.answers["backups.log"] = RunDetail(row=RUNNING, log="reading /srv")
            await until(lambda: "reading /srv" in words_of(app) and "x end run" in words_of(app))


async def test_what_asks_before_it_takes_something_away_names_host_place_and_counts() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers["backups.retention"] = RetentionPlan(kept=1, forgotten=SNAPSHOTS.snapshots)
        app._changed(ROWS)
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        for line, told in (
            ("backup-remove web", ("web on web-eu-01 is no longer", "Its 2 snapshots in vault stay")),
            ("retain web", ("web on web-eu-01, in the repository vault:", "1 snapshot is kept, 2 would be forgotten.")),
            ("repository-remove vault", ("(restic, /srv/b, read by web-eu-01)", "its 12 snapshots stay.")),
        ):  # fmt: skip
            app.run_line(line)
            await until(lambda words=told[0]: words in words_of(app))
            assert told[1] in words_of(app)
            await pilot.press("escape")
            await until(lambda: isinstance(app.screen, BackupsScreen))
        assert not [name for name, _ in client.orders if name.endswith((".remove", ".retain"))]


async def test_from_a_page_of_a_backup_the_lists_are_one_key_away() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= {
            "backups.show": DETAIL,
            "backups.snapshots": SNAPSHOTS,
            "backups.copies": CopiesReport(rows=(WELL, SHORT)),
        }
        app._changed(ROWS)
        await pilot.press("g", "3")
        await until(lambda: isinstance(app.screen, BackupsScreen) and app.screen.composed)
        for keys in (("g", "3"), ("colon", *"copies", "enter")):
            app.open_backup("j0")
            await until(lambda: isinstance(app.screen, BackupScreen) and "60.0 MiB" in words_of(app))
            await pilot.press(*keys)
            await until(lambda: isinstance(app.screen, BackupsScreen))
        await until(lambda: "1/2 as they should be" in words_of(app))
        assert len(app.screen_stack) == 1
