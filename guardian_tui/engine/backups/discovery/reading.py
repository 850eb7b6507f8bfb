"""Files of a host as discovery reads them: bounded, the values of what looks like a password left on the host.

One constant script looks for the files; what it found names more (a script that cron runs, the environment of a unit), which are read by the same script.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.ways import Way

READ_SECONDS = 40.0
FILE_BYTES = 1 << 18
"""Most of one file."""
ALL_BYTES = 12 << 20
"""Most of one answer, as it is packed."""
MOST_FILES = 400
HIDDEN = "(hidden)"
"""Stands where a password stood."""

# what is assigned to a name that smells of a secret stays on the host: quoted anywhere in a line, the rest of a YAML or TOML line, a shell's or an INI
# file's word; names that end with FILE, COMMAND or the like are no secrets and are set aside by a mark (\001) meanwhile
_HIDE = r"""
n="[A-Za-z0-9_.-]*([Pp][Aa][Ss][Ss]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Kk][Ee][Yy]|[Cc][Rr][Ee][Dd]|PGPASS)[A-Za-z0-9_.-]*[\"']?"
m=$(printf '\001')
hide() {
    sed -E -e "s/([Ff][Ii][Ll][Ee]|[Cc][Oo][Mm][Mm][Aa][Nn][Dd]|[Hh][Ii][Nn][Tt]|[Tt][Yy][Pp][Ee])([\"']?[[:space:]]*[=:])/\1$m\2/g" \
        -e "s/($n[[:space:]]*[=:][[:space:]]*)\"([^\"\\\\]|\\\\.)*\"/\1\"(hidden)\"/g" \
        -e "s/($n[[:space:]]*[=:][[:space:]]*)'[^']*'/\1'(hidden)'/g" \
        -e "s/^([[:space:]-]*[\"']?$n(:[[:space:]]+|[[:space:]]+=[[:space:]]*))[^\"'|>&*[:space:]{[(].*\$/\1\"(hidden)\"/" \
        -e "s/($n:[[:space:]]+)[^[:space:]\"'{[|>&*,}][^[:space:],}]*/\1(hidden)/g" \
        -e "s/($n=)[^[:space:]\"'(;\$][^[:space:]\"'(;]*/\1(hidden)/g" \
        -e "s#(://[^/@:[:space:]\"']*:)[^/@[:space:]\"']*@#\1(hidden)@#g" \
        -e "s/$m//g"
}
"""
_READ = r"""
LC_ALL=C; export LC_ALL
one() {
    [ "$count" -lt "$most" ] || return 0
    count=$((count + 1))
    printf '%s\0%s\0%s\0' text "$1" "$(stat -L -c '%Y %U' -- "$1" 2>/dev/null)"
    head -c "$bytes" -- "$1" | $filter | base64 | tr -d '\n'
    printf '\0'
}
no() { printf '%s\0%s\0%s\0\0' "$1" "$2" "$3"; }
file() {
    if [ -f "$1" ]; then
        if [ -r "$1" ]; then one "$1"; else no denied "$1" "$(stat -L -c '%A %U' -- "$1" 2>/dev/null)"; fi
    fi
}
folder() {
    if [ -d "$1" ] && ! { [ -r "$1" ] && [ -x "$1" ]; }; then no denied "$1" "$(stat -L -c '%A %U' -- "$1" 2>/dev/null)"; fi
}
count=0
"""
# $1 most files, $2 bytes of each, $3 the filter, then the files
_NAMED = (
    _HIDE
    + _READ
    + r"""
most=$1 bytes=$2 filter=$3
shift 3
# a pattern stands for the files that it matches
for pattern; do
    IFS=''
    for path in $pattern; do file "$path"; done
    unset IFS
done
"""
)
# $1 most files, $2 bytes of each, $3 the filter
_LOOK = (
    _HIDE
    + _READ
    + r"""
most=$1 bytes=$2 filter=$3
tools='restic|borg|pgbackrest'
for tool in borgmatic restic resticprofile pgbackrest borg; do
    if command -v "$tool" >/dev/null 2>&1; then
        case $tool in restic | resticprofile | pgbackrest) ask=version ;; *) ask=--version ;; esac
        no version "$tool" "$(timeout 10 "$tool" $ask 2>/dev/null </dev/null | head -n 1 | cut -c 1-100)"
    fi
done
no user "$(id -un)" "$HOME"
no machine "$(uname -n)"
own=${XDG_CONFIG_HOME:-$HOME/.config}
for path in /etc/borgmatic /etc/borgmatic.d "$own/borgmatic" "$own/borgmatic.d" /etc/resticprofile /usr/local/etc/resticprofile "$own/resticprofile" \
    /etc/pgbackrest /etc/pgbackrest/conf.d /etc/restic /etc/cron.d /var/spool/cron/crontabs /var/spool/cron; do folder "$path"; done
for path in /etc/borgmatic/*.yaml /etc/borgmatic/*.yml /etc/borgmatic.d/*.yaml /etc/borgmatic.d/*.yml \
    "$own"/borgmatic/*.yaml "$own"/borgmatic/*.yml "$own"/borgmatic.d/*.yaml "$own"/borgmatic.d/*.yml; do file "$path"; done
for where in /usr/local/etc/resticprofile /usr/local/etc /etc/resticprofile /etc "$own/resticprofile" "$HOME" /opt/resticprofile; do
    for end in toml yaml yml json conf hcl; do file "$where/profiles.$end"; done
    for path in "$where"/profiles.d/*; do file "$path"; done
done
for path in /etc/pgbackrest/pgbackrest.conf /etc/pgbackrest.conf /etc/pgbackrest/conf.d/*.conf; do file "$path"; done
for path in /etc/restic/* /etc/restic.env /etc/restic-* /etc/default/restic* /etc/sysconfig/restic* /etc/conf.d/restic* "$HOME"/.restic* "$own"/restic/* \
    /etc/default/borg* /etc/sysconfig/borg*; do file "$path"; done
for path in /etc/crontab /etc/cron.d/* /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* /var/spool/cron/crontabs/* \
    /var/spool/cron/*; do
    if [ -f "$path" ] && { ! [ -r "$path" ] || grep -qE "$tools|^[^#]*[[:space:]]/[^[:space:]]*(backup|dump|save)" -- "$path"; }; then file "$path"; fi
done
if ! [ -r "/var/spool/cron/crontabs/$(id -un)" ] && table=$(timeout 10 crontab -l 2>/dev/null </dev/null); then
    printf '%s\0%s\0%s\0' text "crontab of $(id -un)" "0 $(id -un)"
    printf '%s\n' "$table" | head -c "$bytes" | $filter | base64 | tr -d '\n'
    printf '\0'
fi
nl='
'
units=$(for where in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system "$own/systemd/user"; do
    [ -d "$where" ] || continue
    if [ "$where" = /lib/systemd/system ] && [ "$(readlink -f /lib)" = /usr/lib ]; then continue; fi
    grep -lE "$tools|ExecStart=.*(backup|dump|save)" -- "$where"/*.service 2>/dev/null | sed 'p;s/service$/timer/'
    grep -lE '^Unit=' -- "$where"/*.timer 2>/dev/null
    for path in "$where"/*@?*.timer; do if [ -f "$path" ]; then printf '%s\n' "$path"; fi; done
done | sort -u | head -n 200)
# instances of templates are links in the folders of what wants them
for path in /etc/systemd/system/*.wants/*@?*.timer /etc/systemd/system/*.wants/*@?*.service /run/systemd/system/*.wants/*@?*.timer \
    "$own"/systemd/user/*.wants/*@?*.timer; do
    if [ -L "$path" ]; then no wanted "${path##*/}"; fi
done
set -f
IFS=$nl
for path in $units; do file "$path"; done
"""
)
# $1… paths: when each was written last, and whose it is
_TIMES = r"""
for path; do stat -L -c '%Y %U' -- "$path" 2>/dev/null || echo; done
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a host.

    Attributes:
        text: what stands in it; None: it can't be read.
        why: why it can't, in words.
    """

    path: str
    text: str | None
    why: str = ""
    written_at: float | None = None
    owner: str = ""


@dataclass(slots=True)
class Readings:
    """What was read of a host."""

    files: dict[str, File] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    user: str = ""
    home: str = ""
    machine: str = ""
    enabled: list[str] = field(default_factory=list)
    """Instances of units that are switched on."""
    cut: bool = False

    def of(self, *beginnings: str) -> list[File]:
        """Files below some folders, or of some paths, by path."""
        return [self.files[path] for path in sorted(self.files) if path.startswith(beginnings)]


class Reader:
    """Reads files of one host.

    Args:
        commands: runs the scripts.
        way: to the host.
        openly: passwords too; only to seal them.
    """

    def __init__(self, commands: Commands, way: Way, *, openly: bool = False) -> None:
        self._commands = commands
        self._way = way
        self._filter = "cat" if openly else "hide"
        self.found = Readings()
        self._asked: set[str] = set()

    async def look(self) -> None:
        """Read whatever lies where these tools and what runs them are configured.

        Raises:
            ConnectFailed: the host can't be reached, or it took too long.
        """
        await self._run(_LOOK, ())

    async def named(self, paths: Sequence[str]) -> None:
        """Read some files more.

        Raises:
            ConnectFailed: as above.
        """
        wanted = [
            path for path in dict.fromkeys(paths) if path not in self.found.files and path not in self._asked
        ]
        if wanted := wanted[:MOST_FILES]:
            self._asked.update(wanted)
            await self._run(_NAMED, wanted)

    async def times(self, paths: Sequence[str]) -> dict[str, tuple[float, str]]:
        """Path → when it was written last and whose it is, of those that are there.

        Raises:
            ConnectFailed: as above.
        """
        wanted = list(dict.fromkeys(paths))[:MOST_FILES]
        if not wanted:
            return {}
        done = await self._commands.run(
            self._way.target,
            shlex.join(["/bin/sh", "-c", _TIMES, "sh", *wanted]),
            timeout=READ_SECONDS,
            limit_bytes=1 << 18,
        )
        lines = done.out.decode("utf-8", "replace").split("\n")
        told = {path: _when(line) for path, line in zip(wanted, lines, strict=False)}
        return {path: (at, owner) for path, (at, owner) in told.items() if at is not None}

    async def _run(self, script: str, paths: Sequence[str]) -> None:
        argv = ["/bin/sh", "-c", script, "sh", str(MOST_FILES), str(FILE_BYTES), self._filter, *paths]
        done = await self._commands.run(
            self._way.target, shlex.join(argv), timeout=READ_SECONDS, limit_bytes=ALL_BYTES
        )
        take(self.found, done.out)
        self.found.cut = self.found.cut or done.truncated


def take(found: Readings, answer: bytes) -> None:
    """Add what a script answered: kind, path, facts and content of each file, every one ended by a NUL."""
    fields = answer.split(b"\0")
    for place in range(0, len(fields) - 4, 4):
        kind, name, facts, packed = fields[place : place + 4]
        path = name.decode("utf-8", "surrogateescape")
        told = facts.decode("utf-8", "replace")
        match kind:
            case b"version":
                found.versions[path] = told.strip()
            case b"user":
                found.user, found.home = path, told
            case b"machine":
                found.machine = path
            case b"wanted" if len(found.enabled) < MOST_FILES:
                found.enabled.append(path)
            case b"denied":
                words = f"{found.user or 'the user'} may not read it ({told})"
                found.files[path] = File(path, None, words)
            case b"text" if path not in found.files and len(found.files) < MOST_FILES:
                found.files[path] = _file(path, told, packed)


def _file(path: str, facts: str, packed: bytes) -> File:
    at, owner = _when(facts)
    try:
        data = base64.b64decode(packed, validate=True)
    except binascii.Error:
        return File(path, None, "it could not be read to its end", at, owner)
    if len(data) >= FILE_BYTES:
        return File(path, None, f"it is larger than {FILE_BYTES >> 10} KiB", at, owner)
    return File(path, data.decode("utf-8", "replace"), "", at, owner)


def _when(facts: str) -> tuple[float | None, str]:
    at, _, owner = facts.strip().partition(" ")
    return (float(at) if at.isascii() and at.isdigit() and len(at) < 12 and at != "0" else None), owner[:64]
