"""`guardian-tui keys`: every command of the screen with its keys, as `docs/keys.md` has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import click
import msgspec

from guardian_tui.commands import COMMANDS, GLOBAL, Command, shown_key
from guardian_tui.text import json_safe

_HEAD = """# Keys

Every command of the screen, from the registry that the keys, the `:` line, the palette (`^p`) and the help (`?`) are read from. `?` shows those that work where you are.
What you may not do is not offered. `keys.toml` gives a command other keys, by its name: [Configuration](configuration.md#keys).
In every list `↑` `↓` (or `k` `j`), page up
and down, home and end move the cursor, a click puts it, and two clicks open.

This page is what `guardian-tui keys` prints.

| key | `:` | what it does | where | name |
|---|---|---|---|---|
"""


@click.command("keys")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def keys_command(as_json: bool) -> None:
    """Every command of the screen, its keys, and its name for keys.toml."""
    if as_json:
        click.echo(json_safe(msgspec.json.encode([asdict(command) for command in COMMANDS.values()])))
    else:
        click.echo(keys_page(COMMANDS.values()), nl=False)


def keys_page(commands: Iterable[Command]) -> str:
    """The page of all commands, in the registry's order."""
    return _HEAD + "".join(f"| {' | '.join(_cells(command))} |\n" for command in commands)


def _cells(command: Command) -> tuple[str, ...]:
    keys = " ".join(_code(shown_key(key)) for key in command.keys)
    line = _code(f":{command.words[0]} {command.arguments}".strip()) if command.words else ""
    what = f"**{command.title}.** {command.help}"
    where = (
        "everywhere"
        if GLOBAL in command.where
        else ", ".join(one.partition(":")[2] or one for one in command.where)
    )
    return keys, line, what.replace("|", "\\|"), where, _code(command.name)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
