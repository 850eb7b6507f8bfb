"""Hosts that go, that a value names, or that nobody knows yet; values that come on the way."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.remote.followed import Ending
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import transcript, verdicts
from guardian_tui.engine.runbooks.output import Budget, Output, Tail
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from tests.runbooks.lab import Lab
from tests.runbooks.sample import document, step
from tests.runbooks.test_joined import disk_alert
from tests.runbooks.test_people import approve
from tests.runbooks.test_watching import watch

WHERE = "```step where\ninput: On which host?\ntype: host\n```\n```step there\nrun: echo there\nhosts: '{{where}}'\n```\n"


async def test_a_host_that_is_removed_before_a_step_begins_is_told_and_nothing_runs(lab_: Lab) -> None:
    run = await lab_.run("```step one\nrun: echo one\n```\n")
    del lab_.hosts.all["web-1"]
    with pytest.raises(InvalidRequest, match="There is no host 'id-web-1'"):
        await lab_.answer(run)
    assert (await lab_.row(run)).state == "asking"
    assert await lab_.output(run) == ""


async def test_a_host_that_is_removed_after_an_approval_takes_the_approval_with_it(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run("```step ok\napprove: May it?\n```\n```step one\nrun: echo one\n```\n")
    run = await approve(lab_, run, grace)
    assert run.step == "one"
    del lab_.hosts.all["web-1"]
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "What would be run has changed since." in run.words
    assert [one.words for one in (await lab_.detail(run.id)).ahead] == ["There is no host 'id-web-1'."]
    with pytest.raises(Conflict, match="What would be run has changed since you looked"):
        await approve(lab_, run, grace, digest="0" * 64)


async def test_a_step_whose_hosts_nobody_named_does_not_begin(lab_: Lab) -> None:
    run = await lab_.answer(await lab_.run(WHERE), "skip", reason="later")
    assert run.step == "there"
    with pytest.raises(InvalidRequest, match="not known on which hosts"):
        await lab_.answer(run)
    back = await lab_.answer(run, "back")
    named = await lab_.answer(back, value="web-2")
    assert named.current is not None and named.current.hosts == 1
    assert (await lab_.answer(named)).verdict == "done"
    assert [piece for piece in (await lab_.output(run, host="web-2")).split()] == ["there"]
    assert await lab_.output(run, host="web-1") == ""


async def test_a_step_that_can_not_be_planned_yet_is_shown_as_that(lab_: Lab) -> None:
    two = "```step two\nrun: echo two\nhosts: [gone-1]\n```\n"
    await lab_.book("```step one\nrun: echo one\n```\n" + two)
    lab_.hosts.all["gone-1"] = Way("id-gone-1", "gone-1", {"host": "gone-1"}, None)
    run = await lab_.start()
    del lab_.hosts.all["gone-1"]
    run = await lab_.answer(run)
    assert (run.step, run.words) == ("two", "There is no host 'gone-1'.")


async def test_a_filter_with_a_value_that_is_not_known_yet_meets_no_host_yet(lab_: Lab) -> None:
    ask = "```step which\ninput: Which?\ntype: word\n```\n"
    await lab_.book(ask + "```step there\nrun: echo there\nhosts: {filter: '{{which}}'}\n```\n")
    order = wire.RunbookOrder(runbook="book", hosts=("web-1",))
    plan: wire.RunbookPlan = await lab_.gate.call("runbooks.plan", order)
    assert (plan.problems, plan.steps[1].hosts) == ((), 0)
    # a row of a host that was just removed is none that anything can run on
    gone = Way("id-web-9", "web-2-before", {"host": "web-9"}, None)
    lab_.gate.live.hosts.put(gone.host_id, lab_.host_row(gone), gone.labels)
    run = await lab_.answer(await lab_.start(), value="web-2")
    assert run.current is not None and run.current.hosts == 1


async def test_a_document_without_hosts_concerns_the_engine_alone(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab_.books / "book.md").write_text(
        "---\nid: book\ntitle: A\nversion: 1\n---\n```step one\ninstruct: Look.\n```\n"
    )
    await lab_.runbooks.reload()
    run = await lab_.start(hosts=())
    assert (run.hosts, (await lab_.detail(run.id)).run.hosts_count) == ((), 0)
    assert (await lab_.answer(run)).verdict == "done"
    assert (await lab_.detail(run.id)).run.verdict == "done"
    monkeypatch.setattr(lab_.hosts, "way", lambda host: None)
    await lab_.book("```step one\nrun: echo one\n```\n", hosts="engine")
    with pytest.raises(InvalidRequest, match="own machine is not watched"):
        await lab_.start(hosts=())


async def test_by_itself_it_goes_on_after_a_person_and_to_its_end_by_values_alone(lab_: Lab) -> None:
    steps = "```step look\ninstruct: Look.\n```\n```step one\nrun: echo one\n```\n"
    run = await lab_.run(steps, auto=True)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))
    assert (await lab_.settled(run, "ended")).verdict == "done"
    alert = await disk_alert(lab_)
    await lab_.book(
        "```step days\ninput: How many?\ntype: int\n```\n", hosts="alert", front="for: [disk_low]\n"
    )
    run = await lab_.start(hosts=(), alert=alert.id, values={"days": "3"}, auto=True)

    async def proving() -> bool:
        return (await lab_.row(run)).proof == "waiting"

    await lab_.until(proving, "the rule is judged again")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    done = await lab_.settled(run, "ended")
    assert done.proof == "unknown" and "stopped" in done.proof_words


async def test_a_stop_is_heard_between_two_tries_and_two_batches(lab_: Lab) -> None:
    count = lab_.folder / "count"
    for more in ("retry: {times: 9, wait: 1h}", "fanout: {serial: [1], max_failures: 4, settle: 1h}"):
        count.write_text("")
        ends = "false" if "retry" in more else "true"
        run = await lab_.run(
            f"```step one\nrun: echo x >> {count}; {ends}\n{more}\n```\n", ("web-1", "web-2")
        )
        await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))
        wanted = 2 if "retry" in more else 1

        async def ran(wanted: int = wanted) -> bool:
            return len(count.read_text().split()) == wanted

        await lab_.until(ran, "it was tried")
        if "fanout" in more:

            async def settling(ident: str = run.id) -> bool:
                return lab_.runbooks.runner.runs[ident].words.startswith("Waits 3600 s")

            await lab_.until(settling, "it waits before the next batch")
        await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
        done = await lab_.settled(run, "ended")
        assert done.verdict == "stopped"
        assert len(count.read_text().split()) == wanted


async def test_a_detached_command_whose_traces_are_gone_is_unknown(lab_: Lab) -> None:
    run = await lab_.run("```step it\nrun: echo begun; exec sleep 20\ndetach: true\n```\n")
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))

    async def begun() -> bool:
        return "begun" in await lab_.output(run)

    await lab_.until(begun, "it has begun")
    shutil.rmtree(Path(lab_.detached))
    row = await lab_.settled(run)
    assert row.marks[0].state == "unknown"
    assert "knows nothing of it" in row.words or "its traces are gone" in row.words


async def test_a_detached_command_that_floods_is_read_no_faster_than_is_allowed(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    budget = Budget(time.monotonic, 4_000_000)
    spend = budget.spend
    monkeypatch.setattr(budget, "spend", lambda size: pauses.append(spend(size)) or pauses[-1])
    lab_.runbooks.house.budget = budget
    run = await lab_.run(
        "```step it\nrun: head -c 400000 /dev/zero | tr '\\\\0' x; echo\ndetach: true\n```\n"
    )
    done = await lab_.answer(run)
    assert done.verdict == "done" and max(pauses) > 0.0
    assert len(await lab_.output(done, limit_bytes=1 << 20)) == 400_001


async def test_a_transcript_holds_so_much_of_the_output_and_says_so(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "TEXT_LIMIT", 1000)
    monkeypatch.setattr(transcript, "PAGE", 1)
    run = await lab_.answer(
        await lab_.run("```step it\nrun: echo '```'; seq 1000; sleep 0.3; seq 1000; echo end >&2\n```\n")
    )
    text = (await lab_.transcript(run)).text
    assert "more output is kept with the run" in text
    # what looks like the end of the block is none
    assert "\n````\n```\n1\n" in text
    assert len(text) < 12_000


async def test_what_stands_only_in_the_form_of_an_entry_is_not_found(lab_: Lab) -> None:
    run = await lab_.answer(await lab_.run("```step it\nrun: echo hay\n```\n"))
    found: wire.RunbookMatches = await lab_.gate.call("runbooks.search", wire.SearchRunbooks(text="batches"))
    assert (run.verdict, found.matches) == ("done", ())


async def test_one_who_says_so_again_takes_no_second_place(lab_: Lab) -> None:
    run = await lab_.run("```step one\ninstruct: x\n```\n")
    assert await watch(lab_, run.id, console="one") == [("ada", 1)]
    assert await watch(lab_, run.id, console="one") == [("ada", 1)]
    assert await watch(lab_, run.id, console="two", leave=True) == [("ada", 1)]


def test_a_command_that_was_told_to_end_and_gave_no_answer_is_unknown() -> None:
    clock = ManualClock()
    ear = Output(clock, Budget(clock.monotonic, 1e9)).ear("s", 1, "h", (), Tail(named=False))
    read = document(step("run: echo"))
    for why in ("timeout", "stopped"):
        told = verdicts.of_command(
            read.steps[0],
            Ending(why, left=True),
            ear,
            host="h",
            values={},
            began=0.0,
            seconds=1.0,
            undo=False,
        )
        assert (told.state, told.words) == (
            "unknown",
            "It was told to end and gave no answer: it may still run there.",
        )


def test_what_a_host_says_as_it_leaves_is_inert_and_bounded() -> None:
    clock = ManualClock()
    ear = Output(clock, Budget(clock.monotonic, 1e9)).ear("s", 1, "h", (), Tail(named=False))
    ending = Ending("cut", words="\x1b]52;c;aGk=\x07\u202e" + "x" * 1000)
    told = verdicts.of_command(
        document(step("run: echo")).steps[0],
        ending,
        ear,
        host="h",
        values={},
        began=0.0,
        seconds=1.0,
        undo=False,
    )
    assert told.state == "unknown" and len(told.words) <= verdicts.WORDS_LIMIT
    assert "␛]52;c;aGk=␇‹U+202E›xxx" in told.words and told.words.isprintable()
