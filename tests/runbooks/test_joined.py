"""Runbooks and the rest: an alert that starts one and closes because its fix is proven, backups, maintenance, a whole simulated fleet."""

from __future__ import annotations

import sqlite3

import pytest

from guardian_tui.engine.backups import records as backup_records
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.proofs import ProofOrders
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.runbooks import doing, journal
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.alerts import AddSilence, Alert
from guardian_tui.protocol.backups import Dump, JobSpec, RepositorySpec
from guardian_tui.protocol.errors import NotFound
from tests.runbooks.lab import Lab
from tests.support.asking import unasked

FIX = """
```step look
check: echo {{mount}} {{host}}
```
"""
FRONT = "for: [disk_low]\nvars:\n  mount: {type: path, from: alert.mount}\n  host: {type: host, from: alert.host}\n"
FULL = {"filesystem_used_ratio{/var}": 0.99, "filesystem_available_bytes{/var}": 1e9}
ROOMY = {"filesystem_used_ratio{/var}": 0.5, "filesystem_available_bytes{/var}": 1e12}


async def disk_alert(lab: Lab) -> Alert:
    """The disk of web-1 is full for as long as the rule wants."""
    for _ in range(9):
        await lab.wave(**FULL)
        lab.gate.clock.advance(10)
    found = [one for one in lab.gate.live.alerts.rows() if one.rule == "disk_low"]
    assert found, "the rule fires"
    return found[0]


async def fix(lab: Lab, alert: Alert) -> wire.RunbookRun:
    await lab.book(FIX, hosts="alert", front=FRONT)
    run = await lab.start(hosts=(), alert=alert.id)
    assert run.hosts == ("web-1",)
    assert run.current is not None
    assert run.current.commands[0].command == "echo /var web-1"
    row = await lab.row(run)
    await lab.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))

    async def proving() -> bool:
        return (await lab.row(run)).proof == "waiting"

    await lab.until(proving, "the rule is judged again")
    lab.gate.clock.advance(1)
    return run


async def test_an_alert_closes_because_a_fresh_probe_proves_the_fix(lab_: Lab) -> None:
    alert = await disk_alert(lab_)
    run = await fix(lab_, alert)
    await lab_.wave(**ROOMY)
    done = await lab_.settled(run, "ended")
    assert (done.verdict, done.proof) == ("done", "fixed")
    closed = lab_.gate.live.alerts.get(alert.id)
    assert closed is not None
    assert (closed.state, closed.why) == ("resolved", "proven by a fresh probe after a runbook")


async def test_a_run_that_mends_nothing_says_so(lab_: Lab) -> None:
    alert = await disk_alert(lab_)
    run = await fix(lab_, alert)
    await lab_.wave(**FULL)
    done = await lab_.settled(run, "ended")
    assert done.proof == "not_fixed"
    assert "still holds" in done.proof_words
    still = lab_.gate.live.alerts.get(alert.id)
    assert still is not None
    assert still.state == "firing"


async def test_a_proof_without_fresh_values_is_none(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = await disk_alert(lab_)
    run = await fix(lab_, alert)
    await lab_.restart()
    row = await lab_.row(run)
    assert row.proof == "waiting"
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    done = await lab_.settled(run, "ended")
    assert done.proof == "unknown"
    monkeypatch.setattr(doing, "PROOF_SECONDS", 0.2)
    late = await fix(lab_, alert)
    done = await lab_.settled(late, "ended")
    assert done.proof == "unknown"
    assert "No fresh value" in done.proof_words


async def test_an_alert_that_is_over_already_is_told_as_that(lab_: Lab) -> None:
    alert = await disk_alert(lab_)
    run = await fix(lab_, alert)
    lab_.alerts.book.resolve((alert.host_id, alert.rule, alert.instance), lab_.gate.clock.now())
    lab_.gate.clock.advance(40)
    await lab_.alerts.tick()
    done = await lab_.settled(run, "ended")
    assert (done.proof, done.proof_words) == ("fixed", "The alert is over.")
    with pytest.raises(NotFound):
        await lab_.start(hosts=(), alert="none")


async def backups(lab: Lab) -> Backups:
    """The backups' service over the same gate, with a job that dumps a small database."""
    base = lab.folder / "shop.db"
    with sqlite3.connect(base) as db:
        db.execute("CREATE TABLE t (a)")

    gate = lab.gate
    one = Backups(
        gate.store, gate.bus, gate.live, gate.clock, gate.audit, lab.hosts, lab.commands, lab._resolve, 400.0
    )  # fmt: skip
    scope = Scope(one)
    asking = unasked(one, gate.store, gate.clock)
    for orders in (
        BackupOrders(one, scope, gate.store, gate.clock, asking).handlers(),
        ProofOrders(one, scope, gate.store, gate.clock, lab.commands, asking).handlers(),
    ):
        gate.dispatch.bind(orders)
    place = lab.folder / "dumps"
    place.mkdir()
    repository = Repository(
        "r", RepositorySpec(name="dumps", engine="dumps", location=str(place), host="web-1"), "screen", 0.0
    )
    spec = JobSpec(
        name="shop", host="web-1", repository="dumps", dumps=(Dump(kind="sqlite", database=str(base)),)
    )
    job = Job("j", spec, "id-web-1", "r", "screen", 0.0)
    async with gate.store.write() as tx:
        await backup_records.put_repository(tx, repository, new=True)
        await backup_records.put_job(tx, job, new=True)
    await one.start()
    return one


async def test_a_step_backs_up_and_goes_on_only_when_that_is_well(lab_: Lab) -> None:
    one = await backups(lab_)
    try:
        steps = "```step save\nbackup: shop\n```\n```step prove\nbackup: shop\noperation: check\n```\n"
        run = await lab_.run(steps)
        run = await lab_.answer(run)
        assert run.step == "prove", run.words
        assert run.marks[0].words.startswith("ok")
        run = await lab_.answer(run)
        assert run.verdict == "done", run.words
        wrong = await lab_.run("```step save\nbackup: nothing\n```\n")
        wrong = await lab_.answer(wrong)
        assert wrong.state == "deciding"
        assert "nothing" in wrong.words
        helper = await lab_.colleague("vera", "viewer")
        assert helper
    finally:
        await one.stop()


async def test_a_backup_that_was_begun_when_the_engine_ended_is_looked_at_by_a_person(lab_: Lab) -> None:
    one = await backups(lab_)
    try:
        run = await lab_.run("```step save\nbackup: shop\n```\n")
        row = await lab_.row(run)
        live = lab_.runbooks.runner.runs[run.id]

        await lab_.runbooks.runner.append(
            live, [journal.Started(at=lab_.gate.clock.now(), by="ada", step=row.step)]
        )
        await lab_.restart()
        row = await lab_.settled(run)
        assert row.state == "deciding"
        assert "see whether a backup of it runs" in row.words
    finally:
        await one.stop()


async def test_a_silence_that_was_opened_before_a_restart_is_found_again(lab_: Lab) -> None:
    run = await lab_.run("```step hush\nsilence: work\nduration: 1h\n```\n```step two\ninstruct: x\n```\n")
    row = await lab_.row(run)
    live = lab_.runbooks.runner.runs[run.id]
    now = lab_.gate.clock.now()
    started = journal.Started(
        at=now, by="ada", step=row.step, hosts=("id-web-1",), names={"id-web-1": "web-1"}
    )
    await lab_.runbooks.runner.append(live, [started])
    reason = f"work (runbook run {run.id}, step hush)"
    await lab_.gate.call("silences.add", AddSilence(host="web-1", reason=reason, seconds=3600))
    await lab_.restart()
    row = await lab_.settled(run)
    assert row.step == "two"
    assert len(lab_.gate.live.silences.rows()) == 1
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    await lab_.settled(run, "ended")
    assert lab_.gate.live.silences.rows() == []


async def test_a_detached_command_on_a_host_that_is_gone_after_a_restart_is_unknown(lab_: Lab) -> None:
    run = await lab_.run("```step one\nrun: sleep 1\ndetach: true\n```\n", ("web-2",))
    live = lab_.runbooks.runner.runs[run.id]
    now = lab_.gate.clock.now()
    begun = [
        journal.Started(at=now, by="ada", step="one", hosts=("id-web-2",), batches=(1,), names={"id-web-2": "web-2"}),
        journal.HostsBegun(at=now, step="one", hosts=("id-web-2",)),
    ]  # fmt: skip
    await lab_.runbooks.runner.append(live, begun)
    del lab_.hosts.all["web-2"]
    await lab_.restart()
    row = await lab_.settled(run)
    assert row.state == "deciding"
    assert "removed: nobody knows" in row.words


async def test_the_rule_is_judged_again_whatever_the_last_step_is_and_nothing_is_asked_meanwhile(
    lab_: Lab,
) -> None:
    grace = await lab_.colleague("grace", "operator")
    for last in ("instruct: Look.", "approve: Is it well?"):
        alert = await disk_alert(lab_)
        await lab_.book(f"{FIX}```step last\n{last}\n```\n", hosts="alert", front=FRONT)
        run = await lab_.start(hosts=(), alert=alert.id)
        run = await lab_.answer(run)
        if run.asked == "approve":
            order = wire.ApproveRunbook(run=run.id, version=run.version, digest=run.digest)
            run = await lab_.gate.call("runbooks.approve", order, token=grace)
        else:
            order = wire.AnswerRunbook(run=run.id, version=run.version)
            run = await lab_.gate.call("runbooks.answer", order)
        assert (run.state, run.proof, run.acts) == ("running", "waiting", ("stop",))
        # also by an engine that was killed meanwhile
        await lab_.restart()
        assert (await lab_.row(run)).state == "running"
        progress = (await lab_.detail(run.id)).progress
        assert progress is not None and "judged again" in progress.words
        lab_.gate.clock.advance(1)
        await lab_.wave(**ROOMY)
        done = await lab_.settled(run, "ended")
        assert (done.verdict, done.proof) == ("done", "fixed")
