"""What simulated hosts answer to commands beside the probe: the journal, the state of a unit, and acts that heal what they would heal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardian_tui.demo.journal import asked, journal
from guardian_tui.demo.tables.processes import RUNAWAY_PID

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures


MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int = 0
    out: bytes = b""
    err: bytes = b""


def run(figures: Figures, command: str) -> Ran:
    """What a command says; one that is not known says nothing and went well."""
    try:
        argv = shlex.split(command)
    except ValueError:
        return Ran(2, err=b"sh: syntax error: unterminated quoted string\n")
    if argv[:3] == ["exec", "/bin/sh", "-c"] and len(argv) == 4:
        # a step of a runbook
        return _script(figures, argv[3])
    if argv[:1] == ["echo"]:
        return Ran(out=" ".join(argv[1:]).encode() + b"\n")
    if argv[:1] == ["journalctl"]:
        return Ran(out=journal(figures, asked(argv)))
    if "guardian-log" in argv:
        return Ran(66, err=b"it can't be read as demo\n")
    if argv[:2] == ["systemctl", "show"]:
        return Ran(out=_properties(figures, argv[-1]))
    if plugin := next((name for name in _PLUGINS if f"/{name}" in command), ""):
        return _PLUGINS[plugin](figures)
    if argv[:2] == ["systemctl", "is-active"]:
        return Ran(3, b"activating\n") if _crashes(figures, argv[-1]) else Ran(out=b"active\n")
    if f"kill -s TERM -- {RUNAWAY_PID};" in command or f"kill -s KILL -- {RUNAWAY_PID};" in command:
        figures.runaway = False
    elif "systemctl --no-ask-password" in command and figures.role and figures.role.unit in command:
        figures.crash_loop = False
    return Ran()


def _script(figures: Figures, text: str) -> Ran:
    """Simple commands one after the other, until one exits."""
    out, err, status = b"", b"", 0
    for part in text.split(";"):
        try:
            argv = shlex.split(part)
        except ValueError:
            argv = []
        if argv[:1] == ["exit"]:
            return Ran(int(argv[1]) if len(argv) == 2 and argv[1].isdecimal() else status, out, err)
        if argv in (["true"], ["false"]):
            ran = Ran(int(argv == ["false"]))
        elif argv[:2] == ["head", "-c"] and argv[2:3] and argv[2].isdecimal():
            ran = Ran(out=_lines(min(int(argv[2]), MOST_BYTES)))
        else:
            ran = run(figures, part.strip())
        out, err, status = out + ran.out, err + ran.err, ran.status
    return Ran(status, out, err)


def _lines(count: int) -> bytes:
    """So many bytes of text, in lines."""
    line = b"all work and no play makes a dull host of each of them, whatever its role may be\n"
    return (line * (count // len(line) + 1))[:count]


def _properties(figures: Figures, unit: str) -> bytes:
    active, sub = ("activating", "auto-restart") if _crashes(figures, unit) else ("active", "running")
    return f"LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=success\nNRestarts={int(figures.restarts)}\n".encode()


def _http(figures: Figures) -> Ran:
    """As busy as the host is, so slow is its answer."""
    seconds = 0.011 + figures.busy * figures.busy * (0.09 if not figures.runaway else 3.1)
    status, word = (1, "WARNING") if seconds > 1 else (0, "OK")
    said = f"HTTP {word}: HTTP/1.1 200 OK - 18211 bytes in {seconds:.3f} second response time |time={seconds:.6f}s;1.0;5.0;0.0;10.0 size=18211B;;;0"
    return Ran(status, said.encode() + b"\n")


def _pgsql(figures: Figures) -> Ran:
    seconds = 0.0004 + figures.busy * 0.002
    return Ran(0, f"OK - database shop ({seconds:.6f} sec.)|time={seconds:.6f}s;2.0;8.0;0.0\n".encode())


_PLUGINS = {"check_http": _http, "check_pgsql": _pgsql}


def _crashes(figures: Figures, unit: str) -> bool:
    return figures.crash_loop and figures.role is not None and unit == figures.role.unit
