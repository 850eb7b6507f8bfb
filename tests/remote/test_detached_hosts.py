"""Detached runs on hosts as they are: full disks, systemd of all ages, nothing installed, answers that lie."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.remote.connections import Completed
from guardian_tui.engine.remote.detached import (
    BACKSTOP_SECONDS,
    DetachedRun,
    DetachedRuns,
    check,
    order,
    scope_options,
)
from guardian_tui.engine.remote.detached_looks import DetachedFailed, Look, known, looks
from guardian_tui.engine.remote.target import Target
from tests.support.detached import PATIENCE_SECONDS, Bench, Counting
from tests.support.disks import small_disk

RUN = DetachedRun("a", "true", 60.0)


@pytest.fixture
def disk(bench: Bench) -> Iterator[Path]:
    """A disk of 1 MiB that the runs' folders are on."""
    bench.folder.parent.mkdir(parents=True, exist_ok=True)
    with small_disk(bench.folder, 1) as folder:
        yield folder


def fill(folder: Path) -> None:
    subprocess.run(
        ["sh", "-c", f"head -c 2000000 /dev/zero >{folder}/fill"], check=False, capture_output=True
    )


async def test_a_start_on_a_full_disk_says_so_and_leaves_nothing(bench: Bench, disk: Path) -> None:
    fill(disk)
    with pytest.raises(DetachedFailed) as told:
        await bench.start("a", "echo never")
    assert (told.value.kind, "no room" in told.value.detail) == ("no_space", True)
    assert await bench.runs.known(None) == []
    (disk / "fill").unlink()
    await bench.start("a", "exit 3")
    assert (await bench.over("a")).exit_code == 3


async def test_what_a_run_that_fills_the_disk_ended_with_is_learnt(bench: Bench, disk: Path) -> None:
    flag = bench.folder.parent / "go"
    wait = f"while [ ! -e {flag} ]; do sleep 0.05; done"
    script = f"echo first; {wait}; head -c 2000000 /dev/zero >{disk}/fill; seq 100000; echo last; exit 5"
    await bench.start("a", script)
    await bench.until("a", lambda look: look.out)
    flag.touch()
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.clipped) == ("ended", 5, True)
    assert look.out.startswith(b"first\n") and look.out.endswith(b"\n100000\nlast\n")
    assert b"[guardian: output is missing here" in look.out


async def test_a_run_on_a_full_disk_can_be_cancelled(bench: Bench, disk: Path) -> None:
    await bench.start("a", "echo up; sleep 300 & sleep 301")
    await bench.until("a", lambda look: look.out)
    fill(disk)
    await bench.runs.cancel(None, "a")
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.cancelled) == ("ended", 143, True)


async def test_a_folder_that_can_not_be_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link", "file/below"):
        with pytest.raises(DetachedFailed) as told:
            await bench.anew(folder=str(tmp_path / name)).start(None, RUN)
        assert (told.value.kind, str(tmp_path) in told.value.detail) == ("folder", True)


async def test_a_host_without_a_program_that_makes_sessions_is_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "id", "mkdir", "dash", "busybox"):
        (tools / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tools))
    if bench.shell[0] == "busybox" and b"setsid" in subprocess.run(["busybox"], capture_output=True).stdout:
        # it may have its own one, which needs no file
        (tools / "setsid").symlink_to("/bin/false")
        kind = "start"
    else:
        kind = "program"
    with pytest.raises(DetachedFailed) as told:
        await bench.start("a", "true")
    assert told.value.kind in (kind, "folder")
    assert await bench.runs.known(None) == []


async def test_another_host_that_shares_the_home_folder_leaves_its_runs_alone(bench: Bench) -> None:
    await bench.start("a", "exit 3")
    await bench.over("a")
    boot = bench.folder / "a" / "boot"
    boot.write_text(f"0123456789 {boot.read_text().split()[1]}\n")
    assert await bench.runs.known(None) == []
    assert (await bench.look("a")).state == "absent"
    await bench.runs.forget(None, "a")
    assert boot.exists()


async def test_a_start_that_was_killed_half_way_is_lost(bench: Bench) -> None:
    (bench.folder / "a").mkdir(parents=True)
    assert (await bench.look("a")).state == "lost"
    await bench.start("a", "echo never")
    assert (await bench.look("a")).state == "lost"
    await bench.runs.forget(None, "a")
    await bench.start("a", "exit 3")
    assert (await bench.over("a")).exit_code == 3


async def test_an_order_that_was_cut_on_its_way_does_nothing(bench: Bench) -> None:
    words = (str(bench.folder), "a", 60, 1, 0, 0, 1 << 20, 1 << 10, "sh", "/nowhere")
    whole = order("start", words, "word", {"g_script": "exit 3", "g_secrets": "export A=b\n"})
    places = [*range(0, len(whole), 1499), *range(len(whole) - 90, len(whole) - 1, 3)]
    for place in places:
        subprocess.run(
            [*bench.shell, "-c", 'eval "$(cat)"'], input=whole[:place], capture_output=True, timeout=30
        )
        assert not bench.folder.exists()
    subprocess.run([*bench.shell, "-c", 'eval "$(cat)"'], input=whole, capture_output=True, timeout=30)
    assert (await bench.over("a")).exit_code == 3


# --- systemd ---


FAKE_RUN = """#!/bin/sh
for word in "$@"; do echo "$word"; done >>{folder}/asked
echo . >>{folder}/asked
case "$*" in *{refused}*) echo "Unknown assignment: {refused}" >&2; exit 1 ;; esac
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
FAKE_CTL = """#!/bin/sh
echo "systemctl $*" >>{folder}/asked
"""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with programs that stand in for systemd's, where ``asked`` says what they were asked."""
    folder = tmp_path / "systemd"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    pretend(folder, "nothing")
    return folder


def pretend(folder: Path, refused: str) -> None:
    for name, text in (("systemd-run", FAKE_RUN), ("systemctl", FAKE_CTL)):
        (folder / name).write_text(text.format(folder=folder, refused=refused))
        (folder / name).chmod(0o755)


async def asked(folder: Path) -> list[list[str]]:
    return [part.split("\n") for part in (folder / "asked").read_text().strip("\n.").split("\n.\n")]


async def test_under_systemd_a_run_gets_a_scope_that_is_stopped_when_it_is_cancelled(
    bench: Bench, systemd: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("a user's manager is asked only if the user lingers")
    runs = bench.anew(manager=str(systemd))
    run = DetachedRun("a", "echo $WORD; sleep 300", 100.2, {"WORD": "tr0ub4dor"})
    await runs.start(None, run)
    await bench.until("a", lambda look: look.out == b"tr0ub4dor\n")
    first = (await asked(systemd))[0]
    assert first[0] == "--system"
    assert tuple(first[1 : first.index("--")]) == scope_options(run)
    assert "tr0ub4dor" not in (systemd / "asked").read_text()
    await runs.cancel(None, "a")
    await bench.over("a")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "systemctl" not in (systemd / "asked").read_text():
            await asyncio.sleep(0.05)
    last = (systemd / "asked").read_text().splitlines()[-1]
    assert last == "systemctl --no-ask-password stop -- guardian-run-a.scope"


async def test_what_systemd_does_not_know_or_refuses_is_done_without(bench: Bench, systemd: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a user's manager is asked only if the user lingers")
    runs = bench.anew(manager=str(systemd))
    pretend(systemd, "RuntimeMaxSec")
    await runs.start(None, RUN)
    assert (await bench.over("a")).exit_code == 0
    told = await asked(systemd)
    assert [any("RuntimeMaxSec" in word for word in words) for words in told] == [True, False]
    assert (bench.folder / "a" / "unit").read_text() == "--system guardian-run-a.scope\n"
    pretend(systemd, "--scope")
    await runs.start(None, DetachedRun("b", "exit 4", 60.0))
    assert (await bench.over("b")).exit_code == 4
    assert (bench.folder / "b" / "unit").read_text() == ""


def test_a_scope_is_killed_as_a_whole_and_outlasts_the_runs_own_limit() -> None:
    options = scope_options(DetachedRun("nightly-7", "true", 99.5))
    assert options[0] == f"--property=RuntimeMaxSec={100 + BACKSTOP_SECONDS}"
    assert {
        "--scope",
        "--collect",
        "--unit=guardian-run-nightly-7",
        "--property=KillMode=control-group",
    } <= set(options)


# --- what is handed over, what is answered ---


@pytest.mark.parametrize(
    "run",
    [
        DetachedRun("", "true", 1.0), DetachedRun("../a", "true", 1.0), DetachedRun("a\n", "true", 1.0), DetachedRun("a" * 65, "true", 1.0),
        DetachedRun("a", "tr\0ue", 1.0), DetachedRun("a", "true", 0.0), DetachedRun("a", "true", 1.0, nice=20),
        DetachedRun("a", "true", 1.0, {"A": "\0"}), DetachedRun("a", "true", 1.0, {"a b": ""}),
        DetachedRun("a", "true", 1.0, {"A=x;id": ""}), DetachedRun("a", "true", 1.0, {"A": "x" * 70000}),
    ],
)  # fmt: skip
def test_what_can_not_be_handed_over_is_refused_before_a_host_sees_it(run: DetachedRun) -> None:
    with pytest.raises(ValueError) as told:
        check(run)
    assert "xxx" not in str(told.value)


def test_a_run_shows_no_secret_of_its_own() -> None:
    assert "tr0ub4dor" not in repr(DetachedRun("a", "true", 1.0, {"A": "tr0ub4dor"}))


class Lying(Counting):
    """A host that answers what it is told to."""

    def __init__(self, out: str, err: bytes = b"", *, truncated: bool = False) -> None:
        super().__init__()
        self._said = (out, err, truncated)

    async def run(self, target: Target | None, command: str, **how: object) -> Completed:
        out, err, truncated = self._said
        stdin = how["stdin"]
        assert isinstance(stdin, bytes)
        word = next(
            shlex.split(line.decode())[0] for line in stdin.splitlines() if line.startswith(b"g_word=")
        )
        return Completed(1, out.replace("WORD", word.partition("=")[2]).encode(), err, truncated)


GOOD = "run a ended 0 0 0 0 1795591106 1795591206 2 2 0 0\nhiend\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "exit status 1"),
        ("\nWORDdone\n", "as it should"),
        ("\nWORD done\n", "nonsense"),
        ("\nWORD done\nend\n", "nonsense"),
        ("\nWORD done\n" + GOOD.replace("run a", "run b"), "nonsense"),
        ("\nWORD done\n" + GOOD.replace("hiend", "hi" + GOOD), "nonsense"),
        ("\nWORD done\n" + GOOD.replace(" 2 2 ", " 3 3 "), "nonsense"),
        ("\nWORD done\n" + GOOD.replace(" 2 2 ", " 900 900 "), "promised"),
        ("\nWORD done\n" + GOOD.replace(" 2 2 ", " -2 2 "), "can't be"),
        ("\nWORD done\n" + GOOD.replace("ended 0", "ended -"), "can't be"),
        ("\nWORD done\n" + GOOD.replace("ended 0", "happy 0"), "can't be"),
        ("\nWORD done\n" + GOOD.replace(" 2 2 ", f" {'9' * 400} 2 "), "nonsense"),
        ("\nWORD done\n" + GOOD + "more", "nonsense"),
        ("\nWORD failed folder \x1b[2Jno\n", "␛[2Jno"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_error_in_words(answer: str, words: str) -> None:
    with pytest.raises(DetachedFailed) as told:
        await DetachedRuns(Lying(answer)).look(None, {"a": (0, 0)})
    assert words in told.value.detail


async def test_a_login_shell_may_chat_and_a_flood_is_refused() -> None:
    told = await DetachedRuns(Lying("Welcome!\nrun a\n\nWORD done\n" + GOOD)).look(None, {"a": (5, 7)})
    assert told["a"] == Look(
        "ended", 0, out=b"hi", out_offset=7, err_offset=7, started_at=1795591106.0, ended_at=1795591206.0
    )
    with pytest.raises(DetachedFailed, match="more than it was asked"):
        await DetachedRuns(Lying("", truncated=True)).look(None, {"a": (0, 0)})
    with pytest.raises(DetachedFailed, match="This account"):
        await DetachedRuns(Lying("", b"This account is currently not available.")).start(None, RUN)


async def test_names_that_no_run_of_ours_has_are_passed_over() -> None:
    assert await DetachedRuns(Lying("\nWORD done\na-1\n../x\n*\nend.\n")).known(None) == ["a-1"]
    with pytest.raises(DetachedFailed, match="no end"):
        await DetachedRuns(Lying("\nWORD done\na-1\n")).known(None)


@given(st.binary(max_size=300))
def test_no_answer_breaks_the_reader(answer: bytes) -> None:
    with contextlib.suppress(DetachedFailed):
        looks(answer, {"a": (0, 0)})
    with contextlib.suppress(DetachedFailed):
        known(answer)
