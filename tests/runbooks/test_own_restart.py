"""A step that ends the engine on which its own run is led, as `systemctl restart guardian` does: told as unknown, and begun by nobody again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from guardian_tui.protocol import runbooks as wire
from tests.support.engine import WAIT_SECONDS, EngineProcess, engine_process

BOOK = """---
id: restart
title: Restart the engine
version: 1
hosts: engine
vars:
  engine: {type: int}
  log: {type: path}
---
```step restart
run: echo asked >> {{log}}; kill -s TERM -- {{engine}}; sleep 300; echo went-on >> {{log}}
timeout: 6m
```
```step after
check: test -s {{log}}
```
"""


async def row(engine: EngineProcess, run: str) -> wire.RunbookRun:
    detail = await engine.client.call("runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=run))
    return detail.run


async def test_a_step_that_restarts_the_engine_is_unknown_and_goes_on_only_when_somebody_has_looked(
    tmp_path: Path,
) -> None:
    books, log = tmp_path / "books", tmp_path / "log"
    books.mkdir(mode=0o755)
    (books / "restart.md").write_text(BOOK)
    settings = f'[runbooks]\nfolder = "{books}"\nshipped = false\n'
    async with engine_process(tmp_path / "h", settings) as engine:
        values = {"engine": str(engine.process.pid), "log": str(log)}
        order = wire.StartRunbook(runbook="restart", values=values, auto=True, reason="a new program")
        run = (await engine.client.call("runbooks.run", wire.RunbookRun, order)).id
        # in good order, and without waiting for the five minutes
        assert await asyncio.to_thread(engine.process.wait, WAIT_SECONDS) == 0
        await engine.start()

        async def asks() -> bool:
            return (await row(engine, run)).state == "deciding"

        await engine.until(asks, "the run asks")
        found = await row(engine, run)
        assert "The engine ended while it ran there: nobody knows how it went." in found.words
        assert [mark.state for mark in found.marks] == ["unknown", "todo"]
        answer = wire.AnswerRunbook(run=run, version=found.version, act="accept", reason="it was restarted")
        await engine.client.call("runbooks.answer", wire.RunbookRun, answer)

        async def ended() -> bool:
            return (await row(engine, run)).state == "ended"

        await engine.until(ended, "the run ends")
        assert (await row(engine, run)).verdict == "done"
        assert log.read_text().split() == ["asked"], "it was begun once, and ended with the engine"
