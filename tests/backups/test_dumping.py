"""Dumps of real servers: what comes out is whole, a cut one is told, and no name becomes an option or another server."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.engine.backups.dumping import dump_command, dump_name, verify_command
from guardian_tui.protocol.backups import Dump
from tests.support.databases import mariadb_server
from tests.support.postgres import Cluster, cluster

ODD = "o'dd=\\name"


def run(argv: tuple[str, ...], data: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """The command ended, in a folder that any user may stand in."""
    return subprocess.run(
        argv, input=data, capture_output=True, timeout=60, cwd="/", env={**os.environ, **env}
    )


def dumped(dump: Dump) -> bytes:
    """A dump that ended well and was found whole."""
    done = run(dump_command(dump))
    assert (done.returncode, done.stderr) == (0, b"")
    verified = run(verify_command(dump), done.stdout)
    assert (verified.returncode, verified.stderr) == (0, b"")
    return done.stdout


def refused(dump: Dump, data: bytes) -> bool:
    """Whether it is told that the dump is not whole."""
    done = run(verify_command(dump), data)
    assert done.returncode == 0 or done.stderr
    return done.returncode != 0


def cuts(size: int) -> list[int]:
    """Lengths that a dump of this size is cut to: near its end, in the middle, and near the beginning."""
    return sorted({0, 1, 100, 600, size // 2, size - 3000, size - 100, size - 2} - {size} & set(range(size)))


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder that every Unix user may write in."""
    folder = Path("/var/tmp") / f"dump-test-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


# -- PostgreSQL -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(postgres: Cluster) -> Dump:
    """A database with a table of 4,000 rows."""
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE orders AS SELECT n, repeat(md5(n::text), 8) AS words FROM generate_series(1, 4000) n"
        )
    return Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(postgres.folder), "role": "tester"})


def test_a_database_of_postgresql_comes_whole_and_can_be_restored(shop: Dump, postgres: Cluster) -> None:
    data = dumped(shop)
    url = postgres.database()
    subprocess.run(["pg_restore", "--dbname", url], input=data, check=True, timeout=60)
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT count(*), max(n) FROM orders").fetchone() == (4000, 4000)


def test_a_cut_dump_of_postgresql_is_refused_wherever_it_was_cut(shop: Dump) -> None:
    data = dumped(shop)
    assert all(refused(shop, data[:size]) for size in cuts(len(data)))
    assert run(("pg_restore", "-l"), data[: len(data) // 2]).returncode == 0  # why it is not asked


def test_all_of_a_cluster_is_dumped_and_a_cut_dump_of_it_refused(shop: Dump) -> None:
    whole = Dump("postgresql", "*", "", shop.options)
    data = dumped(whole)
    assert b"CREATE ROLE tester" in data and b"CREATE TABLE public.orders" in data
    assert all(refused(whole, data[:size]) for size in cuts(len(data)) if size < len(data) - 400)


def test_a_name_full_of_quotes_is_a_name_and_never_a_connection_string(shop: Dump, postgres: Cluster) -> None:
    with psycopg.connect(
        host=str(postgres.folder), user="tester", dbname="postgres", autocommit=True
    ) as conn:
        conn.execute(f'CREATE DATABASE "{ODD}"')
    dumped(Dump("postgresql", ODD, "", shop.options))
    done = run(dump_command(Dump("postgresql", "host=192.0.2.1 dbname=x", "", shop.options)))
    assert done.returncode != 0 and b'database "host=192.0.2.1 dbname=x" does not exist' in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else without a password")
def test_a_dump_runs_as_the_unix_user_who_may_read_it(shop: Dump) -> None:
    dumped(Dump("postgresql", shop.database, "postgres", shop.options))
    done = run(dump_command(Dump("postgresql", shop.database, "nobody", shop.options)))
    assert done.returncode != 0 and b"Permission denied" in done.stderr
    done = run(dump_command(Dump("postgresql", shop.database, "nobody-of-that-name", shop.options)))
    assert done.returncode != 0 and b"nobody-of-that-name" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else without a password")
def test_somebody_else_goes_by_sudo_and_is_never_asked_for_a_password(tmp_path: Path) -> None:
    folder = Path("/var/tmp") / f"sudo-{os.getpid()}"
    folder.mkdir()
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    sudo.chmod(0o755)
    folder.chmod(0o755)
    try:
        argv = dump_command(Dump("postgresql", "shop", "postgres"))
        done = run(("runuser", "-u", "nobody", "--", *argv), PATH=f"{folder}:{os.environ['PATH']}")
    finally:
        shutil.rmtree(folder)
    assert done.stdout.startswith(b"-n|-u|postgres|--|pg_dump|--format=custom|")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else without a password")
def test_a_command_of_another_user_that_is_told_to_end_has_the_time_to_clean_up() -> None:
    slow = "trap 'sleep 2.5; echo cleaned $HOME $(id -un); exit' TERM; echo ready; sleep 60 & wait"
    with subprocess.Popen(
        as_user("nobody", ("sh", "-c", slow)), stdout=subprocess.PIPE, cwd="/", start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout.readline() == b"cleaned /nonexistent nobody\n"


def test_a_server_that_is_killed_while_it_is_dumped_fails_the_dump() -> None:
    # a cluster of its own: the session's serves other tests
    with cluster() as own:
        url = own.database()
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(
                "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 60000) n"
            )
        dump = Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(own.folder), "role": "tester"})
        with subprocess.Popen(
            dump_command(dump), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            begun = process.stdout.read(200_000)  # the rest waits in the pipe, and the server in its socket
            own.crash()
            begun += process.stdout.read()
            said = process.stderr.read()
        assert process.returncode != 0 and said
        assert refused(dump, begun)


# -- MariaDB ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mariadb() -> Iterator[dict[str, str]]:
    """Options of dumps that reach a MariaDB."""
    with mariadb_server() as port:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as conn:
            cursor = conn.cursor()
            for line in (
                "CREATE DATABASE shop CHARACTER SET utf8mb4",
                "USE shop",
                "CREATE TABLE orders (n INT PRIMARY KEY, words TEXT CHARACTER SET utf8mb4, raw BLOB)",
                "INSERT INTO orders SELECT seq, CONCAT(REPEAT(MD5(seq), 8), '🐘'), UNHEX('00ff0a27') FROM seq_1_to_3000",
                "CREATE PROCEDURE shop.count_orders() SELECT COUNT(*) FROM shop.orders",
                "CREATE DATABASE `-odd ``name`",
            ):
                cursor.execute(line)
        yield {"host": "127.0.0.1", "port": str(port), "role": "root"}


def test_a_database_of_mariadb_comes_whole_with_routines_and_every_character(mariadb: dict[str, str]) -> None:
    data = dumped(Dump("mysql", "shop", "", mariadb))
    port = int(mariadb["port"])
    with pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as conn:
        conn.cursor().execute("CREATE DATABASE again")
    client = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", "again"]
    subprocess.run(client, input=data, check=True, timeout=60)
    with pymysql.connect(host="127.0.0.1", port=port, user="root", database="again") as conn:
        cursor = conn.cursor()
        cursor.execute("SELECT COUNT(*), MAX(RIGHT(words, 1)), MAX(HEX(raw)) FROM orders")
        assert cursor.fetchone() == (3000, "🐘", "00FF0A27")
        cursor.execute("CALL count_orders()")
        assert cursor.fetchone() is not None


def test_a_cut_dump_of_mariadb_is_refused_and_so_is_one_of_an_absent_database(
    mariadb: dict[str, str],
) -> None:
    dump = Dump("mysql", "shop", "", mariadb)
    data = dumped(dump)
    assert all(refused(dump, data[:size]) for size in cuts(len(data)) if size < len(data) - 100)
    done = run(dump_command(Dump("mysql", "absent", "", mariadb)))
    assert done.returncode != 0 and b"absent" in done.stderr and refused(dump, done.stdout)


def test_all_databases_of_mariadb_are_in_one_dump(mariadb: dict[str, str]) -> None:
    data = dumped(Dump("mysql", "*", "", mariadb))
    assert b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop`" in data and b"`-odd ``name`" in data


def test_a_mariadb_that_is_killed_while_it_is_dumped_fails_the_dump() -> None:
    with mariadb_server() as port:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as conn:
            cursor = conn.cursor()
            for line in (
                "CREATE DATABASE shop",
                "USE shop",
                "CREATE TABLE big SELECT seq, REPEAT(MD5(seq), 30) AS words FROM seq_1_to_30000",
            ):
                cursor.execute(line)
        dump = Dump("mysql", "shop", "", {"host": "127.0.0.1", "port": str(port), "role": "root"})
        with subprocess.Popen(
            dump_command(dump), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            begun = process.stdout.read(200_000)
            (server,) = {
                one.pid
                for one in psutil.net_connections("tcp")
                if one.laddr[1] == port and one.status == "LISTEN"
            }
            os.kill(server or 0, signal.SIGKILL)
            begun += process.stdout.read()
            said = process.stderr.read()
        assert process.returncode != 0 and b"Lost connection" in said
        assert refused(dump, begun)


def test_where_no_program_of_mysql_is_installed_the_dump_says_so(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = subprocess.run(
        dump_command(Dump("mysql", "shop")), capture_output=True, env={"PATH": str(tmp_path)}
    )
    assert (done.returncode, b"neither mariadb-dump nor mysqldump" in done.stderr) == (127, True)


# -- SQLite -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path, scratch: Path) -> Dump:
    """A database with a write-ahead log and a writer at work."""
    path = tmp_path / "my book's.db"
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("CREATE TABLE entries (n INTEGER PRIMARY KEY, words TEXT)")
        conn.executemany("INSERT INTO entries (words) VALUES (?)", [("x" * 400,)] * 2000)
    conn.close()
    return Dump("sqlite", str(path), "", {"scratch": str(scratch)})


@pytest.fixture(params=["sqlite3", "python3"])
def tools(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both programs that can copy a database, the other one hidden."""
    folder = tmp_path / "bin"
    folder.mkdir()
    names = ["sh", "cat", "find", "id", "mktemp", "rm", "head", "tail", "od", "wc", "grep"]
    for name in (*names, request.param):
        source = "/usr/bin/python3" if name == "python3" else shutil.which(name)
        assert source, f"{name} is not installed"
        (folder / name).symlink_to(source)
    monkeypatch.setenv("PATH", str(folder))
    return str(request.param)


def test_a_sqlite_database_is_copied_in_one_state_while_somebody_writes(
    book: Dump, tools: str, tmp_path: Path, scratch: Path
) -> None:
    writer = sqlite3.connect(book.database, isolation_level=None)
    writer.execute("BEGIN")
    writer.execute("DELETE FROM entries WHERE n > 1000")
    data = dumped(book)
    writer.execute("COMMIT")
    writer.close()
    (tmp_path / "copy").write_bytes(data)
    with sqlite3.connect(tmp_path / "copy") as copy:
        assert copy.execute("SELECT count(*) FROM entries").fetchone() == (2000,)
    copy.close()
    assert not list(scratch.iterdir())


def test_a_cut_or_foreign_sqlite_dump_is_refused(book: Dump, tools: str, scratch: Path) -> None:
    data = dumped(book)
    assert all(refused(book, data[:size]) for size in (*cuts(len(data)), len(data) - 4096, len(data) - 1))
    assert refused(book, b"x" * 8192)
    assert refused(book, data[:40960] + os.urandom(8192) + data[49152:])
    assert not list(scratch.iterdir())


def test_a_database_that_is_absent_or_none_fails_and_leaves_nothing(
    book: Dump, tools: str, tmp_path: Path, scratch: Path
) -> None:
    absent = Dump("sqlite", str(tmp_path / "absent.db"), "", book.options)
    done = run(dump_command(absent))
    assert done.returncode != 0 and b"no database file" in done.stderr
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "junk.db").write_bytes(os.urandom(9000))
    done = run(dump_command(Dump("sqlite", str(tmp_path / "junk.db"), "", book.options)))
    assert done.returncode != 0 and b"not a database" in done.stderr
    assert not list(scratch.iterdir())


def test_a_dump_that_is_told_to_stop_takes_its_copy_away(book: Dump, scratch: Path) -> None:
    with subprocess.Popen(
        dump_command(book), stdout=subprocess.PIPE, cwd="/", start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.read(10)  # it is copied, and cat waits for us
        assert list(scratch.iterdir())
        os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode != 0
    assert not list(scratch.iterdir())


def test_what_a_killed_dump_left_behind_is_taken_away_in_the_end(book: Dump, scratch: Path) -> None:
    old, new, other = (
        scratch / name for name in ("guardian-dump.abcdefghij", "guardian-dump.0123456789", "else")
    )
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "copy").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (time.time() - 20 * 86400,) * 2)
    dumped(book)
    left = {folder.name for folder in scratch.iterdir()}
    shutil.rmtree(new)
    shutil.rmtree(other)
    assert left == {new.name, other.name}


# -- names and refusals -----------------------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), min_size=1).filter(
    lambda t: not t.startswith("-")
)
dumps = st.builds(
    Dump,
    st.sampled_from(("postgresql", "mysql", "sqlite")),
    names | st.sampled_from(("*", "all", "all-databases", "shop", "shop-0123456789")),
    st.sampled_from(("", "postgres", "root")),
    st.dictionaries(st.sampled_from(("host", "port", "socket")), names, max_size=2),
)


@given(dumps, dumps)
def test_two_dumps_never_share_a_name_and_each_name_is_a_plain_file(one: Dump, other: Dump) -> None:
    assert (dump_name(one) == dump_name(other)) == (one == other)
    name = dump_name(one)
    assert len(name) < 120 and name.isascii() and "/" not in name and not name.startswith((".", "-"))


def test_the_name_of_a_plain_dump_is_what_a_person_expects() -> None:
    assert dump_name(Dump("postgresql", "shop")) == "postgresql-shop.dump"
    assert dump_name(Dump("mysql", "*")) == "mysql-all-databases.sql"
    assert dump_name(Dump("sqlite", "/srv/app/book.db")).startswith("sqlite-book.db-")


@pytest.mark.parametrize(
    ("dump", "words"),
    [
        (Dump("postgresql", "-Fd"), "can be named"),
        (Dump("postgresql", "shop", "-x"), "can be named"),
        (Dump("postgresql", ""), "needs the name"),
        (Dump("postgresql", "shop", "", {"file": "/etc/passwd"}), "no option 'file'"),
        (Dump("postgresql", "shop", "", {"host": "-x"}), "can't be"),
        (Dump("mysql", "shop", "", {"port": "33x"}), "must be a number"),
        (Dump("mysql", "shop", "", {"host": "h", "socket": "/s"}), "either a host or a socket"),
        (Dump("sqlite", "book.db"), "whole path"),
        (Dump("sqlite", "*"), "whole path"),
        (Dump("sqlite", "/book.db", "", {"scratch": "tmp"}), "whole path"),
    ],
)
def test_what_could_become_an_option_or_another_place_is_refused_in_words(dump: Dump, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dump_command(dump)
