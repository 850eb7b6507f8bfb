"""The documents keep to what there is: their commands are commands, their `:` lines and keys are the screen's, their links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from guardian_tui.cli.keys import keys_page
from guardian_tui.cli.main import main
from guardian_tui.commands import COMMANDS, shown_key
from guardian_tui.demo.console import DEMO_COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_CODE = re.compile(r"`([^`\n]+)`")
_LINE = re.compile(r":([a-z][a-z-]*)")
_KEYS = {shown_key(key) for command in COMMANDS.values() for key in command.keys}
_WORDS = {word for command in (*COMMANDS.values(), *DEMO_COMMANDS) for word in command.words}
_LEAST_SHARE = 0.9
_KEY_COLUMNS = {("press or type", ""), ("key", "`:`"), ("key", "shows"), ("key", "does")}
"""Headings of a column of keys, each with that of the next one: a key of a document is another thing."""
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands_of(page: Path) -> Iterator[str]:
    """Command lines of a page: in its blocks and in its text."""
    block, kept = False, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            block = not block
        elif block:
            kept += line.removesuffix("\\")
            if not line.endswith("\\"):
                yield from re.findall(r"guardian-tui [a-z].*", kept)
                kept = ""
        else:
            yield from (code for code in _CODE.findall(line) if code.startswith("guardian-tui "))
            yield from (f"guardian-tui {code}" for code in _CODE.findall(line) if names_a_verb(code))


def names_a_verb(code: str) -> bool:
    """Whether a code in a text is an order of the command line without the program's name: `hosts list`."""
    group, _, rest = code.partition(" ")
    found = main.get_command(click.Context(main), group) if group.isalpha() and rest else None
    return isinstance(found, click.Group) and rest[:1].isalpha() and rest[:1].islower()


def words_of(line: str) -> list[str]:
    """The words of a command line, up to where the shell takes over or an ellipsis stands for more."""
    line = re.split(r" #| \||  +\S* ?[a-z]+ |\)\"|;|&&|…| > ", line)[0].replace("[", "").replace("]", "")
    try:
        return shlex.split(line)[1:]
    except ValueError:
        return line.split()[1:]


def fault_of(words: list[str]) -> str:
    """What is wrong with a command line; empty: nothing."""
    command: click.Command = main
    context = click.Context(main)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        word = rest.pop(0)
        if word.isupper() or "|" in word:
            return ""
        found = command.get_command(context, word)
        if found is None:
            return f"no command {word}"
        command = found
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {
        "--help",
        "-h",
    }
    unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_the_documents_are_there(page: Path) -> None:
    faults = {line: fault for line in commands_of(page) if (fault := fault_of(words_of(line)))}
    assert faults == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_the_documents_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def unknown_lines(text: str) -> list[str]:
    """`:` lines in a text that the screen does not know."""
    found = [match for code in _CODE.findall(text) if (match := _LINE.match(code))]
    return [match.string for match in found if match[1] not in _WORDS]


def unknown_keys(text: str) -> list[str]:
    """What stands in the column of keys of a text's tables, and is no key of the screen."""
    found, column = [], -1
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            column = -1
        elif column < 0:
            column = next((at for at, pair in enumerate(pairwise([*cells, ""])) if pair in _KEY_COLUMNS), -1)
        elif column < len(cells):
            codes = [
                code for code in _CODE.findall(cells[column]) if not code.startswith((":", "guardian-tui "))
            ]
            found += [code for code in codes if code not in _KEYS and code != "state restore FILE"]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_the_documents_type_on_screen_is_known_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert (unknown_lines(text), unknown_keys(text)) == ([], [])


def test_what_is_not_known_on_screen_would_be_found() -> None:
    assert unknown_lines("Type `:silense 2h`, or `:silence 2h`, or `:trouble disk`.") == [":silense 2h"]
    table = "| to do this | press or type |\n|---|---|\n| a | `é` or `:rules` |\n| b | `g 1` |\n\n| x |\n|---|\n| `ö` |"
    assert unknown_keys(table) == ["é"]


def test_nine_of_ten_commands_of_the_screen_stand_in_the_manual_as_they_are() -> None:
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in keys_page(COMMANDS.values()).splitlines() if line.startswith(("| `", "|  |"))]
    missing = [row for row in rows if row not in page]
    assert len(rows) >= len(COMMANDS)
    assert len(missing) < (1 - _LEAST_SHARE) * len(rows), f"guardian-tui keys > docs/keys.md: {missing}"


def test_the_keys_are_printed_as_the_page_and_as_json() -> None:
    assert CliRunner().invoke(main, ["keys"]).output == keys_page(COMMANDS.values())
    told = json.loads(CliRunner().invoke(main, ["keys", "--json"]).output)
    assert {one["name"] for one in told} == set(COMMANDS)


def test_a_command_that_is_not_there_would_be_found() -> None:
    assert fault_of(["backups", "lst"]) == "no command lst"
    assert fault_of(["backups", "list", "--felter", "x"]) == "no option --felter"
    assert fault_of(words_of("guardian-tui backups run web --wait    # until it is over")) == ""
