"""Checks of real databases, straight and through a forwarded port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.checks import mysql, redis
from guardian_tui.engine.fleet.checks.result import Failed
from guardian_tui.protocol.check_params import MysqlParams, RedisParams
from tests.checks.lab import Lab, server
from tests.support.databases import mariadb_server, redis_server
from tests.support.postgres import Cluster
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(180)


def relay(path: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    """PostgreSQL's private socket as a TCP port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(path)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return serve


async def test_postgresql_is_looked_at_straight_and_through_a_forward(
    lab: Lab, postgres: Cluster, sshd: Callable[..., Sshd]
) -> None:
    url = urlsplit(postgres.database())
    folder = parse_qs(url.query)["host"][0]
    async with server(relay(f"{folder}/.s.PGSQL.5432")) as port:  # type: ignore[arg-type]  # it serves
        base = {"port": port, "user": "tester", "database": url.path[1:]}
        check = await lab.made("postgresql", base, timeout_seconds=20)
        assert check.state == "ok" and "of 40 connections" in check.words, check.words
        figures = lab.figures(check)
        assert 0 < figures["check_connections_ratio"] <= 1 and 0 <= figures["check_cache_hit_ratio"] <= 1
        assert figures["check_slow_queries"] == 0 and figures["check_lock_waits"] == 0
        host = await lab.host(sshd())
        check = await lab.made("postgresql", base, host=host.spec.name, where="forward", timeout_seconds=20)
        assert check.state == "ok", check.words
        check = await lab.made("postgresql", {**base, "user": "nobody"}, timeout_seconds=20)
        assert check.state == "unknown" and "refuses our login" in check.words, check.words
    check = await lab.made("postgresql", base)
    assert check.state == "failed", check.words
    check = await lab.made("postgresql", base, host=host.spec.name, where="forward")
    assert check.state == "failed" and "refused" in check.words, check.words


async def test_a_session_that_waits_for_a_lock_in_postgresql_is_counted(lab: Lab, postgres: Cluster) -> None:
    url = postgres.database()
    parts = urlsplit(url)
    params = {
        "address": parse_qs(parts.query)["host"][0],
        "user": "tester",
        "database": parts.path[1:],
        "slow_seconds": 0.0,
    }
    async with (
        await psycopg.AsyncConnection.connect(url) as one,
        await psycopg.AsyncConnection.connect(url) as two,
    ):
        await one.execute("CREATE TABLE t (a int)")
        await one.commit()
        await one.execute("LOCK TABLE t")
        waiting = asyncio.create_task(two.execute("SELECT * FROM t"))
        try:
            for _ in range(100):
                check = await lab.made("postgresql", params, timeout_seconds=20)
                if lab.figures(check).get("check_lock_waits"):
                    break
            assert lab.figures(check)["check_lock_waits"] == 1, check.words
            assert lab.figures(check)["check_slow_queries"] >= 1
        finally:
            # or the end of the block would wait for both
            await one.rollback()
            await waiting


async def test_redis_is_looked_at_also_with_a_password_and_as_a_replica(
    lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    lab.secrets["secret:checks/redis"] = "hunter2"
    with redis_server("--requirepass", "hunter2", "--maxmemory", "100mb") as port:
        params = {"port": port, "password": "secret:checks/redis"}
        check = await lab.made("redis", params)
        assert check.state == "ok" and "master" in check.words, check.words
        figures = lab.figures(check)
        assert 0 < figures["check_memory_ratio"] < 1 and 0 < figures["check_connections_ratio"] < 1
        host = await lab.host(sshd())
        assert (await lab.made("redis", params, host=host.spec.name, where="forward")).state == "ok"
        check = await lab.made("redis", {"port": port})
        assert check.state == "unknown" and "refuses our login" in check.words
        lab.secrets["secret:checks/redis"] = "wrong"
        assert (await lab.made("redis", params)).state == "unknown"
        check = await lab.made("redis", {"port": port, "password": "secret:checks/none"})
        assert (check.state == "unknown" and "vault" in check.words.lower()) or "log in" in check.words
    with redis_server("--replicaof", "127.0.0.1", "1") as port:
        check = await lab.made("redis", {"port": port})
        assert check.state == "failed" and "its link to the master 127.0.0.1 is down" in check.words


async def test_slow_commands_of_redis_count_since_the_last_look(lab: Lab) -> None:
    with redis_server("--slowlog-log-slower-than", "0", "--enable-debug-command", "yes") as port:
        check = await lab.made("redis", {"port": port})
        assert lab.figures(check)["check_slow_queries"] == 0, "the first look only remembers"
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(redis.encode("PING") * 5)
            while sock.recv(1000).count(b"PONG") < 1:
                pass
        await lab.run(check)
    assert lab.figures(check)["check_slow_queries"] >= 5


async def test_what_is_no_redis_is_said_to_be_none(lab: Lab) -> None:
    for answer in (b"HTTP/1.1 400 Bad\r\n\r\n", b"$99999999999\r\n", b"*1\r\n" * 50, b"$5\r\nab", b""):

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: bytes = answer
        ) -> None:
            await reader.read(100)
            writer.write(told)

        async with server(serve) as port:
            check = await lab.made("redis", {"port": port})
        assert check.state == "failed", (answer, check.words)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[int]:
    """A MariaDB with a user that may only look."""
    grant = "GRANT PROCESS, REPLICATION CLIENT, REPLICA MONITOR ON *.* TO look@'%'"
    with mariadb_server("CREATE USER look@'%' IDENTIFIED BY 'hunter2'", grant) as port:
        yield port


async def test_mariadb_is_looked_at_straight_and_through_a_forward(
    lab: Lab, mariadb: int, sshd: Callable[..., Sshd]
) -> None:
    lab.secrets["secret:checks/db"] = "hunter2"
    params = {"port": mariadb, "user": "look", "password": "secret:checks/db"}
    check = await lab.made("mysql", params, timeout_seconds=20)
    assert check.state == "ok" and "MariaDB" in check.words, check.words
    figures = lab.figures(check)
    assert 0 < figures["check_connections_ratio"] < 1 and 0 <= figures["check_cache_hit_ratio"] <= 1
    assert figures["check_slow_queries"] == 0
    host = await lab.host(sshd())
    check = await lab.made("mysql", params, host=host.spec.name, where="forward", timeout_seconds=20)
    assert check.state == "ok", check.words
    lab.secrets["secret:checks/db"] = "wrong"
    check = await lab.made("mysql", params, timeout_seconds=20)
    assert check.state == "unknown" and "refuses our login" in check.words, check.words


async def test_what_is_no_mysql_is_said_to_be_none(lab: Lab) -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05\0\0\0\x0ahell", b"\xff" * 100, b""):

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: bytes = answer
        ) -> None:
            writer.write(told)

        async with server(serve) as port:
            check = await lab.made("mysql", {"port": port}, timeout_seconds=3)
        assert check.state == "failed", (answer, check.words)


def test_replicas_of_mysql_that_stand_or_lag_are_told() -> None:
    base = {"Threads_connected": "5", "max_connections": "100", "version": "8.0"}
    standing = {
        **base,
        "replica": {"Seconds_Behind_Source": None, "Last_SQL_Error": "Duplicate \x1b[31mentry"},
    }
    result = mysql.judge(standing, MysqlParams(), 0.1)
    assert result.state == "failed" and "Duplicate" in result.words and result.words.isprintable()
    late = {**base, "replica": {"Seconds_Behind_Master": 40}}
    assert mysql.judge(late, MysqlParams(), 0.1).state == "ok"
    assert mysql.judge(late, MysqlParams(lag_max=30), 0.1).state == "failed"
    assert mysql.judge({"replica": {}}, MysqlParams(), 0.1).state == "ok"


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "connected_clients",
                "maxclients",
                "keyspace_hits",
                "keyspace_misses",
                "used_memory",
                "maxmemory",
                "role",
                "slave0",
                "master_link_status",
            ]
        ),
        st.text(max_size=20),
    )
)
def test_any_info_of_redis_gives_a_result(info: dict[str, str]) -> None:
    redis.judge(
        redis.parse_info("\r\n".join(f"{k}:{v}" for k, v in info.items()).encode("utf-8", "replace")),
        RedisParams(lag_max=1),
        None,
        0.0,
    )


def test_the_lag_of_redis_is_that_of_the_worst_replica() -> None:
    info = redis.parse_info(
        b"# Replication\r\nrole:master\r\nslave0:ip=a,state=online,lag=1\r\nslave1:ip=b,lag=33\r\n"
    )
    result = redis.judge(info, RedisParams(lag_max=30), 2, 0.0)
    assert result.state == "failed" and "33 s behind" in result.words


@given(st.binary(max_size=100))
def test_any_reply_is_read_or_refused(data: bytes) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        try:
            await redis.read_reply(reader)
        except (Failed, redis.Refused, asyncio.IncompleteReadError):
            return

    asyncio.run(read())
