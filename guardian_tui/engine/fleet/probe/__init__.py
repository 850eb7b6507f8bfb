"""The probe: one reviewable, read-only awk program, the same for a shell without awk, and the command that starts either on a host."""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from importlib.resources import files

PROTOCOL = 1
_VERSION = "@VERSION@"
"""Stands in the programs where they tell their version."""


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


PARTS = (
    "probe.awk", "parts/processes.awk", "parts/services.awk", "parts/security.awk", "parts/upkeep.awk", "parts/storage.awk",
    "parts/kernel.awk", "parts/hardware.awk", "parts/network.awk", "parts/bsd.awk", "parts/sections.awk", "parts/figures.awk",
    "parts/main.awk",
)  # fmt: skip
"""The files of the awk program, in order."""
POLLING_PARTS = ("probe.awk", "parts/bsd.awk", "parts/no_sections.awk", "parts/figures.awk", "parts/main.awk")
"""Those that the channel needs which polls and does nothing else."""


@cache
def source() -> str:
    """The awk program as an administrator reviews it: all parts, with their comments."""
    return "\n".join(_text(part) for part in PARTS)


@cache
def program() -> str:
    """The awk program without its comments, blank lines and indents: what travels."""
    return _bare_awk(PARTS).replace(_VERSION, version())


@cache
def polling_program() -> str:
    """The same without its sections: what travels to a channel that only polls."""
    return _bare_awk(POLLING_PARTS).replace(_VERSION, version())


def _bare_awk(parts: tuple[str, ...]) -> str:
    return "\n".join(_bare(part) for part in parts)


@cache
def shell_program() -> str:
    """The shell program, for hosts without awk, as it travels."""
    return _bare("probe.sh").replace(_VERSION, version())


def _bare(name: str) -> str:
    lines = [line.strip() for line in _text(name).splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@cache
def version() -> str:
    """What tells one probe from another: the first digits of a SHA-256 over both programs."""
    return hashlib.sha256(f"{_bare_awk(PARTS)}\n{_bare('probe.sh')}".encode()).hexdigest()[:12]


@cache
def command() -> str:
    """The shell command that starts the probe; the same for every host."""
    return _command(program())


@cache
def polling_command() -> str:
    """The same for a channel that only polls: a fraction to send at each connection, and to keep in the host's memory."""
    return _command(polling_program())


def _command(awk: str) -> str:
    launcher = "\n".join(line for line in _text("launcher.sh").splitlines() if not line.startswith("#"))
    return (
        f"exec sh -c {shlex.quote(launcher)} guardian-probe {shlex.quote(awk)} {shlex.quote(shell_program())}"
    )


@cache
def file() -> str:
    """The probe as a file for a host, to be reviewed there, and run by a key that can do nothing else."""
    words = (
        "#!/bin/sh",
        f"# Guardian's probe, version {version()}: answers questions about this host over its standard input.  It only reads.",
        '# As the forced command of a key in authorized_keys:  restrict,command="PATH OF THIS FILE" ssh-ed25519 AAAA…',
    )
    return "\n".join(words) + "\n" + _command(source().replace(_VERSION, version())) + "\n"


def checksum() -> str:
    """SHA-256 of the file, to compare with what an administrator reviewed and installed."""
    return hashlib.sha256(file().encode()).hexdigest()
