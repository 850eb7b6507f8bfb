"""Runs lead a person through: each step is shown, begun by them, judged by evidence, and stands in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest
from msgspec.structs import replace

from guardian_tui.engine.runbooks import journal, records, transcript
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.runbooks.lab import Lab

HELLO = """
```step greet
run: echo hello; echo oops >&2
```
"""


async def test_a_step_is_shown_begun_and_judged(lab_: Lab) -> None:
    run = await lab_.run(HELLO)
    assert (run.state, run.asked, run.step) == ("asking", "confirm", "greet")
    assert run.current is not None and run.current.commands[0].command == "echo hello; echo oops >&2"
    done = await lab_.answer(run)
    assert (done.state, done.verdict) == ("ended", "done"), done
    assert sorted((await lab_.output(run)).split()) == ["hello", "oops"]
    told = [
        (event.outcome, event.action) for event in lab_.gate.events() if event.action.startswith("runbooks.")
    ]
    assert told == [
        ("ok", "runbooks.run"),
        ("ok", "runbooks.answer"),
        ("ok", "runbooks.step"),
        ("ok", "runbooks.ended"),
    ]
    read = await lab_.transcript(run)
    assert done.transcript == read.hash
    assert "web-1: ok, exit status 0" in read.text


WALK = """
```step look
instruct: Go and look at {{rack}}.
```
```step keep
input: How many days?
type: int
min: 2
default: 7
```
```step cause
choose: What is it?
options: {logs: clean, other: stop}
```
```step clean
run: echo {{keep}} > {{file}}; echo cleaned {{keep}}
dangerous: It deletes.
rollback: rm -- {{file}}
capture: {how_many: 'cleaned (\\d+)'}
```
```step judge
check: cat -- {{file}}
expect: output contains '9' and how_many == 9
```
"""


async def test_a_person_is_led_through_by_instructions_values_choices_and_typed_confirmation(
    lab_: Lab,
) -> None:
    file = lab_.folder / "made by it's run"
    front = "vars:\n  rack: {type: text}\n  file: {type: path}\n"
    run = await lab_.run(WALK, front=front, values={"rack": "rack 7", "file": str(file)})
    assert run.current is not None and run.current.words == "Go and look at rack 7."
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("keep", "input")
    with pytest.raises(InvalidRequest, match="less than 2"):
        await lab_.answer(run, value="1")
    run = await lab_.answer(run, value="9")
    assert (run.step, run.asked) == ("cause", "choose")
    with pytest.raises(InvalidRequest, match="logs, other"):
        await lab_.answer(run, choice="else")
    run = await lab_.answer(run, choice="logs")
    assert (run.step, run.asked, run.phrase) == ("clean", "type", "web-1")
    assert run.current is not None
    assert (
        run.current.commands[0].command
        == f"echo 9 > '{file!s}'".replace("it's", "it'\"'\"'s") + "; echo cleaned 9"
    )
    with pytest.raises(InvalidRequest, match="Type web-1"):
        await lab_.answer(run, typed="web-2")
    run = await lab_.answer(run, typed="web-1")
    assert (run.step, run.state) == ("judge", "asking")
    assert run.values["how_many"] == "9"
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert [mark.state for mark in run.marks] == ["done"] * 5
    assert file.read_text() == "9\n"


FAILS = """
```step one
run: echo first >> {{log}}
rollback: echo undo-one >> {{log}}
```
```step two
run: echo second >> {{log}}; exit 255
rollback: echo undo-two >> {{log}}
```
```step three
run: echo third >> {{log}}
```
"""
LOG = "vars:\n  log: {type: path}\n"


async def test_a_failed_step_is_decided_upon_and_all_is_taken_back_newest_first(lab_: Lab) -> None:
    log = lab_.folder / "log"
    run = await lab_.run(FAILS, front=LOG, values={"log": str(log)})
    run = await lab_.answer(run)
    run = await lab_.answer(run)
    assert (run.state, run.step, run.asked) == ("deciding", "two", "decide")
    assert "exit status 255" in run.words
    assert {"retry", "accept", "skip", "back", "rollback", "stop"} == set(run.acts)
    run = await lab_.answer(run, "rollback")
    assert (run.step, run.asked, run.acts) == ("two", "undo", ("undo", "skip", "stop"))
    assert run.current is not None and "undo-two" in run.current.commands[0].command
    with pytest.raises(InvalidRequest, match="Type web-1"):
        await lab_.answer(run, "undo")
    run = await lab_.answer(run, "undo", typed="web-1")
    assert run.step == "one"
    run = await lab_.answer(run, "undo", typed="web-1")
    assert (run.state, run.verdict) == ("ended", "rolled_back")
    assert log.read_text().split() == ["first", "second", "undo-two", "undo-one"]


async def test_retry_back_skip_and_accept(lab_: Lab) -> None:
    log = lab_.folder / "log"
    run = await lab_.run(FAILS, front=LOG, values={"log": str(log)})
    run = await lab_.answer(run)
    run = await lab_.answer(run)
    run = await lab_.answer(run, "retry")
    assert (run.state, run.step) == ("asking", "two")
    run = await lab_.answer(run, "back")
    assert (run.state, run.step) == ("asking", "one")
    with pytest.raises(InvalidRequest, match="Say why"):
        await lab_.answer(run, "skip")
    run = await lab_.answer(run, "skip", reason="it was done")
    run = await lab_.answer(run)
    assert run.state == "deciding"
    run = await lab_.answer(run, "accept", reason="255 is well here")
    assert run.step == "three"
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert log.read_text().split() == ["first", "second", "second", "third"]
    text = (await lab_.transcript(run)).text
    assert "`one` skipped: it was done (ada)" in text
    assert "taken as done: 255 is well here" in text


async def test_who_comes_second_is_told_and_nothing_runs_twice(lab_: Lab) -> None:
    log = lab_.folder / "log"
    run = await lab_.run(FAILS, front=LOG, values={"log": str(log)})
    order = wire.AnswerRunbook(run=run.id, version=run.version)
    answers = await asyncio.gather(
        *(lab_.gate.call("runbooks.answer", order) for _ in range(4)), return_exceptions=True
    )
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(lost) == 3
    assert "gone on meanwhile" in lost[0].detail
    await lab_.settled(run)
    assert log.read_text().split() == ["first"]
    with pytest.raises(Conflict, match="does not ask that"):
        await lab_.answer(run, "resume")


async def test_a_run_is_stopped_and_what_runs_is_ended(lab_: Lab) -> None:
    run = await lab_.run("```step long\nrun: echo begun; sleep 600\n```\n")
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))

    async def begun() -> bool:
        detail = await lab_.detail(run.id)
        return detail.progress is not None and "begun" in detail.progress.tail

    await lab_.until(begun, "it writes")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id, reason="wrong host"))
    done = await lab_.settled(run, "ended")
    assert done.verdict == "stopped"
    assert done.words == "It was stopped by ada: wrong host."
    with pytest.raises((Conflict, NotFound)):
        await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    idle = await lab_.run(HELLO)
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=idle.id))
    assert (await lab_.settled(idle, "ended")).verdict == "stopped"


async def test_what_a_step_before_wrote_is_never_shown_as_what_this_one_writes(lab_: Lab) -> None:
    steps = """
```step first
run: echo from the first
```
```step silent
run: timeout 60 tail -F --retry -- {{there}} 2>/dev/null | head -n 1
```
"""
    there = lab_.folder / "there"
    run = await lab_.run(steps, front="vars: {there: {type: path}}\n", values={"there": str(there)})
    run = await lab_.answer(run)
    tails: list[str] = []
    put = lab_.gate.live.runbook_progress.put

    def noted(id: str, row: wire.RunbookProgress, labels: Mapping[str, str] | None = None) -> None:
        tails.append(f"{row.step} {row.attempt}: {row.tail}")
        put(id, row, labels)

    lab_.gate.live.runbook_progress.put = noted  # type: ignore[method-assign]  # it is listened to
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))
    there.write_text("its own\n")
    await lab_.settled(run, "ended")
    assert "silent 1: " in tails
    assert not [told for told in tails if "from the first" in told]


async def test_a_document_that_is_edited_in_mid_run_changes_nothing_for_the_run(lab_: Lab) -> None:
    run = await lab_.run("```step one\nrun: echo old-one\n```\n```step two\nrun: echo old-two\n```\n")
    run = await lab_.answer(run)
    await lab_.book("```step one\nrun: echo new-one\n```\n")
    await lab_.restart()
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert (await lab_.output(run)).split() == ["old-one", "old-two"]
    plan: wire.RunbookPlan = await lab_.gate.call(
        "runbooks.plan", wire.RunbookOrder(runbook="book", hosts=("web-1",))
    )
    assert "-  echo old-two" in plan.changed
    assert "+  echo new-one" in plan.changed
    assert plan.last_run == run.id


async def test_what_fails_goes_where_its_author_says(lab_: Lab) -> None:
    steps = """
```step first
run: test -e /nowhere
on_fail: third
```
```step second
run: echo second
```
```step third
run: "false"
on_fail: stop
```
"""
    run = await lab_.run(steps, auto=True)
    done = await lab_.settled(run, "ended")
    assert done.verdict == "failed"
    assert [mark.state for mark in done.marks] == ["failed", "todo", "failed"]
    back = await lab_.run("```step one\nrun: exit 3\nrollback: echo back\non_fail: rollback\n```\n")
    back = await lab_.answer(back)
    assert (back.asked, back.step) == ("undo", "one")
    back = await lab_.answer(back, "skip", reason="nothing was done")
    assert back.verdict == "rolled_back"


async def test_it_goes_on_by_itself_only_where_no_person_is_needed(lab_: Lab) -> None:
    steps = (
        HELLO
        + "```step more\ncheck: echo more\n```\n```step danger\nrun: echo danger\ndangerous: true\n```\n"
    )
    run = await lab_.run(steps, auto=True)

    async def there() -> wire.RunbookRun | None:
        row = await lab_.row(run)
        return row if row.step == "danger" else None

    row = await lab_.until(there, "it is at the dangerous step")
    assert row.asked == "type"
    done = await lab_.answer(row, typed="web-1")
    assert done.verdict == "done"


async def test_waits_hold_until_time_or_a_metric_says_so(lab_: Lab) -> None:
    steps = """
```step calm
wait: load1 < 2 for 1s
timeout: 30s
```
```step never
wait: load1 > 100
timeout: 1s
```
```step pause
wait: 1s
```
"""
    clock = lab_.gate.clock
    run = await lab_.run(steps)
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))

    async def said(word: str) -> bool:
        detail = await lab_.detail(run.id)
        return detail.progress is not None and word in detail.progress.words

    await lab_.until(lambda: said("load1 is not known"), "it says what it waits for")
    await lab_.wave(load1=5.0)
    await lab_.until(lambda: said("load1 is 5"), "it sees the value")
    await lab_.wave(load1=1.0)
    await lab_.until(lambda: said("load1 is 1"), "it sees the value")
    clock.advance(2)
    row = await lab_.settled(run)
    assert row.step == "never"
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    await lab_.until(lambda: said("load1 is"), "it waits")
    clock.advance(5)
    row = await lab_.settled(run)
    assert row.state == "deciding"
    assert "It was not so in 1 s" in row.words
    row = await lab_.answer(row, "skip", reason="enough")
    assert row.step == "pause"
    row = await lab_.answer(row)
    assert row.verdict == "done"


async def test_silences_that_a_run_opens_are_closed_when_it_ends_or_is_stopped(lab_: Lab) -> None:
    steps = "```step hush\nsilence: work on the disk\nrules: [disk_low]\nduration: 2h\n```\n" + HELLO
    for stopped in (False, True):
        run = await lab_.run(steps)
        run = await lab_.answer(run)
        (silence,) = lab_.gate.live.silences.rows()
        assert (silence.rule, silence.host, silence.by) == ("disk_low", "web-1", "ada")
        assert run.open == ("silence of disk_low on web-1",)
        if stopped:
            await lab_.restart()
            await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
            run = await lab_.settled(run, "ended")
        else:
            run = await lab_.answer(run)
        assert lab_.gate.live.silences.rows() == []
        assert run.open == ()


async def test_a_message_goes_to_the_outbox_once(lab_: Lab) -> None:
    run = await lab_.run("```step tell\nnotify: Work on the disk has begun.\nchannels: [desk]\n```\n")
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert next(mark.words for mark in run.marks) == "Handed over to desk."

    async def queued() -> int:
        from guardian_tui.engine.alerts import records as alert_records

        async with lab_.gate.store.read() as conn:
            return (await alert_records.count_waiting(conn)).get("desk", 0)

    assert await lab_.until(queued, "it waits to be sent") == 1
    nobody = await lab_.run("```step tell\nnotify: hello\nchannels: [nobody]\n```\n")
    nobody = await lab_.answer(nobody)
    assert nobody.state == "deciding"
    assert "no way to tell nobody" in nobody.words


async def test_what_needs_a_value_or_a_host_is_not_begun(lab_: Lab) -> None:
    front = "vars:\n  mount: {type: path, from: alert.mount}\n"
    await lab_.book("```step one\nrun: df -- {{mount}}\n```\n", front=front)
    with pytest.raises(InvalidRequest, match="needs a value for mount"):
        await lab_.start()
    with pytest.raises(InvalidRequest, match="on which hosts"):
        await lab_.start(hosts=())
    with pytest.raises(InvalidRequest, match="no absolute path"):
        await lab_.start(values={"mount": "var"})
    with pytest.raises(InvalidRequest, match="has no value 'other'"):
        await lab_.start(values={"other": "x"})
    with pytest.raises(NotFound, match="no-such"):
        await lab_.start(hosts=("no-such",))
    plan = await lab_.gate.call("runbooks.plan", wire.RunbookOrder(runbook="book", hosts=("web-1",)))
    assert [one.name for one in plan.missing] == ["mount"]
    assert plan.steps[0].commands[0].missing == ("mount",)
    with pytest.raises(Conflict, match="changed since"):
        await lab_.start(values={"mount": "/"}, digest="0" * 64)


async def test_steps_are_for_those_who_have_the_role(lab_: Lab) -> None:
    helper = await lab_.colleague("grace", "support")
    run = await lab_.run("```step one\nrun: echo one\nroles: [operator]\n```\n")
    with pytest.raises(PermissionDenied, match="is for operator"):
        await lab_.answer(run, token=helper)
    await lab_.book("```step one\nrun: echo one\n```\n", name="ops", front="roles: [operator]\n")
    with pytest.raises(PermissionDenied, match="is for operator"):
        await lab_.gate.call("runbooks.run", wire.StartRunbook(runbook="ops", hosts=("web-1",)), token=helper)
    viewer = await lab_.colleague("vera", "viewer")
    with pytest.raises(PermissionDenied):
        await lab_.answer(run, token=viewer)
    done = await lab_.answer(run)
    assert done.verdict == "done"


async def test_a_run_is_seen_and_answered_only_by_those_whose_hosts_it_is_about(lab_: Lab) -> None:
    other = await lab_.colleague("oscar", "operator", "host=web-2")
    run = await lab_.run(HELLO)
    with pytest.raises(NotFound):
        await lab_.gate.call("runbooks.follow", wire.RunbookRunRef(run=run.id), token=other)
    with pytest.raises(NotFound):
        await lab_.answer(run, token=other)
    with pytest.raises(NotFound):
        await lab_.gate.call("runbooks.run", wire.StartRunbook(runbook="book", hosts=("web-1",)), token=other)
    listed = await lab_.gate.call("runbooks.runs", wire.RunbookRunsQuery(), token=other)
    assert listed.runs == ()
    await lab_.answer(run)
    found = await lab_.gate.call("runbooks.search", wire.SearchRunbooks(text="hello"), token=other)
    assert found.matches == ()
    found = await lab_.gate.call("runbooks.search", wire.SearchRunbooks(text="HELLO"))
    assert {(match.step, match.line) for match in found.matches} >= {("greet", "hello")}


async def test_a_run_is_handed_over(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run(HELLO)
    order = wire.HandOver(run=run.id, to="grace")
    assert (await lab_.gate.call("runbooks.hand_over", order)).leader == "grace"
    with pytest.raises(PermissionDenied, match="grace leads"):
        await lab_.gate.call("runbooks.hand_over", wire.HandOver(run=run.id, to="bob"))
    assert (
        await lab_.gate.call("runbooks.hand_over", wire.HandOver(run=run.id), token=grace)
    ).leader == "grace"
    assert (await lab_.answer(run, token=grace)).verdict == "done"


async def test_the_library_is_listed_with_what_is_wrong_and_read_again(lab_: Lab) -> None:
    await lab_.book(HELLO, front="for: [disk_low]\n")
    (lab_.books / "broken.md").write_text("no front")
    listed: wire.RunbookList = await lab_.gate.call("runbooks.reload")
    assert [(row.id, bool(row.problems)) for row in listed.runbooks] == [("broken", True), ("book", False)]
    by_rule = await lab_.gate.call("runbooks.list", wire.RunbooksQuery(rule="disk_low", filter="the"))
    assert [row.id for row in by_rule.runbooks] == ["book"]
    assert {row.id for row in lab_.gate.live.runbooks.rows()} == {"broken", "book"}
    detail = await lab_.gate.call("runbooks.show", wire.RunbookRef(runbook="book"))
    assert [step.name for step in detail.steps] == ["greet"]
    broken = await lab_.gate.call("runbooks.show", wire.RunbookRef(runbook="broken"))
    assert broken.findings
    with pytest.raises(NotFound):
        await lab_.gate.call("runbooks.show", wire.RunbookRef(runbook="none"))
    (lab_.books / "broken.md").unlink()
    await lab_.runbooks.reload()
    assert {row.id for row in lab_.gate.live.runbooks.rows()} == {"book"}


async def test_a_dry_run_renders_everything_and_runs_only_what_reads(lab_: Lab) -> None:
    made = lab_.folder / "made"
    steps = f"```step look\ncheck: echo looked\n```\n```step make\nrun: touch {made}\n```\n```step later\ncheck: cat -- {{{{x}}}}\n```\n"
    front = "vars:\n  x: {type: path}\n"
    await lab_.book(steps, front=front)
    done: wire.RunbookDryRun = await lab_.gate.call(
        "runbooks.try", wire.RunbookOrder(runbook="book", hosts=("web-1", "web-2"))
    )
    assert [(one.step, one.host, one.state, one.last_line) for one in done.results] == [
        ("look", "web-1", "ok", "looked"),
        ("look", "web-2", "ok", "looked"),
    ]
    assert not made.exists()
    assert done.plan.blast.startswith("1 step of 3 changes something on up to 2 hosts")


async def test_old_runs_are_forgotten_with_their_documents(lab_: Lab) -> None:
    run = await lab_.run(HELLO)
    await lab_.answer(run)
    async with lab_.gate.store.write() as tx:
        await records.forget(tx, lab_.gate.clock.now() + 1)
    assert await records.runs(lab_.gate.store) == []
    assert await records.pinned(lab_.gate.store, run.hash) is None
    assert await records.entries_of(lab_.gate.store, run.id) == []
    assert await records.output(lab_.gate.store, run.id) == []


async def test_a_clock_that_is_ahead_makes_no_run_old(lab_: Lab) -> None:
    run = await lab_.run(HELLO)
    await lab_.answer(run)
    clock = lab_.gate.clock
    clock.jump(10 * 365 * 86400.0)
    await lab_.runbooks.remove_old()
    assert [one.id for one in await records.runs(lab_.gate.store)] == [run.id]
    clock.jump(-10 * 365 * 86400.0)
    clock.advance(1000 * 86400.0)
    await lab_.runbooks.remove_old()
    assert await records.runs(lab_.gate.store) == []


async def test_the_recording_plays_what_was_seen(lab_: Lab) -> None:
    run = await lab_.run(HELLO, reason="to see")
    await lab_.answer(run)
    lines = (await lab_.transcript(run, "asciicast")).text.splitlines()
    head = msgspec.json.decode(lines[0])
    assert (head["version"], head["title"]) == (2, "The book")
    events = [msgspec.json.decode(line, type=tuple[float, str, str]) for line in lines[1:]]
    assert any("hello" in text for _, _, text in events)
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)


async def test_the_recording_plays_output_when_it_came_and_before_what_is_said_of_its_end(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await lab_.run(HELLO)
    await lab_.answer(run)
    entries = await records.entries_of(lab_.gate.store, run.id)
    timed = [replace(entry, at=float(number)) for number, entry in enumerate(entries)]
    (done,) = [entry.at for entry in timed if isinstance(entry, journal.HostsDone)]
    pieces = await records.output(lab_.gate.store, run.id)

    async def told(*asked: object) -> list[journal.AnyEntry]:
        return timed

    async def written(*asked: object) -> list[wire.RunbookPiece]:
        return [replace(piece, at=done - 0.5) for piece in pieces]

    monkeypatch.setattr(records, "entries_of", told)
    monkeypatch.setattr(transcript, "_pieces", written)
    lines = (await lab_.transcript(run, "asciicast")).text.splitlines()
    events = [msgspec.json.decode(line, type=tuple[float, str, str]) for line in lines[1:]]
    (hello,) = [at for at, _, text in events if "hello" in text and "echo" not in text]
    (said,) = [at for at, _, text in events if "exit status 0" in text]
    assert (hello, said) == (done - 0.5, done)
