"""A clock that is set while a run goes on: it ends nothing, prolongs nothing, and hides nothing of what its hosts say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from guardian_tui.engine.remote.followed import Stop
from guardian_tui.engine.runbooks import beginning, doing, health, transcript
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.alerts import Alert
from tests.runbooks.lab import Lab
from tests.runbooks.test_people import approve, asking

DAY = 86400.0
TWO = "```step two\ninstruct: x\n```\n"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "POLL_SECONDS", 0.02)


async def waiting_for_calm(lab: Lab) -> tuple[wire.RunbookRun, Callable[[str], Awaitable[None]]]:
    """A run that waits for a low load, which there is; and a way to wait for what it says."""
    run = await lab.run("```step calm\nwait: load1 < 2 for 5m\ntimeout: 1h\n```\n")
    await lab.go(run)
    held = lab.runbooks.runner.runs[run.id]

    async def says(words: str) -> None:
        async def said() -> bool:
            return words in held.words

        await lab.until(said, words)

    await says("load1 is not known")
    await lab.wave(load1=1.0)
    await says("load1 is 1")
    return run, says


async def approved(lab: Lab) -> wire.RunbookRun:
    """A run whose next step another person has approved, for ten minutes."""
    grace = await lab.colleague("grace", "operator")
    return await approve(lab, await asking(lab), grace)


async def void(lab: Lab, run: wire.RunbookRun) -> list[str]:
    """Why approvals of a run hold no more, and whether it is led back to them."""
    held = lab.runbooks.runner.runs[run.id]
    await lab.runbooks.runner.look(held)
    why = list(held.sight.void.values())
    assert bool(why) == bool(beginning.lapsed(lab.runbooks.house, held))
    return why


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
async def test_a_clock_that_is_set_ends_no_approval_and_prolongs_none(lab_: Lab, jump: float) -> None:
    run = await approved(lab_)
    lab_.gate.clock.jump(jump)
    assert await void(lab_, run) == []
    lab_.gate.clock.advance(590)
    assert await void(lab_, run) == []
    lab_.gate.clock.jump(-jump)
    lab_.gate.clock.advance(20)
    assert await void(lab_, run) == ["It has expired."]


@pytest.mark.parametrize(
    ("away", "jump", "holds"), [(300, 0.0, True), (700, 0.0, False), (5, -60.0, False), (5, 700.0, False)],
    ids=["in time", "too long", "set back", "set ahead"],
)  # fmt: skip
async def test_after_a_restart_an_approval_lasts_rather_too_short_than_too_long(
    lab_: Lab, away: float, jump: float, holds: bool
) -> None:
    run = await approved(lab_)
    await lab_.runbooks.stop()
    lab_.gate.clock.advance(away)
    lab_.gate.clock.jump(jump)
    lab_.begin()
    await lab_.runbooks.start()
    assert await void(lab_, run) == ([] if holds else ["It has expired."])
    lab_.gate.clock.jump(-jump)
    lab_.gate.clock.advance(601 - away)
    assert await void(lab_, run) == ["It has expired."]


async def test_what_has_to_hold_for_a_while_is_measured_by_what_passes(lab_: Lab) -> None:
    run, _ = await waiting_for_calm(lab_)
    held = lab_.runbooks.runner.runs[run.id]
    lab_.gate.clock.jump(2 * DAY)
    lab_.well()
    await lab_.pause()
    assert held.standing.state == "running", "neither did it hold for five minutes, nor is its hour over"
    lab_.gate.clock.jump(-2 * DAY)
    lab_.gate.clock.advance(301)
    lab_.well()
    assert (await lab_.settled(run)).verdict == "done"


async def test_a_wait_lasts_no_longer_because_the_clock_was_set_back_while_no_engine_ran(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await lab_.run("```step rest\nwait: 5m\n```\n" + TWO)
    await lab_.go(run)
    await lab_.settled(run, "running")
    await lab_.runbooks.stop()
    lab_.gate.clock.jump(-30 * DAY)
    lab_.begin()
    waited: list[float] = []

    async def until_stop(run: object, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(doing.Doing, "_until_stop", staticmethod(until_stop))
    await lab_.runbooks.start()
    held = lab_.runbooks.runner.runs[run.id]

    async def over() -> bool:
        return held.standing.step == "two"

    await lab_.until(over, "it is over")
    assert waited == [300.0]


async def test_what_a_host_said_before_it_fell_silent_is_no_value_of_now(lab_: Lab) -> None:
    run, says = await waiting_for_calm(lab_)
    lab_.gate.clock.advance(250)
    await says("load1 is not known")
    lab_.gate.clock.advance(100)
    await lab_.pause()
    lab_.well()
    await says("load1 is 1")
    assert (await lab_.row(run)).state == "running", "it has to hold for five minutes anew"
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    await lab_.settled(run, "ended")


async def test_in_a_window_of_planned_work_a_host_that_answers_is_up_and_one_that_does_not_is_unknown(
    lab_: Lab,
) -> None:
    lab_.well("web-1", state="maintenance")
    run = await lab_.run("```step back\nwait: state in ('up', 'degraded')\ntimeout: 1h\n```\n")
    assert (await lab_.answer(run)).verdict == "done"
    lab_.gate.clock.advance(400)
    late = await lab_.start()
    await lab_.go(late)

    async def unknown() -> bool:
        return "unknown" in lab_.runbooks.runner.runs[late.id].words

    await lab_.until(unknown, "nobody knows")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=late.id))
    await lab_.settled(late, "ended")


def fires(lab: Lab, since: float) -> None:
    """An alert of web-1, that began to fire then."""
    one = Alert(
        id="a1", rule="unit_failed", title="Unit failed", severity="warning", tier="notify", state="firing", since=since, host_id="id-web-1",
        host="web-1",
    )  # fmt: skip
    lab.gate.live.alerts.put("a1", one, {"host": "web-1"})


async def test_what_was_seen_before_the_clock_was_set_back_is_not_taken_for_new_and_what_is_new_is(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, clock, stop = lab_.gate.live, lab_.gate.clock, Stop()
    since = clock.now()
    known = health.firing(live, since)
    clock.jump(-3600)
    fires(lab_, clock.now())
    lab_.well()
    words = await health.of(live, clock, ["id-web-1"], since=since, known=known, stop=stop)
    assert words == "Unit failed began to fire on web-1."
    assert health.firing(live, since) == {"a1"}
    assert not await health.of(live, clock, ["id-web-1"], since=since, known={"a1"}, stop=stop)
    # the host has not answered since
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.0)
    row = live.hosts.get("id-web-1")
    assert row is not None
    live.hosts.put("id-web-1", replace(row, interval_seconds=0.0, measured_at=since))
    words = await health.of(live, clock, ["id-web-1"], since=since, known={"a1"}, stop=stop)
    assert words == "web-1: no fresh probe since the batch ended."


async def test_a_step_over_many_hosts_knows_which_alerts_fired_when_it_began(lab_: Lab) -> None:
    fires(lab_, lab_.gate.clock.now() - 60)
    run = await lab_.run("```step roll\nrun: echo x\nfanout: {serial: [1]}\n```\n", ("web-1", "web-2"))
    assert (await lab_.answer(run)).verdict == "done"


async def test_how_long_a_command_took_is_not_told_by_a_clock_that_was_set(lab_: Lab) -> None:
    hold = lab_.folder / "hold"
    hold.touch()
    run = await lab_.run(
        f"```step it\nrun: echo on; while test -e {hold}; do sleep 0.05; done\nexpect: seconds >= 0 and seconds < 60\n```\n"
    )
    await lab_.go(run)

    async def runs() -> bool:
        return "on" in await lab_.output(run)

    held = lab_.runbooks.runner.runs[run.id]
    await lab_.until(runs, "it runs")
    lab_.gate.clock.jump(-3600)
    hold.unlink()

    async def ended() -> bool:
        return held.standing.state == "ended"

    await lab_.until(ended, "it ends")
    assert held.standing.verdict == "done"


async def test_a_transcript_loses_no_output_when_the_clock_is_set_back(lab_: Lab) -> None:
    steps = "".join(f"```step s{n}\nrun: echo said-{n}-$((40+2))\n```\n" for n in range(4))
    run = await lab_.run(steps)
    for _ in range(4):
        run = await lab_.answer(run)
        lab_.gate.clock.jump(-10)
    told = await lab_.transcript(run)
    assert [told.text.count(f"said-{n}-42") for n in range(4)] == [1, 1, 1, 1]
    played = (await lab_.transcript(run, "asciicast")).text
    assert [played.count(f"said-{n}-42") for n in range(4)] == [1, 1, 1, 1]


async def test_a_transcript_holds_so_many_pieces(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await lab_.answer(await lab_.run("```step one\nrun: echo a; echo b >&2\n```\n"))
    assert "more output is kept" not in (await lab_.transcript(run)).text
    monkeypatch.setattr(transcript, "MOST_PIECES", 1)
    monkeypatch.setattr(transcript, "PAGE", 1)
    assert "or 1 pieces that a transcript holds" in (await lab_.transcript(run)).text
