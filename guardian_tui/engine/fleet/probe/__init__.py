"""The probe: one reviewable, read-only awk program, the same for a shell without awk, and the command that starts either on a host."""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from importlib.resources import files

PROTOCOL = 1


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


PARTS = ("probe.awk", "parts/processes.awk", "parts/main.awk")
"""The files of the awk program, in order."""


@cache
def source() -> str:
    """The awk program as an administrator reviews it: all parts, with their comments."""
    return "\n".join(_text(part) for part in PARTS)


@cache
def program() -> str:
    """The awk program without its comments, blank lines and indents: what travels."""
    return "\n".join(_bare(part) for part in PARTS)


@cache
def shell_program() -> str:
    """The shell program, for hosts without awk, as it travels."""
    return _bare("probe.sh")


def _bare(name: str) -> str:
    lines = [line.strip() for line in _text(name).splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@cache
def command() -> str:
    """The shell command that starts the probe; the same for every host."""
    launcher = "\n".join(line for line in _text("launcher.sh").splitlines() if not line.startswith("#"))
    return f"exec sh -c {shlex.quote(launcher)} guardian-probe {shlex.quote(program())} {shlex.quote(shell_program())}"


def checksum() -> str:
    """SHA-256 of the command, to compare with what an administrator reviewed."""
    return hashlib.sha256(command().encode()).hexdigest()
