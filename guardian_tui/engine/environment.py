"""The engine's own environment: commands that it begins on this machine get all of it but its secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_hidden = {"CREDENTIALS_DIRECTORY"}
_REFERENCE = "env:"
_NEEDED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"})
"""No secrets, and no command does without them."""


def hide_secrets(settings: msgspec.Struct) -> None:
    """Keep to the engine what settings name as ``env:NAME``: passwords, and addresses with passwords in them."""
    _hidden.update(_named(msgspec.to_builtins(settings)))


def hide(name: str) -> None:
    """Keep to the engine what was given as a secret, also where no settings name it: a host, check or repository that was made on screen."""
    if name not in _NEEDED:
        _hidden.add(name)


def _named(value: Any) -> Iterator[str]:  # Any: JSON values
    if isinstance(value, str) and value.startswith(_REFERENCE):
        yield value.removeprefix(_REFERENCE)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _named(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _named(one)


def for_commands(**more: str) -> dict[str, str]:
    """What a command on this machine gets."""
    return {**{name: value for name, value in os.environ.items() if name not in _hidden}, **more}
