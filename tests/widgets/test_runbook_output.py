"""What a run wrote stands under the command that wrote it."""

from __future__ import annotations

from guardian_tui.protocol.runbooks import RunbookPiece, RunbookProgress
from widgets.runbook_output import RunOutput


def shown(output: RunOutput) -> list[str]:
    return ["".join(text for text, _ in line) for line in output.lines({}, 80)]


def piece(number: int, text: str) -> RunbookPiece:
    return RunbookPiece(number=number, at=0.0, step="cut", attempt=1, host="web-1", stream="out", text=text)


def test_what_takes_a_step_back_stands_below_what_that_wrote() -> None:
    output = RunOutput()
    output.take_command(("cut", 1), "cut it")
    output.take_pieces([piece(1, "one\ntwo\n")], named=False)
    output.take_tail(RunbookProgress(id="r", step="cut", attempt=1, tail="two\nthree"))
    for _ in range(2):
        # it is drawn again and again while it runs
        output.take_undo(("cut", 1), ["mend it", "and again"])
    assert shown(output) == ["$ cut it", "one", "two", "three", "$ mend it", "  and again"]
    output.take_pieces([piece(2, "mended\n")], named=False)
    assert shown(output)[-2:] == ["  and again", "mended"]
