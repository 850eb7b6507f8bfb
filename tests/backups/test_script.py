"""A run as a script: real shells run it, and what it prints is read back, also when what runs in it tries to mislead."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import (
    Capabilities,
    Event,
    Place,
    Stage,
    Stream,
    Summary,
    Warned,
)
from guardian_tui.engine.backups.script import LOG_LINES, WARNINGS_KEPT, Reader, marks_of, render
from guardian_tui.protocol.backups import BackupEngine, JobSpec, Operation, Progress, RepositorySpec

WORD = "@c0ffee"
SHELLS = (["dash"], ["busybox", "ash"], ["bash", "--posix"])


class Listening:
    """An adapter that understands three words."""

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        if line.startswith(b"done "):
            return Summary(snapshot=line[5:].decode(errors="replace"))
        if line.startswith(b"warn "):
            return Warned(line[5:].decode(errors="replace"))
        if line.startswith(b"at "):
            return Progress(stage=stage, bytes_done=int(line[3:]) if line[3:].isdigit() else 0)
        return None


def reader(*stages: Stage) -> Reader:
    return Reader(Listening(), "backup", marks_of(stages), WORD)  # type: ignore[arg-type]  # all that it asks of one


def run(shell: list[str], *stages: Stage) -> tuple[int, Reader]:
    done = subprocess.run([*shell, "-c", render(stages, WORD)], capture_output=True, timeout=20)
    found = reader(*stages)
    found.feed("out", done.stdout)
    found.feed("err", done.stderr)
    found.close()
    return done.returncode, found


def sh(text: str, name: str = "one", **more: object) -> Stage:
    return Stage(name, ("/bin/sh", "-c", text), **more)  # type: ignore[arg-type]  # of Stage


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_stages_run_in_order_and_tell_how_they_ended(shell: list[str]) -> None:
    code, found = run(shell, sh("echo at 5; echo warn a; echo oops >&2"), sh("echo done abc", "two"))
    assert code == 0
    assert [(end.name, end.exit_code, end.source_code) for end in found.ends] == [
        ("one", 0, 0),
        ("two", 0, 0),
    ]
    assert found.ends[0].tail == "oops"
    assert found.progress == Progress(stage="one", bytes_done=5)
    assert (found.warnings, found.summaries) == (["a"], [Summary(snapshot="abc")])


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_after_a_failure_only_what_always_runs_is_run(shell: list[str]) -> None:
    code, found = run(
        shell,
        sh("exit 3", exit_codes=(0, 3)),
        sh("exit 4", "two"),
        sh("echo done x", "three"),
        sh("exit 0", "four", always=True),
    )
    assert code == 1
    assert [(end.name, end.exit_code) for end in found.ends] == [("one", 3), ("two", 4), ("four", 0)]
    assert found.summaries == []


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_source_that_breaks_off_is_told_though_the_sink_is_content(
    shell: list[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    stage = Stage(
        "dump",
        ("/bin/sh", "-c", f"cat >{kept}; echo done all"),
        source=("/bin/sh", "-c", "echo half; exit 7"),
    )
    code, found = run(shell, stage, sh("echo done later", "two"))
    assert code == 1
    assert [(end.exit_code, end.source_code) for end in found.ends] == [(0, 7)]
    assert found.summaries == [Summary(snapshot="all")]
    assert kept.read_text() == "half\n"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_words_with_quotes_spaces_and_newlines_reach_the_program_whole(
    shell: list[str], tmp_path: Path
) -> None:
    odd = "a 'b' \"c\" $(touch x) `y`\n;z*"
    stage = Stage(
        "one",
        ("printf", "done %s %s\\n", odd.replace("\n", "|"), "--"),
        env={"ODD": odd},
        folder=str(tmp_path),
    )
    code, found = run(
        shell,
        stage,
        Stage("two", ("/bin/sh", "-c", 'printf %s "$ODD" >odd'), env={"ODD": odd}, folder=str(tmp_path)),
    )
    assert code == 0
    assert found.summaries[0].snapshot == odd.replace("\n", "|") + " --"
    assert (tmp_path / "odd").read_text() == odd
    assert sorted(os.listdir(tmp_path)) == ["odd"]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_what_a_stage_prints_ends_no_stage(shell: list[str]) -> None:
    code, found = run(
        shell, sh("echo end 0 0 0; echo '@other end 0 0 0'; printf 'no line end'; exit 9"), sh("true", "two")
    )
    assert code == 1
    assert [(end.name, end.exit_code) for end in found.ends] == [("one", 9)]


def test_a_program_that_is_not_there_fails_the_run() -> None:
    code, found = run(["dash"], Stage("one", ("no-such-program",)))
    assert code == 1
    assert found.ends[0].exit_code == 127
    assert "no-such-program" in found.ends[0].tail


def test_output_of_hooks_goes_to_the_log_alone() -> None:
    _, found = run(["dash"], sh("echo done false; echo warn me", "before 1", told=False))
    assert (found.summaries, found.warnings) == ([], [])
    assert "done false" in found.log


def test_control_characters_do_not_reach_the_log() -> None:
    found = reader(sh(""))
    found.feed("out", b"\x1b]0;owned\x07\x1b[2J plain\n")
    assert "\x1b" not in "".join(found.log)
    assert "plain" in found.log[0]


def test_what_is_kept_is_bounded_and_what_is_counted_is_not() -> None:
    found = reader(sh(""))
    found.feed(
        "out", f"{WORD} begin 0\n".encode() + b"warn x\n" * (WARNINGS_KEPT + 50) + b"y\n" * LOG_LINES * 2
    )
    found.feed("err", b"z" * (5 << 20) + b"\n")
    assert (len(found.warnings), found.warned) == (WARNINGS_KEPT, WARNINGS_KEPT + 50)
    assert len(found.log) == LOG_LINES
    assert max(map(len, found.log)) <= 500


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8), st.randoms())
def test_however_the_bytes_arrive_the_same_is_read(parts: list[bytes], chance: object) -> None:
    marked = f"{WORD} begin 0\nat 3\n".encode() + b"\n".join(parts) + f"\ndone s\n{WORD} end 0 0 0\n".encode()
    whole, torn = reader(sh("")), reader(sh(""))
    whole.feed("out", marked)
    place = 0
    while place < len(marked):
        size = chance.randint(1, 7)  # type: ignore[attr-defined]  # a Random
        torn.feed("out", marked[place : place + size])
        place += size
    for one in (whole, torn):
        one.close()
    assert whole.ends == torn.ends
    assert whole.summaries == torn.summaries
    assert list(whole.log) == list(torn.log)


@pytest.mark.parametrize("engine", ["borg", "rsync"])
def test_of_what_a_stage_tells_of_a_snapshot_line_by_line_all_is_known_in_the_end(
    engine: BackupEngine, tmp_path: Path
) -> None:
    """Through the host's script and back, by the real programs: a run's figures are what anomalies are judged by."""
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "file").write_text("four")
    one = adapter(engine)
    place = Place(RepositorySpec("r", engine, str(tmp_path / "r"), "h"), Capabilities((1,)))
    spec = JobSpec("web", "h", "r", (str(saved),))
    stages = one.backup(place, spec, "run1")
    secret = {"BORG_PASSPHRASE": "x", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    run = partial(subprocess.run, capture_output=True, check=True, env=secret)
    run(["sh", "-c", render(one.init(place), WORD)])
    done = run(["sh", "-c", render(stages, WORD)])
    reader = Reader(one, "backup", marks_of(stages), WORD)
    reader.feed("out", done.stdout)
    reader.feed("err", done.stderr)
    reader.close()
    assert one.verdict("backup", spec, reader.ends, reader.events).verdict == "ok"
    made = reader.made
    assert made is not None and "web" in made.snapshot
    assert made.files == 1 and made.bytes and made.bytes >= 4 and made.added_bytes
    assert Reader(one, "backup", (), WORD).made is None
