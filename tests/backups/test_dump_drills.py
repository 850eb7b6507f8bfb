"""Dumps of real servers, proven by restoring them: checked, probed, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from guardian_tui.engine.backups.dump_drills import proof_of, restoring, source_of
from guardian_tui.engine.backups.dumping import dump_command, dump_name
from guardian_tui.protocol.backups import DrillPolicy, Dump
from tests.support.databases import mariadb_server
from tests.support.postgres import Cluster

pytestmark = pytest.mark.timeout(300)
NONE = DrillPolicy()


class Drilled:
    """What came of one dump."""

    def __init__(self, code: int, source: int, out: bytes, err: str, folder: Path) -> None:
        self.code, self.source, self.out, self.err, self.folder = code, source, out, err, folder
        self.proof = proof_of(out) if code == 0 else None


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every Unix user may write in, as /var/tmp is."""
    folder = Path("/var/tmp") / f"dd-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def drill(place: Path) -> Callable[..., Drilled]:
    count = 0

    def go(dump: Dump, data: bytes | None = None, policy: DrillPolicy = NONE, **env: str) -> Drilled:
        nonlocal count
        count += 1
        below = place / f"restored-{count}"
        below.mkdir()
        if data is not None:
            (below / dump_name(dump)).write_bytes(data)
        folder = place / f"guardian-drill-{count}"
        source = subprocess.Popen(
            source_of(dump, str(below)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
        )
        done = subprocess.run(
            restoring(dump, str(folder), policy), stdin=source.stdout, capture_output=True, timeout=120, cwd="/", env={**os.environ, **env}
        )  # fmt: skip
        assert source.stdout and source.stderr
        source.stdout.close()
        said = source.stderr.read().decode() + done.stderr.decode()
        assert not folder.exists(), "nothing of it stays"
        return Drilled(done.returncode, source.wait(), done.stdout, said, folder)

    return go


def dumped(dump: Dump) -> bytes:
    return subprocess.run(dump_command(dump), capture_output=True, check=True, timeout=60, cwd="/").stdout


@pytest.fixture
def shop(postgres: Cluster) -> Dump:
    """A database with an owner, a publication, a changed public schema and 4,000 rows."""
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE ROLE clerk")
        conn.execute("ALTER SCHEMA public OWNER TO clerk")
        conn.execute(
            "CREATE TABLE orders AS SELECT n, repeat(md5(n::text), 8) AS words FROM generate_series(1, 4000) n"
        )
        conn.execute("ALTER TABLE orders ADD PRIMARY KEY (n)")
        conn.execute("ALTER TABLE orders OWNER TO clerk")
        conn.execute("CREATE PUBLICATION news FOR TABLE orders")
    yield Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(postgres.folder), "role": "tester"})
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("ALTER SCHEMA public OWNER TO tester")
        conn.execute("DROP OWNED BY clerk CASCADE")
        conn.execute("DROP ROLE clerk")


def test_a_dump_of_postgresql_is_restored_checked_and_probed(
    shop: Dump, drill: Callable[..., Drilled]
) -> None:
    data = dumped(shop)
    done = drill(
        shop, data, DrillPolicy(probe_sql="SELECT count(*), max(n) FROM orders;", probe_answer="4000|4000")
    )
    assert done.code == 0, done.err
    assert done.proof and done.proof.form == "restored" and done.proof.bytes == len(data)
    assert done.proof.words == "1 table, data checked by pg_amcheck, the probe answered"
    written = drill(shop, data, DrillPolicy(probe_sql="DELETE FROM orders RETURNING 1"))
    assert written.code == 74 and "read-only" in written.err
    cut = drill(shop, data[:-5])
    assert cut.code == 65 and "does not restore" in cut.err, cut.err
    gone = drill(shop)
    assert (gone.code, gone.source) == (66, 66) and "was not restored" in gone.err


def test_all_of_a_cluster_is_restored_with_its_roles(shop: Dump, drill: Callable[..., Drilled]) -> None:
    whole = Dump("postgresql", "*", "", shop.options)
    data = dumped(whole)
    done = drill(whole, data, DrillPolicy(probe_sql="SELECT 1 FROM pg_roles WHERE rolname = 'tester'"))
    assert done.code == 0, done.err
    assert done.proof and done.proof.form == "restored" and "the probe answered" in done.proof.words
    cut = drill(whole, data[:-400])
    assert (cut.code or cut.source) and "its end is missing" in cut.err


def test_without_server_programs_it_is_read_to_its_end_and_says_so(
    shop: Dump, drill: Callable[..., Drilled], monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardian_tui.engine.backups import dump_drill_scripts as scripts

    for name in ("POSTGRESQL", "MYSQL"):
        none = (
            getattr(scripts, name)
            .replace('[ -x "$one/initdb" ]', "false")
            .replace("command -v mariadbd || command -v mysqld", "false")
        )
        monkeypatch.setattr(scripts, name, none)
    data = dumped(shop)
    done = drill(shop, data)
    assert done.proof and done.proof.form == "read" and "not installed here" in done.proof.words
    assert drill(shop, data[: len(data) // 2]).code == 65
    base = Dump("mysql", "shop")
    assert drill(base, b"SELECT 1;\n-- Dump completed on 2026-01-01\n").proof == proof_of(
        b"read the server programs of MariaDB or MySQL are not installed here"
    )
    assert "its end is missing" in drill(base, b"SELECT 1;\n").err


def test_no_room_is_told_before_anything_is_restored(
    shop: Dump, drill: Callable[..., Drilled], place: Path
) -> None:
    few = place / "bin"
    few.mkdir()
    df = few / "df"
    df.write_text("#!/bin/sh\necho head\necho '/dev/x 100 50 50 50% /'\n")
    df.chmod(0o755)
    done = drill(shop, dumped(shop), PATH=f"{few}:{os.environ['PATH']}")
    assert done.code == 64 and "No space left" in done.err


def test_a_drill_that_is_told_to_stop_leaves_neither_server_nor_folder(shop: Dump, place: Path) -> None:
    below, folder = place / "r", place / "guardian-drill-stopped"
    below.mkdir()
    (below / dump_name(shop)).write_bytes(dumped(shop))
    policy = DrillPolicy(probe_sql="SELECT pg_sleep(60)")
    source = subprocess.Popen(source_of(shop, str(below)), stdout=subprocess.PIPE, cwd="/")
    process = subprocess.Popen(
        restoring(shop, str(folder), policy),
        stdin=source.stdout,
        stdout=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    assert process.stdout
    deadline = time.monotonic() + 60
    lines = b""
    while b"checked" not in lines:
        assert time.monotonic() < deadline
        lines += process.stdout.readline()
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    source.wait(timeout=60)
    process.stdout.close()
    deadline = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_database_of_sqlite_is_opened_checked_and_probed(
    tmp_path: Path, drill: Callable[..., Drilled]
) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (a, b)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"row {n}") for n in range(500)])
    dump = Dump("sqlite", str(path))
    data = dumped(dump)
    done = drill(dump, data, DrillPolicy(probe_sql="SELECT count(*), max(a) FROM t", probe_answer="500|499"))
    assert done.proof and done.proof.words == "1 table, PRAGMA integrity_check is ok, the probe answered", (
        done.err
    )
    assert drill(dump, data, DrillPolicy(probe_sql="DELETE FROM t")).code == 74
    other = drill(dump, data, DrillPolicy(probe_sql="SELECT count(*) FROM t", probe_answer="501"))
    assert other.code == 74 and "the probe answered 500, not 501" in other.err
    assert drill(dump, data, DrillPolicy(probe_sql="SELECT 1 FROM t WHERE a < 0")).code == 74
    assert drill(dump, data[:-100]).code == 65
    spoiled = bytearray(data)
    spoiled[4096:4110] = b"\xff" * 14
    assert drill(dump, bytes(spoiled)).code == 65
    assert "no SQLite" in drill(dump, b"x" * 4096).err


def test_a_dump_of_mariadb_is_restored_checked_and_probed(drill: Callable[..., Drilled]) -> None:
    sql = (
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (n INT PRIMARY KEY, w TEXT)",
        "INSERT INTO shop.t VALUES (1, 'a'), (2, 'b')",
    )
    with mariadb_server(*sql) as port:
        options = {"host": "127.0.0.1", "port": str(port), "role": "root"}
        one, whole = Dump("mysql", "shop", "", options), Dump("mysql", "*", "", options)
        data, everything = dumped(one), dumped(whole)
    done = drill(one, data, DrillPolicy(probe_sql="SELECT n, w FROM t ORDER BY n DESC", probe_answer="2\tb"))
    assert done.proof and done.proof.words == "1 table, each table checked, the probe answered", done.err
    assert drill(one, data.replace(b"(1,'a')", b"\n\\! touch /tmp/never\n")).code == 65
    all_of_it = drill(
        whole, everything, DrillPolicy(probe_sql="SELECT count(*) FROM shop.t", probe_answer="2")
    )
    assert all_of_it.proof and all_of_it.proof.form == "restored", all_of_it.err


@pytest.mark.parametrize("sql", ["\\! id", "SELECT 1;\n.shell id", "SELECT '\\x'"])
def test_a_probe_that_is_more_than_sql_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match="SQL alone"):
        restoring(Dump("sqlite", "/x"), "/var/tmp/x", DrillPolicy(probe_sql=sql))


def test_what_a_stage_says_is_read_and_nothing_else_is_a_proof() -> None:
    assert proof_of(b"") is None and proof_of(b"checked x\nrows 3\n") is None
    found = proof_of(b"restored 12 3\nunchecked the data was not checked: no\x1b[2J\nrows 1\n")
    assert found and (found.form, found.bytes) == ("restored", 12)
    assert found.words == "3 tables, the probe answered, the data was not checked: no␛[2J"
