"""What pgBackRest says of a stanza: its backups, its databases, the segments of its archive.

``info`` ends with 0 even where there is no repository: the status stands inside (codes of ``src/command/info/info.c``).  The script turns it into an
exit code of pgBackRest's own kind, so that whoever runs it sees a failure as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.engine.backups.engines.base import FileEntry, Stage, Summary
from guardian_tui.engine.backups.point_in_time import Window, archiver_of
from guardian_tui.protocol.backups import RepositorySpec, Snapshot
from guardian_tui.text import counted

_INFO = """
said=$("$@" --log-level-console=off --output=json info)
code=$?
printf '%s\\n' "$said"
[ "$code" = 0 ] || exit "$code"
status=${said##*'"status":{"code":'}
status=${status%%,*}
case $status in
    0 | 2 | 4 | 5) exit 0 ;;
    1) echo 'ERROR: [055]: missing stanza path' >&2; exit 55 ;;
    3) echo 'ERROR: [055]: missing stanza data' >&2; exit 55 ;;
esac
printf '%s\\n' "$said" | tr -c '\\11\\12\\40-\\176' '?' | grep -o '"message":"[^"]*"' | head -n 1 | cut -c 1-300 >&2
case $said in
    *'[CryptoError]'*) exit 95 ;;
    *'[FormatError]'*) exit 29 ;;
    *'Permission denied'*) exit 41 ;;
esac
exit 125
"""

# names of segments, sorted: timeline, log and segment in eight hexadecimal digits each.  How many segments a log has depends on the cluster: it is the
# greatest that is seen
_GAPS = r"""
"$@" --log-level-console=off --recurse repo-ls "archive/$GUARDIAN_STANZA" | sort | LC_ALL=C awk '
function hex(text,   i, value) { for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1; return value }
{
    n = split($0, part, "/"); name = part[n]
    if (n < 2 || name !~ /^[0-9A-F]+-/ || index(name, "-") != 25) next
    count++; id[count] = part[1]; full[count] = substr(name, 1, 24); line[count] = substr(name, 1, 8)
    log_[count] = hex(substr(name, 9, 8)); seg[count] = hex(substr(name, 17, 8))
    if (seg[count] > most) most = seg[count]
}
END {
    for (i = 2; i <= count; i++) {
        if (id[i] != id[i - 1] || line[i] != line[i - 1] || full[i] == full[i - 1]) continue
        if (log_[i] == log_[i - 1] && seg[i] == seg[i - 1] + 1) continue
        if (log_[i] == log_[i - 1] + 1 && seg[i] == 0 && seg[i - 1] == most) continue
        print "gap " full[i - 1] " " full[i]
    }
    print "segments " count + 0
}'
"""
# one that has no archive yet, or no backup, is as large as the other
_WEIGHT = r"""
for part in archive backup; do
    "$@" --log-level-console=off --recurse --output=json repo-ls "$part/$GUARDIAN_STANZA" || exit
done | tr ',{' '\n\n' | LC_ALL=C awk -F: '$1 == "\"size\"" { sum += $2 } END { printf "{\"weight\":%.0f}\n", sum }'
"""
_GAP = re.compile(rb"gap ([0-9A-F]{24}) ([0-9A-F]{24})\Z")

_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class _Times(msgspec.Struct):
    start: _Number
    stop: _Number


class _Repository(msgspec.Struct):
    delta: _Number | None = None


class _Sizes(msgspec.Struct):
    size: _Number | None = None
    repository: _Repository | None = None


class _Segments(msgspec.Struct):
    start: str | None = None
    stop: str | None = None


class _Database(msgspec.Struct):
    name: str


class _Backup(msgspec.Struct):
    label: str
    timestamp: _Times
    type: str = ""
    info: _Sizes | None = None
    archive: _Segments | None = None
    error: bool | None = None
    annotation: dict[str, str] | None = None
    database_ref: list[_Database] | None = msgspec.field(name="database-ref", default=None)


class _Stanza(msgspec.Struct):
    name: str = ""
    backup: list[_Backup] = []


def stage(name: str, spec: RepositorySpec, program: tuple[str, ...]) -> Stage:
    """Tell the stanza's backups; fails where the status inside does."""
    argv = ("sh", "-c", _INFO, "guardian-pgbackrest", *program)
    return Stage(name, as_user(spec.options.get("user", ""), argv))


def gaps(spec: RepositorySpec, program: tuple[str, ...]) -> Stage:
    """Tell where segments of the log are missing in the archive."""
    script = ("env", f"GUARDIAN_STANZA={spec.location}", "sh", "-c", _GAPS, "guardian-pgbackrest")
    return Stage("gaps", as_user(spec.options.get("user", ""), (*script, *program)))


def weight(spec: RepositorySpec, program: tuple[str, ...]) -> Stage:
    """Add up all that lies below the stanza."""
    script = ("env", f"GUARDIAN_STANZA={spec.location}", "sh", "-c", _WEIGHT, "guardian-pgbackrest")
    return Stage("size", as_user(spec.options.get("user", ""), (*script, *program)))


def snapshots(repository: str, out: bytes) -> Sequence[Snapshot]:
    """The backups, oldest first.

    Raises:
        ValueError: it is no answer of ``info``.
    """
    return [_snapshot(repository, backup) for backup in _backups(out)]


def databases(out: bytes) -> Sequence[FileEntry]:
    """The databases of the one backup that was asked for.

    Raises:
        ValueError: it is no answer of ``info``.
    """
    names = {found.name for backup in _backups(out) for found in backup.database_ref or ()}
    return [FileEntry(f"/{name}", "dir") for name in sorted(names)]


def newest(line: bytes) -> Summary | None:
    """What the repository says of its newest backup, for the run that has just made it."""
    try:
        found = _backups(line)
    except ValueError:
        return None
    if not found:
        return None
    sizes = found[-1].info or _Sizes()
    added = sizes.repository.delta if sizes.repository else None
    errors = 1 if found[-1].error else 0
    return Summary(snapshot=found[-1].label, bytes=sizes.size, added_bytes=added, errors=errors, words="told")


def window(out: bytes, seen: float | None = None, silent: str = "") -> Window:
    """From when until when every moment can be restored.

    It begins when the oldest full backup ended after which no segment is missing, and ends with what is archived.

    Args:
        out: what repository and server told.
        seen: up to when the archive reached when the server told of it last.
        silent: why it tells nothing now; empty: it does.

    Raises:
        ValueError: it can't be read.
    """
    torn = [found[2].decode() for line in out.split(b"\n") if (found := _GAP.match(line.strip()))]
    since = max(torn, default="")
    fulls = [backup for backup in _backups(out) if backup.type == "full" and not backup.error]
    whole = [
        backup for backup in fulls if backup.archive is not None and (backup.archive.start or "") >= since
    ]
    # whole seconds, and pgBackRest takes a backup only for a moment in a later one
    earliest = min((float(backup.timestamp.stop + 1) for backup in whole), default=None)
    words = f"{counted(len(torn), 'segment of the log is', 'segments of the log are')} missing: older backups reach no further than them" if torn else ""  # fmt: skip
    if silent:
        told = (
            f"the server does not answer ({silent}): the window ends with what was last seen to be archived"
        )
        return Window(earliest, seen, None, "; ".join(filter(None, (words, told))))
    return archiver_of(out, earliest, words)


def _snapshot(repository: str, backup: _Backup) -> Snapshot:
    about = backup.annotation or {}
    sizes = backup.info or _Sizes()
    return Snapshot(
        id=backup.label, repository=repository, at=float(backup.timestamp.start), job=about.get("guardian-job", ""),
        paths=("/",), tags=tuple(filter(None, (backup.type, about.get("guardian-run", "")))), bytes=sizes.size,
        added_bytes=sizes.repository.delta if sizes.repository else None, good=not backup.error,
        why="pages with wrong checksums were found while it was saved" if backup.error else "",
    )  # fmt: skip


def _backups(out: bytes) -> Sequence[_Backup]:
    for line in out.split(b"\n"):
        if not line.startswith(b"["):
            continue
        try:
            stanzas = msgspec.json.decode(line, type=list[_Stanza])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"pgBackRest's answer can't be read: {error}") from error
        return sorted(
            (backup for stanza in stanzas for backup in stanza.backup),
            key=lambda backup: (backup.timestamp.start, backup.label),
        )
    raise ValueError("pgBackRest told nothing of the stanza")
