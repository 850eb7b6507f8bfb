"""Words in all runs: what is found, by whom, in pieces; and that no look goes through what other runs wrote."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql, sqlite

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.runbooks import records, searching
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import runbook_output, runbook_runs
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import NotFound
from tests.runbooks.lab import Lab

RUNS = 700


async def filled(store: Store) -> None:
    """Many runs of a line or two; every seventh has the word, and some began at the same moment."""
    runs = [
        {"id": f"r{n:04}", "runbook": "book", "hash": "h", "state": "ended", "started_at": float(n // 3), "row": "{}"} for n in range(RUNS)
    ]  # fmt: skip
    common = {"number": 1, "step": "s", "attempt": 1, "host": "web", "stream": "out"}
    lines = [
        {"run_id": f"r{n:04}", "at": float(n), "text": "100% a_needle here\n" if n % 7 == 0 else "100 hay\n", **common}
        for n in range(RUNS)
    ]  # fmt: skip
    async with store.write() as tx:
        await tx.execute(insert(runbook_runs), runs)
        await tx.execute(insert(runbook_output), lines)


async def everybody(runs: object) -> set[str]:
    return set(runs)  # type: ignore[call-overload, no-any-return]  # a sequence of ids


async def test_the_newest_runs_come_first_and_each_once(store: Store) -> None:
    await filled(store)
    clock, found, order = ManualClock(), [], wire.SearchRunbooks(text="A_NEEDLE", limit=9)
    while True:
        answer = await searching.search(store, clock, order, everybody)
        found += [match.run for match in answer.matches]
        assert len(answer.matches) <= 9 and answer.more == bool(answer.older_than)
        if not answer.more:
            break
        order = wire.SearchRunbooks(text="A_NEEDLE", limit=9, older_than=answer.older_than)
    assert found == [f"r{n:04}" for n in range(RUNS - 1, -1, -1) if n % 7 == 0]
    for words in ("100%", "a_needle"):
        # what means something to a database means itself
        got = await searching.search(store, clock, wire.SearchRunbooks(text=words, limit=500), everybody)
        assert len(got.matches) == 100
    with pytest.raises(NotFound, match="no run 'r9'"):
        await searching.search(store, clock, wire.SearchRunbooks(text="hay", older_than="r9"), everybody)


async def test_whoever_sees_few_runs_finds_theirs_behind_all_others(store: Store) -> None:
    await filled(store)
    asked: list[int] = []

    async def mine(runs: object) -> set[str]:
        asked.append(len(await everybody(runs)))
        return (await everybody(runs)) & {"r0007", "r0008"}

    answer = await searching.search(store, ManualClock(), wire.SearchRunbooks(text="needle"), mine)
    assert [match.run for match in answer.matches] == ["r0007"] and not answer.more
    # more and more at once, as long as that is fast
    assert asked[:3] == [8, 16, 32] and sum(asked) == RUNS
    with pytest.raises(NotFound):
        await searching.search(
            store, ManualClock(), wire.SearchRunbooks(text="needle", older_than="r0009"), mine
        )


async def test_it_says_how_far_it_came_when_its_time_is_over(store: Store) -> None:
    await filled(store)
    clock = ManualClock()

    async def slow(runs: object) -> set[str]:
        clock.advance(0.7)
        return await everybody(runs)

    answer = await searching.search(store, clock, wire.SearchRunbooks(text="needle", limit=500), slow)
    # 8 + 4 + 2 runs in 2.1 s
    assert answer.more and answer.older_than == f"r{RUNS - 14:04}"
    assert [match.run for match in answer.matches] == ["r0693", "r0686"]


async def test_a_run_that_says_it_ever_again_gives_its_newest_lines(lab_: Lab) -> None:
    first = await lab_.run("```step many\nrun: seq 3\n```\n")
    await lab_.answer(first)
    run = await lab_.run("```step many\nrun: 'seq 40 | while read n; do echo needle $n; done'\n```\n")
    await lab_.answer(run)
    order = wire.SearchRunbooks(text="needle", limit=2)
    answer = await lab_.gate.call("runbooks.search", order)
    assert {match.run for match in answer.matches} == {run.id} and len(answer.matches) == 2
    assert answer.older_than == run.id
    rest = await lab_.gate.call("runbooks.search", wire.SearchRunbooks(text="needle", older_than=run.id))
    assert rest.matches == () and not rest.more


async def test_every_query_of_a_search_goes_by_an_index(store: Store) -> None:
    await filled(store)
    looked, told = [f"r{n:04}" for n in range(8)], []
    async with store.write() as tx:
        lite = tx.conn.dialect.name == "sqlite"
        if not lite:
            # so few lines fit into a few pages, which are read faster as they lie
            await tx.execute(text("SET LOCAL enable_seqscan = off"))
        dialect = sqlite.dialect() if lite else postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
        queries = [
            *records.matching(looked, "needle", 100),
            records.older(None, 8),
            records.older((100.0, "r0300"), 8),
        ]
        for query in queries:
            words = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
            explain = "EXPLAIN QUERY PLAN" if lite else "EXPLAIN"
            rows = (await tx.execute(text(f"{explain} {words}"))).all()
            told.append(" ".join(str(row[-1]) for row in rows))
    for plan in told:
        assert "Seq Scan" not in plan and not plan.startswith("SCAN runbook_output"), plan
        # by the key of output and journal, and by when runs began
        assert "run_id" in plan or "started_at" in plan, plan
        assert "INDEX" in plan.upper(), plan
