"""How a database is written into a backup: the command that dumps it, the dump's name, and the command that tells a whole dump from a cut one.

A dump goes to standard output, so that it needs no room beside the backup (but for SQLite, whose copy must be whole before it is read).  No value
ever becomes part of a shell's text: scripts are constant, values are their arguments.  Passwords come from where each program looks for them
(``~/.pgpass``, ``~/.my.cnf``, peer authentication), never from here.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.protocol.backups import Dump

ALL = "*"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,59}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")
_OPTIONS = {
    "postgresql": frozenset(("host", "port", "socket", "role")),
    "mysql": frozenset(("host", "port", "socket", "role")),
    "sqlite": frozenset(("scratch",)),
}
_ENDINGS = {"postgresql": "dump", "mysql": "sql", "sqlite": "sqlite"}

SCRATCH = "/var/tmp"  # noqa: S108  # a folder of mktemp's, 0700, is made in it; unlike /tmp it is on a disk, not in memory
"""Where SQLite's copy is made while it is read, unless the dump's option ``scratch`` says another folder."""

_EITHER_OF_MYSQL = """
for program in mariadb-dump mysqldump; do
    if command -v "$program" >/dev/null 2>&1; then exec "$program" "$@"; fi
done
echo 'neither mariadb-dump nor mysqldump is installed here' >&2
exit 127
"""

# what a killed run left behind is removed once no run can be that old
_IN_SCRATCH = """
umask 077
find "$1" -maxdepth 1 -type d -user "$(id -un)" -name 'guardian-dump.??????????' -mtime +8 -exec rm -rf -- {} + 2>/dev/null
folder=$(mktemp -d -- "$1/guardian-dump.XXXXXXXXXX") || exit 73
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd -- "$folder" || exit 73
"""

# the read transaction keeps one state for the whole copy: without it each write of somebody else begins the copy anew
_COPY_SQLITE = """
if ! [ -f "$2" ]; then echo "there is no database file $2" >&2; exit 66; fi
if command -v sqlite3 >/dev/null 2>&1; then
    sqlite3 -batch -init /dev/null -cmd '.bail on' -cmd '.timeout 60000' "$2" BEGIN 'SELECT count(*) FROM sqlite_master' '.backup copy' >/dev/null || exit
elif command -v python3 >/dev/null 2>&1; then
    python3 -I -c '
import pathlib, sqlite3, sys
source = sqlite3.connect(pathlib.Path(sys.argv[1]).as_uri() + "?mode=rw", uri=True, timeout=60, isolation_level=None)
source.execute("BEGIN")
source.execute("SELECT count(*) FROM sqlite_master").fetchone()
source.backup(sqlite3.connect("copy"))
' "$2" || exit
else
    echo 'neither sqlite3 nor python3 is installed here' >&2; exit 127
fi
cat copy
"""

# SQLite's own check reads over a last page that is cut, and takes a cut first one for an empty database
_VERIFY_SQLITE = """
cat >copy || exit
cut() { echo 'the dump is not whole: its end is missing' >&2; exit 65; }
size=$(wc -c <copy)
[ "$size" -ge 512 ] || cut
[ "$(head -c 15 copy)" = 'SQLite format 3' ] || { echo 'the dump is damaged: it is no SQLite database' >&2; exit 65; }
set -- $(od -An -tu1 -j16 -N2 copy)
page=$(($1 * 256 + $2))
[ "$page" -ge 512 ] || page=65536
[ "$((size % page))" -eq 0 ] || cut
if command -v sqlite3 >/dev/null 2>&1; then
    said=$(sqlite3 -batch -init /dev/null copy 'PRAGMA integrity_check(3)' 2>&1)
elif command -v python3 >/dev/null 2>&1; then
    said=$(python3 -I -c '
import sqlite3
for row in sqlite3.connect("copy").execute("PRAGMA integrity_check(3)"):
    print(row[0])
' 2>&1)
else
    echo 'neither sqlite3 nor python3 is installed here' >&2; exit 127
fi
case $said in
    ok | *'
ok') ;;
    *) printf 'the dump is damaged: %s\\n' "$said" >&2; exit 65 ;;
esac
"""

# the last lines are comments that the program writes when all was dumped
_VERIFY_END = """
if tail -c 400 | grep -q -e "$1"; then exit 0; fi
echo 'the dump is not whole: its end is missing' >&2
exit 65
"""


def dump_command(dump: Dump, *, packed: bool = False) -> tuple[str, ...]:
    """Command that writes a consistent dump to standard output.

    Args:
        dump: what is dumped.
        packed: compress where the program can, for a place that neither compresses nor shares what did not change.

    Raises:
        ValueError: the dump can't be asked for so, in words for its admin.
    """
    _refuse(dump)
    if dump.kind == "postgresql":
        return as_user(dump.user, _postgresql(dump, packed))
    if dump.kind == "mysql":
        return as_user(dump.user, ("sh", "-c", _EITHER_OF_MYSQL, "guardian-dump", *_mysql(dump)))
    scratch = dump.options.get("scratch", SCRATCH)
    return as_user(
        dump.user, ("sh", "-c", _IN_SCRATCH + _COPY_SQLITE, "guardian-dump", scratch, dump.database)
    )


def verify_command(dump: Dump) -> tuple[str, ...]:
    """Command that reads the dump from standard input and fails on one that is cut or damaged; it needs neither the server nor its user.

    ``pg_restore -l`` would accept a cut dump: only one that unpacks all of it does not.
    """
    if dump.kind == "sqlite":
        return (
            "sh", "-c", _IN_SCRATCH + _VERIFY_SQLITE, "guardian-verify", dump.options.get("scratch", SCRATCH),
        )  # fmt: skip
    if dump.kind == "mysql":
        return ("sh", "-c", _VERIFY_END, "guardian-verify", "^-- Dump completed")
    if dump.database == ALL:
        return ("sh", "-c", _VERIFY_END, "guardian-verify", "^-- PostgreSQL database cluster dump complete$")
    return ("pg_restore", "--file=/dev/null")


def dump_name(dump: Dump) -> str:
    """File name of the dump in a snapshot: the same for the same dump, and no other's.

    A digest follows wherever the kind and the plain name of a database don't tell it apart from another server's, or had to be changed.
    """
    ending = "sql" if dump.database == ALL else _ENDINGS[dump.kind]
    plain = not dump.user and not dump.options
    if plain and dump.database == ALL:
        return f"{dump.kind}-all-databases.{ending}"
    if plain and _PLAIN.match(dump.database):
        return f"{dump.kind}-{dump.database}.{ending}"
    base = "all" if dump.database == ALL else dump.database.rsplit("/", 1)[-1]
    told = _UNSAFE.sub("_", base)[:60].strip("._") or "database"
    what = msgspec.json.encode([dump.kind, dump.database, dump.user, sorted(dump.options.items())])
    return f"{dump.kind}-{told}-{hashlib.sha256(what).hexdigest()[:10]}.{ending}"


def _refuse(dump: Dump) -> None:
    known = _OPTIONS[dump.kind]
    for name, value in dump.options.items():
        if name not in known:
            raise ValueError(f"A {dump.kind} dump has no option {name!r}: it has {', '.join(sorted(known))}.")
        if not value or value.startswith("-") or any(c in value for c in "\0\r\n"):
            raise ValueError(f"The option {name!r} of a dump can't be {value!r}.")
    if not dump.options.get("port", "1").isascii() or not dump.options.get("port", "1").isdigit():
        raise ValueError("The port of a dump must be a number.")
    if dump.options.keys() >= {"host", "socket"}:
        raise ValueError("A dump has either a host or a socket.")
    if dump.database.startswith("-") or any(c in dump.database for c in "\0\r\n"):
        raise ValueError(f"No database can be named {dump.database!r}.")
    if not dump.database:
        raise ValueError("A dump needs the name of a database.")
    if dump.kind == "sqlite" and not dump.database.startswith("/"):
        raise ValueError(f"A SQLite database is named by its whole path, not {dump.database!r}.")
    if not dump.options.get("scratch", "/").startswith("/"):
        raise ValueError("The scratch folder of a dump is named by its whole path.")


def _postgresql(dump: Dump, packed: bool) -> tuple[str, ...]:
    options = dump.options
    where = [f"--host={value}" for value in (options.get("host") or options.get("socket"),) if value]
    where += [f"--port={options['port']}"] if "port" in options else []
    where += [f"--username={options['role']}"] if "role" in options else []
    if dump.database == ALL:
        return ("pg_dumpall", "--no-password", *where)
    # as a quoted keyword: a bare name with = or :// in it would be read as a connection string, and lead to another server
    quoted = dump.database.replace("\\", "\\\\").replace("'", "\\'")
    compress = () if packed else ("--compress=0",)
    return ("pg_dump", "--format=custom", *compress, "--no-password", *where, f"--dbname=dbname='{quoted}'")


def _mysql(dump: Dump) -> tuple[str, ...]:
    # comments, or the line that tells a whole dump would be missing; utf8mb4, or older programs lose characters
    what = (
        "--single-transaction", "--quick", "--routines", "--triggers", "--events", "--comments",
        "--hex-blob", "--no-tablespaces", "--default-character-set=utf8mb4",
    )  # fmt: skip
    names = {"host": "host", "port": "port", "socket": "socket", "role": "user"}
    where = [f"--{names[name]}={value}" for name, value in sorted(dump.options.items())]
    which = ("--all-databases",) if dump.database == ALL else ("--", dump.database)
    return (*what, *where, *which)
