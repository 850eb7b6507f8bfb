"""Logs of a host: the journal, a unit's part of it, or a file below /var/log; the newest lines, or what came after a cursor.

The journal is read as JSON (systemd's "Journal JSON Format"): its cursor goes on exactly where it was.  A file's cursor is its inode and the
bytes that were read: another inode, or fewer bytes, is another file, and is read from its beginning.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import msgspec
import re2

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.inventory import command_target
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.protocol.acts import LogLine, LogLines, LogQuery
from guardian_tui.protocol.errors import HostUnavailable, InvalidRequest
from guardian_tui.text import safe

SECONDS = 20.0
LIMIT_BYTES = 4 << 20
LINE_CHARACTERS = 1000
_UNIT = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.:@\\-]{0,254}\Z")
_FILE = re.compile(r"/var/log/[A-Za-z0-9_.@+,=/-]{1,300}\Z")
_JOURNAL_CURSOR = re.compile(r"[a-z]=[0-9a-f]+(;[a-z]=[0-9a-f]+)*\Z")
_FILE_CURSOR = re.compile(r"(\d{1,20}):(\d{1,20})\Z")
_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT"

_READ_FILE = """
f=$1
p=$(readlink -f -- "$f") || exit 66
case $p in /var/log/*) ;; *) echo "it leads out of /var/log" >&2; exit 65 ;; esac
[ -r "$p" ] && [ -f "$p" ] || { echo "it can't be read as $(id -un)" >&2; exit 66; }
set -- "$2" "$3" "$4" $(stat -c '%i %s' -- "$p")
echo "$4 $5"
if [ "$1" = "$4" ] && [ "$2" -le "$5" ]; then tail -c "+$(($2 + 1))" -- "$p" | head -c "$(($5 - $2))"
else head -c "$5" -- "$p" | tail -n "$3"; fi
"""


class Logs:
    """Handlers of logs."""

    def __init__(self, fleet: Fleet, commands: Commands) -> None:
        self._fleet = fleet
        self._commands = commands

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"logs.read": self.read}

    async def read(self, call: Call, request: LogQuery) -> LogLines:
        """`logs.read`."""
        host = host_asked(self._fleet.inventory, call, request.host)
        pattern = _pattern(request.match)
        kind, _, what = request.source.partition(":")
        command = file_command(what, request) if kind == "file" else journal_command(kind, what, request)
        target = command_target(host)
        done = await self._commands.run(target, command, timeout=SECONDS, limit_bytes=LIMIT_BYTES)
        if done.exit_status not in (0, None):
            if kind != "file" and done.exit_status == 1 and not done.err:
                return LogLines(host=host.spec.name, lines=(), cursor=request.after)
            said = safe(done.err.strip(), 300) or f"exit status {done.exit_status}"
            more = (
                " It has no journal; try file:/var/log/syslog or file:/var/log/messages."
                if done.exit_status == 127
                else ""
            )
            raise HostUnavailable(f"The log of {host.spec.name} can't be read: {said}.{more}")
        lines, cursor = file_lines(done.out, what) if kind == "file" else journal_lines(done.out)
        found = [line for line in lines if pattern is None or pattern.search(line.text)]
        cut = done.truncated or len(found) > request.lines
        return LogLines(
            host=host.spec.name, lines=tuple(found[-request.lines :]), cursor=cursor or request.after, cut=cut
        )


def _pattern(text: str) -> Any:  # Any: re2 has no types
    if not text:
        return None
    try:
        return re2.compile(text)
    except re2.error as error:
        raise InvalidRequest(f"The pattern can't be read: {safe(str(error), 100)}.", field="match") from error


def journal_command(kind: str, unit: str, request: LogQuery) -> str:
    """The command that reads the journal, or one unit's part of it.

    Raises:
        InvalidRequest: the source or the cursor is none.
    """
    argv = ["journalctl", "--no-pager", "-q", "-o", "json", f"--output-fields={_FIELDS}"]
    if kind == "unit" and _UNIT.match(unit):
        argv += ["-u", unit]
    elif kind != "journal" or unit:
        raise InvalidRequest("A log is journal, unit:NAME or file:/var/log/…", field="source")
    if not request.after:
        argv += ["-n", str(request.lines)]
    elif _JOURNAL_CURSOR.match(request.after):
        argv += [f"--after-cursor={request.after}"]
    else:
        raise InvalidRequest("The cursor is none of the journal's.", field="after")
    return shlex.join(argv)


def file_command(path: str, request: LogQuery) -> str:
    """The command that reads a log file; where it leads is looked at on the host.

    Raises:
        InvalidRequest: the path is not below /var/log, or the cursor is none.
    """
    if not _FILE.match(path) or "/../" in path:
        raise InvalidRequest("A log file is named by its path below /var/log.", field="source")
    cursor = _FILE_CURSOR.match(request.after or "0:0")
    if cursor is None:
        raise InvalidRequest("The cursor is none of a file's.", field="after")
    return shlex.join(
        ["sh", "-c", _READ_FILE, "guardian-log", path, cursor[1], cursor[2], str(request.lines)]
    )


def journal_lines(out: bytes) -> tuple[list[LogLine], str]:
    """Lines of the journal's JSON, and the cursor of the last one; what can't be read is left out."""
    lines, cursor = [], ""
    for text in out.split(b"\n"):
        try:
            entry = msgspec.json.decode(text)
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            cursor = str(entry["__CURSOR"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError):
            continue
        source = entry.get("SYSLOG_IDENTIFIER") or entry.get("_SYSTEMD_UNIT") or ""
        lines.append(
            LogLine(
                at=at,
                priority=_priority(entry.get("PRIORITY")),
                source=_words(source, 60),
                text=_words(entry.get("MESSAGE"), LINE_CHARACTERS),
            )
        )
    return lines, cursor if _JOURNAL_CURSOR.match(cursor) else ""


def _words(value: object, limit: int) -> str:
    """A field's text: what is not UTF-8 comes as a list of bytes."""
    if isinstance(value, list):
        return safe(bytes(b for b in value if isinstance(b, int) and 0 <= b < 256), limit)
    return safe(value, limit) if isinstance(value, str) else ""


def _priority(value: object) -> int:
    return int(value) if isinstance(value, str) and value in "01234567" and value else 6


def file_lines(out: bytes, path: str) -> tuple[list[LogLine], str]:
    """Lines of a file behind the line with its inode and size."""
    head, _, body = out.partition(b"\n")
    words = head.split()
    cursor = b":".join(words).decode("ascii", "replace") if len(words) == 2 else ""
    name = safe(path.rpartition("/")[2], 60)
    lines = [
        LogLine(at=None, priority=6, source=name, text=safe(line, LINE_CHARACTERS))
        for line in body.split(b"\n")
    ]
    if lines and not lines[-1].text:
        lines.pop()
    return lines, cursor if _FILE_CURSOR.match(cursor) else ""
