"""Constant scripts for ``sh`` and constant SQL of a restore to a moment; values are their arguments.

The new folder holds ``guardian`` (the mark that it is ours), ``data``, ``s`` (the socket, 0700) and ``log``.  The restored server runs in the run's own
process group.  Exit codes: 64 no room, 65 damaged, 70 the moment was not reached, 71 the server died, 72 out of time, 73 not a new folder, 74 the probe
answered nothing, 75 nothing is archived.
"""

from __future__ import annotations

# times are -1 where there is none; a segment's file was last written when it was sealed
ARCHIVER_SQL = """
SELECT 'archiver', current_setting('archive_mode'),
    coalesce(round(extract(epoch FROM last_archived_time)::numeric, 6), -1),
    coalesce((SELECT round(extract(epoch FROM modification)::numeric, 6) FROM pg_ls_waldir() WHERE name = last_archived_wal), -1),
    coalesce(round(extract(epoch FROM last_failed_time)::numeric, 6), -1),
    CASE WHEN current_setting('track_commit_timestamp') = 'on'
        THEN coalesce((SELECT round(extract(epoch FROM timestamp)::numeric, 6) FROM pg_last_committed_xact()), -1) ELSE -1 END,
    failed_count, round(extract(epoch FROM clock_timestamp())::numeric, 6)
FROM pg_stat_archiver
"""

# each statement in a transaction of its own: the first must be committed before the switch
PUSH = """
seconds=$1
shift
if [ "$("$@" -c 'SHOW archive_mode')" = off ]; then echo 'archive_mode is off: nothing is archived' >&2; exit 75; fi
"$@" -c 'SELECT pg_current_xact_id()' >/dev/null || exit
segment=$("$@" -c 'SELECT pg_walfile_name(pg_switch_wal())') || exit
echo "pushing $segment"
while [ "$seconds" -gt 0 ]; do
    archived=$("$@" -c 'SELECT last_archived_wal FROM pg_stat_archiver') || exit
    # names of one timeline sort as they follow; a history file or a backup's label sorts by its beginning
    if [ -n "$archived" ] && ! [ "$archived" '<' "$segment" ]; then echo "pushed $segment"; exit 0; fi
    seconds=$((seconds - 1))
    sleep 1
done
echo "the segment $segment does not get into the archive; the last that did is ${archived:-none}" >&2
exit 75
"""

# $1 the folder, $2 bytes that are needed, $3 whose it is, $4 a superuser of the cluster
PREPARE = """
umask 077
if [ "$(id -u)" = 0 ]; then echo 'PostgreSQL refuses to run as root: name the Unix user who runs the restored server' >&2; exit 73; fi
if [ -e "$1" ] || [ -L "$1" ]; then echo "there is something at $1 already" >&2; exit 73; fi
mkdir -p -- "$1/data" "$1/s" "$1/tablespaces" || exit 73
echo "$3" >"$1/guardian"
[ -z "$4" ] || echo "$4" >"$1/role"
chmod 700 "$1" "$1/data" "$1/s"
if [ "$2" != 0 ]; then
    free=$(df -Pk -- "$1" | awk 'END { print $4 }')
    if [ "$free" -lt "$(($2 / 1024 + 65536))" ]; then echo "there are $free KiB free at $1, and $(($2 / 1024)) are needed" >&2; exit 64; fi
fi
"""

_PROGRAMS = """
version=$(cat "$1/data/PG_VERSION") || exit 71
bin=
for folder in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin" "/usr/libexec/postgresql$version" "/usr/lib/postgresql$version/bin" "/usr/local/pgsql/bin"; do
    if [ -x "$folder/postgres" ]; then bin=$folder; break; fi
done
if [ -z "$bin" ]; then
    bin=$(command -v postgres) || { echo "the programs of PostgreSQL $version are not installed here" >&2; exit 127; }
    bin=${bin%/*}
fi
"""

# sizes that a standby must at least have are in the control file: with smaller ones recovery stands still
START = (
    _PROGRAMS
    + """
umask 077
sizes=$("$bin/pg_controldata" -D "$1/data" | awk -F': *' '
    /^max_connections setting/ { print "max_connections = " $2 }
    /^max_worker_processes setting/ { print "max_worker_processes = " $2 }
    /^max_wal_senders setting/ { print "max_wal_senders = " $2 }
    /^max_prepared_xacts setting/ { print "max_prepared_transactions = " $2 }
    /^max_locks_per_xact setting/ { print "max_locks_per_transaction = " $2 }
    /^track_commit_timestamp setting/ { print "track_commit_timestamp = " $2 }
    /^wal_level setting/ { print "wal_level = " ($2 == "minimal" ? "replica" : $2) }')
{
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$1/s'"
    echo "unix_socket_permissions = 0700"
    echo "hba_file = '$1/hba'"
    echo "archive_mode = off"
    echo "hot_standby = on"
    echo "fsync = off"
    echo "logging_collector = off"
    echo "log_destination = stderr"
    echo "lc_messages = 'C'"
    echo "shared_buffers = 64MB"
    printf '%s\\n' "$sizes"
    if [ -f "$1/data/postgresql.conf" ]; then
        # what the cluster loads it may need to read its own data
        sed -n 's/^[[:space:]]*\\(shared_preload_libraries[[:space:]]*=.*\\)$/\\1/p' "$1/data/postgresql.conf"
    fi
} >"$1/conf"
echo 'local all all trust' >"$1/hba"
# the settings that ALTER SYSTEM left behind would win over ours: only those of the recovery stay
if [ -f "$1/data/postgresql.auto.conf" ]; then
    cp -p -- "$1/data/postgresql.auto.conf" "$1/auto.conf"
    grep -E '^(restore_command|recovery_|shared_preload_libraries)' "$1/auto.conf" >"$1/data/postgresql.auto.conf"
fi
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE
"$bin/postgres" -D "$1/data" -c config_file="$1/conf" -c port=5432 </dev/null >"$1/log" 2>&1 &
echo $! >"$1/pid"
"""
)

_ALIVE = """
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
"""

# whoever is told to stop ends the server too: sudo may have put it into another process group
_LEAVE = """
trap 'kill -s INT "$(cat "$1/pid")" 2>/dev/null; exit 143' TERM INT HUP
"""

# $1 the folder, $2 seconds, $3 what the server does at the moment
RECOVER = (
    _PROGRAMS
    + _ALIVE
    + _LEAVE
    + """
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE
pid=$(cat "$1/pid") seconds=$2 action=$3 shown=
ask() {
    "$bin/psql" -X -w -q -A -t -h "$1/s" -U "$2" -d template1 2>/dev/null -c "
        SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END,
            coalesce(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '-')"
}
while [ "$seconds" -gt 0 ]; do
    if ! alive "$pid"; then
        tail -n 30 "$1/log" >&2
        last=$(sed -n 's/.*last completed transaction was at log time //p' "$1/log" | tail -n 1)
        [ -n "$last" ] && echo "last $last" >&2
        grep -q 'recovery ended before configured recovery target was reached' "$1/log" && exit 70
        exit 71
    fi
    for role in $(cat "$1/role" 2>/dev/null) postgres "$(id -un)"; do
        said=$(ask "$1" "$role") && break
    done
    case $said in
        f\\|*) echo "$role" >"$1/role"; echo "recovered ${said##*|}"; exit 0 ;;
        t\\|t\\|*) if [ "$action" = pause ]; then echo "$role" >"$1/role"; echo "recovered ${said##*|}"; exit 0; fi ;;
    esac
    if [ -n "$said" ] && [ "$said" != "$shown" ]; then shown=$said; echo "recovering ${said##*|}"; fi
    if [ -z "$said" ] && [ "$(grep -c 'FATAL:  role ' "$1/log")" -gt 6 ]; then
        echo 'the cluster knows neither postgres nor this user as a role: name one of its superusers' >&2
        exit 71
    fi
    seconds=$((seconds - 1))
    sleep 1
done
echo 'the restored server is still in recovery' >&2
tail -n 5 "$1/log" >&2
exit 72
"""
)

AMCHECK = (
    _PROGRAMS
    + _LEAVE
    + """
unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE
if ! [ -x "$bin/pg_amcheck" ]; then echo 'unchecked pg_amcheck is not installed here'; exit 0; fi
echo 'checking amcheck'
said=$("$bin/pg_amcheck" -h "$1/s" -U "$(cat "$1/role")" -w --all --install-missing 2>&1)
code=$?
[ -z "$said" ] || printf '%s\\n' "$said" | head -n 50 >&2
case $code in
    0) echo 'checked amcheck' ;;
    2) exit 65 ;;
    *) echo "unchecked $(printf %s "$said" | head -n 1)" ;;
esac
"""
)

# $2 the database, $3 milliseconds, $4 the first row that is wanted; empty: any
PROBE = (
    _PROGRAMS
    + _LEAVE
    + """
unset PGHOST PGPORT PGUSER PGDATABASE PGSERVICE
PGOPTIONS="-c default_transaction_read_only=on -c statement_timeout=$3"
export PGOPTIONS
"$bin/psql" -X -w -q -A -t -v ON_ERROR_STOP=1 -h "$1/s" -U "$(cat "$1/role")" -d "$2" >"$1/answer" || exit
rows=$(wc -l <"$1/answer")
if [ "$((rows))" = 0 ]; then echo 'the probe answered no row' >&2; exit 74; fi
first=$(head -n 1 "$1/answer")
if [ -n "$4" ] && [ "$first" != "$4" ]; then echo "the probe answered $(printf %s "$first" | cut -c 1-100), not $4" >&2; exit 74; fi
echo "rows $((rows))"
"""
)

_OURS = """
if [ "$(cat "$1/guardian" 2>/dev/null)" != "$2" ]; then exit 0; fi
"""

# a fast shutdown, then an immediate one, then none is asked.  A folder that was there before is another's: it is left alone
STOP = (
    _OURS
    + _ALIVE
    + """
[ -f "$1/pid" ] || exit 0
pid=$(cat "$1/pid")
for signal in INT QUIT KILL; do
    alive "$pid" || break
    kill -s "$signal" "$pid"
    tenths=300
    while [ "$tenths" -gt 0 ] && alive "$pid"; do tenths=$((tenths - 1)); sleep 0.1; done
done
rm -f -- "$1/pid"
if [ -f "$1/auto.conf" ]; then mv -f -- "$1/auto.conf" "$1/data/postgresql.auto.conf"; fi
"""
)

DELETE = (
    _OURS
    + """
rm -rf -- "$1"
"""
)
