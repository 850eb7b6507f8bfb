"""Redis checks, by its own protocol over a plain connection (RESP2)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch, read_line
from guardian_tui.protocol.check_params import RedisParams
from guardian_tui.text import counted, safe

BULK_LIMIT_BYTES = 1 << 20
MOST_ITEMS = 10_000
MOST_DEEP = 8

Reply = bytes | int | list["Reply"] | None


class Refused(Exception):
    """An error reply; the message is the server's."""


def encode(*words: str) -> bytes:
    """A command."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


async def read_reply(reader: asyncio.StreamReader, deep: int = 0) -> Reply:
    """One reply.

    Raises:
        Refused: it is an error.
        Failed: it is none that can be read.
    """
    line = await read_line(reader)
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"-":
        raise Refused(rest.decode("utf-8", "replace"))
    try:
        number = int(rest)
    except ValueError as error:
        raise Failed(f"it does not speak as Redis does: {safe(line, 60)!r}") from error
    if kind == b":":
        return number
    if kind in b"$*" and number == -1:
        return None
    if kind == b"$" and 0 <= number <= BULK_LIMIT_BYTES:
        return (await reader.readexactly(number + 2))[:-2]
    if kind == b"*" and 0 <= number <= MOST_ITEMS and deep < MOST_DEEP:
        return [await read_reply(reader, deep + 1) for _ in range(number)]
    raise Failed(f"it does not speak as Redis does: {safe(line, 60)!r}")


def parse_info(text: bytes) -> dict[str, str]:
    """Fields of INFO."""
    lines = text.decode("utf-8", "replace").splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon and name}


async def check_redis(params: RedisParams, site: Site) -> Result:
    """Log in and look; nothing is written."""
    watch = Stopwatch()
    password = await site.secret(params.password)
    async with (
        site.way(site.default_address(params.address), params.port or 6379) as way,
        way.open() as (reader, writer),
    ):

        async def ask(*words: str) -> Reply:
            writer.write(encode(*words))
            return await read_reply(reader)

        try:
            if password:
                await ask("AUTH", *([params.user] if params.user else []), password)
            info = await ask("INFO")
        except Refused as error:
            words = str(error)
            if words.startswith(
                ("NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", "DENIED")
            ):
                raise Unsure(f"it refuses our login: {safe(words, 200)}") from error
            raise Failed(safe(words, 200)) from error
        slow = await _new_slow(ask, site)
    if not isinstance(info, bytes):
        raise Failed("its answer can't be read")
    return judge(parse_info(info), params, slow, watch.seconds)


async def _new_slow(ask: Callable[..., Awaitable[Reply]], site: Site) -> int | None:
    """Entries of the slow log since the last look; None where we may not see it."""
    try:
        newest = await ask("SLOWLOG", "GET", "1")
    except Refused:
        return None
    first = newest[0] if isinstance(newest, list) and newest else None
    number = first[0] if isinstance(first, list) and first and isinstance(first[0], int) else -1
    before = site.memory.get("slow")
    site.memory["slow"] = number
    return max(0, number - before) if isinstance(before, int) else 0


def judge(info: dict[str, str], params: RedisParams, slow: int | None, seconds: float) -> Result:
    """What INFO says, as a result."""
    used, most = _number(info, "connected_clients"), _number(info, "maxclients")
    hits, misses = _number(info, "keyspace_hits"), _number(info, "keyspace_misses")
    memory, limit = _number(info, "used_memory"), _number(info, "maxmemory")
    values = {
        "check_connections": used, "check_connections_ratio": used / most if used is not None and most else None,
        "check_cache_hit_ratio": hits / (hits + misses) if hits is not None and misses is not None and hits + misses else None,
        "check_memory_ratio": memory / limit if memory is not None and limit else None,
        "check_lock_waits": _number(info, "blocked_clients"), "check_slow_queries": None if slow is None else float(slow),
        "check_replication_lag_seconds": _lag(info),
    }  # fmt: skip
    figures = [Figure(name, value) for name, value in values.items() if value is not None]
    role = safe(info.get("role", "?"), 20)
    words = f"Redis {safe(info.get('redis_version', '?'), 20)}, {role}, {counted(int(used or 0), 'client')} in {seconds * 1000:.0f} ms"
    result = ok(words, figures)
    if info.get("loading", "0").strip() == "1":
        result = result.and_if(True, "it is loading its data", "warning")
    down = info.get("master_link_status", "up").strip() == "down"
    result = result.and_if(down, f"its link to the master {safe(info.get('master_host', ''), 60)} is down")
    lag = values["check_replication_lag_seconds"]
    late = bool(params.lag_max) and lag is not None and lag > params.lag_max
    return result.and_if(late, f"{lag or 0:.0f} s behind, wanted within {params.lag_max:.0f}")


def _lag(info: dict[str, str]) -> float | None:
    """A replica's silence of its master; of a master the worst lag of its replicas."""
    if info.get("role", "").strip() == "slave":
        return _number(info, "master_link_down_since_seconds") or _number(info, "master_last_io_seconds_ago")
    lags = []
    for name, value in info.items():
        if name.startswith("slave") and name[5:].isdecimal():
            fields = dict(part.partition("=")[::2] for part in value.split(","))
            lag = _number(fields, "lag")
            lags += [lag] if lag is not None and lag >= 0 else []
    return max(lags, default=None)


def _number(fields: dict[str, str], name: str) -> float | None:
    try:
        value = float(fields[name])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None
