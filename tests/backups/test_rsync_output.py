"""What rsync and the scripts around it print, and how runs end, without them: any bytes, any code."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Place, StageEnd, Summary, Warned
from guardian_tui.protocol.backups import JobSpec, Progress, RepositorySpec

RSYNC = adapter("rsync")


@given(
    st.one_of(st.binary(max_size=80), st.sampled_from(("tree ", "total ", "dump ", "bad ", "rsync: ", "Literal data: ")).flatmap(
        lambda start: st.binary(max_size=40).map(start.encode().__add__))),
    st.sampled_from(("backup", "restore", "check", "retain")), st.sampled_from(("backup", "restore", "check")),
    st.sampled_from(("out", "err")),
)  # fmt: skip
def test_no_line_breaks_the_reader_nor_brings_an_escape_to_the_screen(line, operation, stage, stream):
    event = RSYNC.parse(operation, stage, line, stream)
    if isinstance(event, Summary | Warned):
        assert "\x1b" not in event.words
        event.words.encode()


@given(st.binary(max_size=200))
def test_lists_are_read_or_refused(out):
    for read in (
        lambda: RSYNC.snapshots(_place(), out),
        lambda: RSYNC.entries(out),
        lambda: RSYNC.doomed(out),
    ):
        with contextlib.suppress(ValueError):
            read()


def _place() -> Place:
    return Place(
        RepositorySpec("repo", "rsync", "/trees", "web1"),
        RSYNC.capabilities(0, "rsync  version 3.2.7  protocol"),
    )


@given(st.integers(0, 255), st.text(max_size=60), st.booleans())
def test_no_exit_code_but_nothing_wrong_is_ok(code, tail, evidence):
    events = [Summary(stage="backup", snapshot="20260101T000000Z-web-r", files=3)] if evidence else []
    job = JobSpec("web", "web1", "repo", ("/srv",))
    judged = RSYNC.verdict("backup", job, [StageEnd("backup", code, 0, tail)], events)
    assert (judged.verdict == "ok") == (evidence and code == 0)
    assert judged.words


def test_progress_is_read_from_lines_that_overwrite_themselves():
    line = b"\r              2  20%    0.98kB/s    0:00:07 (xfr#1, to-chk=3/6)\r              4  40%    1.95MB/s    0:01:07 (xfr#3, to-chk=0/6)"
    event = RSYNC.parse("backup", "backup", line, "out")
    assert event == Progress(
        stage="backup", bytes_done=4, bytes_total=10, bytes_per_second=1.95e6, left_seconds=67.0
    )


@pytest.mark.parametrize(
    ("location", "said"),
    [("me:pw@host:/x", "password"), ("trees", "whole path"), ("host::module", "whole path"), ("-oX=y:/x", "whole path"),
     ("rsync://host/x", "whole path"), ("/trees", ""), ("me@host:/trees", ""), ("host:/trees", "")],
)  # fmt: skip
def test_locations_are_refused_with_what_to_write_instead(location, said):
    told = RSYNC.problem(RepositorySpec("repo", "rsync", location, "web1"))
    assert said in told and bool(told) == bool(said)


def test_options_secrets_versions_and_runs_are_refused_in_words():
    def told(**more):
        return RSYNC.problem(RepositorySpec("repo", "rsync", "/trees", "web1", **more))

    assert "no secret X" in told(secrets={"X": "secret:x"})
    assert "no option" in told(options={"x": "1"})
    assert "yes or no" in told(options={"hashes": "1"})
    assert "another host" in told(options={"fake-super": "yes"})
    assert RSYNC.capabilities(0, "rsync  version 3.0.9  protocol").version == ()
    assert RSYNC.capabilities(127, "").version == ()
    with pytest.raises(ValueError, match="run"):
        RSYNC.backup(_place(), JobSpec("web", "h", "r", ("/srv",)), "a-b")
    with pytest.raises(ValueError, match="nothing"):
        RSYNC.backup(_place(), JobSpec("web", "h", "r"), "r")
    assert RSYNC.copy(_place(), _place(), ["x"]) == ()
    with pytest.raises(ValueError, match="second job"):
        RSYNC.copy_secrets(_place().spec, _place().spec)
    without = replace(
        _place(), spec=RepositorySpec("repo", "rsync", "/trees", "web1", options={"hashes": "no"})
    )
    assert "hashes" not in [
        stage.name for stage in RSYNC.backup(without, JobSpec("web", "h", "r", ("/srv",)), "r")
    ]
