"""Detached runs on this machine: whatever dies above, beside or below them, what is told of them is true."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.remote.detached_looks import DetachedFailed
from tests.support.detached import PATIENCE_SECONDS, Bench


async def test_a_run_is_started_once_followed_and_forgotten(bench: Bench) -> None:
    flag = bench.folder.parent / "go"
    script = f"echo one; echo bad >&2; while [ ! -e {flag} ]; do sleep 0.1; done; echo two; exit 7"
    await bench.start("a", script)
    await bench.start("a", "echo never; exit 0")
    look = await bench.until("a", lambda look: look.out and look.err)
    assert (look.state, look.exit_code, look.out, look.err) == ("running", None, b"one\n", b"bad\n")
    assert look.started_at is not None
    with pytest.raises(DetachedFailed) as told:
        await bench.runs.forget(None, "a")
    assert told.value.kind == "running"
    flag.touch()
    await bench.over("a")
    bench.runs = bench.anew()
    last = await bench.look("a", look.out_offset, look.err_offset)
    assert (last.state, last.exit_code, last.out, last.err, last.more) == ("ended", 7, b"two\n", b"", False)
    assert not last.cancelled and not last.timed_out and not last.clipped
    await bench.start("a", "echo never; exit 0")
    assert (await bench.look("a")).out == b"one\ntwo\n"
    assert await bench.runs.known(None) == ["a"]
    assert {path.stat().st_mode & 0o77 for path in (bench.folder, *bench.folder.rglob("*"))} == {0}
    await bench.runs.forget(None, "a")
    await bench.runs.forget(None, "a")
    assert await bench.runs.known(None) == []
    assert (await bench.look("a")).state == "absent"
    await bench.gone("a")


async def test_what_a_run_finds_is_what_a_login_would_find(bench: Bench) -> None:
    umask = os.umask(0o027)
    try:
        await bench.start("a", "umask; pwd; cat; echo $GUARDIAN_RUN; echo ${GUARDIAN_SECRETS-none}; trap")
    finally:
        os.umask(umask)
    lines = (await bench.over("a")).out.decode().splitlines()
    assert int(lines[0], 8) == 0o027
    assert lines[1:] == [str(Path.home()), str(bench.folder / "a"), "none"]


async def test_cancel_ends_grandchildren_that_ignore_it_and_left_the_group(bench: Bench) -> None:
    deaf = "trap '' TERM INT; sleep 300 & sleep 301; sleep 302"
    await bench.start("a", f'(setsid sh -c "{deaf}") & (sh -c "{deaf}") & {deaf}; wait')
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(bench.of("a")) < 10:
            await asyncio.sleep(0.05)
    await bench.runs.cancel(None, "a")
    await bench.runs.cancel(None, "a")
    look = await bench.over("a")
    assert (look.state, look.cancelled, look.timed_out) == ("ended", True, False)
    assert look.exit_code == 128 + signal.SIGKILL
    await bench.gone("a")
    # of one that is over, or was never there, there is nothing to end
    await bench.runs.cancel(None, "a")
    await bench.runs.cancel(None, "b")
    assert (await bench.look("b")).state == "absent"


async def test_many_may_cancel_a_run_in_the_same_moment(bench: Bench) -> None:
    """A person, and who follows the run and finds that it was not told: whoever is second must not be told that it failed."""
    await bench.start("a", "trap '' TERM INT; echo up; sleep 300 & wait; sleep 301")
    await bench.until("a", lambda look: look.out)
    await asyncio.gather(*(bench.runs.cancel(None, "a") for _ in range(6)))
    look = await bench.over("a")
    assert (look.state, look.cancelled, look.exit_code) == ("ended", True, 128 + signal.SIGKILL)
    await bench.gone("a")


async def test_a_run_that_cleans_up_when_it_is_cancelled_tells_its_own_code(bench: Bench) -> None:
    await bench.start("a", "trap 'echo cleaned; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    await bench.until("a", lambda look: look.out)
    await bench.runs.cancel(None, "a")
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.cancelled, look.out) == ("ended", 9, True, b"ready\ncleaned\n")


async def test_a_stopped_run_can_be_cancelled(bench: Bench) -> None:
    await bench.start("a", "sleep 300; echo no")
    leader = await bench.process("a", "child")
    await bench.until("a", lambda _: leader.children())
    os.killpg(leader.pid, signal.SIGSTOP)
    await bench.runs.cancel(None, "a")
    assert (await bench.over("a")).exit_code == 128 + signal.SIGTERM


async def test_without_its_supervisor_a_run_is_still_told_and_still_ended(bench: Bench) -> None:
    await bench.start("a", "sleep 300 & echo up; sleep 301; sleep 302")
    await bench.until("a", lambda look: look.out)
    leader = await bench.process("a", "child")
    (await bench.process("a")).kill()
    look = await bench.look("a")
    assert (look.state, look.out) == ("running", b"up\n")
    # not even the leader of its group is needed
    leader.kill()
    assert (await bench.look("a")).state == "running"
    await bench.runs.cancel(None, "a")
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.cancelled) == ("lost", None, True)
    await bench.gone("a")


async def test_a_supervisor_that_dies_before_it_named_its_child_leaves_a_run_that_is_found(
    bench: Bench,
) -> None:
    await bench.start("a", "echo up; sleep 300 & sleep 301; sleep 302")
    await bench.until("a", lambda look: look.out)
    await bench.process("a", "child")
    (await bench.process("a")).kill()
    (bench.folder / "a" / "child").write_text(" " * 64)
    assert (await bench.look("a")).state == "running"
    await bench.runs.cancel(None, "a")
    assert (await bench.over("a")).state == "lost"
    await bench.gone("a")


async def test_the_time_limit_holds_without_the_supervisor(bench: Bench) -> None:
    await bench.start("a", "echo up; sleep 300; sleep 301", most_seconds=3)
    await bench.until("a", lambda look: look.out)
    await bench.process("a", "child")
    (await bench.process("a")).kill()
    look = await bench.over("a")
    assert (look.state, look.timed_out) == ("lost", True)
    await bench.gone("a")


async def test_a_run_that_is_killed_says_so(bench: Bench) -> None:
    await bench.start("a", "echo up; sleep 300; sleep 301")
    await bench.until("a", lambda look: look.out)
    os.killpg((await bench.process("a", "child")).pid, signal.SIGKILL)
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.cancelled) == ("ended", 128 + signal.SIGKILL, False)


async def test_all_of_it_killed_at_once_is_lost(bench: Bench) -> None:
    await bench.start("a", "echo up; sleep 300; sleep 301")
    await bench.until("a", lambda look: look.out)
    supervisor, leader = await bench.process("a"), await bench.process("a", "child")
    os.killpg(supervisor.pid, signal.SIGKILL)
    os.killpg(leader.pid, signal.SIGKILL)
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.out) == ("lost", None, b"up\n")


async def test_a_term_to_the_supervisor_does_not_end_it(bench: Bench) -> None:
    flag = bench.folder.parent / "go"
    await bench.start("a", f"echo up; while [ ! -e {flag} ]; do sleep 0.1; done; exit 5")
    await bench.until("a", lambda look: look.out)
    os.killpg((await bench.process("a")).pid, signal.SIGTERM)
    assert (await bench.look("a")).state == "running"
    flag.touch()
    look = await bench.over("a")
    assert (look.state, look.exit_code) == ("ended", 5)


async def test_after_a_boot_a_run_without_a_result_is_lost(bench: Bench) -> None:
    await bench.start("a", "echo up; sleep 300")
    await bench.start("b", "exit 3")
    await bench.until("a", lambda look: look.out)
    await bench.over("b")
    for id_ in ("a", "b"):
        boot = bench.folder / id_ / "boot"
        boot.write_text(f"{boot.read_text().split()[0]} 00000000-0000-0000-0000-000000000000\n")
    looks = await bench.runs.look(None, {"a": (0, 0), "b": (0, 0)})
    assert (looks["a"].state, looks["a"].exit_code) == ("lost", None)
    assert (looks["b"].state, looks["b"].exit_code) == ("ended", 3)


async def test_another_process_with_its_id_is_not_taken_for_it_nor_killed(bench: Bench) -> None:
    await bench.start("a", "echo up; sleep 300")
    await bench.until("a", lambda look: look.out)
    supervisor, leader = await bench.process("a"), await bench.process("a", "child")
    for name, process in (("pid", supervisor), ("child", leader)):
        (bench.folder / "a" / name).write_text(f"{process.pid} 12345 ")
    assert (await bench.look("a")).state == "lost"
    (bench.folder / "a" / "pid").write_text(f"{supervisor.pid} 12345 ")
    await bench.runs.cancel(None, "a")
    await bench.runs.forget(None, "a")
    assert leader.is_running() and supervisor.is_running()
    os.killpg(leader.pid, signal.SIGKILL)
    os.killpg(supervisor.pid, signal.SIGKILL)


NASTY: Mapping[str, str] = {
    "PLAIN": "tr0ub4dor",
    "QUOTES": 'it\'s "quoted" $(id) `id` ${HOME} \\ \\n \\',
    "LINES": "first\nsecond\n\n}\nEOF\n'\n",
    "BYTES": bytes(range(1, 256)).decode("utf-8", "surrogateescape"),
    "BLANK": " \t ",
    "NOTHING": "",
}


async def test_secrets_reach_the_run_whole_and_nobody_else(bench: Bench) -> None:
    proof, flag = bench.folder.parent / "proof", bench.folder.parent / "go"
    prints = "; ".join(f'printf "%s\\0" "${name}"' for name in NASTY)
    script = f"({prints}) >{proof}.new; mv {proof}.new {proof}; while [ ! -e {flag} ]; do sleep 0.05; done"
    seen: set[str] = set()

    async def spy() -> None:
        while True:
            for process in psutil.process_iter():
                try:
                    seen.add("\0".join(process.cmdline()))
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            await asyncio.sleep(0)

    spying = asyncio.create_task(spy())
    await bench.start("a", script, secrets=NASTY)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not proof.exists():
            await asyncio.sleep(0.05)
    spying.cancel()
    values = proof.read_bytes().split(b"\0")[:-1]
    assert values == [value.encode("utf-8", "surrogateescape") for value in NASTY.values()]
    assert any(f"{bench.folder}/a/script" in line for line in seen)
    assert not [line for line in seen if "tr0ub4dor" in line]
    kept = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"tr0ub4dor" in path.read_bytes()]
    flag.touch()
    await bench.over("a")


async def test_fifty_runs_are_seen_by_one_command(bench: Bench) -> None:
    ids = [f"run-{number}" for number in range(50)]
    for number in range(0, 50, 10):
        await asyncio.gather(*(bench.start(id_, f"echo {id_}; exit 4") for id_ in ids[number : number + 10]))
    for id_ in ids:
        await bench.over(id_)
    before = bench.commands.count
    looks = await bench.runs.look(None, {**{id_: (0, 0) for id_ in ids}, "other": (0, 0)})
    assert bench.commands.count == before + 1
    assert {id_: (looks[id_].state, looks[id_].exit_code, looks[id_].out) for id_ in ids} == {
        id_: ("ended", 4, f"{id_}\n".encode()) for id_ in ids
    }
    assert looks["other"].state == "absent"
    assert sorted(await bench.runs.known(None)) == sorted(ids)
    assert await bench.runs.look(None, {}) == {}


async def test_a_time_limit_ends_all_of_it(bench: Bench) -> None:
    await bench.start("a", "trap '' TERM; sleep 300 & sleep 301; sleep 302", most_seconds=1)
    look = await bench.over("a")
    assert (look.state, look.timed_out, look.cancelled) == ("ended", True, False)
    await bench.gone("a")


async def test_of_too_much_output_beginning_and_end_are_kept(bench: Bench) -> None:
    bench.runs = bench.anew(head_bytes=1 << 20)
    await bench.start("a", "echo first; yes middle | head -c 4900000; echo last; exit 2")
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.clipped, look.more) == ("ended", 2, True, True)
    told, place = b"", 0
    while not told or look.more:
        look = await bench.look("a", place)
        told, place = told + look.out, look.out_offset
    assert told.startswith(b"first\nmiddle\n") and told.endswith(b"\nmiddle\nlast\n")
    assert b"\n[guardian: output is missing here" in told
    assert 1 << 20 < len(told) < (1 << 20) + (128 << 10) + 200


async def test_a_look_is_bounded_and_the_next_goes_on(bench: Bench) -> None:
    for id_ in ("a", "b"):
        await bench.start(id_, "yes | head -c 300000; yes no | head -c 300000 >&2")
        await bench.over(id_)
    place = {"a": (0, 0), "b": (0, 0)}
    total, rounds = 0, 0
    while True:
        looks = await bench.runs.look(None, place, limit_bytes=100_000)
        read = sum(len(look.out) + len(look.err) for look in looks.values())
        assert read <= 100_000
        total, rounds = total + read, rounds + 1
        place = {id_: (look.out_offset, look.err_offset) for id_, look in looks.items()}
        if not any(look.more for look in looks.values()):
            break
    assert (total, place) == (1_200_000, {"a": (300_000, 300_000), "b": (300_000, 300_000)})
    # an offset beyond the end reads nothing
    assert (await bench.look("a", 10**9)).out == b""


async def test_a_program_left_behind_on_purpose_does_not_hold_the_run_open(bench: Bench) -> None:
    await bench.start("a", "setsid sleep 300 & echo done; exit 3")
    look = await bench.over("a")
    assert (look.state, look.exit_code, look.out) == ("ended", 3, b"done\n")
