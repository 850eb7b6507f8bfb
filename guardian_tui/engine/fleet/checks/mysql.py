"""MySQL and MariaDB checks.  The driver waits for its socket in a thread of a pool of our own, each wait with a limit."""

from __future__ import annotations

import asyncio
import math
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch
from guardian_tui.protocol.check_params import MysqlParams
from guardian_tui.text import counted, safe

_threads = ThreadPoolExecutor(16, thread_name_prefix="mysql check")
_STATUS = (
    "Threads_connected", "Innodb_buffer_pool_read_requests", "Innodb_buffer_pool_reads", "Innodb_row_lock_current_waits",
)  # fmt: skip
_DENIED = frozenset({1044, 1045, 1049, 1142, 1227, 1251, 1698, 2059, 2061})
"""Errors of a login that was refused, or of a right that our user lacks."""
_REPLICA = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
_SLOW = "SELECT count(*) AS slow FROM information_schema.processlist WHERE command = 'Query' AND time > %s AND id <> connection_id()"

Rows = dict[str, Any]  # Any: column values


async def check_mysql(params: MysqlParams, site: Site) -> Result:
    """Log in and look; nothing is written."""
    watch = Stopwatch()
    password = await site.secret(params.password)
    address, port = site.default_address(params.address), params.port or 3306
    async with site.way(address, port) as way:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            _threads, _look, address, port, way.path, params, password, math.ceil(site.timeout_seconds)
        )
    return judge(found, params, watch.seconds)


def _look(
    address: str, port: int, path: str | None, params: MysqlParams, password: str, seconds: int
) -> Rows:
    # loaded when the first check needs it
    import pymysql

    try:
        conn = pymysql.connect(
            host=address, port=port, unix_socket=path, user=params.user or None, password=password, connect_timeout=seconds,
            read_timeout=seconds, write_timeout=seconds, charset="utf8mb4", cursorclass=pymysql.cursors.DictCursor,
            local_infile=False,
        )  # fmt: skip
        try:
            with conn.cursor() as cursor:
                return _ask(cursor, params, pymysql.err.MySQLError)
        finally:
            conn.close()
    except pymysql.err.MySQLError as error:
        code, words = (
            error.args[0] if error.args else 0,
            safe(str(error.args[-1] if error.args else error), 200),
        )
        if code in _DENIED:
            raise Unsure(f"it refuses our login: {words}") from error
        raise Failed(words) from error
    except (ValueError, IndexError, TypeError, RuntimeError, AssertionError, struct.error) as error:
        # what the driver makes of bytes that are no answer
        raise Failed(f"its answer can't be read: {type(error).__name__}") from error


def _ask(cursor: Any, params: MysqlParams, error: type[Exception]) -> Rows:  # Any: the driver's cursor
    found: Rows = {}
    cursor.execute("SHOW GLOBAL STATUS")
    found.update(
        (row["Variable_name"], row["Value"]) for row in cursor.fetchall() if row["Variable_name"] in _STATUS
    )
    cursor.execute("SHOW VARIABLES WHERE Variable_name IN ('max_connections', 'version')")
    found.update((row["Variable_name"], row["Value"]) for row in cursor.fetchall())
    for query in _REPLICA:
        try:
            cursor.execute(query)
        except error:
            # the other name of it, or not ours to see
            continue
        found["replica"] = cursor.fetchone()
        break
    cursor.execute(_SLOW, (params.slow_seconds,))
    found.update(cursor.fetchone() or {})
    return found


def judge(found: Rows, params: MysqlParams, seconds: float) -> Result:
    """What was found, as a result."""
    used, most = _number(found.get("Threads_connected")), _number(found.get("max_connections"))
    asked, missed = (
        _number(found.get("Innodb_buffer_pool_read_requests")),
        _number(found.get("Innodb_buffer_pool_reads")),
    )
    waiting, slow = _number(found.get("Innodb_row_lock_current_waits")), _number(found.get("slow"))
    figures = [
        Figure(name, value)
        for name, value in (
            ("check_connections", used), ("check_slow_queries", slow), ("check_lock_waits", waiting),
            ("check_connections_ratio", used / most if used is not None and most else None),
            ("check_cache_hit_ratio", max(0.0, 1 - missed / asked) if asked and missed is not None else None),
        )
        if value is not None
    ]  # fmt: skip
    words = f"{safe(str(found.get('version', '')), 40)}, {used or 0:.0f} of {most or 0:.0f} connections in {seconds * 1000:.0f} ms"
    if waiting:
        words += f", {counted(int(waiting), 'lock wait')}"
    result = ok(words, figures)
    replica = found.get("replica")
    return _of_replica(result, replica, params) if isinstance(replica, dict) and replica else result


def _of_replica(result: Result, replica: Rows, params: MysqlParams) -> Result:
    columns = {name.lower(): value for name, value in replica.items()}
    lag = _number(columns.get("seconds_behind_source", columns.get("seconds_behind_master")))
    if lag is None:
        why = safe(
            str(columns.get("last_sql_error") or columns.get("last_io_error") or "its threads don't run"), 200
        )
        return result.and_if(True, f"replication stands: {why}")
    figures = (*result.figures, Figure("check_replication_lag_seconds", lag))
    result = Result(result.state, f"{result.words}, a replica {lag:.0f} s behind", figures)
    late = bool(params.lag_max) and lag > params.lag_max
    return result.and_if(late, f"{lag:.0f} s behind, wanted within {params.lag_max:.0f}")


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
