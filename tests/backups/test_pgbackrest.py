"""pgBackRest with a real cluster: what its exit codes hide is told, and every trouble by its own name."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups import point_in_time, rooms
from guardian_tui.engine.backups.engines.base import Capabilities, Place, RestoreOrder, StageEnd
from guardian_tui.engine.backups.engines.pgbackrest import Pgbackrest, server_of
from guardian_tui.engine.backups.work import Restore, stages_of
from guardian_tui.protocol.backups import Dump, JobSpec, Progress, RepositorySpec, Retention, Snapshot
from guardian_tui.text import counted
from tests.support.disks import small_disk
from tests.support.pgbackrest import Archived, archived
from tests.support.stages import Ran, Runner

ADAPTER = Pgbackrest()
JOB = JobSpec("nightly", "db-1", "repo")


@pytest.fixture(scope="module")
def lab() -> Iterator[Archived]:
    """A cluster whose stanza is made and has one full backup."""
    with archived() as made:
        runner = Runner(ADAPTER, made.folder)
        place = runner.place("main", options=made.options)
        assert runner.run("init", ADAPTER.init(place)).verdict == "ok"
        made.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
        ran = runner.run("backup", ADAPTER.backup(place, JOB, "run-1"), JOB)
        assert ran.verdict == "ok", ran
        yield made


@pytest.fixture
def runner(lab: Archived) -> Runner:
    return Runner(ADAPTER, lab.folder)


@pytest.fixture
def place(lab: Archived, runner: Runner) -> Place:
    return runner.place("main", options=lab.options)


def other(lab: Archived, runner: Runner, name: str, *lines: str, **options: str) -> Place:
    """The stanza by a configuration of its own, in which these lines win."""
    config = lab.folder / f"{name}.conf"
    keys = {line.partition("=")[0] for line in lines}
    kept = [
        line for line in lab.config.read_text().splitlines() if line.partition("=")[0] not in keys or not line
    ]
    head = [line for line in lines if not line.startswith("pg1-")]
    tail = [line for line in lines if line.startswith("pg1-")]
    kept.insert(kept.index("[global]") + 1, "\n".join(head))
    config.write_text("\n".join([*kept, *tail]) + "\n")
    return runner.place("main", options={**lab.options, "config": str(config), **options})


def listed(runner: Runner, place: Place) -> list[Snapshot]:
    ran = runner.run("list", ADAPTER.list(place))
    assert ran.verdict == "ok", ran
    return list(ADAPTER.snapshots(place, ran.told))


def backed_up(runner: Runner, place: Place, run: str = "run-2", **options: object) -> Ran:
    return runner.run("backup", ADAPTER.backup(place, JOB, run), JOB, **options)


def checked(runner: Runner, place: Place, level: str = "structure") -> Ran:
    return runner.run("check", ADAPTER.check(place, level, (1, 1)))


def test_backups_are_snapshots_of_their_job_full_first_and_then_what_changed(
    lab: Archived, runner: Runner, place: Place
) -> None:
    before = time.time()
    ran = backed_up(runner, place)
    assert ran.verdict == "ok", ran
    full, newest = listed(runner, place)[0], listed(runner, place)[-1]
    assert newest.id == next(one for one in ran.summaries if one.words == "label").snapshot
    assert (full.tags, newest.tags) == (("full", "run-1"), ("incr", "run-2"))
    assert (newest.job, newest.good) == ("nightly", True)
    assert int(before) <= newest.at <= time.time()
    told = next(one for one in ran.summaries if one.words == "told")
    assert told.snapshot == newest.id and told.bytes == newest.bytes and newest.bytes
    assert any(isinstance(event, Progress) and "%" in event.stage for event in ran.events)
    databases = ADAPTER.entries(runner.run("files", ADAPTER.files(place, newest.id, "")).told)
    assert [entry.path for entry in databases] == ["/postgres"]


def test_what_a_stanza_takes_is_told_with_its_archive(lab: Archived, runner: Runner, place: Place) -> None:
    ran = runner.run("list", ADAPTER.weigh(place))
    weight = rooms.weight_of(ran.out["size"])
    kept = sum(
        file.stat().st_size
        for part in ("archive", "backup")
        for file in next(lab.folder.rglob(f"{part}/main")).rglob("*")
        if file.is_file() and not file.is_symlink()
    )
    assert weight is not None and 0.9 * kept <= weight <= kept
    assert rooms.weight_of(
        runner.run("list", ADAPTER.weigh(runner.place("none", options=lab.options))).out["size"]
    ) in (0, None)


@pytest.mark.parametrize(
    ("labels", "options", "wanted"),
    [
        ([], {}, "full"),
        (["20200101-000000F"], {}, "full"),
        (["{today}-000000F"], {}, "incr"),
        (
            ["20200101-000000F", "{today}-000000F", "{today}-000000F_{today}-000001I"],
            {"type": "diff"},
            "diff",
        ),
        (["{today}-000000F"], {"type": "full"}, "full"),
        ([], {"full_days": "0"}, "incr"),
    ],
)
def test_a_full_backup_is_made_when_the_newest_is_a_week_old(
    labels: list[str], options: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    told = (
        "["
        + ",".join(f'{{"label":"{label.format(today=time.strftime("%Y%m%d"))}"}}' for label in labels)
        + "]"
    )
    program = tmp_path / "pgbackrest"
    program.write_text(f"#!/bin/sh\ncase $* in *info*) echo '{told}' ;; *) printf '%s\\n' \"$@\" ;; esac\n")
    program.chmod(0o755)
    place = Place(RepositorySpec("repo", "pgbackrest", "main", "h", options=options), Capabilities((2, 45)))
    (backup, _) = ADAPTER.backup(place, JOB, "run-1")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told_argv = subprocess.run(
        backup.argv, env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told_argv[-2:] == [f"--type={wanted}", "backup"]
    assert "--annotation=guardian-job=nightly" in told_argv and "--stanza=main" in told_argv


def test_a_wrong_stanza_is_missing_whatever_is_asked_of_it(lab: Archived, runner: Runner) -> None:
    place = runner.place("nope", options=lab.options)
    for ran in (
        runner.run("list", ADAPTER.list(place)),
        backed_up(runner, place),
        checked(runner, place),
        runner.run("window", ADAPTER.window(place)),
    ):
        assert ran.verdict == "missing" and ran.judgement.advice, ran


def test_a_repository_that_is_not_mounted_is_missing_though_info_ends_well(
    lab: Archived, runner: Runner
) -> None:
    place = other(lab, runner, "unmounted", f"repo1-path={lab.folder}/not-mounted")
    for ran in (runner.run("list", ADAPTER.list(place)), backed_up(runner, place), checked(runner, place)):
        assert ran.verdict == "missing" and "mounted" in ran.words, ran
    restore = RestoreOrder("20200101-000000F", (), f"{lab.folder}/restores/none")
    assert runner.run("restore", ADAPTER.restore(place, restore)).verdict in ("missing", "failed")


def test_a_configuration_that_is_not_there_is_told_as_one(lab: Archived, runner: Runner) -> None:
    place = runner.place("main", options={**lab.options, "config": "/nowhere/pgbackrest.conf"})
    ran = runner.run("list", ADAPTER.list(place))
    assert ran.verdict == "failed" and "option config" in ran.words, ran


@contextmanager
def lock_held(lab: Archived) -> Iterator[None]:
    path = lab.folder / "locks" / "main-backup.lock"
    with path.open("a") as held:
        if lab.user:
            shutil.chown(path, lab.user, lab.user)
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def test_a_stanza_at_work_is_locked_and_free_again_after(lab: Archived, runner: Runner, place: Place) -> None:
    with lock_held(lab):
        assert backed_up(runner, place).verdict == "locked"
        ran = runner.run("retain", ADAPTER.retain(place, JOB, Retention(last=1), dry=True))
        assert ran.verdict == "locked", ran
        assert listed(runner, place)
    assert backed_up(runner, place).verdict == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_user_who_may_not_read_the_repository_is_no_lock_and_no_absence(
    lab: Archived, runner: Runner
) -> None:
    lab.folder.chmod(0o755)
    place = runner.place("main", options={**lab.options, "user": "mysql"})
    for ran in (runner.run("list", ADAPTER.list(place)), backed_up(runner, place)):
        assert ran.verdict == "auth" and "option user" in ran.words, ran


def test_a_wrong_pass_phrase_is_told_as_one(lab: Archived, runner: Runner) -> None:
    repository = lab.own(lab.folder / "sealed")
    lines = (f"repo1-path={repository}", "repo1-cipher-type=aes-256-cbc")
    place = other(lab, runner, "sealed", *lines)
    name = ADAPTER.secrets[0]
    runner.secrets = {name: "right"}
    made = runner.run("init", ADAPTER.init(place)[:1])
    assert made.verdict == "ok", made
    runner.secrets = {name: "wrong"}
    for ran in (runner.run("list", ADAPTER.list(place)), backed_up(runner, place)):
        assert ran.verdict == "auth" and "pass phrase" in ran.words, ran
        assert "wrong" not in f"{ran}"


def test_a_full_disk_is_told_as_one(lab: Archived, runner: Runner) -> None:
    with small_disk(lab.folder / "disk") as disk:
        lines = (f"repo1-path={disk}", "archive-check=n", "job-retry=0")
        place = other(lab, runner, "small", *lines)
        assert runner.run("init", ADAPTER.init(place)[:1]).verdict == "ok"
        ran = backed_up(runner, place)
        assert ran.verdict == "no_space" and "Make room" in ran.words, ran
        ran = runner.run("list", ADAPTER.list(place))
        assert ran.verdict == "ok" and ADAPTER.snapshots(place, ran.told) == []


def test_a_server_that_is_not_there_is_told_as_one(lab: Archived, runner: Runner) -> None:
    place = other(lab, runner, "silent", "pg1-socket-path=/nowhere")
    for ran in (backed_up(runner, place), checked(runner, place)):
        assert ran.verdict == "network" and "PostgreSQL runs" in ran.words, ran


def test_a_log_that_is_not_archived_fails_the_check_and_the_backup(
    lab: Archived, runner: Runner, place: Place
) -> None:
    lab.sql("ALTER SYSTEM SET archive_command = '/bin/false'", "SELECT pg_reload_conf()")
    try:
        for ran in (checked(runner, place), backed_up(runner, place)):
            assert ran.verdict == "failed" and "archive_command" in ran.words, ran
    finally:
        lab.sql("ALTER SYSTEM RESET archive_command", "SELECT pg_reload_conf()")


def test_a_run_that_is_cancelled_says_so_and_the_next_one_goes_on(
    lab: Archived, runner: Runner, place: Place
) -> None:
    def stop(process: subprocess.Popen[bytes], line: bytes, stream: str) -> None:
        if b"backup file" in line:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    full = other(lab, runner, "full", type="full")
    ran = backed_up(runner, full, "run-3", on_line=stop)
    assert ran.verdict == "cancelled", ran
    assert backed_up(runner, place, "run-4").verdict == "ok"


def test_damage_is_found_though_verify_ends_well(lab: Archived, runner: Runner, place: Place) -> None:
    assert checked(runner, place, "all").verdict == "ok"
    full = listed(runner, place)[0].id
    files = (lab.repository / "backup" / "main" / full).rglob("pg_data/base/*/*")
    path = max(files, key=lambda one: one.stat().st_size)
    saved = path.read_bytes()
    path.write_bytes(saved[:300] + b"damage!" + saved[307:])
    try:
        ran = checked(runner, place, "all")
    finally:
        path.write_bytes(saved)
    assert ran.verdict == "failed" and full in ran.words and "Make a full backup now" in ran.words, ran


def test_a_segment_that_is_gone_is_found_and_shortens_the_window(
    lab: Archived, runner: Runner, place: Place
) -> None:
    assert checked(runner, place).verdict == "ok"
    pushed = runner.run("window", [point_in_time.push_on(server_of(place.spec))])
    assert pushed.verdict == "ok", pushed
    whole = ADAPTER.window_of(runner.run("window", ADAPTER.window(place)).told)
    first = next(one for one in listed(runner, place) if one.tags[0] == "full")
    assert whole.earliest is not None and whole.latest is not None and not whole.words
    assert first.at <= whole.earliest <= whole.latest <= time.time()
    segments = sorted((lab.repository / "archive").rglob("*-*.lz4"))
    gone = segments[-2]
    saved = gone.read_bytes()
    gone.unlink()
    try:
        ran = checked(runner, place, "all")
        assert ran.verdict == "partial" and segments[-3].name[:24] in ran.words, ran
        torn = ADAPTER.window_of(runner.run("window", ADAPTER.window(place)).told)
        assert torn.earliest is None and "missing" in torn.words
    finally:
        gone.write_bytes(saved)
        if lab.user:
            shutil.chown(gone, lab.user, lab.user)


def test_what_is_expired_is_what_the_dry_run_showed(lab: Archived, runner: Runner) -> None:
    place = other(lab, runner, "fulls", type="full")
    assert backed_up(runner, place, "run-5").verdict == "ok"
    before = {one.id for one in listed(runner, place)}
    keep = Retention(last=1)
    dry = runner.run("retain", ADAPTER.retain(place, JOB, keep, dry=True))
    doomed = set(ADAPTER.doomed(dry.told))
    assert dry.verdict == "ok" and doomed == before - {max(before)}
    assert {one.id for one in listed(runner, place)} == before
    ran = runner.run("retain", ADAPTER.retain(place, JOB, keep, dry=False))
    assert ran.words.strip() == f"{counted(len(doomed), 'backup')} expired.", ran
    assert {one.id for one in listed(runner, place)} == before - doomed


def test_a_backup_is_restored_into_a_new_folder_and_not_over_a_running_server(
    lab: Archived, runner: Runner, place: Place
) -> None:
    newest = listed(runner, place)[-1].id
    target = lab.own(lab.folder / "restores" / "plain")
    ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder(newest, (), str(target))))
    assert ran.verdict == "ok" and (target / "PG_VERSION").exists(), ran
    ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder(newest, (), str(target))))
    assert ran.verdict == "failed" and "new or empty folder" in ran.words
    ran = runner.run("restore", ADAPTER.restore(place, RestoreOrder(newest, (), f"{lab.folder}/data")))
    assert ran.verdict == "failed" and "Stop the server" in ran.words
    absent = RestoreOrder("20200101-000000F", (), f"{lab.folder}/restores/absent")
    ran = runner.run("restore", ADAPTER.restore(place, absent))
    assert ran.verdict == "failed" and "not valid" in ran.words, ran
    shutil.rmtree(target)


def test_the_folder_of_a_restore_belongs_to_whoever_runs_pgbackrest(
    lab: Archived, runner: Runner, place: Place
) -> None:
    """Made by root, it would be refused to the user whom the repository names: told as a wrong password before."""
    newest = listed(runner, place)[-1].id
    target = lab.folder / "made" / "by-the-run"

    def restored(folder: Path) -> Ran:
        work = Restore(newest, (), str(folder), 1)
        return runner.run("restore", stages_of(work, ADAPTER, place, JOB, "r1"))

    try:
        ran = restored(target)
        assert ran.verdict == "ok" and (target / "PG_VERSION").exists(), ran
        # one that is there and another's is left as it is, and told for what it is
        for mode in (0o755, 0o700):
            theirs = lab.folder / f"theirs-{mode:o}"
            theirs.mkdir(mode=mode)
            if os.getuid():
                continue
            ran = restored(theirs)
            assert ran.verdict == "failed" and "another user's" in ran.words, ran
            assert theirs.stat().st_uid == 0 and not list(theirs.iterdir())
    finally:
        shutil.rmtree(target.parent)


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("-x", {}, "No stanza"),
        ("a/b", {}, "No stanza"),
        ("main", {"pg1-path": "/x"}, "no option"),
        ("main", {"config": "-x"}, "can't be"),
        ("main", {"user": "-x"}, "can't be"),
        ("main", {"type": "weekly"}, "full, diff or incr"),
        ("main", {"full_days": "x"}, "number of days"),
        ("main", {"repo": "x"}, "is a number"),
    ],
)
def test_a_repository_that_cannot_be_used_is_refused_in_words(
    location: str, options: dict[str, str], words: str
) -> None:
    assert words in ADAPTER.problem(RepositorySpec("repo", "pgbackrest", location, "h", options=options))


def test_what_pgbackrest_does_not_do_is_refused_in_words() -> None:
    place = PLACE
    job = msgspec.structs.replace(JOB, sources=("/etc",))
    with pytest.raises(ValueError, match="neither sources nor dumps"):
        ADAPTER.backup(place, job, "run-1")
    with pytest.raises(ValueError, match="neither sources nor dumps"):
        ADAPTER.backup(place, msgspec.structs.replace(JOB, dumps=(Dump("mysql", "x"),)), "run-1")
    with pytest.raises(ValueError, match="can't be called"):
        ADAPTER.backup(place, JOB, "--x")
    with pytest.raises(ValueError, match="counts full backups"):
        ADAPTER.retain(place, JOB, Retention(daily=3), dry=True)
    with pytest.raises(ValueError, match="as a whole"):
        ADAPTER.restore(place, RestoreOrder("20200101-000000F", ("/x",), "/srv/x"))
    for target in ("/", "x", ""):
        with pytest.raises(ValueError, match="whole path"):
            ADAPTER.restore(place, RestoreOrder("20200101-000000F", (), target))
    for label in ("", "latest", "../x", "20200101-000000F\n"):
        with pytest.raises(ValueError, match="can be called"):
            ADAPTER.files(place, label, "")
    assert ADAPTER.problem(place.spec) == "" and not ADAPTER.unlock(place)
    assert ADAPTER.capabilities(127, "").version == () and ADAPTER.capabilities(0, "pgBackRest 2.55.1").version == (2, 55)  # fmt: skip


PLACE = Place(RepositorySpec("repo", "pgbackrest", "main", "h"), Capabilities((2, 45)))

INFO = (
    b'[{"backup":[{"label":"20261125-071727F","timestamp":{"start":1795591047,"stop":1795591049},"type":"full",'
    b'"archive":{"start":"000000010000000000000002","stop":"000000010000000000000003"},"error":true}],"name":"main"}]'
)
pieces = st.sampled_from(
    [INFO, INFO[:-30], INFO.replace(b"1795591047", b"9" * 400), INFO.replace(b"1795591047", b"-1"), b"[" * 5000, b"[]", b"[null]",
     b"archiver\ton\t1.5\t1\t-1\t2.5\t0\t3", b"archiver\ton\t999999999999\t1\t-1\t\xff\t0", b"archiver\ton\t\t\t\t\t", b"gap 000000010000000000000002 000000010000000000000009",
     b"P00   INFO: new backup label = \xff", b"P00   INFO: restore size = 1B, file total = 9", b"P01 DETAIL: backup file x (8KB, 1.00%)",
     b"status: error", b"backup: x, status: invalid", b"WARN: \xff", b"recovered x", b"rows \xc2\xb2", b"gap ", b"P00   INFO: repo1: remove expired backup 20261125-071727F"]
)  # fmt: skip
answers = st.binary(max_size=300) | st.lists(pieces, max_size=5).map(b"\n".join)


@given(answers)
def test_whatever_is_answered_is_read_or_refused_as_a_value(out: bytes) -> None:
    for read in (
        lambda: ADAPTER.snapshots(PLACE, out),
        lambda: ADAPTER.entries(out),
        lambda: ADAPTER.window_of(out),
    ):
        with suppress(ValueError):
            read()
    ADAPTER.doomed(out)
    for stage in ("backup", "told", "gaps", "verify", "restore", "recover", "probe", "expire"):
        for line in out.split(b"\n"):
            ADAPTER.parse("backup", stage, line, "out")
            ADAPTER.parse("backup", stage, line, "err")
    tail = out.decode("utf-8", "replace")
    for name in ("backup", "recover", "verify", "push the log on"):
        judged = ADAPTER.verdict("restore", None, [StageEnd(name, out[0] if out else 0, 0, tail)], ())
        assert judged.words
