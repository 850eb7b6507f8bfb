"""PostgreSQL checks: connections, replication, what is slow or waits, cache; a member of pg_monitor sees all of it."""

from __future__ import annotations

import math
from typing import Any

from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, finite, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch
from guardian_tui.protocol.check_params import PostgresqlParams
from guardian_tui.text import counted, safe

_QUERY = """
SELECT
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  current_setting('max_connections')::int,
  pg_is_in_recovery(),
  CASE WHEN pg_is_in_recovery() THEN
    -- what was received and replayed says nothing once no more is received
    CASE WHEN pg_last_wal_receive_lsn() IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN NULL
    -- after a restart what was received begins with the segment, and what was replayed is farther
    WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END
  ELSE (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication) END,
  (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend'
     AND pid <> pg_backend_pid() AND now() - query_start > make_interval(secs => %s)),
  (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'),
  (SELECT sum(blks_hit)::float8 / nullif(sum(blks_hit) + sum(blks_read), 0) FROM pg_stat_database),
  (SELECT count(*) FROM pg_stat_replication),
  pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver),
  (SELECT string_agg(slot_name, ', ' ORDER BY slot_name) FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL),
  current_setting('server_version')
"""
_OURS = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "no password supplied",
    "permission denied",
)
"""Words of a login that was refused: a fault of what we offer."""


async def check_postgresql(params: PostgresqlParams, site: Site) -> Result:
    """Log in and look; nothing is written."""
    # loaded when the first check needs it
    import psycopg

    watch, port = Stopwatch(), params.port or 5432
    password = await site.secret(params.password)
    address = site.default_address(params.address)
    async with site.way(address, port, name=f".s.PGSQL.{port}") as way:
        host = str(way.forward.path.parent) if way.forward else address
        milliseconds = int(site.timeout_seconds * 1000)
        try:
            conn = await psycopg.AsyncConnection.connect(
                host=host, port=port, dbname=params.database, user=params.user or None, password=password or None,
                connect_timeout=max(2, math.ceil(site.timeout_seconds)), application_name="guardian-tui", autocommit=True,
                options=f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
            )  # fmt: skip
            async with conn:
                cursor = await conn.execute(_QUERY, (params.slow_seconds,))
                row = await cursor.fetchone()
        except psycopg.Error as error:
            words = safe(str(error).strip().rpartition("FATAL:")[2].strip() or type(error).__name__, 200)
            if any(sign in words for sign in _OURS):
                raise Unsure(f"it refuses our login: {words}") from error
            raise Failed(words) from error
    return _judge(row, params, watch.seconds)


def _judge(
    row: Any, params: PostgresqlParams, seconds: float
) -> Result:  # Any: a row of what the query asks for
    used, most, standby, lag, slow, waiting, hits, replicas, cut_off, idle_slots, version = row
    figures = [
        Figure("check_connections", float(used)), Figure("check_slow_queries", float(slow)), Figure("check_lock_waits", float(waiting)),
    ]  # fmt: skip
    if most:
        figures.append(Figure("check_connections_ratio", used / most))
    if hits is not None and finite(float(hits)):
        figures.append(Figure("check_cache_hit_ratio", float(hits)))
    behind = None if lag is None else max(0.0, float(lag))
    if behind is not None and finite(behind):
        figures.append(Figure("check_replication_lag_seconds", behind))
    words = f"PostgreSQL {safe(str(version), 30)}, {used} of {most} connections in {seconds * 1000:.0f} ms"
    if standby:
        words += f", a standby {behind:.0f} s behind" if behind is not None else ", a standby"
    if replicas:
        words += f", {counted(replicas, 'replica')}"
    if waiting:
        words += f", {waiting} wait for a lock"
    late = bool(params.lag_max) and behind is not None and behind > params.lag_max
    return (
        ok(words, figures)
        .and_if(late, f"{behind or 0:.0f} s behind, wanted within {params.lag_max:g}")
        .and_if(bool(cut_off), "a standby whose link to its primary is down")
        .and_if(replicas < params.replicas, f"{counted(replicas, 'replica')}, wanted {params.replicas}")
        .and_if(
            bool(idle_slots),
            f"nobody reads the replication slot {safe(str(idle_slots), 150)}: its log is kept until somebody does",
            "warning",
        )
    )
