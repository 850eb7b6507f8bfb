"""A real cluster restored to a moment: what was committed before it is there, what came after is not, and every way to fail has its own words."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guardian_tui.engine.backups import point_in_time
from guardian_tui.engine.backups.engines.base import Place, Stage
from guardian_tui.engine.backups.engines.pgbackrest import Pgbackrest, server_of
from guardian_tui.engine.backups.point_in_time import Order, Server, Target, Window, refusal
from guardian_tui.protocol.backups import JobSpec
from tests.support.pgbackrest import Archived, archived
from tests.support.stages import Ran, Runner

ADAPTER = Pgbackrest()
JOB = JobSpec("nightly", "db-1", "repo")


class Lab:
    """An archived cluster with a backup, a row committed before a moment and one after it."""

    def __init__(self, made: Archived) -> None:
        self.made = made
        self.runner = Runner(ADAPTER, made.folder)
        self.place: Place = self.runner.place("main", options=made.options)
        assert self.runner.run("init", ADAPTER.init(self.place)).verdict == "ok"
        made.sql(
            "CREATE TABLE t (n int PRIMARY KEY, words text)",
            "INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 5000) n",
            'CREATE DATABASE "o\'dd="',
            "CHECKPOINT",
        )
        assert self.runner.run("backup", ADAPTER.backup(self.place, JOB, "run-1"), JOB).verdict == "ok"
        time.sleep(1.1)  # no moment of the second in which the backup ended can be restored
        made.sql("INSERT INTO t VALUES (6000, 'before')")
        self.moment = float(str(made.sql("SELECT extract(epoch FROM clock_timestamp()) + 0.05")))
        time.sleep(0.3)
        made.sql("INSERT INTO t VALUES (7000, 'after')")
        self.server = server_of(self.place.spec)
        pushed = self.runner.run("restore", [point_in_time.push_on(self.server)])
        assert pushed.words.strip() == "The log is archived up to now.", pushed
        self.count = 0

    def order(self, **options: object) -> Order:
        """An order to restore into a folder that is not there yet."""
        self.count += 1
        folder = str(self.made.folder / "restores" / f"{self.count}")
        order = Order(f"run-{self.count}", folder, self.made.user, Target(self.moment), "tester")
        return replace(order, **options)

    def restore(self, order: Order, *more: Stage, **options: object) -> Ran:
        """Run it; ``more``: stages after the backup engine's own."""
        stages = point_in_time.stages(order, (*ADAPTER.restore_to(self.place, order), *more))
        ran = self.runner.run("drill", stages, **options)
        assert not running(order), ran
        if order.drill and not Path(order.folder, "keep").exists():
            assert not Path(order.folder).exists(), ran
        return ran

    def sh(self, script: str) -> Stage:
        """A stage that spoils something, as the user who runs the server."""
        argv = ("sh", "-c", script)
        return Stage("restore", ("runuser", "-u", self.made.user, "--", *argv) if self.made.user else argv)


def processes(order: Order) -> list[int]:
    """Those whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{order.folder}/".encode() in entry.read_bytes().replace(b"\0", b"/"):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def running(order: Order) -> list[int]:
    """Those that are no zombies."""
    return [
        pid
        for pid in processes(order)
        if Path(f"/proc/{pid}/exe").exists() and os.readlink(f"/proc/{pid}/exe")
    ]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with archived() as made:
        yield Lab(made)


PRIVATE = (
    "SELECT count(*) FROM t HAVING count(*) = 5001 AND max(n) = 6000 AND current_setting('listen_addresses') = ''"
    " AND current_setting('archive_mode') = 'off' AND NOT pg_is_in_recovery()"
)


def test_the_state_of_the_moment_comes_back_proven_and_nothing_of_it_stays(lab: Lab) -> None:
    ran = lab.restore(lab.order(probe_sql=PRIVATE, probe_answer="5001"))
    assert ran.verdict == "ok", ran
    assert "data checked by pg_amcheck; the probe answered" in ran.words
    assert "its last transaction is of 20" in ran.words
    assert lab.made.sql("SELECT max(n) FROM t") == 7000


def test_a_restore_that_is_kept_is_there_stopped_and_complete(lab: Lab) -> None:
    order = lab.order(drill=False)
    assert lab.restore(order).verdict == "ok"
    data = Path(order.data)
    assert (data / "PG_VERSION").exists() and not (data / "postmaster.pid").exists()
    assert not (data / "recovery.signal").exists()
    assert data.stat().st_mode & 0o777 == 0o700 and (Path(order.folder) / "s").stat().st_mode & 0o077 == 0
    # the settings that ALTER SYSTEM made are back
    assert "restore_command" in (data / "postgresql.auto.conf").read_text()


def test_it_stands_still_at_the_moment_where_the_configuration_lies_elsewhere(lab: Lab) -> None:
    order = lab.order(
        target=Target(lab.moment, "pause"),
        probe_sql="SELECT count(*) FROM t HAVING count(*) = 5001 AND pg_is_in_recovery()",
    )
    gone = lab.sh(f"rm {order.data}/postgresql.conf {order.data}/pg_hba.conf {order.data}/pg_ident.conf")
    ran = lab.restore(order, gone)
    assert ran.verdict == "ok" and "the probe answered" in ran.words, ran


def test_a_database_of_any_name_is_probed(lab: Lab) -> None:
    ran = lab.restore(lab.order(database="o'dd=", probe_sql="SELECT current_database()"))
    assert ran.verdict == "ok" and "the probe answered" in ran.words, ran


def test_without_a_later_commit_in_the_archive_the_moment_is_never_reached_and_pushing_on_helps(
    lab: Lab,
) -> None:
    lab.made.sql("INSERT INTO t VALUES (8000, 'late')")
    moment = time.time()
    time.sleep(1.2)
    ran = lab.runner.run("window", ADAPTER.window(lab.place))
    window = ADAPTER.window_of(ran.told)
    assert window.pending and time.time() - (window.saved_until(time.time()) or 0) > 1
    assert "nothing later is archived" in refusal(window, Target(moment))
    ran = lab.restore(lab.order(target=Target(moment)))
    assert ran.verdict == "failed", ran
    assert "no later commit is in the archive" in ran.words and "pg_switch_wal" in ran.words

    ran = lab.restore(
        lab.order(target=Target(moment), source=lab.server, probe_sql="SELECT 1 FROM t WHERE n = 8000")
    )
    assert ran.verdict == "ok", ran
    window = ADAPTER.window_of(lab.runner.run("window", ADAPTER.window(lab.place)).told)
    assert refusal(window, Target(moment)) == "" and window.saved_until(5e9) == 5e9


def test_an_archive_that_does_not_move_is_told_before_anything_is_restored(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_in_time, "PUSH_SECONDS", 3)
    lab.made.sql("ALTER SYSTEM SET archive_command = '/bin/false'", "SELECT pg_reload_conf()")
    try:
        order = lab.order(source=lab.server)
        ran = lab.restore(order)
        window = ADAPTER.window_of(lab.runner.run("window", ADAPTER.window(lab.place)).told)
    finally:
        lab.made.sql("ALTER SYSTEM RESET archive_command", "SELECT pg_reload_conf()")
    assert ran.verdict == "failed" and "does not get into the archive" in ran.words, ran
    assert "restore" not in [end.name for end in ran.ends]
    assert window.pending and "archiving fails since" in window.words
    assert lab.runner.run("restore", [point_in_time.push_on(lab.server)]).verdict == "ok"


def test_damaged_data_is_found(lab: Lab) -> None:
    order = lab.order()
    path = lab.made.sql("SELECT pg_relation_filepath('t')")
    # line pointers of a page in the middle, which recovery does not write again
    damage = f"head -c 64 /dev/urandom | dd of={order.data}/{path} bs=1 seek=$((20 * 8192 + 24)) conv=notrunc 2>/dev/null"
    ran = lab.restore(order, lab.sh(damage))
    assert ran.verdict == "failed" and "Data of this backup is damaged" in ran.words, ran


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 FROM t WHERE n = 7000", "answered no row"),
        ("DELETE FROM t RETURNING n", "read-only transaction"),
    ],
)
def test_a_probe_that_answers_nothing_or_fails_is_no_proof(lab: Lab, sql: str, words: str) -> None:
    ran = lab.restore(lab.order(probe_sql=sql, target=Target(lab.moment, "pause")))
    assert ran.verdict == "failed" and words in ran.words, ran


def test_a_folder_that_holds_something_is_never_touched(lab: Lab) -> None:
    order = lab.order()
    Path(order.folder).mkdir()
    for name, text in (("keep", "mine"), ("guardian", "another-run\n"), ("pid", "1\n")):
        Path(order.folder, name).write_text(text)
    ran = lab.restore(order)
    assert ran.verdict == "failed" and "Name a new folder" in ran.words, ran
    assert sorted(path.name for path in Path(order.folder).iterdir()) == ["guardian", "keep", "pid"]


def test_too_little_room_is_told_before_anything_is_restored(lab: Lab) -> None:
    ran = lab.restore(lab.order(need_bytes=1 << 60))
    assert ran.verdict == "no_space" and "are needed" in ran.words, ran
    assert [end.name for end in ran.ends] == ["prepare", "stop", "delete"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_never_runs_the_restored_server(lab: Lab) -> None:
    ran = lab.restore(lab.order(user=""))
    assert ran.verdict == "failed" and "refuses to run as root" in ran.words, ran


def test_a_cluster_whose_role_is_not_known_says_so(lab: Lab) -> None:
    ran = lab.restore(lab.order(role=""))
    assert ran.verdict == "failed" and "name one of its superusers" in ran.words, ran


def test_a_log_that_can_not_be_fetched_ends_the_server_with_its_own_words(lab: Lab) -> None:
    order = lab.order()
    gone = lab.sh(f"sed -i 's/^restore_command.*/restore_command = false/' {order.data}/postgresql.auto.conf")
    ran = lab.restore(order, gone)
    assert ran.verdict == "failed" and "recover: " in ran.words and "log" in ran.judgement.advice, ran


def test_a_restore_that_is_told_to_stop_ends_its_server_too(lab: Lab) -> None:
    order = lab.order()
    slow = lab.sh(
        f"sed -i 's/^restore_command.*/restore_command = '\"'sleep 30'/\" {order.data}/postgresql.auto.conf"
    )

    def stop() -> None:
        for _ in range(200):
            time.sleep(0.1)
            if not Path(order.folder, "pid").exists():
                continue
            for pid in processes(order):
                try:
                    argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"guardian-restore" in argv and b"promote" in argv:
                    os.killpg(os.getpgid(pid), signal.SIGTERM)
                    return

    thread = threading.Thread(target=stop)
    thread.start()
    ran = lab.restore(order, slow)
    thread.join()
    assert ran.verdict == "cancelled", ran


def test_a_failure_of_the_backup_engine_is_told_by_it(lab: Lab) -> None:
    place = lab.runner.place("nope", options=lab.made.options)
    order = lab.order()
    ran = lab.runner.run("drill", point_in_time.stages(order, ADAPTER.restore_to(place, order)))
    assert ran.verdict == "missing" and not Path(order.folder).exists(), ran


# -- what is judged without a server ----------------------------------------------------------------------------------------------------


def test_a_moment_outside_of_the_window_is_refused_in_words() -> None:
    window = Window(earliest=1_795_591_000.0, latest=1_795_592_000.0)
    assert refusal(window, Target(1_795_591_500.0)) == ""
    assert "before the window, which begins 2026-11-25 07:16:40.000 UTC" in refusal(
        window, Target(1_795_590_000)
    )
    assert "after the window, which ends 2026-11-25 07:33:20.000 UTC" in refusal(
        window, Target(1_795_593_000)
    )
    assert "no full backup" in refusal(Window(None, 1.0), Target(1.0))
    assert "archived nothing yet" in refusal(Window(1.0, None, server_at=9.0), Target(2.0))
    assert "Nothing was committed since" in refusal(Window(10.0, 5.0, False), Target(11.0))
    assert "no calendar" in refusal(window, Target(1e18))
    assert "does not answer" in refusal(Window(10.0, None), Target(11.0))


def test_what_would_be_lost_is_what_was_committed_since_the_last_archived_commit() -> None:
    told = b"archiver\ton\t%s\t%s\t-1\t%s\t0\t4000\n"
    idle = point_in_time.archiver_of(told % (b"1000.5", b"1000", b"900"), 1.0)
    assert (idle.latest, idle.pending, idle.saved_until(5000.0)) == (900.0, False, 5000.0)
    busy = point_in_time.archiver_of(told % (b"1000.5", b"1000", b"4000"), 1.0)
    assert (busy.latest, busy.pending, busy.saved_until(5000.0)) == (1000.0, True, 1000.0)
    unknown = point_in_time.archiver_of(told % (b"1000.5", b"-1", b"-1"), 1.0)
    assert (unknown.latest, unknown.pending, unknown.saved_until(5000.0)) == (1000.5, None, 1000.5)
    never = point_in_time.archiver_of(b"archiver\toff\t-1\t-1\t-1\t-1\t0\t4000\n", 1.0)
    assert Window(None, 900.0, False).saved_until(5000.0) is None, (
        "without a backup the log alone restores nothing"
    )
    assert Window(950.0, 900.0, True).saved_until(5000.0) is None, "the backup is newer than what is archived"
    assert (never.latest, never.saved_until(5.0)) == (None, None) and "archive_mode is off" in never.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folder": "/"}, "new folder"),
        ({"folder": "restores"}, "new folder"),
        ({"folder": "/srv/../etc"}, "new folder"),
        ({"folder": "/srv/" + "x" * 90}, "new folder"),
        ({"folder": "/srv/a b"}, "new folder"),
        ({"run": "../x"}, "can't be called"),
        ({"role": "-x"}, "can be called"),
        ({"user": "-x"}, "can be named"),
        ({"probe_sql": "\\! id"}, "SQL alone"),
        ({"probe_sql": "SELECT 1", "database": "-x"}, "can't be asked"),
        ({"source": Server(host="-x")}, "can't be reached"),
    ],
)
def test_an_order_that_could_reach_something_else_is_refused(change: dict[str, object], words: str) -> None:
    order = replace(Order("run-1", "/srv/restore", "postgres", Target(1.0)), **change)
    with pytest.raises(ValueError, match=words):
        point_in_time.stages(order, ())


def test_nothing_is_believed_without_having_been_seen() -> None:
    assert point_in_time.judged((), ()).verdict == "failed"
