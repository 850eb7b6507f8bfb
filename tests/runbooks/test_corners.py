"""What happens seldom: at the edges of plans, dry runs, health, and of what a person can answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace as changed

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, ProofGiven, ProofWanted, Sample, WaveDone
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.followed import Ending, Stop, follow_here
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import dry, health, records, shell
from guardian_tui.engine.runbooks.documents import Rendered, Variable
from guardian_tui.engine.runbooks.output import Budget, Output, Tail
from guardian_tui.engine.runbooks.places import from_alert, from_inventory
from guardian_tui.engine.store.tables import runbook_runs
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.errors import Conflict, GuardianError, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.protocol.fleet import HostRow
from tests.runbooks.lab import Lab
from tests.runbooks.test_people import approve
from tests.runbooks.test_rights import at_step

WEB = HostRow(id="a", name="web", state="up", since=0.0, why="", measured_at=50.0)


async def judged(live: Live, clock: ManualClock, *hosts: str) -> str:
    return await health.of(live, clock, hosts, since=0.0, known=(), stop=Stop())


async def test_health_is_judged_by_fresh_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    live, clock = Live(), ManualClock(100.0)
    assert await judged(live, clock, "gone") == "a host was removed."
    for number in range(4):
        live.hosts.put(f"h{number}", replace(WEB, id=f"h{number}", name=f"web-{number}"))
    task = asyncio.create_task(judged(live, clock, "h0", "h1", "h2", "h3"))
    await asyncio.sleep(0.02)
    clock.advance(1000)
    live.hosts.put("h9", WEB)
    assert await task == "web-0, web-1, web-2 and 1 more: no fresh probe since the batch ended."
    task = asyncio.create_task(judged(live, clock, "h0"))
    await asyncio.sleep(0.02)
    live.hosts.put("h0", replace(WEB, id="h0", measured_at=clock.now() + 1))
    assert await task == ""
    for number in range(2):
        bad = Alert(
            id=str(number), rule="r", title="Bad", severity="warning", tier="notify", state="firing", since=clock.now(), host_id="h0",
            host="web-0",
        )  # fmt: skip
        live.alerts.put(bad.id, bad)
    assert await judged(live, clock, "h0") == "Bad began to fire on web-0 and 1 more alert."


def test_values_come_from_alerts_and_the_inventory() -> None:
    alert = Alert(
        id="a", rule="disk_low", title="Disk", severity="warning", tier="page", state="firing", since=12.0, host="web", instance="/var",
        value=0.5, why="full",
    )  # fmt: skip
    told = {
        name: from_alert(Variable(name="x", field=name), alert)
        for name in ("host", "rule", "severity", "why", "since", "value", "mount")
    }
    assert told == {
        "host": "web", "rule": "disk_low", "severity": "warning", "why": "full", "since": "12", "value": "0.5", "mount": "/var",
    }  # fmt: skip
    variables = [
        Variable(name=name, origin="inventory", field=name)
        for name in ("name", "address", "port", "user", "environment")
    ]
    variables += [
        Variable(name="role", origin="inventory", field="labels.role"),
        Variable(name="none", origin="inventory", field="labels.none"),
        Variable(name="other"),
    ]
    target = Target("i", "web", "10.0.0.1", 22, "ops")
    way = Way("i", "web", {"host": "web", "environment": "prod", "role": "db"}, target)
    assert from_inventory(variables, way) == {
        "name": "web", "address": "10.0.0.1", "port": "22", "user": "ops", "environment": "prod", "role": "db",
    }  # fmt: skip
    here = from_inventory(variables, changed(way, target=None))
    assert here["address"] == "web"
    assert "port" not in here


async def heard(line: str, fed: bytes) -> tuple[Ending, str]:
    kept: list[bytes] = []

    def hear(stream: str, data: bytes) -> float:
        kept.append(data)
        return 0.001 if data else 0.0

    ending = await follow_here(line, seconds=20, stdin=fed, hear=hear, stop=Stop())  # type: ignore[arg-type]  # takes both streams
    return ending, b"".join(kept).decode()


async def test_commands_get_their_values_by_standard_input() -> None:
    import getpass

    plain = Rendered(command='cat; echo "$A|$B"', environment={"A": "it's\n$(id)", "B": "x"}, stdin="fed\n")
    line, fed = shell.command_line(plain)
    assert "it's" not in line
    assert await heard(line, fed) == (Ending("exited", 0), "fed\nit's\n$(id)|x\n")
    mine = Rendered(command="echo own", user=getpass.getuser())
    assert (await heard(*shell.command_line(mine)))[1] == "own\n"
    text, hidden = shell.script(plain)
    assert hidden
    assert "it's" not in text
    bare, nothing = shell.script(Rendered(command="echo bare"))
    assert nothing == {}
    assert (await heard(bare, b""))[1] == "bare\n"


def test_the_end_of_a_tail_and_the_shares_of_output() -> None:
    clock = ManualClock()
    tail = Tail(named=True)
    output = Output(clock, Budget(clock.monotonic, 1e12))
    ear = output.ear("s", 1, "web", (), tail)
    for number in range(100):
        ear.hear("out", f"line {number}\n".encode())
    ear.hear("out", b"open")
    assert tail.text().splitlines()[-2:] == ["web: line 99", "web: open"]
    assert len(tail.text().splitlines()) == 60
    ear.close()
    assert tail.text().endswith("web: open")
    output.pending_bytes = 1 << 30
    assert ear.hear("out", b"x") > 0


def test_the_end_of_hostile_output_is_inert_where_it_is_shown() -> None:
    clock = ManualClock()
    tail, output = Tail(named=False), Output(clock, Budget(clock.monotonic, 1e12))
    ear = output.ear("s", 1, "web", (), tail)
    ear.hear("out", "\x1b]52;c;aGk=\x07\x9b31m\u202eevil\n\x1b[2J open".encode())
    assert tail.text() == "␛]52;c;aGk=␇\\x9b31m‹U+202E›evil\n␛[2J open"
    ear.close()
    assert ear.last_line == "␛[2J open"


def test_the_last_line_of_a_command_is_the_last_that_says_something() -> None:
    clock = ManualClock()
    ear = Output(clock, Budget(clock.monotonic, 1e12)).ear("s", 1, "web", (), Tail(named=False))
    ear.hear("out", b"freed 1.2G\n")
    for nothing in (b"\n", b"  \r\n", b"\n\n"):
        ear.hear("out", nothing)
    assert ear.last_line == "freed 1.2G"


async def test_a_dry_run_says_why_a_check_could_not_be_made(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = """
```step one
check: echo one
```
```step secret
check: echo "$T"
env: {T: '{{token}}'}
```
```step nowhere
check: echo nowhere
hosts: [gone]
```
"""
    await lab_.book(steps, front="vars:\n  token: {type: secret}\n")
    order = wire.RunbookOrder(runbook="book", hosts=("web-1",), values={"token": "abcdef"})

    async def unreachable(*args: object, **more: object) -> Ending:
        raise ConnectFailed("refused", "It refuses connections.")

    monkeypatch.setattr(lab_.runbooks.house.commands, "follow", unreachable)
    found: wire.RunbookDryRun = await lab_.gate.call("runbooks.try", order)
    assert [(one.step, one.state, one.words) for one in found.results] == [
        ("one", "failed", "It refuses connections.")
    ]
    monkeypatch.undo()

    async def slow(*args: object, **more: object) -> Ending:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(lab_.runbooks.house.commands, "follow", slow)
    monkeypatch.setattr(dry, "SECONDS", 0.05)
    with pytest.raises(GuardianError, match="did not end"):
        await lab_.gate.call("runbooks.try", order)


async def test_secrets_that_the_vault_does_not_have_fail_the_step_before_anything_runs(lab_: Lab) -> None:
    async def nothing(reference: str) -> str:
        raise NotFound(f"{reference} is not there.")

    lab_.runbooks.house.resolve = nothing
    steps = "```step one\nrun: echo \"$T\"; cat\nenv: {T: '{{token}}'}\nstdin: '{{token}}'\n```\n"
    await lab_.book(steps, front="vars:\n  token: {type: secret}\n")
    run = await lab_.start(values={"token": "secret:db"})
    run = await lab_.answer(run)
    assert run.words == "secret:db is not there. Nothing was run."

    async def found(reference: str) -> str:
        return "s3cret-value"

    lab_.runbooks.house.resolve = found
    steps = "```step one\nrun: cat\nstdin: '{{token}}'\n```\n"
    await lab_.book(steps, front="vars:\n  token: {type: secret}\n")
    run = await lab_.start(values={"token": "secret:db"})
    assert (await lab_.answer(run)).verdict == "done"
    assert "s3cret" not in await lab_.output(run)


async def test_answers_that_come_at_the_wrong_moment(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run("```step ok\napprove: May it?\n```\n", auto=True)
    asked = run
    run = await approve(lab_, run, grace)
    done = await lab_.settled(run, "ended")
    assert done.verdict == "done"
    with pytest.raises((Conflict, NotFound)):
        await approve(lab_, asked, grace, digest=asked.digest)
    other = await lab_.run("```step one\ninstruct: x\n```\n")
    with pytest.raises(Conflict, match="asks for no approval"):
        await approve(lab_, other, grace, digest="0" * 64)
    with pytest.raises(InvalidRequest, match="no secret"):
        await lab_.answer(other, secrets={"x": "y"})
    with pytest.raises(NotFound):
        await lab_.gate.call("runbooks.hand_over", wire.HandOver(run="none"))
    role = await lab_.run("```step ok\napprove: May it?\nroles: [admin]\n```\n")
    with pytest.raises(PermissionDenied, match="is for admin"):
        await approve(lab_, role, grace)


async def test_a_rollback_is_not_begun_while_commands_run(lab_: Lab) -> None:
    hold = lab_.folder / "hold"
    hold.touch()
    steps = f"```step roll\nrun: while test -e {hold}; do sleep 0.05; done\nrollback: echo back\nfanout: {{serial: [1], gate: false}}\n```\n"
    run = await lab_.run(steps, ("web-1", "web-2"))
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))

    async def busy() -> bool:
        return bool(lab_.runbooks.runner.runs[run.id].busy)

    await lab_.until(busy, "a command runs")
    await lab_.answer(run, "pause")
    with pytest.raises(Conflict, match="Commands still run on 1 host;"):
        await lab_.answer(run, "rollback")
    hold.unlink()

    async def idle() -> bool:
        return not await busy()

    await lab_.until(idle, "it has ended")
    run = await lab_.answer(run, "rollback")
    assert run.asked == "undo"
    run = await lab_.answer(run, "undo", typed="web-1")
    assert run.verdict == "rolled_back"


async def test_taking_back_may_fail_and_is_tried_again(lab_: Lab) -> None:
    flag = lab_.folder / "flag"
    run = await lab_.run(f"```step one\nrun: exit 4\nrollback: test -e {flag}\n```\n")
    run = await lab_.answer(run)
    run = await lab_.answer(run, "rollback")
    run = await lab_.answer(run, "undo", typed="web-1")
    assert (run.state, run.acts) == ("deciding", ("retry", "skip", "stop"))
    flag.touch()
    run = await lab_.answer(run, "retry")
    run = await lab_.answer(run, "undo", typed="web-1")
    assert run.verdict == "rolled_back"


async def test_what_the_store_has_that_cannot_be_read_is_left_alone(lab_: Lab) -> None:
    run = await lab_.run("```step one\ninstruct: x\n```\n")
    async with lab_.gate.store.write() as tx:
        await tx.execute(update(runbook_runs).values(row="{}"))
    assert await records.runs(lab_.gate.store) == []
    assert await records.runs(lab_.gate.store, runbook="book", active=True) == []
    await lab_.restart()
    with pytest.raises(NotFound):
        await lab_.row(run)


async def test_an_old_run_is_seen_by_those_who_see_its_hosts(lab_: Lab) -> None:
    run = await lab_.run("```step one\ninstruct: x\n```\n")
    await lab_.answer(run)
    oscar = await lab_.colleague("oscar", "operator", "host=web-1")
    lab_.gate.live.runbook_runs.drop(run.id)
    listed: wire.RunbookRunList = await lab_.gate.call("runbooks.runs", wire.RunbookRunsQuery(), token=oscar)
    assert [one.id for one in listed.runs] == [run.id]
    # however many of others are newer
    for _ in range(3):
        await lab_.start(hosts=("web-2",))
    query = wire.RunbookRunsQuery(limit=1)
    listed = await lab_.gate.call("runbooks.runs", query, token=oscar)
    assert [one.id for one in listed.runs] == [run.id]
    lab_.runbooks.runner.display._ended[run.id] = -1e9, {}
    lab_.runbooks.runner.display.clean()
    assert lab_.gate.live.runbook_progress.get(run.id) is None


async def test_more_output_than_an_answer_holds_comes_in_parts(lab_: Lab) -> None:
    run = await lab_.run("```step one\nrun: yes | head -n 20000\n```\n")
    await lab_.answer(run)
    query = wire.RunbookOutputQuery(run=run.id, limit_bytes=20_000)
    found: wire.RunbookOutput = await lab_.gate.call("runbooks.output", query)
    assert found.more
    assert len(found.pieces) == 1


async def test_a_proof_of_what_the_engine_itself_notices_waits_for_its_end(lab_: Lab) -> None:
    given: list[ProofGiven] = []
    lab_.gate.bus.subscribe(ProofGiven, given.append)
    clock = lab_.gate.clock
    from guardian_tui.engine.alerts.faults import Fault

    fault = Fault("host_down", "Host down", "critical", "page", clock.now(), "it does not answer")
    lab_.alerts.book.fire("id-web-1", "", fault)
    for token in ("a", "b"):
        lab_.gate.bus.publish(ProofWanted(token, "x", "id-web-1", "host_down", "", clock.now()))
    await lab_.alerts.tick()
    assert given == []
    clock.advance(31)
    await lab_.alerts.tick()
    assert {one.proof for one in given} == {"not_fixed"}
    lab_.gate.bus.publish(ProofWanted("c", "x", "id-web-1", "host_down", "", clock.now()))
    lab_.alerts.book.resolve(("id-web-1", "host_down", ""), clock.now())
    await lab_.alerts.tick()
    assert given[-1].proof == "fixed"
    lab_.gate.bus.publish(ProofWanted("d", "x", "id-web-2", "disk_low", "/none", clock.now()))
    await lab_.wave("web-2", **{"filesystem_used_ratio{/x}": 0.1})
    clock.advance(1)
    await lab_.wave("web-2", **{"filesystem_used_ratio{/x}": 0.1})
    assert given[-1].proof == "fixed"
    lab_.gate.bus.publish(ProofWanted("e", "x", "id-web-3", "disk_low", "/none", clock.now()))
    clock.advance(700)
    await lab_.alerts.tick()
    assert len(given) == 4


async def test_by_itself_it_waits_where_a_step_cannot_begin(lab_: Lab) -> None:
    steps = "```step one\nrun: echo one\n```\n```step two\nrun: echo {{later}}\n```\n"
    await lab_.book(steps + "```step three\ncheck: echo x\ncapture: {later: '(x)'}\n```\n")
    run = await lab_.start(auto=True)
    row = await at_step(lab_, run, "two")
    assert row.state == "asking"


async def test_what_was_measured_before_the_fix_proves_nothing_though_it_is_told_after(lab_: Lab) -> None:
    clock, given = lab_.gate.clock, list[ProofGiven]()
    lab_.gate.bus.subscribe(ProofGiven, given.append)
    layout = Layout(("check_trouble{queue}",))

    def tell(trouble: float, began: float) -> None:
        sample = Sample("id-web-1", clock.now(), layout, [trouble], began={"queue": began})
        lab_.gate.bus.publish(WaveDone((sample,), "checks"))

    tell(2.0, clock.now())
    clock.advance(10)
    mended_at = clock.now()
    lab_.gate.bus.publish(ProofWanted("t", "x", "id-web-1", "check_failed", "queue", mended_at))
    clock.advance(1)
    # another check of the host was made, and this one's old value is told beside it
    tell(2.0, mended_at - 5)
    assert given == []
    tell(0.0, mended_at + 0.5)
    assert [one.proof for one in given] == ["fixed"]


async def test_a_slow_df_that_began_before_the_fix_proves_nothing_though_it_ends_after(lab_: Lab) -> None:
    clock, given = lab_.gate.clock, list[ProofGiven]()
    lab_.gate.bus.subscribe(ProofGiven, given.append)
    layout = Layout(("filesystem_available_bytes{/var}", "filesystem_available_ratio{/var}"))

    def tell(took: float) -> None:
        sample = Sample("id-web-1", clock.now(), layout, [1e12, 0.9], took_seconds=took)
        lab_.gate.bus.publish(WaveDone((sample,), "medium"))

    lab_.gate.bus.publish(ProofWanted("t", "x", "id-web-1", "disk_low", "/var", clock.now()))
    clock.advance(6)
    tell(took=8.0)
    assert given == []
    clock.advance(1)
    tell(took=0.5)
    assert [one.proof for one in given] == ["fixed"]
