"""Runbooks on screen: the lists, a page with its plan, the step in front; answers by table, rows by the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol.approvals import GivenApproval
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.runbooks import (
    AnswerRunbook,
    ApproveRunbook,
    HandOver,
    PlannedCommand,
    RunbookMatches,
    RunbookPreview,
    RunbookRun,
    RunbookRunDetail,
    SearchRunbooks,
    StartRunbook,
    StopRunbook,
)
from screens.ask_pane import AskPane
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog, TextDialog
from screens.fleet import FleetScreen
from screens.reports import ReportDialog
from screens.runbook import RunbookScreen
from screens.runbook_preview import PreviewDialog
from screens.runbook_run import StepScreen
from screens.runbooks import RunbooksScreen
from screens.transcript import TranscriptScreen
from tests.screens.test_console import dialog
from tests.screens.test_pictures import picture, sizes
from tests.support import runbooks as made
from tests.support.canned import NOW, SESSION, CannedClient, canned, standing_still
from tests.support.console import until
from tests.support.painting import PaintingDriver
from widgets.lines_pane import LinesPane
from widgets.runbook_lines import plan_step_lines, steps_lines
from widgets.runbooks_list import ResultsList

Console = tuple[GuardianApp, Pilot[int], CannedClient]


def words_of(app: GuardianApp) -> str:
    """All that is on screen."""
    return "\n".join(picture(app))


async def seen(app: GuardianApp, *words: str) -> None:
    try:
        await until(lambda: all(word in words_of(app) for word in words))
    except TimeoutError:
        pytest.fail(f"{words} are not on screen:\n{words_of(app)}")


@asynccontextmanager
async def step(run: RunbookRun, size: tuple[int, int] = (120, 40), **more: object) -> AsyncIterator[Console]:
    """The console at a run."""
    async with canned(size) as (app, pilot, client):
        client.answers |= made.ANSWERS
        client.answers["runbooks.follow"] = RunbookRunDetail(
            run=run, steps=made.STEPS, ahead=more.pop("ahead", ())
        )  # type: ignore[arg-type]  # steps
        client.answers["runbooks.answer"] = client.answers["runbooks.approve"] = client.answers[
            "runbooks.stop"
        ] = run
        client.answers["runbooks.hand_over"] = run
        app._changed(made.delta(run, **more))
        app.open_runbook_run(run.id)
        await ready(app)
        yield app, pilot, client


async def ready(app: GuardianApp) -> StepScreen:
    await until(lambda: isinstance(app.screen, StepScreen) and app.screen.ready)
    assert isinstance(app.screen, StepScreen)
    return app.screen


def last(client: CannedClient, route: str) -> object:
    return next((request for name, request in reversed(client.orders) if name == route), None)


@sizes
async def test_the_library_says_what_each_answers_and_why_one_is_broken(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta(made.RUN))
        await pilot.press("g", "7")
        await until(lambda: isinstance(app.screen, RunbooksScreen) and app.screen.composed)
        await seen(app, "Disk almost full", "● done 3d", "broken: rotate.md:12:9", "1 broken", "never")
        # where there is little room, names come before what they answer
        assert ("disk_low" in words_of(app)) == (size[0] >= 100)
        assert ("4f1c2a9d" in words_of(app)) == (size[0] >= 160)
        await pilot.press("slash", *"rotate", "enter", "enter")
        await dialog(app, ReportDialog)
        await seen(app, "rotate.md:12:9: the value", "runbooks lint")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, RunbooksScreen))
        await pilot.press("escape", "2")
        await seen(app, "▶ asks", "4/6 vacuum", "✓ proven fixed")
        await pilot.press("f")
        await dialog(app, TextDialog)
        await pilot.press(*"freed", "enter")
        await seen(app, "found “freed”", "freed 1.2G")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, TranscriptScreen))
        await seen(app, "sup-2 began it", "freed 1.2G")


async def test_what_was_found_goes_on_below_as_far_as_one_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three looks: the first found nothing in its time, the second much, the third the rest."""
    many = tuple(replace(made.MATCHES.matches[0], run=f"r{n}", line=f"needle {n}") for n in range(70))
    pages = {
        "": RunbookMatches(matches=(), more=True, older_than="r90"),
        "r90": RunbookMatches(matches=many[:60], more=True, older_than="r30"),
        "r30": RunbookMatches(matches=many[60:]),
    }
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta(made.RUN))
        real = client.call

        async def call(name: str, kind: type[Response], request: object = None) -> Response:
            if isinstance(request, SearchRunbooks):
                client.answers[name] = pages[request.older_than]
            return await real(name, kind, request)

        monkeypatch.setattr(client, "call", call)
        app.go("runbooks")
        await until(lambda: isinstance(app.screen, RunbooksScreen) and app.screen.composed)
        assert isinstance(app.screen, RunbooksScreen)
        app.screen.find("needle")
        await seen(app, "found “needle”", "needle 0", "60", "more below")
        asked = [one.older_than for one in client.asked if isinstance(one, SearchRunbooks)]
        assert asked == ["", "r90"]
        await pilot.press("end")
        await until(lambda: len(app.screen.listing.ids) == 70)  # type: ignore[attr-defined]  # as above
        await pilot.press("end")
        await seen(app, "needle 69")
        assert "more below" not in words_of(app) and "looks further" not in words_of(app)
        client.answers["runbooks.search"] = pages["r30"]
        monkeypatch.setattr(client, "call", real)
        app.screen.find("other")
        await seen(app, "found “other”", "needle 60")
        del client.answers["runbooks.search"]
        app.screen.find("third")
        await seen(app, "f looks for words in what all runs wrote")


@sizes
async def test_a_page_shows_the_document_what_is_asked_for_and_exactly_what_would_run(
    size: tuple[int, int],
) -> None:
    async with canned(size) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta())
        app.run_line("runbook disk-almost-full web-eu-12 mount=/srv")
        await until(lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan is not None)
        await seen(
            app, "web-eu-12", "/srv", "2 steps of 6", "$ df -P -- /var", "not as it was at its last run"
        )
        await pilot.press("c")
        await dialog(app, ReportDialog)
        await seen(app, "+version: 3")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, RunbookScreen))
        if size[0] < 110:
            await pilot.press("tab")
        await seen(app, "Frees space without losing data.", "Look first")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, StepScreen))
        order = last(client, "runbooks.run")
        assert isinstance(order, StartRunbook)
        assert (order.hosts, order.values, order.digest, order.auto) == (
            ("web-eu-12",),
            {"mount": "/srv"},
            "d" * 64,
            False,
        )


async def test_what_goes_on_by_itself_is_confirmed_and_a_changed_form_is_planned_anew() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta())
        app.open_runbook("disk-almost-full", ("web-eu-12",))
        await until(lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan is not None)
        await pilot.press("A")
        await seen(app, "goes on by itself")
        app.screen.query_one("#hosts", Input).value = "web-eu-01"
        await pilot.press("enter")
        assert last(client, "runbooks.run") is None, "what was planned is not what stands in the form"
        await until(
            lambda: isinstance(app.screen, RunbookScreen) and app.screen._planned_for == app.screen.order()
        )
        await pilot.press("enter")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await until(lambda: isinstance(app.screen, StepScreen))
        order = last(client, "runbooks.run")
        assert isinstance(order, StartRunbook) and order.auto and order.hosts == ("web-eu-01",)


@sizes
async def test_before_a_dangerous_step_all_is_said_and_its_phrase_is_typed(size: tuple[int, int]) -> None:
    async with step(made.RUN, size) as (app, pilot, client):
        await seen(
            app,
            "step 4 of 6",
            "web-eu-12",
            "as root",
            "$ journalctl --vacuum-time=7d",
            "no: deleted journal files are gone",
        )
        await seen(app, "Type web-eu-12 to run step 4", "▶ 4 vacuum the journal")
        if size[0] >= 110:
            await seen(
                app, "✓ 1 usage", "used = 93 · sup-2", "The journal may be cut", "disk_low", "93% /var"
            )
        await pilot.press(*"web", "enter")
        assert last(client, "runbooks.answer") is None
        # beside the field, until it is mended
        await seen(app, "type web-eu-12 exactly")
        await pilot.press("-")
        assert "exactly" not in words_of(app)
        app.screen.focused.value = "web-eu-12"  # type: ignore[union-attr]  # it is the field
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.answer"))
        order = last(client, "runbooks.answer")
        assert isinstance(order, AnswerRunbook)
        assert (order.act, order.typed, order.version, order.step) == (
            "go",
            "web-eu-12",
            made.RUN.version,
            "vacuum",
        )


async def test_enter_answers_nothing_that_was_not_on_screen_long_enough_to_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with step(made.at(1)) as (app, pilot, client):
        monkeypatch.setattr("screens.runbook_run.SETTLE_SECONDS", 3600.0)
        app._changed(made.delta(replace(made.at(5), version=50)))
        await pilot.press("enter")
        assert last(client, "runbooks.answer") is None
        monkeypatch.setattr("screens.runbook_run.SETTLE_SECONDS", 0.0)
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.answer"))
        order = last(client, "runbooks.answer")
        assert isinstance(order, AnswerRunbook) and (order.step, order.version) == ("recheck", 50)


async def test_a_choice_is_answered_by_its_number_or_by_pointing() -> None:
    run = made.at(2, asked="choose")
    async with step(run) as (app, pilot, client):
        await seen(app, "What is filling the disk?", "▌1 logs", "3 unknown")
        await pilot.press("9")
        assert last(client, "runbooks.answer") is None, "there is no ninth answer"
        await pilot.press("down", "enter")
        await until(lambda: last(client, "runbooks.answer"))
        assert last(client, "runbooks.answer").choice == "database"
        await ready(app)
        await pilot.press("3")
        await until(lambda: last(client, "runbooks.answer").choice == "unknown")


async def test_a_value_is_asked_for_with_its_bounds_and_a_secret_is_hidden() -> None:
    async with step(made.at(3, asked="input")) as (app, pilot, client):
        await seen(app, "Keep how many days of journal?", "2 at least")
        field = app.screen.focused
        assert isinstance(field, Input) and field.value == "7" and not field.password
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.answer"))
        assert last(client, "runbooks.answer").value == "7"
        secret = replace(made.KEEP, type="secret", secret=True, default=None)
        planned = replace(made.PLAN.steps[2], step=replace(made.STEPS[2], variable=secret))
        app._changed(made.delta(made.at(3, asked="input", current=planned, version=60)))
        await until(lambda: isinstance(app.screen.focused, Input) and app.screen.focused.password)
        await pilot.press(*"hunter2")
        assert "hunter2" not in words_of(app)


DECIDE = replace(
    made.RUN, state="deciding", asked="decide", acts=("retry", "accept", "skip", "back", "rollback", "stop"), words="exit code 1", phrase="",
    marks=tuple(replace(mark, state="failed", undo=True) if mark.step == "vacuum" else mark for mark in made.RUN.marks),
)  # fmt: skip


async def test_what_is_wrong_with_an_answer_stands_beside_it_and_goes_when_it_is_mended() -> None:
    async with step(made.at(3, asked="input"), (80, 24)) as (app, pilot, client):
        call = client.call

        async def refusing(name: str, kind: type, request: object = None) -> object:
            if name == "runbooks.answer":
                words = "keep can't have this value: it is less than 2. Take at least 2."
                raise InvalidRequest(words, field="keep")
            return await call(name, kind, request)

        client.call = refusing  # type: ignore[method-assign,assignment]  # an engine that refuses
        await pilot.press("enter")
        await seen(app, "✖ it is less than 2. Take at least 2.")
        assert not app._notifications, "and nowhere else"
        await pilot.press("9")
        assert "less than" not in words_of(app)
    async with step(made.at(2, asked="choose"), (80, 24)) as (app, pilot, client):
        await pilot.press("9")
        await seen(app, "✖ There is no answer 9: 1 to")
        await pilot.press("down")
        assert "There is no answer" not in words_of(app)
        assert last(client, "runbooks.answer") is None


async def test_a_dry_run_of_what_is_to_come_lies_over_the_step() -> None:
    async with step(made.RUN, (80, 24)) as (app, pilot, client):
        client.answers["runbooks.preview"] = RunbookPreview(
            run="r1", version=12, step="vacuum", steps=(made.VACUUM, made.PLAN.steps[-1]), blast="1 step of 2.",
            problems=("check: No host matches 'web'.",), warnings=("tell would tell nobody, and fail.",), changed=True,
        )  # fmt: skip
        await pilot.press("escape", "d")
        await dialog(app, PreviewDialog)
        await seen(
            app, "nothing has run", "▶ now", "journalctl --vacuum-time=7d", "✖ check: No host", "▲ tell"
        )
        await seen(app, "other hosts or values than were shown")
        await pilot.press("escape")
        assert isinstance(app.screen, StepScreen)
        assert last(client, "runbooks.answer") is None


async def test_what_is_wrong_in_the_form_stands_below_its_field() -> None:
    async with canned((80, 24)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        wrong = {"hosts": "There is no host 'web-9'."}
        client.answers["runbooks.plan"] = replace(
            made.PLAN, problems=("There is no host 'web-9'.",), fields=wrong, warnings=("tell would tell nobody, and fail.",)
        )  # fmt: skip
        app._changed(made.delta())
        app.open_runbook("disk-almost-full", ("web-9",))
        await seen(app, "✖ There is no host 'web-9'.", "▲ tell would tell nobody")
        await until(lambda: isinstance(app.screen.focused, LinesPane))
        await pilot.press("enter")
        assert last(client, "runbooks.run") is None
        assert app.screen.focused is app.screen.query_one("#hosts")
        await pilot.press("0")
        await until(lambda: not app.screen.query(".wrong"))


async def test_a_value_that_is_refused_leaves_the_plan_of_before_in_sight_and_nothing_begins_of_it() -> None:
    async with canned((80, 24)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta())
        app.open_runbook("disk-almost-full", ())
        await seen(app, "2 steps of 6", "web-eu-12, if left empty", "⏎ start  tab document  e values")
        answer = client.call

        async def refuse(name: str, kind: type[Response], request: object = None) -> Response:
            if name == "runbooks.plan":
                words = "mount can't have this value: it does not begin with /."
                raise InvalidRequest(words, field="mount")
            return await answer(name, kind, request)

        client.call = refuse  # type: ignore[method-assign]  # an engine that refuses it
        assert isinstance(app.screen, RunbookScreen)
        app.screen.query_one("#value-mount", Input).value = "srv"
        app.screen.query_one("#value-mount", Input).focus()
        await pilot.press("enter")
        await seen(
            app, "✖ it does not begin with /.", "✖ There is no plan", "plan of what stood", "2 steps of 6"
        )
        await pilot.press("escape", "enter")
        assert last(client, "runbooks.run") is None
        assert app.screen.focused is app.screen.query_one("#value-mount")
        client.call = answer  # type: ignore[method-assign]  # it is mended
        app.screen.query_one("#value-mount", Input).value = "/srv"
        await pilot.press("enter")
        await until(lambda: "There is no plan" not in words_of(app))
        await pilot.press("tab", "enter")
        await until(lambda: last(client, "runbooks.run") is not None)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_batches_and_danger_stand_above_commands_that_differ_by_host(size: tuple[int, int]) -> None:
    commands = tuple(
        PlannedCommand(
            command="agent --install", hosts=(host,), count=1, environment={"NAME": host}, missing=()
        )
        for host in made.MANY
    )
    assert made.FANNED.current is not None
    planned = replace(made.FANNED.current, commands=commands, more_commands=4)
    run = replace(made.at(4), hosts=made.MANY, hosts_count=24, current=planned, asked="type", phrase="20")
    async with step(run, size) as (app, _, _):
        await seen(app, "in     1, then 5", "goes back?", "Type 20, the number of its hosts")
        shown = "\n".join(
            "".join(text for text, _ in line) for line in app.screen.query_one("#what", LinesPane).lines
        )
        places = [
            shown.index(words)
            for words in ("on     20 hosts", "in     1, then 5", "goes back?", "web-eu-01\n")
        ]
        assert places == sorted(places)
        assert shown.count("agent --install") == 1 and "web-eu-02 the same" in shown
        assert "with   NAME=web-eu-20" in shown and "and 4 more commands that differ by host" in shown
    told = ["".join(text for text, _ in line) for line in plan_step_lines(planned, (), 70, 3)]
    assert sum("NAME=" in line for line in told) == 3
    assert any("and 21 more commands that differ by host" in line for line in told)


@sizes
async def test_a_run_over_many_hosts_that_has_ended_shows_what_they_wrote(size: tuple[int, int]) -> None:
    async with step(made.FANNED, size, runbook_results=made.RESULTS, runbook_progress=(made.PROGRESS,)) as (
        app,
        _,
        client,
    ):
        await until(lambda: app.screen.has_class("hosts") or size[0] >= 110)
        ended = replace(made.ENDED, id="r1", version=made.FANNED.version + 1)
        client.answers["runbooks.follow"] = RunbookRunDetail(run=ended, steps=made.STEPS)
        app._changed(made.delta(ended))
        await seen(app, "─ output ─", "transcript")
        assert not app.screen.has_class("hosts")


@sizes
async def test_a_step_that_failed_says_so_and_every_way_on_is_offered(size: tuple[int, int]) -> None:
    async with step(DECIDE, size) as (app, pilot, client):
        await seen(app, "what now?", "exit code 1", "r retry")
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await seen(app, "try again", "take as done", "roll back", "Takes back what was done")
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.answer"))
        assert last(client, "runbooks.answer").act == "retry"


@pytest.mark.parametrize(
    ("keys", "act", "reason"), [("k", "skip", "by hand"), ("a", "accept", "by hand"), ("b", "back", ""), ("r", "retry", "")]
)  # fmt: skip
async def test_a_way_round_a_step_wants_its_reason(keys: str, act: str, reason: str) -> None:
    async with step(DECIDE) as (app, pilot, client):
        await pilot.press(keys)
        if reason:
            await dialog(app, TextDialog)
            await pilot.press("enter")
            await seen(app, "Say why: it stands in the transcript.")
            assert last(client, "runbooks.answer") is None, "without a reason nothing is left out"
            await pilot.press(*reason, "enter")
        await until(lambda: last(client, "runbooks.answer"))
        order = last(client, "runbooks.answer")
        assert isinstance(order, AnswerRunbook) and (order.act, order.reason) == (act, reason)


async def test_a_run_is_rolled_back_stopped_and_handed_over() -> None:
    async with step(DECIDE) as (app, pilot, client):
        await pilot.press("u")
        await dialog(app, ConfirmDialog)
        await seen(app, "each step asks", "vacuum")
        await pilot.press("y")
        await until(lambda: getattr(last(client, "runbooks.answer"), "act", "") == "rollback")
        await ready(app)
        await pilot.press("h")
        await dialog(app, TextDialog)
        await pilot.press(*"ada", "enter")
        await until(lambda: last(client, "runbooks.hand_over") == HandOver(run="r1", to="ada"))
        await ready(app)
        await pilot.press("x")
        await dialog(app, TextDialog)
        await seen(app, "what was done stays done")
        await pilot.press(*"lunch", "enter")
        await until(lambda: last(client, "runbooks.stop") == StopRunbook(run="r1", reason="lunch"))


APPROVE = replace(
    made.RUN, asked="approve", acts=("back", "stop"), phrase="", by="sup-2", quorum=2,
    approvals=(GivenApproval(by="eve", at=NOW - 20, ok=True, until=NOW + 600),),
    current=replace(made.PLAN.steps[1], step=replace(made.STEPS[1], kind="approve", options=(), quorum=2), words="2 other people approve: cut it"),
)  # fmt: skip


@sizes
async def test_an_approval_shows_what_it_binds_and_is_another_person_s(size: tuple[int, int]) -> None:
    async with step(APPROVE, size, ahead=(made.VACUUM,)) as (app, pilot, client):
        await seen(app, "bound to dddddddddddddddd", "eve approved", "1 of 2", "journalctl --vacuum-time=7d")
        await pilot.press("y")
        await dialog(app, TextDialog)
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.approve"))
        order = last(client, "runbooks.approve")
        assert order == ApproveRunbook(run="r1", version=made.RUN.version, digest="d" * 64)
        app._changed(made.delta(replace(APPROVE, version=70, leader=SESSION.account)))
        await seen(app, "it waits for another person, not who began or leads it", "esc leaves it")
        assert "approve" not in "\n".join(picture(app)).splitlines()[-1], (
            "nobody is offered what they can't do"
        )


async def test_whoever_may_approve_is_told_and_finds_it_counted() -> None:
    async with canned((120, 40)) as (app, _pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta(APPROVE))
        await until(lambda: any("an approval is asked of you" in note.title for note in app._notifications))
        app.screen.refresh_frame()  # type: ignore[attr-defined]  # it has one
        await seen(app, "▶ 1 1?")
        app.run_line("approvals")
        await seen(app, "for you", "1 for you")
        await _pilot.press("enter")
        await ready(app)
    async with canned((80, 24)) as (app, _pilot, client):
        app._changed(made.delta(APPROVE))
        await seen(app, "g8 approve 1")


@sizes
async def test_many_hosts_are_a_table_with_the_failed_ones_first(size: tuple[int, int]) -> None:
    rows = {"runbook_results": made.RESULTS, "runbook_progress": (made.PROGRESS,)}
    async with step(made.FANNED, size, **rows) as (app, pilot, client):
        await seen(
            app,
            "6 of 20",
            "batch 3 of 3",
            "✖ 1 failed",
            "◷ 3 running",
            "✖ failed",
            "web-eu-03",
            "1, then 5, then 14 hosts",
        )
        assert app.screen.query_one(ResultsList).ids[0] == "r1/vacuum/web-eu-03"
        await pilot.press("o")
        await dialog(app, ReportDialog)
        await seen(app, "vacuum on web-eu-03", "failed, exit 1")
        await pilot.press("escape")
        screen = await ready(app)
        await pilot.press("p")
        await until(lambda: getattr(last(client, "runbooks.answer"), "act", "") == "pause")
        await pilot.press("tab")
        await seen(app, *(("web-eu-03: Failed to vacuum",) if size[0] >= 110 else ("4 vacuum the journal",)))
        app._changed(
            made.delta(
                replace(
                    made.FANNED,
                    version=80,
                    state="paused",
                    acts=("resume", "stop"),
                    words="A new alert fired on web-eu-03.",
                )
            )
        )
        await seen(app, "A new alert fired on web-eu-03.", "p go on")
        assert screen.run is not None and screen.run.state == "paused"


@sizes
async def test_the_end_says_whether_the_rule_is_proven_fixed(size: tuple[int, int]) -> None:
    async with step(replace(made.ENDED, id="r1"), size) as (app, pilot, _):
        await seen(app, "✓ done after 6m", "✓ proven fixed", "71 %")
        app._changed(
            made.delta(
                replace(
                    made.ENDED,
                    id="r1",
                    version=90,
                    verdict="failed",
                    proof="not_fixed",
                    proof_words="it still fires",
                )
            )
        )
        await seen(app, "✖ failed", "✖ not fixed", "it still fires")
        await pilot.press("t")
        await until(lambda: isinstance(app.screen, TranscriptScreen))
        await seen(app, "sha256 ffffffffffffffff")


async def test_an_older_row_that_comes_late_takes_nothing_back() -> None:
    async with step(made.RUN) as (app, _, _):
        app._changed(made.delta(made.at(1, version=2)))
        assert isinstance(app.screen, StepScreen) and app.screen.run is not None
        assert app.screen.run.step == "vacuum"


async def test_secrets_that_the_engine_has_forgotten_are_asked_for_again_masked() -> None:
    command = replace(made.USAGE.commands[0], missing=("token",))
    run = made.at(1, current=replace(made.USAGE, commands=(command,)))
    async with step(run) as (app, pilot, client):
        await seen(app, "no value yet for token")
        await pilot.press("enter")
        await dialog(app, TextDialog)
        await pilot.press(*"s3cret")
        assert "s3cret" not in words_of(app)
        await pilot.press("enter")
        await until(lambda: last(client, "runbooks.answer"))
        assert last(client, "runbooks.answer").secrets == {"token": "s3cret"}


async def test_an_alert_offers_the_runbook_that_fits_and_says_who_is_at_it() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        row = replace(made.ROW, rules=("cpu_busy",))
        app._changed(replace(made.delta(), runbooks=(row, made.ROWS[1])))
        app.open_alert("a1")
        await seen(app, "Disk almost full  r starts it")
        await pilot.press("r")
        await until(lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan is not None)
        asked = [request for request in client.asked if getattr(request, "alert", "") == "a1"]
        assert asked, "its values come from the alert"
        await pilot.press("escape")
        app._changed(replace(made.delta(made.RUN), runbooks=(row,)))
        await seen(app, "sup-2 leads, step 4 of 6")
        app.pop_screen()
        app.open_host("web-eu-12")
        await pilot.press("r")
        await dialog(app, ChoiceDialog)
        await seen(app, "run a runbook: web-eu-12", "answers cpu busy")


async def test_marked_hosts_of_the_fleet_carry_over() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app._changed(made.delta())
        fleet = app.screen
        assert isinstance(fleet, FleetScreen)
        fleet._hosts.move_to("web-eu-01")
        await pilot.press("space", "space")
        await pilot.press("r")
        await dialog(app, ChoiceDialog)
        await seen(app, "run a runbook: 2 hosts")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, RunbookScreen))
        assert app.screen.order().hosts == ("web-eu-01", "web-eu-02")  # type: ignore[attr-defined]  # it is the page


async def test_read_only_offers_nothing_that_runs() -> None:
    async with step(made.RUN) as (app, _, _):
        app.read_only = True
        names = {command.name for command in app.screen.offered()}  # type: ignore[attr-defined]  # a screen of ours
        assert not names & {"runbook.go", "runbook.skip", "runbook.stop", "runbook.hand", "runbook.rollback"}
        assert "runbook.transcript" in names


async def test_hostile_text_of_documents_hosts_and_output_is_inert() -> None:
    async with canned((80, 24), paints=True) as (app, pilot, client):
        client.answers |= made.ANSWERS
        hosts = (made.HOSTILE,)
        planned = replace(
            made.VACUUM, phrase=made.HOSTILE, undo=made.HOSTILE,
            step=replace(made.STEPS[3], prose=made.HOSTILE, text=made.HOSTILE, dangerous=made.HOSTILE, title=made.HOSTILE),
            commands=(replace(made.VACUUM.commands[0], command=f"printf {made.HOSTILE}\n{made.HOSTILE}", hosts=hosts, environment={"X": made.HOSTILE}, stdin=made.HOSTILE),),
        )  # fmt: skip
        run = replace(
            made.RUN, title=made.HOSTILE, hosts=hosts, current=planned, words=made.HOSTILE, leader=made.HOSTILE, phrase=made.HOSTILE, open=(made.HOSTILE,),
            marks=tuple(replace(mark, words=made.HOSTILE, by=made.HOSTILE) for mark in made.RUN.marks), rule=made.HOSTILE,
        )  # fmt: skip
        progress = replace(made.PROGRESS, tail=made.HOSTILE, words=made.HOSTILE)
        client.answers["runbooks.plan"] = replace(
            made.PLAN,
            blast=made.HOSTILE,
            hosts=hosts,
            values={"x": made.HOSTILE},
            problems=(made.HOSTILE,),
            steps=(planned,),
        )
        app._changed(made.delta(run, runbook_progress=(progress,)))
        app.go("runbooks")
        await pilot.pause()
        await pilot.press("2", "1")
        app.open_runbook("disk-almost-full")
        await until(lambda: isinstance(app.screen, RunbookScreen) and app.screen.plan is not None)
        await pilot.press("tab")
        await pilot.pause()
        for one in (
            run,
            replace(run, version=60, state="running", asked=""),
            replace(run, version=61, state="ended", verdict="done", proof_words=made.HOSTILE),
        ):
            app._changed(made.delta(one))
            app.open_runbook_run("r1")
            await pilot.pause()
            await pilot.press("escape", "tab")
            await pilot.pause()
        painted = "".join(PaintingDriver.painted)
        assert "]52;c" in painted, "it was drawn"
        assert "\x1b]52" not in painted and "\u202e" not in painted


async def test_a_transcript_is_searched_and_saved_as_markdown_and_asciicast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_documents_dir", lambda: str(tmp_path))
    async with canned((120, 40)) as (app, pilot, client):
        client.answers |= made.ANSWERS
        app.open_transcript("r0")
        await seen(app, "sup-2 began it")
        await pilot.press("slash", *"nowhere", "enter")
        await until(lambda: "is not in it" in str([note.message for note in app._notifications]))
        await pilot.press("slash", *"freed", "enter", "n", "N")
        pane = app.screen.query_one(LinesPane)
        assert pane.find("freed") > 0
        await pilot.press("ctrl+s")
        await until(lambda: list(tmp_path.glob("guardian-*.md")))
        app.run_line("save cast")
        await until(lambda: list(tmp_path.glob("guardian-*.cast")))
        app.run_line("save csv")
        await until(lambda: "md or cast" in str([note.message for note in app._notifications]))
        saved = next(tmp_path.glob("guardian-*.md"))
        assert saved.read_text() == made.TRANSCRIPT.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("what", ["library", "page", "step", "fanned"])
def test_the_whole_picture(snap_compare: Callable[..., bool], size: tuple[int, int], what: str) -> None:
    nowhere = Path("/nonexistent")
    with standing_still():
        app = GuardianApp(
            Paths(nowhere, nowhere, nowhere), Settings(), theme="guardian-dark", clock=lambda: NOW
        )

        async def begin(pilot: Pilot[int]) -> None:
            await until(lambda: app.hello is not None)
            client = app.client
            assert isinstance(client, CannedClient)
            client.answers |= made.ANSWERS
            app.begin(SESSION)
            await until(
                lambda: isinstance(app.screen, FleetScreen) and app.screen.composed and app.world.hosts
            )
            if what == "library":
                app._changed(made.delta(made.RUN))
                app.go("runbooks")
                await seen(app, "Disk almost full")
            elif what == "page":
                app._changed(made.delta())
                app.open_runbook("disk-almost-full", ("web-eu-12",))
                await seen(app, "2 steps of 6")
            else:
                run = made.RUN if what == "step" else made.FANNED
                client.answers["runbooks.follow"] = RunbookRunDetail(run=run, steps=made.STEPS)
                rows = (
                    {"runbook_results": made.RESULTS, "runbook_progress": (made.PROGRESS,)}
                    if what == "fanned"
                    else {"runbook_watchers": (made.WATCHERS,)}
                )
                app._changed(made.delta(run, **rows))
                app.open_runbook_run("r1")
                await seen(app, "Type web-eu-12" if what == "step" else "6 of 20")
                await until(lambda: isinstance(app.screen, StepScreen) and app.screen._detail is not None)
                await seen(app, *(("▶ 4 vacuum", "grace") if what == "step" else ("web-eu-03",)))
                if what == "fanned":
                    # the screen names it before it is told: then alone its caption has the other colour
                    await until(
                        lambda: isinstance(app.screen.focused, ResultsList) and app.screen.focused.has_focus
                    )
            for field in app.screen.query(Input):
                field.cursor_blink = False
            app.screen.refresh_frame()  # type: ignore[attr-defined]  # all of them have one
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=begin)


async def test_hosts_that_come_into_sight_have_the_arrows_and_what_goes_on_stands_first() -> None:
    async with step(made.at(4), (120, 40)) as (app, pilot, _client):
        paused = replace(made.FANNED, state="paused", acts=("resume", "rollback", "stop"), version=90)
        for run in (made.FANNED, paused):
            app._changed(made.delta(run, runbook_results=made.RESULTS, runbook_progress=(made.PROGRESS,)))
            await until(lambda: isinstance(app.screen.focused, ResultsList))
            await pilot.press("down")
            # a field that got the keys when it was asked for no more gives them back
            app.screen.set_focus(app.screen.query("AskPane Input").first())
            app.screen.focus_shown()
            await until(lambda: isinstance(app.screen.focused, ResultsList))
        await until(lambda: "p go on" in "\n".join(picture(app)).splitlines()[-1].strip()[:8])


async def test_of_a_step_nobody_knows_the_end_of_it_is_said_to_look_before_anything_is_decided() -> None:
    marks = tuple(replace(m, state="unknown") if m.step == "vacuum" else m for m in made.RUN.marks)
    lost = replace(
        made.RUN, state="deciding", asked="decide", acts=("retry", "accept", "skip", "stop"), phrase="", marks=marks,
        words="The link was cut in the middle of it: nobody knows how it ended there.", version=91,
    )  # fmt: skip
    async with step(lost, (80, 24)) as (app, pilot, _client):
        await seen(app, "nobody knows how it ended there", "look on the host first")
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await seen(app, "it may have been done there: look first.", "You have looked, and it was done")


async def test_hosts_that_were_not_well_are_told_at_the_end_and_have_the_room_while_they_fan_out() -> None:
    async with step(made.FANNED, (80, 24)) as (app, _pilot, _client):
        app._changed(made.delta(made.FANNED, runbook_results=made.RESULTS, runbook_progress=(made.PROGRESS,)))
        await until(lambda: app.screen.query_one(ResultsList).size.height >= 8)
        assert "$ journalctl --vacuum-time=7d" in "\n".join(picture(app))
        words = "16 of 20 well, 4 failed (web-eu-01, web-eu-05, web-eu-11 and 1 more)."
        marks = tuple(
            replace(m, state="done", words=words if m.step == "vacuum" else "") for m in made.RUN.marks
        )
        app._changed(made.delta(replace(made.ENDED, id="r1", version=95, marks=marks, rule="")))
        await seen(app, "✓ done", "step 4: 16 of 20 well, 4 failed (web-eu-01")
        assert app.screen.query_one(AskPane).has_class("warning"), "it is no clean end"


async def test_an_approval_says_to_each_what_they_can_do_and_what_counts_no_more() -> None:
    late = GivenApproval(by="bob", at=NOW - 900, ok=True, until=NOW - 300, void="It has expired.")
    both = replace(APPROVE, approvals=(*APPROVE.approvals, late))
    async with step(both, (80, 24)) as (app, _pilot, _client):
        await seen(
            app, "eve approved, until", "bob approved, which no longer counts: It has expired.", "1 of 2"
        )
        mine = GivenApproval(by=SESSION.account, at=NOW, ok=True, until=NOW + 600)
        app._changed(made.delta(replace(both, version=60, approvals=(mine,))))
        await seen(app, "you have approved it, and it waits for another.", "n refuse it after all")
        assert "y approve" not in words_of(app)
        app._changed(made.delta(replace(both, version=61, leader=SESSION.account, approvals=())))
        await seen(app, "You are told when somebody answers", "esc leaves it waiting")


async def test_what_is_to_be_approved_is_told_once() -> None:
    async with step(APPROVE, (120, 40), ahead=(made.VACUUM,)) as (app, _pilot, _client):
        await seen(app, "journalctl --vacuum-time=7d", "1 of 2")
        assert words_of(app).count("2 other people approve: cut it") == 1
    told = replace(
        made.PLAN.steps[1], person="Another person has to approve.", words="Another person approves: May it?"
    )
    lines = plan_step_lines(replace(told, step=replace(made.STEPS[1], kind="approve")), (), 70)
    assert sum("approve" in "".join(text for text, _ in line) for line in lines[1:]) == 1


async def test_after_a_refusal_the_others_are_asked_again() -> None:
    refused = replace(
        APPROVE, state="deciding", asked="decide", acts=("retry", "back", "stop"), leader=SESSION.account, words="eve refused: not on a Friday",
        approvals=(GivenApproval(by="eve", at=NOW - 20, ok=False, until=NOW + 600, note="not on a Friday"),),
    )  # fmt: skip
    async with step(refused, (80, 24)) as (app, pilot, _client):
        await seen(app, "eve refused: not on a Friday", "decide: ask again, go back, stop", "r ask again")
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await seen(app, "it was refused: what now?", "ask again", "⏎ picks")


async def test_a_question_that_is_asked_about_what_was_written_stands_below_it() -> None:
    """At 80 columns there is room for one of them: a number from the list can't be typed without the list."""
    async with step(made.at(3, asked="input"), (80, 24)) as (app, pilot, _client):
        await seen(app, "Keep how many days of journal?", "93% /var", "tab steps")
        field = app.screen.focused
        assert isinstance(field, Input)
        await pilot.press("tab")
        await seen(app, "▶ 3 keep", "tab output")
        assert app.screen.focused is field, "what is typed goes on"
        await pilot.press("tab")
        await seen(app, "93% /var")


async def test_values_that_are_known_stand_in_what_is_still_to_come() -> None:
    told = replace(made.STEPS[5], text="{{mount}} is well, {{later}} is not known")
    lines, _, _ = steps_lines((*made.STEPS[:5], told), made.RUN, 70)
    words = "\n".join("".join(text for text, _ in line) for line in lines)
    assert "tells: /var is well, {{later}} is not known" in words
