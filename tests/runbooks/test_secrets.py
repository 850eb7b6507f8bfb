"""Secrets: in no list of processes, no journal, no output, though a command echoes them in halves."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from guardian_tui.engine.runbooks.masking import SHOWN, Masker
from guardian_tui.engine.runbooks.output import Budget, Output, Tail
from guardian_tui.engine.store.tables import (
    audit_events,
    runbook_documents,
    runbook_journal,
    runbook_output,
    runbook_runs,
)
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import InvalidRequest, PermissionDenied
from tests.runbooks.lab import Lab

SECRET = "correct horse'battery"
STEPS = """
```step use
run: printf '%s' "$PASS" | head -c 9; sleep 0.1; printf '%s\\n' "$PASS" | tail -c +10; echo "$PASS" >&2; cat; ps -o args= -p $$
env: {PASS: '{{password}}'}
stdin: 'fed {{password}}'
```
"""
FRONT = "vars:\n  password: {type: secret}\n"


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_secret_is_masked_wherever_it_is_cut(cut: int) -> None:
    masker = Masker([SECRET, "horse"])
    text = masker.feed(f"a{SECRET[:cut]}") + masker.feed(f"{SECRET[cut:]}b correct ") + masker.close()
    assert text == f"a{SHOWN}b correct "


def test_forms_of_a_secret_and_its_lines_are_masked() -> None:
    masker = Masker(["top secret/1\nsecond line", ""])
    said = masker.feed("second line; top%20secret%2F1%0Asecond%20line top secret/1 ok") + masker.close()
    assert said == f"{SHOWN}; {SHOWN} {SHOWN} ok"
    assert Masker([]).feed("x") == "x"
    tail = Masker(["abcdef"])
    assert tail.feed("xxabc") == "xx"
    assert tail.close() == "abc"


async def test_a_secret_is_seen_nowhere(lab_: Lab) -> None:
    await lab_.book(STEPS, front=FRONT)
    with pytest.raises(InvalidRequest, match="password"):
        await lab_.start()
    run = await lab_.start(values={"password": SECRET})
    assert run.values == {}
    assert run.current is not None
    assert run.current.commands[0].environment == {"PASS": "••••••"}
    done = await lab_.answer(run)
    assert done.verdict == "done", done.words
    text = await lab_.output(run)
    assert SECRET not in text
    assert text.count(SHOWN) == 3
    async with lab_.gate.store.read() as conn:
        for table in (runbook_journal, runbook_runs, runbook_output, runbook_documents, audit_events):
            for row in (await conn.execute(select(table))).all():
                assert "horse" not in str(tuple(row)), table.name
    assert SECRET not in (await lab_.transcript(run)).text


async def test_a_secret_of_the_vault_is_named_and_one_that_was_typed_is_asked_for_again(lab_: Lab) -> None:
    lab_.secrets["secret:db"] = SECRET
    await lab_.book(STEPS, front=FRONT)
    run = await lab_.start(values={"password": "secret:db"})
    done = await lab_.answer(run)
    assert done.verdict == "done", done.words
    assert SHOWN in await lab_.output(run)
    typed = await lab_.start(values={"password": SECRET})
    await lab_.restart()
    with pytest.raises(InvalidRequest, match="password has no value yet"):
        await lab_.answer(typed)
    with pytest.raises(InvalidRequest, match="is no secret of this runbook"):
        await lab_.answer(typed, secrets={"other": "x"})
    done = await lab_.answer(typed, secrets={"password": SECRET})
    assert done.verdict == "done", done.words


async def test_whoever_seals_no_secrets_names_those_for_runbooks_alone(lab_: Lab) -> None:
    lab_.secrets["secret:runbooks/db"] = SECRET
    input_ = "```step token\ninput: Which token?\ntype: secret\n```\n"
    await lab_.book(input_ + STEPS, front=FRONT)
    sue = await lab_.colleague("sue", "support")
    for name in ("secret:backups/db", "env:HOME", "keyring:a/b"):
        order = wire.RunbookOrder(runbook="book", hosts=("web-1",), values={"password": name})
        with pytest.raises(PermissionDenied, match="runbooks/"):
            await lab_.gate.call("runbooks.plan", order, token=sue)
    begun = wire.StartRunbook(runbook="book", hosts=("web-1",), values={"password": "secret:runbooks/db"})
    run: wire.RunbookRun = await lab_.gate.call("runbooks.run", begun, token=sue)
    for given in ({"value": "secret:db"}, {"value": "x", "secrets": {"password": "secret:db"}}):
        with pytest.raises(PermissionDenied, match="runbooks/"):
            await lab_.answer(run, token=sue, **given)
    run = await lab_.answer(run, token=sue, value="x", secrets={"password": "secret:runbooks/db"})
    done = await lab_.answer(run, token=sue)
    assert done.verdict == "done", done.words
    assert SHOWN in await lab_.output(done)


async def test_an_input_that_is_secret_is_kept_in_memory_alone(lab_: Lab) -> None:
    steps = "```step token\ninput: Which token?\ntype: secret\n```\n```step use\nrun: echo \"$T\"\nenv: {T: '{{token}}'}\n```\n"
    run = await lab_.run(steps)
    run = await lab_.answer(run, value=SECRET)
    assert run.values == {}
    done = await lab_.answer(run)
    assert (await lab_.output(done)).strip() == SHOWN
    assert "horse" not in (await lab_.transcript(run)).text


def test_output_is_bounded_and_its_end_is_kept() -> None:
    from guardian_tui.engine.clock import ManualClock

    clock = ManualClock()
    output = Output(clock, Budget(clock.monotonic, 1 << 40))
    ear = output.ear("s", 1, "h", (), Tail(named=True), kept_bytes=100)
    ear.hear("out", b"begin\n" + b"x" * 400_000 + b"\nlast \xff line\n")
    ear.hear("err", b"oops")
    ear.close()
    text = "".join(piece.text for piece in output.pending)
    assert len(text) < 100 + (64 << 10) + 200
    assert ear.clipped
    assert ear.last_line == "oops"
    assert ear.text("out").startswith("begin\n")
    assert ear.text("out").endswith("last \\xff line\n")
    assert ear.text("err") == "oops"


def test_the_budget_slows_a_flood_and_nobody_else() -> None:
    from guardian_tui.engine.clock import ManualClock

    clock = ManualClock()
    budget = Budget(clock.monotonic, 1000.0)
    assert budget.spend(5) == 0.0
    assert budget.spend(2000) == pytest.approx(2.005)
    clock.advance(10)
    assert budget.spend(5) == 0.0


async def test_a_run_waits_for_its_hosts_values_to_be_typed(lab_: Lab) -> None:
    order = wire.RunbookOrder(runbook="book", hosts=("web-1",), values={"password": "secret:db"})
    await lab_.book(STEPS, front=FRONT)
    plan: wire.RunbookPlan = await lab_.gate.call("runbooks.plan", order)
    assert plan.values == {"password": "••••••"}
    assert plan.missing == ()
