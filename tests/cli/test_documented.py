"""The documents keep to what there is: their commands are commands, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from guardian_tui.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_CODE = re.compile(r"`([^`\n]+)`")
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


def test_a_command_that_is_not_there_would_be_found() -> None:
    assert fault_of(["backups", "lst"]) == "no command lst"
    assert fault_of(["backups", "list", "--felter", "x"]) == "no option --felter"
    assert fault_of(words_of("guardian-tui backups run web --wait    # until it is over")) == ""
