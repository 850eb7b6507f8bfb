"""What restic's adapter makes of output: recorded from three versions, made up by hand, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import (
    Capabilities,
    Event,
    Place,
    Stage,
    StageEnd,
    Summary,
    Warned,
)
from guardian_tui.engine.backups.sites import cannot
from guardian_tui.engine.remote.connection import Completed
from guardian_tui.protocol.backups import Dump, JobSpec, Operation, Progress, RepositorySpec, Retention

RESTIC = adapter("restic")
RECORDED = sorted((Path(__file__).parent / "recorded").glob("restic-*.json"))
CASES = [(file.stem, name, case) for file in RECORDED for name, case in json.loads(file.read_text()).items()]
EXPECTED = {
    "unreadable file": ("partial", "/srv/data/secret"),
    "whole": ("ok", "3 files in snapshot"),
    "one source missing": ("partial", "/srv/none does not exist"),
    "all sources missing": ("failed", "do not exist"),
    "restored": ("ok", "Restored"),
    "nothing restored": ("failed", "no such path"),
    "checked": ("ok", "no errors were found"),
    "locked": ("locked", "already locked by PID"),
    "unlock of a live lock": ("ok", "1 that may be in use were left"),
    "unlock of a stale lock": ("ok", "removed"),
    "no repository": ("missing", "/nowhere/repo"),
    "list": ("ok", ""),
    "wrong password": ("auth", "wrong password"),
    "dump broken off": ("failed", "lost the server"),
    "damaged, structure only": ("ok", "structure"),
    "damaged, all read": ("failed", "damaged"),
    "restored from damage": (("failed", "partial"), "/srv/data/big"),
    "full disk": ("no_space", "no space left on device"),
}
TAIL = 20


def _replay(case: dict) -> tuple[list[StageEnd], list[Event]]:
    ends, events = [], []
    for stage in case["stages"]:
        for stream in ("out", "err"):
            for line in stage[stream].splitlines():
                event = RESTIC.parse(case["operation"], stage["name"], line.encode(), stream)
                events += [event] if event is not None else []
        tail = "\n".join(stage["err"].splitlines()[-TAIL:])
        ends.append(StageEnd(stage["name"], stage["exit_code"], stage["source_code"], tail))
    return ends, [event for event in events if not isinstance(event, Progress)]


@pytest.mark.parametrize(("version", "name", "case"), CASES, ids=[f"{v}: {n}" for v, n, _ in CASES])
def test_recorded_runs_are_judged_by_what_happened(version: str, name: str, case: dict):
    verdict, said = EXPECTED[name]
    ends, events = _replay(case)
    judgement = RESTIC.verdict(case["operation"], None, ends, events)
    assert judgement.verdict in verdict if isinstance(verdict, tuple) else judgement.verdict == verdict
    assert said in f"{judgement.words} {judgement.advice}"
    assert judgement.verdict == "ok" or judgement.advice or judgement.words


def test_each_version_was_recorded_in_each_case():
    assert {version for version, _, _ in CASES} == {"restic-0.14.0", "restic-0.18.0", "restic-0.19.1"}
    assert len(CASES) == 3 * len(EXPECTED)


@pytest.mark.parametrize("operation", ["backup", "restore", "check", "copy"])
def test_an_exit_code_of_zero_alone_proves_nothing(operation: Operation):
    ran = [StageEnd("backup" if operation == "backup" else operation, 0)]
    assert RESTIC.verdict(operation, None, ran, []).verdict == "failed"
    assert RESTIC.verdict(operation, None, [], []).verdict == "failed"


def test_a_part_of_a_job_that_was_not_run_is_missed():
    job = JobSpec(
        name="web",
        host="",
        repository="r",
        sources=("/srv",),
        dumps=(Dump(kind="postgresql", database="shop"),),
    )
    saved = Summary("1234abcd", 1, 10, stage="backup")
    judgement = RESTIC.verdict("backup", job, [StageEnd("backup", 0)], [saved])
    assert judgement.verdict == "failed"
    assert "dump: postgresql-shop.dump" in judgement.words
    empty = JobSpec(name="web", host="", repository="r")
    assert RESTIC.verdict("backup", empty, [StageEnd("before 1", 0)], []).verdict == "failed"


@pytest.mark.parametrize(
    ("code", "tail", "verdict"),
    [
        (10, "", "missing"), (11, "", "locked"), (12, "", "auth"), (130, "", "cancelled"), (143, "", "cancelled"),
        (1, "signal interrupt received, cleaning up", "cancelled"), (1, "", "failed"), (2, "panic: nil", "failed"),
        (99, "something new", "failed"), (126, "", "failed"), (127, "restic: not found", "failed"), (137, "", "failed"),
        (3, "", "partial"),
        (1, "Fatal: unable to open config file: Stat: Access Denied.\nIs there a repository at the following location?", "auth"),
        (1, "Fatal: unable to open config file: Head \"http://h/config\": dial tcp 10.0.0.1:443: connect: connection refused\n"
            "Is there a repository at the following location?\nrest:http://h/", "network"),
        (1, "Fatal: unable to open config file: unexpected HTTP response (401): 401 Unauthorized", "auth"),
        (1, "Fatal: unable to save snapshot: sftp: no space left on device", "no_space"),
        (1, "subprocess ssh: Host key verification failed.\nFatal: unable to start the sftp session, error: EOF", "auth"),
        (1, "subprocess ssh: ssh: Could not resolve hostname h: Name or service not known\nFatal: unable to open", "network"),
    ],
)  # fmt: skip
def test_codes_and_words_of_trouble(code: int, tail: str, verdict: str):
    saved = [Summary("1234abcd", 3, 10, stage="backup")]
    judgement = RESTIC.verdict("backup", None, [StageEnd("backup", code, 0, tail)], saved)
    assert judgement.verdict == verdict, judgement
    assert judgement.advice or verdict == "failed"


def test_a_short_command_that_fails_says_what_a_run_would_say_and_what_to_do():
    spec = RepositorySpec(name="vault", engine="restic", location="/srv/vault", host="here")
    said = b"unable to create lock in backend: repository is already locked by PID 7 on web by root"
    error = cannot(spec, "retain", Stage("forget", ("restic",)), Completed(1, b"", said))
    assert error.title == "The repository can't be used now"
    assert error.detail.startswith("vault: The repository is locked. restic says: unable to create lock")
    assert error.detail.endswith("unlock the repository: only stale locks are removed.")
    cut = cannot(spec, "files", Stage("files", ("restic",)), Completed(None, b"", b""))
    assert cut.detail.startswith("vault: ")


def test_a_locked_check_that_counts_an_error_is_no_damage():
    counted = Summary(errors=1, stage="check of all data")
    judgement = RESTIC.verdict("check", None, [StageEnd("check of all data", 11)], [counted])
    assert judgement.verdict == "locked"
    assert RESTIC.verdict("check", None, [StageEnd("check of all data", 0)], [counted]).verdict == "failed"


def test_a_run_that_ended_all_its_processes_is_cancelled_not_a_broken_dump():
    ends = [StageEnd("dump: x.sql", 0, 143)]
    saved = [Summary("1234abcd", 1, 10, stage="dump: x.sql")]
    assert RESTIC.verdict("backup", None, ends, saved).verdict == "cancelled"


def test_a_dump_whose_restic_died_tells_of_restic():
    ends = [StageEnd("dump: x.sql", 12, 141, "")]
    assert RESTIC.verdict("backup", None, ends, []).verdict == "auth"
    assert RESTIC.verdict("backup", None, [StageEnd("dump: x.sql", 0, 141)], []).verdict == "failed"


def test_a_file_that_many_complain_of_is_named_once_and_names_are_few():
    warned = [Warned(f"/f{number}: permission denied") for number in (1, 1, 2, 3, 4, 5)]
    saved = [Summary("1234abcd", 3, 10, stage="backup"), *warned]
    words = RESTIC.verdict("backup", None, [StageEnd("backup", 3)], saved).words
    assert words.count("/f1:") == 1
    assert "and 2 more" in words and "/f4" not in words


def test_errors_of_the_scan_and_of_nobody_are_told_apart():
    def said(**message: object) -> Event | None:
        return RESTIC.parse(
            "backup", "backup", json.dumps({"message_type": "error", **message}).encode(), "err"
        )

    assert said(during="scan", item="/x", error={"message": "gone"}) is None
    assert said(during="archival", item="/x", error={"Op": "open", "Path": "/x", "Err": 13}) == Warned(
        "/x: open: permission denied"
    )
    assert said(during="archival", item="/x", error={}) == Warned("/x: could not be read")
    assert said(during="archival", item="/x", error="text") == Warned("/x: text")
    assert said(during="archival", item="/x", error=None) == Warned("/x: an error")
    assert said(message="Pack ID does not match") == Warned("Pack ID does not match")


def test_escapes_before_a_line_do_not_hide_it():
    event = RESTIC.parse("backup", "backup", b"\x1b[2K/x does not exist, skipping", "err")
    assert event == Warned("/x does not exist")
    cancelled = RESTIC.parse("backup", "backup", b"\r\x1b[2Ksignal interrupt received, cleaning up \n", "err")
    assert isinstance(cancelled, Summary) and "signal interrupt" in cancelled.words


@pytest.mark.parametrize(
    "line",
    [
        "snapshot c08ea7c8 saved",
        "snapshot c08ea7c8 saved, copied from source snapshot 6cd43c8e",
        "skipping source snapshot 6cd43c8e, was already copied to snapshot c08ea7c8",
    ],
)
def test_each_version_tells_of_a_copy_in_its_own_words(line: str):
    event = RESTIC.parse("copy", "copy", line.encode(), "out")
    assert isinstance(event, Summary) and event.snapshot == "c08ea7c8"
    assert (
        RESTIC.parse(
            "copy", "copy", b"snapshot 6cd43c8e of [/srv] at 2026-11-25 08:11:16 +0000 UTC by root@h", "out"
        )
        is None
    )


def test_progress_tells_files_speed_and_time_where_a_whole_is_known():
    line = (
        b'{"message_type":"status","seconds_elapsed":2,"seconds_remaining":6,"percent_done":0.25,"total_files":4,"files_done":1,'
        b'"total_bytes":400,"bytes_done":100,"current_files":["/srv/a","/srv/b"]}'
    )
    assert RESTIC.parse("backup", "backup", line, "out") == Progress(
        stage="backup", bytes_done=100, bytes_total=400, files_done=1, files_total=4, bytes_per_second=50.0,
        left_seconds=6.0, current="/srv/a",
    )  # fmt: skip
    # of a stream nobody knows the end: restic then guesses at centuries
    line = b'{"message_type":"status","seconds_elapsed":2,"seconds_remaining":611313826273,"total_files":1,"bytes_done":60}'
    progress = RESTIC.parse("backup", "dump: x", line, "out")
    assert isinstance(progress, Progress)
    assert progress.left_seconds is None and progress.bytes_total is None
    counted = RESTIC.parse("check", "check of all data", b"[0:07] 50.00%  3 / 6 packs", "out")
    assert counted == Progress(stage="check of all data: packs", files_done=3, files_total=6)


def _place(**spec: object) -> Place:
    known = {
        "name": "r",
        "engine": "restic",
        "location": "/srv/repo",
        "host": "web1",
        "secrets": {"RESTIC_PASSWORD": "secret:r"},
    }
    return Place(RepositorySpec(**{**known, **spec}), Capabilities((0, 18, 0)))


def test_times_with_nanoseconds_and_offsets_are_utc():
    out = b'noise\n[{"id":"b","time":"2026-11-25T09:10:15.926249113+02:00"},{"id":"a","time":"2026-11-25T07:10:14Z","tags":null}]\n'
    found = RESTIC.snapshots(_place(), out)
    assert [(one.id, one.at) for one in found] == [
        ("a", 1795590614.0),
        ("b", pytest.approx(1795590615.926249)),
    ]


def test_ten_thousand_snapshots_are_read():
    many = [
        {"id": f"{n:064x}", "time": f"2026-01-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.5Z", "hostname": "h",
         "paths": ["/srv"], "tags": ["guardian", "job=web", f"run={n}"], "summary": {"total_files_processed": n}}
        for n in range(10_000)
    ]  # fmt: skip
    found = RESTIC.snapshots(_place(), json.dumps(many[::-1]).replace("[{", "[{", 1).encode())
    assert len(found) == 10_000
    assert [one.files for one in found] == list(range(10_000))


@pytest.mark.parametrize(
    "out", [b"", b"Fatal: no", b"[{]", b'[{"id":1}]', b'[{"id":"a","time":"yesterday"}]', b"\xff"]
)
def test_a_list_that_is_none_is_refused(out: bytes):
    with pytest.raises(ValueError):
        RESTIC.snapshots(_place(), out)
    with pytest.raises(ValueError):
        RESTIC.entries(out + b"{")


@pytest.mark.parametrize("out", [b"[]", b"null\n", b"repo already locked, waiting\n[]\n"])
def test_an_empty_list_is_one(out: bytes):
    assert RESTIC.snapshots(_place(), out) == ()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ""),
        ({"location": "sftp:user@host:/repo"}, ""),
        ({"location": "rest:https://host:8000/"}, ""),
        ({"secrets": {}, "options": {"password-file": "/etc/restic/password"}}, ""),
        ({"options": {"sftp.command": "ssh host -s sftp", "compression": "max"}}, ""),
        ({"location": "rest:https://user:pass@host/"}, "RESTIC_REST_PASSWORD"),
        ({"location": "rest:https://user:p@ss@host/"}, "RESTIC_REST_PASSWORD"),
        ({"location": "relative/repo"}, "whole path"),
        ({"location": "--help"}, "whole path"),
        ({"location": "sftp:"}, "whole path"),
        ({"secrets": {}}, "RESTIC_PASSWORD"),
        ({"secrets": {"RESTIC_PASSWORD": "secret:r", "LD_PRELOAD": "secret:x"}}, "LD_PRELOAD"),
        ({"options": {"insecure-tls": "1"}}, "insecure-tls"),
    ],
)
def test_repositories_that_can_not_be_used_so_are_refused_in_words(spec: dict, said: str):
    problem = RESTIC.problem(_place(**spec).spec)
    assert said in problem
    assert bool(problem) == bool(said)
    assert "pass@" not in problem and "p@ss" not in problem


@pytest.mark.parametrize(
    ("code", "out", "version", "said"),
    [
        (0, "restic 0.14.0 compiled with go1.19.8 on linux/amd64\n", (0, 14, 0), "0.14.0"),
        (0, "restic 0.18.1-dev (compiled manually)", (0, 18, 1), ""),
        (0, "restic 0.12.1 compiled", (), "too old"),
        (0, "\x1b]0;x\x07hello", (), "It said: ␛]0;x␇hello"),
        (127, "", (), "not installed"),
        (None, "restic 0.18.0", (), "not installed"),
    ],
)
def test_what_is_installed_is_told(code: int | None, out: str, version: tuple[int, ...], said: str):
    able = RESTIC.capabilities(code, out)
    assert able.version == version
    assert said in able.words


def test_secrets_of_a_copy_are_told_apart_or_refused():
    cloud = {"RESTIC_PASSWORD": "secret:c", "AWS_ACCESS_KEY_ID": "secret:k"}
    one, other = _place().spec, _place(secrets=cloud, location="s3:h/b").spec
    assert RESTIC.copy_secrets(one, other) == {"RESTIC_FROM_PASSWORD": "secret:r", **cloud}
    assert RESTIC.copy_secrets(other, other)["AWS_ACCESS_KEY_ID"] == "secret:k"
    third = _place(secrets={**cloud, "AWS_ACCESS_KEY_ID": "secret:z"}).spec
    with pytest.raises(ValueError, match="AWS_ACCESS_KEY_ID"):
        RESTIC.copy_secrets(other, third)
    with pytest.raises(ValueError, match=r"sftp\.command"):
        RESTIC.copy_secrets(
            _place(options={"sftp.command": "a"}).spec, _place(options={"sftp.command": "b"}).spec
        )
    hidden = _place(secrets={"RESTIC_REPOSITORY": "secret:l", "RESTIC_PASSWORD": "secret:p"}).spec
    assert RESTIC.copy_secrets(hidden, one)["RESTIC_FROM_REPOSITORY"] == "secret:l"


def test_commands_hold_no_shell_no_secret_and_never_remove_live_locks():
    job = JobSpec(
        name="web", host="web1", repository="r", sources=("/srv",), keep=Retention(daily=7), upload_kib=512
    )
    place = _place()
    stages = [
        *RESTIC.init(place), *RESTIC.backup(place, job, "r1"), *RESTIC.list(place), *RESTIC.check(place, "sample", (2, 7)),
        *RESTIC.retain(place, job, job.keep, dry=False), *RESTIC.unlock(place), *RESTIC.copy(place, place, ["aa"]),
    ]  # fmt: skip
    for stage in stages:
        assert stage.argv[0] == "restic"
        assert "--remove-all" not in stage.argv
        assert not any("secret" in word for word in [*stage.argv, *stage.env.values()])
    backup = RESTIC.backup(place, job, "r1")[0].argv
    assert "--limit-upload=512" in backup
    assert backup[-2:] == ("--", "/srv")
    with pytest.raises(ValueError):
        RESTIC.check(place, "sample", (8, 7))


_OPERATIONS = st.sampled_from(
    ["init", "backup", "list", "files", "check", "restore", "retain", "copy", "unlock", "drill"]
)
_LINES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda kind, more: msgspec.json.encode({"message_type": kind, **more}),
        st.sampled_from(["status", "summary", "error", "exit_error", "initialized", "x"]),
        st.dictionaries(
            st.sampled_from(["error", "item", "code", "message", "num_errors", "total_files", "bytes_done", "seconds_elapsed",
                             "broken_packs", "current_files", "snapshot_id", "during", "data_added"]),
            st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
                         lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Op", "Err", "message"]), inner, max_size=2), max_leaves=4),
            max_size=5,
        ),
    ),
    st.builds(
        bytes.__add__,
        st.sampled_from([b"[{", b"[0:01] 1.00%  1 / ", b"Fatal: ", b"snapshot ", b"ignoring error for ", b'Ignoring "', b"{", b"\x1b[2K"]),
        st.binary(max_size=60),
    ),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(_OPERATIONS, _LINES, st.sampled_from(["out", "err"]))
def test_no_bytes_break_the_reader_and_what_it_says_is_harmless(operation, line, stream):
    event = RESTIC.parse(operation, "locks", line, stream)
    if isinstance(event, Warned | Summary):
        assert all(char.isprintable() or char == "\n" for char in event.words)
        msgspec.json.encode(event.words)
    RESTIC.verdict(operation, None, [StageEnd("x", 1, 0, line.decode("utf-8", "backslashreplace"))], [])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_lists_are_read_or_refused(out: bytes):
    for read in (lambda data: RESTIC.snapshots(_place(), data), RESTIC.entries, RESTIC.doomed):
        for data in (out, b"[{" + out, b'{"struct_type":"snapshot"}\n{' + out):
            try:
                read(data)
            except ValueError:
                continue
