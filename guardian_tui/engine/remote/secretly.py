"""Commands that need secrets: handed over on standard input, so that no list of processes shows them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence


def exports(secrets: Mapping[str, str]) -> bytes:
    """What :func:`with_secrets` is fed: one assignment for each variable, quoted for the shell.

    Raises:
        ValueError: a value holds a NUL, which no environment can.
    """
    if any("\0" in value for value in secrets.values()):
        raise ValueError("a secret with a NUL can't be handed over")
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
    return "".join(lines).encode(errors="surrogateescape")


def with_secrets(argv: Sequence[str], env: Mapping[str, str], folder: str = "") -> str:
    """The command for a shell that reads :func:`exports` from its input and then becomes ``argv``, which gets an empty one."""
    enter = f"cd -- {shlex.quote(folder)} && " if folder else ""
    sets = [f"{name}={value}" for name, value in env.items()]
    words = shlex.join(["env", *sets, *argv] if sets else list(argv))
    inner = f'eval "$(cat)"; {enter}exec {words} </dev/null'
    return shlex.join(["/bin/sh", "-c", inner])
