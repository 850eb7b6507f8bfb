"""A command that is wider than its pane is broken where a shell bears it: it reads well, nothing of it is left out, and a copy of it is right."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import pytest

from guardian_tui.engine.runbooks.documents.library import SHIPPED, Library
from widgets.box import Line
from widgets.painting import width_of
from widgets.shell_text import GOES_ON, shell_lines

ARGUMENTS = r"""nice -n 19 du -x -h --max-depth=3 -- /var 'it'\''s  "quoted" here' "a  b \" c 'd" and\ so \\ on   # it's said 'so"""


def copied(lines: list[Line]) -> str:
    """What stands on the lines, without the sign before each."""
    return "\n".join("".join(text for text, _ in line[1:]) for line in lines)


def joined(lines: list[Line]) -> str:
    """The command again, without what was put in to break it."""
    text, after = "", ""
    for (sign, _), *pieces in lines:
        part = pieces[0][0] if pieces else ""
        text += part.removeprefix("  ") if after else f"\n{part}" if sign == "> " else part
        after = pieces[1][0] if len(pieces) > 1 else ""
    return text


def test_a_copy_of_a_broken_command_is_the_same_for_a_shell() -> None:
    script, sure = [f"printf '<%s>' {ARGUMENTS}\necho"], 0
    for width in range(24, 130):
        lines = shell_lines(f"printf '<%s>' {ARGUMENTS}", width)
        assert joined(lines) == f"printf '<%s>' {ARGUMENTS}"
        if all(line[0][0] != GOES_ON for line in lines):
            sure += len(lines) > 1
            script.append(f"{copied(lines)}\necho")
    told = subprocess.run(["sh", "-c", "\n".join(script)], capture_output=True, text=True, check=True)
    assert sure > 40
    assert len(set(told.stdout.splitlines())) == 1, told.stdout
    assert '<it\'s  "quoted" here>' in told.stdout


@pytest.mark.parametrize("width", [34, 58, 76])
def test_commands_of_the_shipped_runbooks_fit_and_their_words_stay_whole(width: int) -> None:
    library = Library(None)
    library.refresh()
    commands = [
        text
        for entry in library.entries
        if entry.document is not None
        for step in entry.document.steps
        for text in (step.text, step.rollback)
        if text and step.acts
    ]
    assert len(commands) > 100, SHIPPED
    for command in commands:
        lines = shell_lines(command, width)
        assert joined(lines) == command.rstrip("\n")
        assert all(width_of(line) <= width for line in lines), copied(lines)
        for before, line in pairwise(lines):
            if line[0][0] == GOES_ON:
                # in the middle of a word only if that has no room in a line
                whole = joined([before, line])
                cut = len(joined([before]))
                if " " not in (whole[cut - 1], whole[cut]):
                    word = whole[whole.rfind(" ", 0, cut) + 1 :].partition(" ")[0]
                    assert len(word) > (width - 2) // 2, copied(lines)


@pytest.mark.parametrize(
    "command",
    [
        """psql -X -c "select 'a b c d' from some_table where other = 'it is so' and more = 1" """,
        'awk \'\n  $1 > 3 { print "more than three", $2 }\n  END { print "all of it was read now" }\'',
        'echo "$(printf "%s and so on" "one two three four five six seven")" and more words',
        "cat <<END\nit's a text that is wider than the pane\nEND",
        "true # don't look for a quote in a comment that is wide",
    ],
)
def test_within_quotes_an_arrow_says_that_it_is_one_line(command: str) -> None:
    lines = shell_lines(command, 40)
    assert any(line[0][0] == GOES_ON for line in lines)
    assert joined(lines) == command.rstrip("\n")
    # what a shell bears is never within quotes
    script = f"{copied([line for line in lines if line[0][0] != GOES_ON])}"
    assert script.count("\\\n") <= 1


def test_what_has_no_blank_and_what_is_very_long_is_broken_all_the_same() -> None:
    for command in ("x" * 20_000, "ab " * 7000, "日本語 " * 2000, "'" + "y z" * 5000):
        lines = shell_lines(command, 50)
        assert all(width_of(line) <= 50 for line in lines)
        assert joined(lines).startswith(command[:16_000])
    assert shell_lines("", 50) == []
