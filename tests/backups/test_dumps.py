"""A folder of dumps, filled from real databases: only what was read through counts, and what is wrong is told in its own words."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.engine.backups.engines.base import Capabilities, Place, RestoreOrder, StageEnd
from guardian_tui.engine.backups.engines.dumps import Dumps
from guardian_tui.protocol.backups import Dump, JobSpec, RepositorySpec, Retention
from tests.support.disks import small_disk
from tests.support.postgres import Cluster, cluster
from tests.support.stages import Ran, Runner

ADAPTER = Dumps()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(ADAPTER, tmp_path)


@pytest.fixture
def place(runner: Runner, tmp_path: Path) -> Place:
    made = runner.place(tmp_path / "repository")
    assert runner.run("init", ADAPTER.init(made)).verdict == "ok"
    return made


def book(tmp_path: Path, name: str = "book.db", rows: int = 200) -> Dump:
    with sqlite3.connect(tmp_path / name) as conn:
        conn.execute("CREATE TABLE entries (n INTEGER PRIMARY KEY, words TEXT)")
        conn.executemany("INSERT INTO entries (words) VALUES (?)", [("x" * 400,)] * rows)
    conn.close()
    return Dump("sqlite", str(tmp_path / name))


def job(*dumps: Dump, name: str = "nightly") -> JobSpec:
    return JobSpec(name=name, host="db-1", repository="repo", dumps=dumps)


def backed_up(runner: Runner, place: Place, run: str, *dumps: Dump, **options) -> Ran:
    spec = job(*dumps)
    return runner.run("backup", ADAPTER.backup(place, spec, run), spec, **options)


def listed(runner: Runner, place: Place) -> list:
    ran = runner.run("list", ADAPTER.list(place))
    assert ran.verdict == "ok", ran
    return list(ADAPTER.snapshots(place, ran.told))


def folder(place: Place) -> Path:
    return Path(place.spec.location)


def test_a_run_is_a_snapshot_of_its_dumps_and_comes_back_byte_for_byte(
    runner: Runner, place: Place, tmp_path: Path, postgres: Cluster
) -> None:
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    shop = Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(postgres.folder), "role": "tester"})
    sqlite = book(tmp_path)
    before = time.time()
    ran = backed_up(runner, place, "run-1", shop, sqlite)
    assert ran.words.strip() == "2 dumps kept and verified.", ran
    total = next(one for one in ran.summaries if one.snapshot)
    assert (total.snapshot, total.files) == ("run-1", 2)

    (snapshot,) = listed(runner, place)
    names = {f"/{dump_name(shop)}", f"/{dump_name(sqlite)}"}
    assert (snapshot.id, snapshot.job, snapshot.good, set(snapshot.paths)) == (
        "run-1",
        "nightly",
        True,
        names,
    )
    assert before - 1 <= snapshot.at <= time.time() and snapshot.bytes == total.bytes

    entries = ADAPTER.entries(runner.run("files", ADAPTER.files(place, "run-1", "")).told)
    assert {entry.path for entry in entries} == names
    assert sum(entry.size for entry in entries) == total.bytes
    assert ADAPTER.entries(runner.run("files", ADAPTER.files(place, "run-1", "/no/such")).told) == []

    target = tmp_path / "back"
    wanted = dump_name(sqlite)
    ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder("run-1", (f"/{wanted}",), str(target))))
    assert ran.words.strip() == "1 dump restored, hashes verified."
    assert [path.name for path in target.iterdir()] == [wanted]
    with sqlite3.connect(target / wanted) as copy:
        assert copy.execute("SELECT count(*) FROM entries").fetchone() == (200,)
    copy.close()
    assert (
        runner.run("restore", ADAPTER.restore(place, RestoreOrder("run-1", (), str(target)))).verdict == "ok"
    )
    assert {f"/{path.name}" for path in target.iterdir()} == names
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o600}
    # a person gets on without us
    subprocess.run("sha256sum --quiet -c *.sha256", shell=True, cwd=folder(place), check=True)


def test_one_database_that_fails_costs_the_others_nothing_and_is_no_success(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "junk.db").write_bytes(os.urandom(9000))
    ran = backed_up(runner, place, "run-1", Dump("sqlite", str(tmp_path / "junk.db")), book(tmp_path))
    assert ran.verdict == "partial"
    assert "1 of 2 dumps kept" in ran.words and "not a database" in ran.words
    (snapshot,) = listed(runner, place)
    assert not snapshot.good and snapshot.why == "1 of its dumps failed"
    ran = backed_up(runner, place, "run-2", Dump("sqlite", str(tmp_path / "absent.db")))
    assert ran.verdict == "failed" and "no database file" in ran.words
    assert [one.id for one in listed(runner, place)] == ["run-1"]
    assert not list(folder(place).glob("*run-2*"))


def test_a_server_that_dies_in_the_middle_leaves_no_dump(runner: Runner, place: Place) -> None:
    with cluster() as own:
        url = own.database()
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
        shop = Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(own.folder), "role": "tester"})
        holder = psycopg.connect(url)
        holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")

        def crash() -> None:
            with psycopg.connect(url, autocommit=True) as conn:
                for _ in range(600):
                    if conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                        break
                    time.sleep(0.05)
            own.crash()

        thread = threading.Thread(target=crash)
        thread.start()
        ran = backed_up(runner, place, "run-1", shop)
        thread.join()
        holder.close()
        assert ran.verdict == "failed" and "went away in the middle" in ran.words, ran
        assert list(folder(place).iterdir()) == []
        ran = backed_up(runner, place, "run-2", shop)
        assert ran.verdict == "network" and "server runs" in ran.words, ran


def test_a_dump_that_was_cut_is_not_kept_though_its_program_said_it_went_well(
    runner: Runner, place: Place, tmp_path: Path, postgres: Cluster
) -> None:
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 50000) n")
    (tmp_path / "bin").mkdir()
    liar = tmp_path / "bin" / "pg_dump"
    liar.write_text(f'#!/bin/sh\n{shutil.which("pg_dump")} "$@" | head -c 20000\nexit 0\n')
    liar.chmod(0o755)
    runner.env["PATH"] = f"{liar.parent}:{os.environ['PATH']}"
    shop = Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(postgres.folder), "role": "tester"})
    ran = backed_up(runner, place, "run-1", shop)
    assert ran.verdict == "failed" and "pg_restore: error" in ran.words, ran
    assert list(folder(place).iterdir()) == []


def test_a_full_disk_is_told_as_one_and_leaves_no_part(
    runner: Runner, tmp_path: Path, postgres: Cluster
) -> None:
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE t AS SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 200000)"
        )
    shop = Dump("postgresql", urlsplit(url).path[1:], "", {"socket": str(postgres.folder), "role": "tester"})
    with small_disk(tmp_path / "disk") as disk:
        ran = backed_up(runner, runner.place(disk), "run-1", shop)
        assert ran.verdict == "no_space" and "Make room" in ran.words, ran
        sqlite = book(tmp_path, rows=9000)
        ran = backed_up(runner, runner.place(disk), "run-2", sqlite)
        assert ran.verdict == "no_space", ran
        assert list(disk.iterdir()) == []
        scratch = msgspec.structs.replace(sqlite, options={"scratch": str(disk)})
        assert backed_up(runner, runner.place(disk), "run-3", scratch).verdict == "no_space"


def test_a_folder_that_is_not_there_is_missing_and_never_made_by_a_backup(
    runner: Runner, tmp_path: Path
) -> None:
    place = runner.place(tmp_path / "not-mounted")
    dump = book(tmp_path)
    for ran in (
        backed_up(runner, place, "run-1", dump),
        runner.run("list", ADAPTER.list(place)),
        runner.run("check", ADAPTER.check(place, "all", (1, 1))),
        runner.run("restore", ADAPTER.restore(place, RestoreOrder("run-1", (), str(tmp_path / "t")))),
    ):
        assert ran.verdict == "missing" and "there is no folder" in ran.words, ran
    assert not (tmp_path / "not-mounted").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_who_may_not_read_the_database_or_write_the_folder_is_told_so(
    runner: Runner, place: Place, tmp_path: Path, postgres: Cluster
) -> None:
    shop = Dump("postgresql", "postgres", "nobody", {"socket": str(postgres.folder), "role": "tester"})
    ran = backed_up(runner, place, "run-1", shop)
    assert ran.verdict == "auth" and "peer authentication" in ran.words, ran
    shut = Path("/var/tmp") / f"shut-{os.getpid()}"
    shut.mkdir(mode=0o755)
    try:
        other = Runner(ADAPTER, Path("/var/tmp"), user="mysql")
        ran = other.run("init", ADAPTER.init(other.place(shut)))
        assert ran.verdict == "auth", ran
        assert backed_up(other, other.place(shut), "run-1", Dump("sqlite", "/x.db")).verdict == "auth"
    finally:
        shutil.rmtree(shut)


def test_the_same_run_twice_at_once_is_locked_out(runner: Runner, place: Place, tmp_path: Path) -> None:
    dump = book(tmp_path)
    partial = folder(place) / f"nightly-run-1-{dump_name(dump)}.partial"
    with partial.open("wb") as held:
        held.write(b"half")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = backed_up(runner, place, "run-1", dump)
        assert ran.verdict == "locked" and partial.read_bytes() == b"half"


def test_what_a_killed_run_left_is_taken_away_but_not_what_is_being_written(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    old, held, fresh = (folder(place) / f"{name}.partial" for name in ("old", "held", "fresh"))
    for path in (old, held, fresh):
        path.write_bytes(b"x")
    for path in (old, held):
        os.utime(path, (time.time() - 3600,) * 2)
    with held.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert backed_up(runner, place, "run-1", book(tmp_path)).verdict == "ok"
    assert (old.exists(), held.exists(), fresh.exists()) == (False, True, True)
    assert len(listed(runner, place)) == 1


def test_a_run_that_is_cancelled_leaves_nothing_of_the_dump_it_was_at(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "pg_dump"
    slow.write_text("#!/bin/sh\necho here >&2\nexec sleep 60\n")
    slow.chmod(0o755)
    runner.env["PATH"] = f"{slow.parent}:{os.environ['PATH']}"
    ran = backed_up(
        runner, place, "run-1", Dump("postgresql", "shop"),
        on_line=lambda process, line, stream: os.killpg(process.pid, signal.SIGTERM),
    )  # fmt: skip
    assert ran.verdict == "cancelled"
    assert list(folder(place).iterdir()) == []


def test_a_check_tells_what_is_gone_shortened_changed_or_swapped(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    dump = book(tmp_path)
    for number in range(6):
        assert backed_up(runner, place, f"run-{number}", dump).verdict == "ok"
    check = {
        level: runner.run("check", ADAPTER.check(place, level, (1, 1)))
        for level in ("structure", "sample", "all")
    }
    assert {ran.judgement.words for ran in check.values()} == {"6 dumps in order."}
    gone, short, changed, swapped = (
        folder(place) / f"nightly-run-{n}-{dump_name(dump)}" for n in (0, 1, 2, 3)
    )
    gone.unlink()
    os.truncate(short, 4096)
    data = bytearray(changed.read_bytes())
    data[9000] ^= 1
    changed.write_bytes(data)
    # whoever swaps the file and its hash is found by reading it through
    data[8192:12288] = os.urandom(4096)
    swapped.write_bytes(data)
    beside = Path(f"{swapped}.sha256")
    lines = beside.read_text().splitlines()
    beside.write_text(f"{lines[0]}\n{hashlib.sha256(data).hexdigest()}  {swapped.name}\n")
    for level, errors in (("structure", 2), ("sample", 3), ("all", 4)):
        ran = runner.run("check", ADAPTER.check(place, level, (1, 1)))
        assert ran.verdict == "failed" and len(ran.warnings) == errors, ran
        assert f"{errors} of 6 dumps damaged" in ran.words
    told = "\n".join(ran.warnings)
    assert "it is gone" in told and "it has 4096 bytes" in told and "its hash is another" in told
    assert "can not be read through" in told
    good = {snapshot.id: snapshot.good for snapshot in listed(runner, place)}
    assert [run for run, fine in sorted(good.items()) if not fine] == ["run-0", "run-1"]
    for run in ("run-0", "run-2"):
        ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder(run, (), str(tmp_path / run))))
        assert ran.verdict == "failed", ran
        assert [path for path in (tmp_path / run).iterdir()] == []


def test_each_dump_is_read_once_in_a_round_of_sample_checks(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    dump = book(tmp_path)
    for number in range(5):
        backed_up(runner, place, f"run-{number}", dump)
    read = [runner.run("check", ADAPTER.check(place, "sample", (n, 3))).summary.bytes for n in (1, 2, 3)]
    assert sum(read) == sum(snapshot.bytes for snapshot in listed(runner, place))


def test_what_is_not_in_a_snapshot_is_not_restored_as_nothing(
    runner: Runner, place: Place, tmp_path: Path
) -> None:
    dump = book(tmp_path)
    backed_up(runner, place, "run-1", dump)
    for run, wanted in (
        ("run-1", ("absent.sqlite",)),
        ("run-1", (dump_name(dump), "absent.sqlite")),
        ("run", ()),
    ):
        ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder(run, wanted, str(tmp_path / "t"))))
        assert ran.verdict == "failed" and "of the wanted dumps" in ran.words, ran


def test_runs_are_copied_whole(runner: Runner, place: Place, tmp_path: Path) -> None:
    dumps = (book(tmp_path), book(tmp_path, "other.db"))
    for run in ("run-1", "run-10", "run-2"):
        assert backed_up(runner, place, run, *dumps).verdict == "ok"
    other = runner.place(tmp_path / "second")
    runner.run("init", ADAPTER.init(other))
    ran = runner.run("copy", ADAPTER.copy(place, other, ["run-1"]))
    assert ran.words.strip() == "2 dumps copied, hashes verified.", ran
    (copied,) = listed(runner, other)
    assert (copied.id, copied.good) == ("run-1", True)
    assert copied.at == next(one.at for one in listed(runner, place) if one.id == "run-1")
    assert runner.run("copy", ADAPTER.copy(place, other, ["run-3"])).verdict == "missing"


def made(place: Place, run: str, at: float, *, name: str = "nightly", whole: bool = True) -> None:
    """A run of a dump, as if it had been made then."""
    path = folder(place) / f"{name}-{run}-x.sql"
    path.write_bytes(b"12345" if whole else b"1")
    about = f"# guardian-dump began={int(at)} ended=1 size=5 host=h of=1 job={name} run={run} name=x.sql"
    Path(f"{path}.sha256").write_text(f"{about}\n{'0' * 64}  {path.name}\n")


def retained(runner: Runner, place: Place, keep: Retention) -> set[str]:
    """What a dry run would forget; then it is done, and must be that."""
    before = {one.id for one in listed(runner, place)}
    dry = runner.run("retain", ADAPTER.retain(place, job(), keep, dry=True))
    doomed = set(ADAPTER.doomed(dry.told))
    assert dry.verdict == "ok" and before == {one.id for one in listed(runner, place)}
    ran = runner.run("retain", ADAPTER.retain(place, job(), keep, dry=False))
    assert ran.verdict == "ok" and before - {one.id for one in listed(runner, place)} == doomed, ran
    return doomed


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox"])
def test_of_each_day_week_month_and_year_the_newest_run_is_kept(
    awk: str, runner: Runner, place: Place, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "awk").symlink_to(str(shutil.which(awk)))
    runner.env["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    for days in range(800):
        moment = NOON - timedelta(days=days)
        made(place, f"{moment:%Y-%m-%d}", moment.timestamp())
        if days < 3:
            made(place, f"{moment:%Y-%m-%d}-early", moment.timestamp() - 7200)
    made(place, "other", 0.0, name="other-job")
    retained(runner, place, Retention(last=1, daily=4, weekly=3, monthly=4, yearly=3))
    kept = sorted(one.id for one in listed(runner, place))
    # Sundays end the weeks of 2026-02-16 and 2026-02-09; the last days of months and years
    days = [
        "2024-12-31",
        "2025-12-31",
        "2026-01-31",
        "2026-02-15",
        "2026-02-22",
        "2026-02-26",
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]
    assert kept == [*days, "other"]
    assert retained(runner, place, Retention()) == set()


def test_runs_that_are_not_whole_push_no_whole_one_out(runner: Runner, place: Place) -> None:
    hours = {"a": 100, "b": 99, "c": 98, "d": 50, "e": 49, "f": 3, "g": 2, "h": 1}
    for run, ago in hours.items():
        made(place, run, NOON.timestamp() - ago * 3600, whole=run not in "bcegh")
    # g and h are newer than the newest whole run; c's day has a whole one, a
    assert retained(runner, place, Retention(daily=9)) == {"b", "c", "e"}


@given(st.lists(st.integers(0, 4 * 10**9), max_size=12), st.tuples(*[st.integers(0, 3)] * 6))
@settings(max_examples=25)
def test_the_newest_run_is_never_forgotten_and_no_more_than_the_policy_is_kept(
    times: list[int], counts: tuple[int, ...]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        place = Place(RepositorySpec("repo", "dumps", home, "h"), Capabilities((1,)))
        for number, at in enumerate(times):
            made(place, f"r{number}", at)
        keep = Retention(*counts)
        stage = ADAPTER.retain(place, job(), keep, dry=True)[0]
        out = subprocess.run(stage.argv, capture_output=True, check=True).stdout
        doomed = set(ADAPTER.doomed(out))
    left = len(times) - len(doomed)
    if not any(counts):
        assert not doomed
    elif times:
        assert min(len(times), 1, sum(counts)) <= left <= sum(counts)
        assert f"r{max(range(len(times)), key=lambda n: (times[n], f'r{n}'))}" not in doomed


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (JobSpec("j", "h", "r"), "no database"),
        (JobSpec("j", "h", "r", sources=("/etc",), dumps=(Dump("mysql", "shop"),)), "keeps no files"),
        (JobSpec("j", "h", "r", dumps=(Dump("mysql", "shop"),) * 2), "twice"),
        (JobSpec("j" * 60, "h", "r", dumps=(Dump("mysql", "x" * 59 + "-", "", {"host": "h"}),)), None),
        (JobSpec("j", "h", "r", dumps=(Dump("mysql", "shop", "", {"file": "x"}),)), "no option"),
    ],
)
def test_a_job_that_a_folder_of_dumps_cannot_keep_is_refused_in_words(
    spec: JobSpec, words: str | None, place: Place
) -> None:
    if words is None:
        assert len(ADAPTER.backup(place, spec, "r" * 26)) == 3
        return
    with pytest.raises(ValueError, match=words):
        ADAPTER.backup(place, spec, "run-1")


def test_names_that_could_lead_out_of_the_folder_are_refused(place: Place) -> None:
    orders = (
        lambda bad: ADAPTER.files(place, bad, ""),
        lambda bad: ADAPTER.copy(place, place, [bad]),
        lambda bad: ADAPTER.backup(place, job(Dump("mysql", "shop")), bad),
        lambda bad: ADAPTER.restore(place, RestoreOrder("run", (bad,), "/srv/x")),
        lambda bad: ADAPTER.restore(place, RestoreOrder(bad, (), "/srv/x")),
    )
    for bad in ("", "..", "a/b", "-rf", "a b", "*", "a\n"):
        for order in orders:
            with pytest.raises(ValueError):
                order(bad)
    for target in ("/", "", "relative"):
        with pytest.raises(ValueError, match="whole path"):
            ADAPTER.restore(place, RestoreOrder("run", (), target))


def test_a_host_without_the_tools_says_which(tmp_path: Path) -> None:
    for name in ("sh", "awk", "find"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(ADAPTER.probe(), env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    able = ADAPTER.capabilities(done.returncode, done.stdout)
    assert able.version == () and "sha256sum" in able.words and "find" not in able.words
    assert ADAPTER.capabilities(None, "").version == ()


PLACE = Place(RepositorySpec("repo", "dumps", "/srv/dumps", "db-1"), Capabilities((1,)))

noise = st.binary(max_size=400) | st.lists(
    st.sampled_from(
        [b"dumps 1 run", b"size 12 ./a-r-n", b"./a-r-n.sha256:# guardian-dump began=1 size=12 of=1 job=a run=r name=n host=h",
         b"./x.sha256:# guardian-dump began= size=9 of=x", b"end", b"size 9 ./\xff", b"kept n 12", b"run r 1 2", b"total 1 2 3", b"bad x y", b"kept \xb2 \xb2"]
    )
).map(b"\n".join)  # fmt: skip


@given(noise)
def test_whatever_a_host_says_is_read_or_refused_as_a_value(out: bytes) -> None:
    for read in (lambda: ADAPTER.snapshots(PLACE, out), lambda: ADAPTER.entries(out)):
        with suppress(ValueError):
            read()
    for line in out.split(b"\n"):
        for stream in ("out", "err"):
            ADAPTER.parse("backup", "dump: x", line, stream)
            ADAPTER.parse("check", "check", line, stream)
    ADAPTER.capabilities(0, out.decode("utf-8", "replace"))
    tail = out.decode("utf-8", "replace")
    for operation in ("backup", "check", "restore", "list"):
        ends = [StageEnd("dump: x", out[0] if out else 0, 0, tail)]
        assert ADAPTER.verdict(operation, job(Dump("mysql", "x")), ends, ()).words
