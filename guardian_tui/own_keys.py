"""A person's own keys: ``keys.toml`` over the registry's."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from guardian_tui.commands import GLOBAL, Command, Registry

RESERVED_KEYS = frozenset({"ctrl+b", "ctrl+a", "ctrl+c", "ctrl+z"})
"""tmux's and screen's prefix, and what shells mean by them: never bound."""


def load_keys(path: Path, registry: Registry) -> tuple[Registry, list[str]]:
    """The registry with the keys of a person's ``keys.toml``; a broken file is reported, not fatal."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return registry, []
    except (OSError, UnicodeDecodeError) as error:
        return registry, [f"{path} can't be read: {error}"]
    try:
        return remap(registry, _flatten(tomllib.loads(text)), path.name)
    except tomllib.TOMLDecodeError as error:
        return registry, [f"{path.name}: {error}"]


def remap(
    registry: Registry, keys: Mapping[str, object], source: str = "keys.toml"
) -> tuple[Registry, list[str]]:
    """The registry with a person's own keys, and what was wrong with them.

    ``keys`` maps a command's name to a key, a list of keys, or an empty list (no key).
    """
    commands, problems = {command.name: command for command in registry.all()}, []
    for name, wanted in keys.items():
        chosen = [wanted] if isinstance(wanted, str) else wanted
        if name not in commands:
            near = get_close_matches(name, commands, 1)
            problems.append(
                f"{source}: no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        elif not isinstance(chosen, list) or not all(isinstance(key, str) and key for key in chosen):
            problems.append(f"{source}: {name} wants a key or a list of keys")
        elif bad := RESERVED_KEYS.intersection(chosen):
            problems.append(
                f"{source}: {name}: {', '.join(sorted(bad))} belongs to tmux, screen or the shell"
            )
        elif commands[name].dangerous and any(key.startswith("ctrl+") for key in chosen):
            problems.append(f"{source}: {name} is dangerous and can't have a bare ctrl key")
        else:
            commands[name] = replace(commands[name], keys=tuple(chosen))
    problems += [f"{source}: {words}" for words in clashes(commands.values())]
    return Registry(commands), problems


def clashes(commands: Iterable[Command]) -> list[str]:
    """Pairs of commands that share a key on the same screen, in words."""
    taken: dict[tuple[str, str], str] = {}
    found = []
    for command in sorted(
        commands, key=lambda c: (GLOBAL not in c.where, any(":" in where for where in c.where))
    ):
        for key in command.keys:
            for screen in command.where:
                # "section:units" is a section too
                other = (
                    taken.get((key, screen))
                    or taken.get((key, screen.partition(":")[0]))
                    or taken.get((key, GLOBAL))
                )
                if other:
                    found.append(f"{key} is both {other} and {command.name}")
                taken[key, screen] = command.name
    return found


def _flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
