"""What Borg prints and how runs end, without Borg: any bytes, any code."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Place, StageEnd, Summary, Warned
from guardian_tui.protocol.backups import JobSpec, Progress, RepositorySpec

BORG = adapter("borg")
JOB = JobSpec("web", "web1", "repo", ("/srv",))
SAVED = [Summary(stage="backup", snapshot="guardian~web~files~r1"), Summary(stage="backup", files=3)]
KINDS = ("log_message", "archive_progress", "progress_percent", "question_prompt", "x")


def _spec(location: str = "/repo", **more) -> RepositorySpec:
    return RepositorySpec(
        "repo", "borg", location, "web1", **{"secrets": {"BORG_PASSPHRASE": "secret:b"}, **more}
    )


def _place() -> Place:
    return Place(_spec(), BORG.capabilities(0, "borg 1.2.4"))


def _log(words: str, level: str = "ERROR", name: str = "borg.archiver") -> bytes:
    return json.dumps({"type": "log_message", "message": words, "levelname": level, "name": name}).encode()


_LINES = st.one_of(
    st.binary(max_size=80),
    st.dictionaries(
        st.sampled_from(("message", "levelname", "name", "path", "info", "total", "current", "msgid", "finished")),
        st.one_of(st.text(max_size=20), st.sampled_from(("\ud800", "\x1b[31m")), st.integers(), st.none(), st.lists(st.text(max_size=5), max_size=2), st.booleans()),
    ).flatmap(lambda d: st.sampled_from(KINDS).map(lambda kind: json.dumps({**d, "type": kind}).encode())),
    st.sampled_from((b'            "nfiles": ', b'        "name": "', b"{", b"[")).flatmap(
        lambda start: st.binary(max_size=30).map(start.__add__)
    ),
)  # fmt: skip


@given(
    _LINES, st.sampled_from(("backup", "restore", "check", "retain", "list", "unlock")),
    st.sampled_from(("backup", "look", "dump: x")), st.sampled_from(("out", "err")),
)  # fmt: skip
def test_no_line_breaks_the_reader_nor_brings_an_escape_to_the_screen(line, operation, stage, stream):
    event = BORG.parse(operation, stage, line, stream)
    if isinstance(event, Summary | Warned):
        event.words.encode()
        assert "\x1b" not in event.words
    elif isinstance(event, Progress):
        event.current.encode()


@given(st.binary(max_size=200))
def test_lists_are_read_or_refused(out):
    for read in (lambda: BORG.snapshots(_place(), out), lambda: BORG.entries(out), lambda: BORG.doomed(out)):
        with contextlib.suppress(ValueError):
            read()


@given(st.integers(0, 255), st.integers(0, 255), st.text(max_size=100), st.booleans())
def test_no_exit_code_but_nothing_wrong_is_ok(code, source, tail, evidence):
    ends = [StageEnd("backup", code, source, tail)]
    judged = BORG.verdict("backup", JOB, ends, SAVED if evidence else [])
    assert (judged.verdict == "ok") == (evidence and (code, source) == (0, 0))
    assert judged.words


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(13, "missing"), (52, "auth"), (73, "locked"), (20, "no_space"), (80, "network"), (130, "cancelled"),
     (143, "cancelled"), (2, "failed"), (90, "failed"), (31, "failed"), (99, "failed"), (255, "failed")],
)  # fmt: skip
def test_codes_of_newer_versions_tell_the_kind_without_words(code, verdict):
    for operation in ("backup", "list", "restore", "check"):
        assert BORG.verdict(operation, JOB, [StageEnd(operation, code)], SAVED).verdict == verdict


def test_warnings_without_words_are_no_success():
    judged = BORG.verdict("backup", JOB, [StageEnd("backup", 105)], SAVED)
    assert judged.verdict == "partial"
    judged = BORG.verdict(
        "backup", JOB, [StageEnd("backup", 107)], [SAVED[0], Summary(stage="backup", files=0)]
    )
    assert judged.verdict == "failed"


def test_a_job_whose_part_never_ran_is_no_success():
    assert BORG.verdict("backup", JOB, [StageEnd("dump: x", 0)], []).verdict == "failed"
    assert BORG.verdict("backup", JOB, [], []).verdict == "failed"
    assert BORG.verdict("check", None, [StageEnd("check", 0)], []).verdict == "failed"


def test_files_that_changed_while_they_were_read_are_named_as_such():
    warning = BORG.parse(
        "backup", "backup", _log("/srv/db: file changed while we backed it up", "WARNING"), "err"
    )
    judged = BORG.verdict("backup", JOB, [StageEnd("backup", 100)], [*SAVED, warning])
    assert judged.verdict == "partial"
    assert "may not be whole: /srv/db" in judged.words and "dumps" in judged.advice


def test_a_stale_lock_that_was_removed_takes_nothing_from_a_backup():
    line = _log("Killed stale lock host@1.2-0.", "WARNING", "borg.locking")
    assert BORG.parse("backup", "backup", line, "err") is None


def test_of_a_traceback_the_end_is_told():
    trace = "Traceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on device\n\nPlatform: Linux"
    event = BORG.parse("backup", "backup", _log(trace), "err")
    assert event.words == "OSError: [Errno 28] No space left on device"
    assert BORG.verdict("backup", JOB, [StageEnd("backup", 2)], [event]).verdict == "no_space"


def test_ten_thousand_archives_are_listed_oldest_first_in_utc():
    at = datetime(2026, 11, 25, 7, 45, 17, tzinfo=UTC)
    names = [f"guardian~web~files~r{n}~20261125T074517Z" for n in range(10_000)]
    archives = [
        {
            "archive": name,
            "barchive": name,
            "id": f"{n:064x}",
            "name": name,
            "start": f"2026-11-25T07:45:17.{n:06}",
        }
        for n, name in enumerate(names)
    ]
    archives.append({"name": "made by hand", "start": "2026-11-25T06:45:17.000000-01:00"})
    archives.append({"name": "guardian~four~parts~only", "start": "2026-11-25T07:45:17"})
    found = BORG.snapshots(
        _place(), json.dumps({"archives": archives[::-1], "repository": {}}, indent=4).encode()
    )
    assert len(found) == 10_002
    assert [one.id for one in found if one.job] == names
    assert {one.at for one in found if not one.job} == {at.timestamp()}
    assert found[-1].at == pytest.approx(at.timestamp() + 0.009999)


def test_bytes_that_are_no_utf8_are_kept_where_borg_tells_them():
    lone = b'{"path": "srv/a\\udcff", "mode": "-rwsr-x--t", "type": "-", "size": 7, "isomtime": "2026-11-25T07:45:12.5"}'
    coded = b'{"path": "srv/a?", "path_b64": "c3J2L2H/", "mode": "prw-r--r--", "type": "p"}'
    hard = b'{"path": "srv/b", "mode": "hrw-r--r--", "type": "-"}'
    first, second, third = BORG.entries(b"\n".join((lone, coded, hard, b"")))
    assert first.path == second.path == "/srv/a\udcff"
    assert (first.mode, first.kind, first.size) == (0o5751, "file", 7)
    assert (second.kind, third.kind) == ("other", "file")
    with pytest.raises(ValueError, match="path"):
        BORG.entries(b'{"path": "a", "path_b64": "???"}')


def test_no_argument_of_create_is_taken_for_what_it_says():
    for line in (
        b'            "        \\"name\\": \\"x\\"",',
        b'            "\\"nfiles\\": 9"',
        b'        "id": "ab"',
    ):
        assert BORG.parse("backup", "backup", line, "out") is None


@pytest.mark.parametrize(
    ("location", "said"),
    [("ssh://me:pw@host/repo", "password"), ("me:pw@host:/repo", "password"), ("repo", "whole path"), ("/a::b", "whole path"),
     ("-x", "whole path"), ("ssh://-oProxyCommand=x/repo", "whole path"), ("/backup/{now}", "braces"),
     ("/repo", ""), ("ssh://me@host:22/./repo", ""), ("me@host:/repo", ""), ("host:repo", ""), ("-oX=y:/repo", "whole path"),
     ("/me:pw@x/repo", "")],
)  # fmt: skip
def test_locations_are_refused_with_what_to_write_instead(location, said):
    told = BORG.problem(_spec(location))
    assert said in told
    assert bool(told) == bool(said)


def test_secrets_and_options_are_refused_that_borg_does_not_have():
    assert "BORG_PASSPHRASE" in BORG.problem(_spec(secrets={}))
    assert BORG.problem(_spec(secrets={}, options={"encryption": "none"})) == ""
    assert BORG.problem(_spec(secrets={}, options={"passcommand": "cat /root/pass"})) == ""
    assert "X" in BORG.problem(_spec(secrets={"X": "secret:x"}))
    assert "no option" in BORG.problem(_spec(options={"config": "x"}))
    assert "number" in BORG.problem(_spec(options={"sample-seconds": "-1"}))
    assert "yes or no" in BORG.problem(_spec(options={"relocated": "maybe"}))


def test_versions_that_have_other_commands_are_refused():
    assert BORG.capabilities(0, "borg 1.4.1").version == (1, 4, 1)
    for code, said in ((0, "borg 1.1.17"), (0, "borg 2.0.0b10"), (0, "bash: what"), (127, ""), (None, "")):
        able = BORG.capabilities(code, said)
        assert able.version == () and "Install" in able.words


def test_there_is_no_copying():
    assert BORG.copy(_place(), _place(), ["x"]) == ()
    with pytest.raises(ValueError, match="second job"):
        BORG.copy_secrets(_spec(), _spec())


def test_no_secret_stands_in_a_command_and_no_question_is_left_open():
    stages = [
        *BORG.init(_place()),
        *BORG.backup(_place(), JOB, "r1"),
        *BORG.list(_place()),
        *BORG.unlock(_place()),
    ]
    for stage in stages:
        assert stage.env["TZ"] == "UTC" and stage.env["BORG_EXIT_CODES"] == "modern"
        assert stage.env["BORG_RELOCATED_REPO_ACCESS_IS_OK"] == "no"
        assert stage.env["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] == "no"
        assert "BatchMode=yes" in stage.env["BORG_RSH"]
        assert "BORG_PASSPHRASE" not in stage.env


def test_a_shells_own_words_around_a_dry_run_hide_nothing():
    name = "guardian~web~files~r1~20261125T074517Z"
    words = f"Would prune:                             {name}   Wed, 2026-11-25 07:45:17 [{'a' * 64}]"
    out = b"bash: warning: setlocale: LC_ALL\n" + _log(words, "INFO", "borg.output.list") + b"\n"
    assert list(BORG.doomed(out)) == [name]
    with pytest.raises(ValueError, match="list"):
        BORG.doomed(out + b"{cut")
