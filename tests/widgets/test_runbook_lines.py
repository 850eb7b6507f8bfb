"""Commands and questions of several lines are shown as lines: what will run is read as it stands."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from guardian_tui.protocol.runbooks import RunbookDetail, RunbookRow
from tests.support import runbooks as made
from widgets.box import Line
from widgets.runbook_asks import question_lines
from widgets.runbook_document import document_lines
from widgets.runbook_lines import plan_step_lines, steps_lines, undo_lines

COMMAND = "{ date\n  id; } > /tmp/a\n\x1b[2J\n"


def said(lines: Iterable[Line]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def test_the_command_that_takes_a_step_back_stands_line_by_line() -> None:
    planned = replace(made.VACUUM, undo=COMMAND)
    lines = said(undo_lines(planned, 60))
    assert lines[:4] == ["goes back?  yes, by:", "  $ { date", "  >   id; } > /tmp/a", "  > ␛[2J"]
    assert said(undo_lines(replace(planned, undo="mv -- a b\n"), 60))[0] == "goes back?  yes, by: mv -- a b"
    assert all("␊" not in line for line in said(plan_step_lines(planned, (), 60)))


def test_a_document_s_commands_and_questions_stand_line_by_line() -> None:
    run, choose = made.STEPS[0], made.STEPS[1]
    steps = (
        replace(run, kind="run", text=COMMAND),
        replace(choose, kind="choose", text="Which is it?\nLook at both."),
    )
    row = RunbookRow(id="a", title="A", file="a.md")
    lines = said(document_lines(RunbookDetail(row=row, steps=steps), 60))
    place = lines.index("  $ { date")
    assert lines[place : place + 3] == ["  $ { date", "  >   id; } > /tmp/a", "  > ␛[2J"]
    place = lines.index("  Which is it?")
    assert lines[place + 1] == "  Look at both."
    # in the list of steps there is a line for it
    short = said(steps_lines((steps[1],), replace(made.RUN, marks=()), 60)[0])
    assert any("Which is it? Look at both." in line for line in short), short


def test_what_is_asked_stands_line_by_line() -> None:
    assert made.RUN.current is not None
    step = replace(made.RUN.current.step, text="Which?\nSay it.")
    words = "Another person approves: May it?\nLook twice."
    for asked, wanted in (("input", ["Which?", "Say it."]), ("choose", ["Which?", "Say it."]),
                          ("approve", ["Another person approves: May it?", "Look twice."])):  # fmt: skip
        run = replace(
            made.RUN, asked=asked, words="", current=replace(made.RUN.current, step=step, words=words)
        )
        lines = said(question_lines(run, 60, me="ops-9", may_approve=True))
        assert lines[:2] == wanted, lines
    waits = replace(made.RUN.current, step=step, commands=(), words="Tell all channels: a\nb")
    assert "  b" in said(plan_step_lines(waits, (), 60))
