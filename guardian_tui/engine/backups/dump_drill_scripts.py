"""Constant scripts for ``sh`` that prove a dump; values are their arguments.

They print ``restored BYTES TABLES``, ``checked``, ``unchecked``, ``rows`` or ``read`` with words.  Exit codes: 64 no room, 65 damaged or not whole, 66 no dump, 71 the
server did not start, 73 not a new folder, 74 the probe answered otherwise.
"""

from __future__ import annotations

# $1 the folder that holds the file, $2 its name, $3 how a whole one ends; empty: it is not told by its end
SOURCE = """
file=$(find "$1" -type f -name "$2" | head -n 1)
[ -n "$file" ] || { echo 'the dump was not restored' >&2; exit 66; }
if [ -n "$3" ] && ! tail -c 400 -- "$file" | grep -q -e "$3"; then echo 'the dump is not whole: its end is missing' >&2; exit 65; fi
wc -c <"$file"
cat -- "$file"
"""

# $1 the new folder, $2 all of a server or one database, $3 SQL, $4 its first row, $5 its seconds; the size is the first line of the input.
# What a run that was killed left behind is removed once no run can be that old
_BEGIN = """
umask 077
folder=$1 which=$2 sql=$3 answer=$4 seconds=$5
IFS= read -r size || exit 66
find "${folder%/*}" -maxdepth 1 -type d -user "$(id -un)" -name 'guardian-drill-*' -mtime +8 -exec rm -rf -- {} + 2>/dev/null
bad() { code=$1; shift; printf '%s\\n' "$*" >&2; exit "$code"; }
room() {
    free=$(df -Pk -- "${folder%/*}" | awk 'END { print $4 }')
    need=$((size * $1 / 1024 + $2))
    [ "$free" -ge "$need" ] || bad 64 "No space left: $need KiB are needed to restore the dump, $free are free"
}
begin() { mkdir -m 700 -- "$folder" || exit 73; trap stop EXIT; trap 'exit 143' TERM INT HUP; }
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
stop() {
    for signal in $stops; do
        [ -n "$pid" ] && alive "$pid" || break
        kill -s "$signal" "$pid"
        tenths=200
        while [ "$tenths" -gt 0 ] && alive "$pid"; do tenths=$((tenths - 1)); sleep 0.1; done
    done
    rm -rf -- "$folder"
}
pid=
probed() {
    rows=$(wc -l <"$folder/answer")
    [ "$((rows))" != 0 ] || bad 74 'the probe answered no row'
    first=$(head -n 1 "$folder/answer")
    if [ -n "$answer" ] && [ "$first" != "$answer" ]; then bad 74 "the probe answered $(printf %s "$first" | cut -c 1-100), not $answer"; fi
    echo "rows $((rows))"
}
"""

POSTGRESQL = (
    _BEGIN
    + """
stops='INT QUIT KILL'
bin=
path=$(command -v postgres || echo /none)
for one in "${path%/*}" /usr/local/pgsql/bin /usr/libexec/postgresql* /usr/lib/postgresql*/bin /usr/pgsql-*/bin \\
    $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t / -k 5n); do
    if [ -x "$one/postgres" ] && [ -x "$one/initdb" ] && [ -x "$one/psql" ] && [ -x "$one/pg_restore" ]; then bin=$one; fi
done
why=
[ -n "$bin" ] || why='the server programs of PostgreSQL are not installed here'
[ "$(id -u)" != 0 ] || why='PostgreSQL refuses to run as root, and there is no user postgres'
if [ -n "$why" ]; then
    if [ "$which" = all ]; then cat >/dev/null; else pg_restore --file=/dev/null || exit 65; fi
    echo "read $why"
    exit 0
fi
room 3 262144
begin
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE
"$bin/initdb" --pgdata="$folder/data" --username=guardian_drill --auth=trust --no-sync --encoding=UTF8 --locale=C >"$folder/log" 2>&1 </dev/null || {
    tail -n 5 "$folder/log" >&2; exit 71
}
mkdir -m 700 "$folder/s"
"$bin/postgres" -D "$folder/data" -c listen_addresses= -c unix_socket_directories="$folder/s" -c port=5432 -c archive_mode=off -c wal_level=minimal \\
    -c max_wal_senders=0 -c fsync=off -c full_page_writes=off -c autovacuum=off -c shared_buffers=64MB -c logging_collector=off -c lc_messages=C \\
    </dev/null >"$folder/log" 2>&1 &
pid=$!
PGHOST=$folder/s PGUSER=guardian_drill PGDATABASE=postgres
export PGHOST PGUSER PGDATABASE
ask() { "$bin/psql" --no-psqlrc --no-password --quiet --no-align --tuples-only "$@"; }
tenths=600
until ask -c 'SELECT 1' >/dev/null 2>&1 </dev/null; do
    tenths=$((tenths - 1))
    if [ "$tenths" = 0 ] || ! alive "$pid"; then tail -n 5 "$folder/log" >&2; bad 71 'the throw-away server did not start'; fi
    sleep 0.1
done
if [ "$which" = all ]; then
    ask --file=- >/dev/null 2>"$folder/said"
else
    ask -c 'CREATE DATABASE restored TEMPLATE template0' </dev/null || exit 71
    PGDATABASE=restored
    # owners and grants are of roles that are not here, and a subscription would reach for another server
    "$bin/pg_restore" --no-owner --no-acl --no-tablespaces --no-subscriptions --no-publications --dbname=restored 2>"$folder/said" || code=$?
fi
cat >/dev/null
alive "$pid" || { tail -n 5 "$folder/log" >&2; bad 71 'the throw-away server died'; }
if grep -iE '(error|fatal|panic):' "$folder/said" | grep -vqE 'schema "public" already exists'; then
    grep -iE '(error|fatal|panic):' "$folder/said" | grep -vE 'schema "public" already exists' | head -n 5 >&2
    bad 65 'the dump does not restore'
fi
[ "${code:-0}" -le 1 ] || { tail -n 5 "$folder/said" >&2; bad 65 'the dump does not restore'; }
tables=$(ask </dev/null -c "
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|information_schema'")
echo "restored $size $tables"
if [ -x "$bin/pg_amcheck" ]; then
    said=$("$bin/pg_amcheck" --no-password --all --install-missing 2>&1 </dev/null)
    case $? in
        0) echo 'checked data checked by pg_amcheck' ;;
        2) printf '%s\\n' "$said" | head -n 20 >&2; bad 65 'pg_amcheck found damage' ;;
        *) echo "unchecked the data was not checked: $(printf %s "$said" | head -n 1)" ;;
    esac
else
    echo 'unchecked the data was not checked: pg_amcheck is not installed here'
fi
if [ -n "$sql" ]; then
    PGOPTIONS="-c default_transaction_read_only=on -c statement_timeout=${seconds}s"
    export PGOPTIONS
    printf '%s\\n' "$sql" | ask -v ON_ERROR_STOP=1 --file=- >"$folder/answer" || bad 74 'the probe could not be asked'
    probed
fi
"""
)

MYSQL = (
    _BEGIN
    + """
stops='TERM KILL'
PATH=$PATH:/usr/sbin:/usr/libexec:/usr/local/mysql/bin
server=$(command -v mariadbd || command -v mysqld) || server=
client=$(command -v mariadb || command -v mysql) || client=
why=
if [ -z "$server" ] || [ -z "$client" ]; then why='the server programs of MariaDB or MySQL are not installed here'; fi
[ "$(id -u)" != 0 ] || why='its server refuses to run as root, and there is no user mysql'
if [ -n "$why" ]; then cat >/dev/null; echo "read $why"; exit 0; fi
room 4 524288
begin
make=$(command -v mariadb-install-db || command -v mysql_install_db) || make=
if [ -n "$make" ]; then
    "$make" --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal --skip-test-db >"$folder/log" 2>&1 </dev/null
else
    "$server" --no-defaults --initialize-insecure --datadir="$folder/data" >"$folder/log" 2>&1 </dev/null
fi || { tail -n 5 "$folder/log" >&2; exit 71; }
"$server" --no-defaults --datadir="$folder/data" --socket="$folder/s" --pid-file="$folder/pid" --skip-networking --skip-log-bin \\
    --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 --event-scheduler=OFF </dev/null >"$folder/log" 2>&1 &
pid=$!
# what a dump says to its client must not reach the shell
safely=
"$client" --help 2>/dev/null </dev/null | grep -q -e --sandbox && safely=--sandbox
ask() { "$client" --no-defaults --socket="$folder/s" --user=root --batch --skip-column-names --default-character-set=utf8mb4 $safely "$@"; }
tenths=600
until ask -e 'SELECT 1' >/dev/null 2>&1 </dev/null; do
    tenths=$((tenths - 1))
    if [ "$tenths" = 0 ] || ! alive "$pid"; then tail -n 5 "$folder/log" >&2; bad 71 'the throw-away server did not start'; fi
    sleep 0.1
done
base=mysql
if [ "$which" = one ]; then ask -e 'CREATE DATABASE restored' </dev/null || exit 71; base=restored; fi
ask "$base" 2>"$folder/said" >/dev/null || { head -n 5 "$folder/said" >&2; bad 65 'the dump does not restore'; }
tables=$(ask -e "SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')" </dev/null)
echo "restored $size $tables"
check=$(command -v mariadb-check || command -v mysqlcheck) || check=
if [ -n "$check" ] && [ "$which" = one ]; then
    "$check" --no-defaults --socket="$folder/s" --user=root --silent restored >"$folder/said" 2>&1 </dev/null || echo failed >>"$folder/said"
    [ ! -s "$folder/said" ] || { head -n 20 "$folder/said" >&2; bad 65 'a table is damaged'; }
    echo 'checked each table checked'
fi
if [ -n "$sql" ]; then
    { echo 'SET SESSION TRANSACTION READ ONLY;'; printf '%s\\n' "$sql"; } | timeout "$seconds" "$client" --no-defaults --socket="$folder/s" --user=root \\
        --batch --skip-column-names --default-character-set=utf8mb4 $safely "$base" >"$folder/answer" || bad 74 'the probe could not be asked'
    probed
fi
"""
)

SQLITE = (
    _BEGIN
    + """
stops=
# SQLite's own check reads over a last page that is cut, and takes a cut first one for an empty database
torn() { bad 65 'the dump is not whole: its end is missing'; }
room 2 1024
begin
cd -- "$folder" || exit 73
cat >copy || exit 64
[ "$size" -ge 512 ] || torn
[ "$(head -c 15 copy)" = 'SQLite format 3' ] || bad 65 'the dump is damaged: it is no SQLite database'
set -- $(od -An -tu1 -j16 -N2 copy)
page=$(($1 * 256 + $2))
[ "$page" -ge 512 ] || page=65536
[ "$((size % page))" -eq 0 ] || torn
if command -v sqlite3 >/dev/null 2>&1; then
    ask() { timeout "$seconds" sqlite3 -batch -init /dev/null -readonly copy "$1"; }
elif command -v python3 >/dev/null 2>&1; then
    ask() {
        timeout "$seconds" python3 -I -c '
import sqlite3, sys
for row in sqlite3.connect("file:copy?mode=ro", uri=True).execute(sys.argv[1]):
    print(*row, sep="|")
' "$1"
    }
else
    echo 'read neither sqlite3 nor python3 is installed here'
    exit 0
fi
said=$(ask 'PRAGMA integrity_check(3)' 2>&1)
[ "$said" = ok ] || bad 65 "the dump is damaged: $said"
echo "restored $size $(ask "SELECT count(*) FROM sqlite_master WHERE type = 'table'")"
echo 'checked PRAGMA integrity_check is ok'
if [ -n "$sql" ]; then
    ask "$sql" >answer || bad 74 'the probe could not be asked'
    probed
fi
"""
)
