"""Detached runs under a systemd that really runs, in a root of its own: the scope is what is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guardian_tui.engine.remote.detached import DetachedRun, DetachedRuns, Look
from tests.support.booted import Booted, booted, why_not

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
PATIENCE_SECONDS = 90.0
SCOPE = "guardian-run-a.scope"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    if why := why_not():
        pytest.skip(why)
    with booted(tmp_path_factory.mktemp("booted")) as running:
        yield running


async def until(runs: DetachedRuns, holds: Callable[[Look], object]) -> Look:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(look := (await runs.look(None, {"a": (0, 0)}))["a"]):
            await asyncio.sleep(0.2)
    return look


@pytest.mark.parametrize("user", ["", "lingers", "leaves"])
async def test_a_scope_holds_all_of_a_run_no_secret_and_is_killed_whole(machine: Booted, user: str) -> None:
    machine.user = ""
    if user:
        await machine.say(f"useradd -m -s /bin/sh {user}")
    if user == "lingers":
        await machine.say(
            f"loginctl enable-linger {user}; until systemctl is-active user@$(id -u {user}); do sleep 0.2; done"
        )
    machine.user = user
    manager = "--user" if user else "--system"
    runs = DetachedRuns(machine, grace_seconds=1)
    # it leaves the group, clears its environment and is deaf: only the scope holds it
    hermit = "setsid env -i /bin/sh -c \"trap '' TERM; sleep 300; sleep 301\""
    hermit = hermit if user != "leaves" else "sleep 300"
    script = f"cat /proc/self/cgroup; ({hermit}) & echo $WORD; sleep 302; echo never"
    await runs.start(None, DetachedRun("a", script, 100.0, {"WORD": "tr0ub4dor"}))
    look = await until(runs, lambda look: b"tr0ub4dor" in look.out)
    assert (SCOPE.encode() in look.out) == (user != "leaves")
    if user != "leaves":
        shown = await machine.say(f"systemctl {manager} show {SCOPE}")
        assert {"KillMode=control-group", "RuntimeMaxUSec=3min 40s", "ActiveState=active"} <= set(
            shown.splitlines()
        )
        assert "tr0ub4dor" not in shown
    assert await machine.say("grep -rl tr0ub4dor /run /var/lib/guardian-runs $HOME 2>/dev/null") in (
        "",
        f"{folder(user)}/out\n",
    )
    await runs.cancel(None, "a")
    look = await until(runs, lambda look: look.state != "running")
    assert (look.state, look.exit_code, look.cancelled) == ("ended", 143, True)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await machine.say("pgrep -f 'sleep 30[012]|[g]uardian-runs'"):
            await asyncio.sleep(0.3)
    assert SCOPE not in await machine.say(f"systemctl {manager} list-units --all --no-pager")
    await runs.forget(None, "a")


def folder(user: str) -> Path:
    return Path(f"/home/{user}/.local/state/guardian-runs/a" if user else "/var/lib/guardian-runs/a")
