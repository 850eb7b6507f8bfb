"""Over many hosts: batch by batch, stopped by failures or by the hosts' own health, paused, resumed, taken back."""

from __future__ import annotations

import asyncio

import pytest

from guardian_tui.engine.runbooks import health
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.alerts import Alert
from tests.runbooks.lab import Lab

HOSTS = ("web-1", "web-2", "web-3", "web-4")
BATCHES = """
```step roll
run: echo rolled
fanout: {serial: [1, 50%], max_failures: 1GATE}
rollback: echo back
```
"""
UNGATED = BATCHES.replace("GATE", ", gate: false")
GATED = BATCHES.replace("GATE", "")


async def test_it_goes_batch_by_batch_and_tells_each_host(lab_: Lab) -> None:
    run = await lab_.run(UNGATED, HOSTS)
    assert run.current is not None
    assert run.current.batches == (1, 2, 1)
    assert run.phrase == ""
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    done = await lab_.settled(run, "ended")
    assert done.verdict == "done"
    assert done.marks[0].words == "4 of 4 well."
    text = (await lab_.transcript(run)).text
    assert text.count("ok, exit status 0") == 4
    assert lab_.gate.live.runbook_results.rows() == []


async def test_too_many_failures_stop_it_and_a_retry_goes_over_the_rest(lab_: Lab) -> None:
    flag = lab_.folder / "fixed"
    steps = f"```step roll\nrun: test -e {flag}\nfanout: {{serial: [1], max_failures: 1, gate: false}}\n```\n"
    run = await lab_.run(steps, HOSTS)
    run = await lab_.answer(run)
    assert run.state == "deciding"
    assert (
        run.words == "0 of 4 well, 2 failed (web-1, web-2), 2 not begun; more than 1 failed, so it stopped."
    )
    detail = await lab_.detail(run.id)
    assert [(one.host, one.state) for one in detail.results] == [
        ("web-1", "failed"),
        ("web-2", "failed"),
        ("web-3", "waiting"),
        ("web-4", "waiting"),
    ]
    assert {row.host for row in lab_.gate.live.runbook_results.rows()} == set(HOSTS)
    flag.touch()
    run = await lab_.answer(run, "retry")
    run = await lab_.answer(run)
    assert run.verdict == "done"


async def test_a_retry_leaves_alone_what_was_well(lab_: Lab) -> None:
    log, flag = lab_.folder / "log", lab_.folder / "bad"
    flag.touch()
    steps = f"```step roll\nrun: echo x >> {log}; test \"$N\" != web-2 || test ! -e {flag}\nenv: {{N: '{{{{me}}}}'}}\n```\n"
    run = await lab_.run(steps, HOSTS, front="vars:\n  me: {type: host, from: inventory.name}\n")
    run = await lab_.answer(run)
    assert run.words.startswith("3 of 4 well, 1 failed (web-2)")
    flag.unlink()
    run = await lab_.answer(run, "retry")
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert log.read_text().count("x") == 5


async def test_a_new_alert_on_a_host_of_the_batch_pauses_it_and_offers_the_rollback(lab_: Lab) -> None:
    run = await lab_.run(GATED, HOSTS)
    lab_.well()
    bad = Alert(
        id="a1", rule="unit_failed", title="Unit failed", severity="warning", tier="notify", state="firing",
        since=lab_.gate.clock.now() + 1, host_id="id-web-1", host="web-1",
    )  # fmt: skip
    lab_.gate.live.alerts.put("a1", bad, {"host": "web-1"})
    run = await lab_.answer(run)
    assert run.state == "paused"
    assert run.words == "It stopped by itself: Unit failed began to fire on web-1."
    assert run.acts == ("resume", "rollback", "stop")
    lab_.gate.live.alerts.drop("a1")
    lab_.well()
    row = await lab_.answer(run, "resume")
    assert row.verdict == "done"


async def test_a_host_that_is_down_or_silent_after_its_batch_pauses_it(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await lab_.run(GATED, HOSTS)
    lab_.well("web-1", state="down")
    run = await lab_.answer(run)
    assert run.words == "It stopped by itself: web-1 is down: "
    run = await lab_.answer(run, "resume")
    assert run.state == "paused" or run.verdict == "done"
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.0)
    stale = await lab_.run(GATED, HOSTS)
    row = lab_.gate.live.hosts.get("id-web-1")
    assert row is not None
    from msgspec.structs import replace

    lab_.gate.live.hosts.put("id-web-1", replace(row, state="up", measured_at=1.0, interval_seconds=0.0))
    stale = await lab_.answer(stale)
    assert stale.words == "It stopped by itself: web-1: no fresh probe since the batch ended."


async def test_a_paused_rollout_is_taken_back(lab_: Lab) -> None:
    run = await lab_.run(GATED, HOSTS)
    lab_.well("web-1", state="down")
    run = await lab_.answer(run)
    assert run.state == "paused"
    run = await lab_.answer(run, "rollback")
    assert (run.asked, run.step, run.phrase) == ("undo", "roll", "web-1")
    run = await lab_.answer(run, "undo", typed=run.phrase)
    assert run.verdict == "rolled_back"


async def test_a_person_pauses_and_resumes(lab_: Lab) -> None:
    hold = lab_.folder / "hold"
    hold.touch()
    steps = f"```step roll\nrun: while test -e {hold}; do sleep 0.05; done\nfanout: {{serial: [1], gate: false}}\n```\n"
    run = await lab_.run(steps, HOSTS)
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    await lab_.settled(run, "running")
    row = await lab_.answer(run, "pause")
    assert row.state == "paused"
    hold.unlink()

    async def one_done() -> bool:
        detail = await lab_.detail(run.id)
        return [one.state for one in detail.results].count("ok") == 1

    await lab_.until(one_done, "the first host ends")
    await asyncio.sleep(0.1)
    detail = await lab_.detail(run.id)
    assert [one.state for one in detail.results].count("waiting") == 3
    row = await lab_.answer(run, "resume")
    assert row.verdict == "done"


async def test_values_differ_by_host_and_captures_stay_with_theirs(lab_: Lab) -> None:
    steps = """
```step first
run: echo id-of-{{name}}
capture: {found: '(id-of-\\S+)'}
```
```step second
check: echo {{found}}
expect: output contains name
```
"""
    run = await lab_.run(steps, HOSTS[:2], front="vars:\n  name: {type: host, from: inventory.name}\n")
    assert run.current is not None
    assert [one.command for one in run.current.commands] == ["echo id-of-web-1", "echo id-of-web-2"]
    run = await lab_.answer(run)
    assert run.current is not None
    assert {one.command for one in run.current.commands} == {"echo id-of-web-1", "echo id-of-web-2"}
    run = await lab_.answer(run)
    assert run.verdict == "done"
    assert sorted((await lab_.output(run, step="second")).split()) == ["id-of-web-1", "id-of-web-2"]


async def test_a_host_that_is_removed_in_mid_run_is_told_as_that(lab_: Lab) -> None:
    run = await lab_.run(UNGATED.replace("max_failures: 1", "max_failures: 4"), HOSTS)
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    del lab_.hosts.all["web-3"]
    run = await lab_.settled(run, "ended", "deciding")
    assert run.marks[0].words == "3 of 4 well, 1 failed (web-3)."
    assert "The host was removed; nothing was run." in (await lab_.transcript(run)).text
