"""Runs lead a person through: each step is shown, begun by them, judged by evidence, and stands in the journal."""

from __future__ import annotations

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
    assert await lab_.output(run) == "hello\noops\n"
    told = [
        (event.outcome, event.action) for event in lab_.gate.events() if event.action.startswith("runbooks.")
    ]
    assert told == [
        ("ok", "runbooks.run"),
        ("ok", "runbooks.answer"),
        ("ok", "runbooks.step"),
        ("ok", "runbooks.ended"),
    ]
    transcript = await lab_.transcript(run)
    assert done.transcript == transcript.hash
    assert "web-1: ok, exit status 0" in transcript.text
