"""Sources of hosts on the client's side: files are read and scripts run here, as the person, and only their text goes to the engine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess  # scripts that a person names are run as that person
from pathlib import Path

from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.imports import SourceFormat, SourceText
from guardian_tui.ssh_includes import with_includes
from guardian_tui.text import safe

SCRIPT_SECONDS = 60.0
MOST_CHARACTERS = 4_000_000
RUN = "run:"
"""Begins the name of a source that is a command."""

_BY_ENDING: dict[str, SourceFormat] = {
    ".csv": "csv", ".tsv": "csv", ".yml": "ansible_yaml", ".yaml": "ansible_yaml", ".json": "ansible_json", ".ini": "ansible_ini",
}  # fmt: skip
_SSH = re.compile(r"^\s*(host|match|include)\s+\S", re.IGNORECASE | re.MULTILINE)
_YAML = re.compile(r"^(---|[\w.-]+:)\s*(#.*)?$", re.MULTILINE)


def format_of(name: str, text: str) -> SourceFormat:
    """Which notation a source is in, by its name, then by its text."""
    if (known := _BY_ENDING.get(Path(name).suffix.lower())) is not None:
        return known
    if text.lstrip().startswith("{"):
        return "ansible_json"
    first = next(
        (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), ""
    )
    if _SSH.match(first) or Path(name).name in ("config", "ssh_config"):
        return "ssh_config"
    return "ansible_yaml" if _YAML.match(first) else "ansible_ini"


def read_source(name: str, format: SourceFormat | None = None) -> SourceText:
    """Read a file; run it with ``--list`` if it is a script, or the command after ``run:``.

    Raises:
        InvalidRequest: it can't be read or run; says why.
    """
    if name.startswith(RUN):
        text = _output(shlex.split(name.removeprefix(RUN)), name)
        return SourceText(format=format or format_of("", text), name=name, text=text)
    path = Path(name).expanduser().absolute()
    if is_script(path):
        text = _output([str(path), "--list"], str(path))
        return SourceText(format=format or "ansible_json", name=str(path), text=text)
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InvalidRequest(f"{path} can't be read: {error.strerror}.") from error
    format = format or format_of(str(path), text)
    if format == "ssh_config":
        text = with_includes(path, text)
    _bounded(text, str(path))
    return SourceText(format=format, name=str(path), text=text)


def is_script(path: Path) -> bool:
    """Whether a file is to be run, not read."""
    try:
        if not (path.is_file() and os.access(path, os.X_OK)):
            return False
        with path.open("rb") as file:
            # a mount that makes every file executable is no reason to run an inventory
            return file.read(4).startswith((b"#!", b"\x7fELF"))
    except OSError:
        return False


def _output(argv: list[str], name: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # named by the person, run as the person, without a shell
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SCRIPT_SECONDS, check=False
        )
    except (OSError, ValueError, IndexError) as error:
        raise InvalidRequest(f"{name} can't be run: {error}.") from error
    except subprocess.TimeoutExpired as error:
        raise InvalidRequest(f"{name} did not end in {SCRIPT_SECONDS:.0f} s.") from error
    if done.returncode:
        words = safe(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else b"no word", 200)
        raise InvalidRequest(f"{name} failed ({done.returncode}): {words}")
    text = done.stdout.decode("utf-8", "replace")
    _bounded(text, name)
    return text


def _bounded(text: str, name: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(f"{name} is larger than {MOST_CHARACTERS // 1_000_000} MB; split it.")


def known_hosts_text() -> str:
    """The person's own known_hosts; empty when there is none."""
    try:
        text = Path("~/.ssh/known_hosts").expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text[:8_000_000]
