"""The runner of stages that tests of adapters stand on: it must not hide what a host would tell."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guardian_tui.engine.backups.engines import _ADAPTERS, adapter
from guardian_tui.engine.backups.engines.base import Adapter, Judgement, Stage, Summary, Warned
from guardian_tui.protocol.backups import Progress
from tests.support.stages import NOT_FOUND, Ran, Runner


def _runner(home: Path, **options: str) -> Runner:
    def parse(operation, stage, line, stream):
        if stream == "err":
            return Warned(line.decode())
        return Progress(current=line.decode()) if line.startswith(b"at ") else Summary(words=line.decode())

    def verdict(operation, job, ends, events):
        assert not any(isinstance(event, Progress) for event in events)
        return Judgement("ok", ",".join(f"{end.name}={end.exit_code}/{end.source_code}" for end in ends))

    fake = SimpleNamespace(name="restic", parse=parse, verdict=verdict)
    return Runner(cast("Adapter", fake), home, {"SECRET": "s3"}, **options)


def _sh(name: str, script: str, **more) -> Stage:
    return Stage(name, ("sh", "-c", script), **more)


def _run(home: Path, *stages: Stage, **more) -> Ran:
    return _runner(home).run("backup", stages, **more)


def test_a_failed_stage_ends_the_run_but_for_those_that_always_run(tmp_path):
    ran = _run(
        tmp_path,
        _sh("one", "exit 3", exit_codes=(0, 3)),
        _sh("two", "echo why >&2; exit 1"),
        _sh("three", "echo never"),
        _sh("four", "echo $SECRET", always=True),
    )
    assert ran.words.strip() == "one=3/0,two=1/0,four=0/0"
    assert ran.ends[1].tail == "why\n"
    assert ran.warnings == ["why"]
    assert ran.summary.words == "s3"


def test_a_source_feeds_its_stage_and_its_failure_counts(tmp_path):
    ran = _run(tmp_path, _sh("dump", "cat", source=("sh", "-c", "echo half; echo broke >&2; exit 9")))
    assert ran.out["dump"] == b"half\n"
    assert (ran.ends[0].exit_code, ran.ends[0].source_code) == (0, 9)
    assert "broke" in ran.ends[0].tail
    # what the source complains of is no line of the engine's
    assert ran.warnings == []


def test_a_source_whose_reader_died_is_told_so(tmp_path):
    ran = _run(tmp_path, _sh("dump", "exit 2", source=("yes",)), timeout=20)
    assert ran.ends[0].exit_code == 2
    assert ran.ends[0].source_code == 128 + signal.SIGPIPE


def test_what_is_not_installed_ends_as_in_a_shell(tmp_path):
    ran = _run(tmp_path, Stage("none", ("no-such-program",)), _sh("more", "true"))
    assert [end.exit_code for end in ran.ends] == [NOT_FOUND]
    ran = _run(tmp_path, _sh("dump", "cat", source=("no-such-program",)))
    assert ran.ends[0].source_code == NOT_FOUND


def test_a_process_can_be_signalled_at_a_line_and_untold_stages_are_not_read(tmp_path):
    def stop(process, line, stream):
        process.send_signal(signal.SIGTERM)

    ran = _run(tmp_path, _sh("one", "echo at 1; exec sleep 60"), on_line=stop)
    assert ran.ends[0].exit_code == 128 + signal.SIGTERM
    assert [event.current for event in ran.events if isinstance(event, Progress)] == ["at 1"]
    assert _run(tmp_path, _sh("one", "echo text", told=False)).events == []


@pytest.mark.parametrize("engine", _ADAPTERS)
def test_each_adapter_answers_all_that_the_contract_asks_for(engine):
    driver = adapter(engine)
    assert driver.name == engine
    asked = {*Adapter.__annotations__, *(name for name in vars(Adapter) if not name.startswith("_"))}
    assert {name for name in asked if not hasattr(driver, name)} == set()


def test_an_engine_that_nobody_drives_is_told_so():
    with pytest.raises(LookupError, match="floppies"):
        adapter("floppies")
