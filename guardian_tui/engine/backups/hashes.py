"""Hashes taken at backup time: what a drill or a restore is compared with.

Some files are chosen by chance before the backup, beside those that are pinned, and hashed; after it they are hashed again.  Only those that are the
same both times are known to be in the snapshot as they were.  Lines are those of ``sha256sum``: a name with a newline or a backslash is
escaped, and the line begins with a backslash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.protocol.backups import JobSpec

BEFORE = "hashes before"
AFTER = "hashes after"
COMPARE = "compare"
MOST_FILE_BYTES = 2 << 20
"""Larger files are not chosen by chance: hashing must not cost what backing up costs."""
TEXT_BYTES = 100_000
"""The longest word that Linux hands to a program is 128 KiB."""
_HEX = frozenset("0123456789abcdef")

# a folder that can't be written to costs a proof, and no backup
_TAKE = (
    'list=$1; chance=$2; most=$3; pinned=$4; shift 4; umask 077; true >"$list.z" || exit 0; '
    'while [ "$pinned" -gt 0 ]; do [ -f "$1" ] && printf "%s\\0" "$1" >>"$list.z"; shift; pinned=$((pinned-1)); done; '
    'find "$@" -xdev -type f -size "-${most}c" -print0 2>/dev/null | shuf -z -n "$chance" >>"$list.z"; '
    '[ -s "$list.z" ] && xargs -0 sha256sum -- <"$list.z" 2>/dev/null >"$list"; cat "$list" 2>/dev/null; rm -f "$list.z"; exit 0'
)
_AGAIN = 'sha256sum -c "$1" 2>/dev/null; rm -f "$1"; exit 0'


@dataclass(frozen=True, slots=True)
class Hash:
    """A file's name and what it held."""

    path: str
    """Undecodable bytes as surrogate escapes."""
    sha256: str


def taking(job: JobSpec, run_id: str) -> tuple[Stage, Stage] | None:
    """The stages before and after a backup; None where there is nothing to choose from."""
    policy = job.drill
    if not job.sources or not (policy.random_files or policy.pinned):
        return None
    kept = f"/tmp/guardian-hashes-{run_id}"  # noqa: S108  # made with umask 077, by a name that nobody can guess
    words = (
        kept,
        str(policy.random_files),
        str(MOST_FILE_BYTES),
        str(len(policy.pinned)),
        *policy.pinned,
        *job.sources,
    )
    return (
        Stage(BEFORE, ("/bin/sh", "-c", _TAKE, "sh", *words), told=False, kept=True),
        Stage(AFTER, ("/bin/sh", "-c", _AGAIN, "sh", kept), told=False, kept=True, always=True),
    )


def taken(before: bytes, after: bytes) -> tuple[Hash, ...]:
    """The files that were the same before and after."""
    known = {one.path: one for one in _read(before.split(b"\n"))}
    return tuple(known[path] for path in _well(after.split(b"\n")) if path in known)


def comparing(hashes: Sequence[Hash], root: str) -> Stage:
    """The stage that compares restored files with their hashes; at most :data:`TEXT_BYTES` of them."""
    lines, size = [], 0
    for one in hashes:
        line = _line(Hash(_below(root, one.path), one.sha256))
        size += len(line.encode(errors="surrogateescape"))
        if size > TEXT_BYTES:
            break
        lines.append(line)
    return Stage(
        COMPARE, ("/bin/sh", "-c", "sha256sum -c 2>/dev/null; exit 0"), source=("printf", "%s", "".join(lines)), told=False, kept=True
    )  # fmt: skip


def compared(out: bytes, root: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files that are what they were, and those that are not or are missing, as they were named in the backup."""
    good: list[str] = []
    bad: list[str] = []
    for line in out.split(b"\n"):
        name, _, word = line.rpartition(b": ")
        if not name:
            continue
        path = _above(root, _unescaped(name))
        (good if word == b"OK" else bad).append(path)
    return tuple(good), tuple(bad)


def _below(root: str, path: str) -> str:
    return path if root == "/" else root.rstrip("/") + path


def _above(root: str, path: str) -> str:
    return path if root == "/" else path.removeprefix(root.rstrip("/"))


def _read(lines: Iterable[bytes]) -> Iterable[Hash]:
    for line in lines:
        escaped = line.startswith(b"\\")
        text = line[1:] if escaped else line
        digest, name = text[:64], text[66:]
        if len(digest) == 64 and name and set(digest.decode(errors="replace")) <= _HEX:
            path = _unescaped(b"\\" + name) if escaped else name.decode(errors="surrogateescape")
            # versions of sha256sum differ in whether they escape this one
            if "\r" not in path:
                yield Hash(path, digest.decode())


def _well(lines: Iterable[bytes]) -> Iterable[str]:
    return (_unescaped(line[:-4]) for line in lines if line.endswith(b": OK"))


def _unescaped(name: bytes) -> str:
    """A name as ``sha256sum -c`` writes it: one that begins with a backslash is escaped."""
    text = name.decode(errors="surrogateescape")
    if not text.startswith("\\"):
        return text
    out, escaped = [], False
    for letter in text[1:]:
        if escaped:
            out.append({"n": "\n", "r": "\r"}.get(letter, letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            out.append(letter)
    return "".join(out)


def _line(one: Hash) -> str:
    if not any(letter in one.path for letter in "\\\n"):
        return f"{one.sha256}  {one.path}\n"
    name = one.path.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\\{one.sha256}  {name}\n"
