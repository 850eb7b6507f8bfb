"""Timers under a systemd that really runs, in a root of its own: root's, and those of a user who lingers; who may not has none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC

import pytest

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.engine.backups.schedule import parse
from guardian_tui.engine.backups.timer_texts import differing, texts, timing
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.protocol.backups import JobSpec
from tests.support.booted import Booted, booted, why_not

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
PATIENCE_SECONDS = 90.0
SPEC = JobSpec(
    name="web", host="h", repository="r", schedule="*-*-* 02:30", jitter_seconds=0.0, window="01:00-05:00"
)
STAGE = Stage("backup", ("/bin/sh", "-c", "cat /proc/self/cgroup; echo $WORD"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    if why := why_not():
        pytest.skip(why)
    with booted(tmp_path_factory.mktemp("booted")) as running:
        yield running


@pytest.mark.parametrize("user", ["", "lingers", "leaves"])
async def test_a_pair_of_units_begins_a_run_in_a_scope_of_its_own_and_goes_without_a_trace(
    machine: Booted, user: str
) -> None:
    machine.user = ""
    if user:
        await machine.say(f"useradd -m -s /bin/sh {user}")
    if user == "lingers":
        await machine.say(
            f"loginctl enable-linger {user}; until systemctl is-active user@$(id -u {user}); do sleep 0.2; done"
        )
    machine.user = user
    runs = DetachedRuns(machine, grace_seconds=1)
    timers = HostTimers(runs)
    survey = await timers.survey(None, ["j1"])
    if user == "leaves":
        # there is no cron either; and nobody lets it linger
        assert survey.form == "user"
        with pytest.raises(DetachedFailed, match="may not linger"):
            await timers.install(None, "j1", survey.form, {}, anew=True)
        return
    manager = "--user" if user else "--system"
    assert survey.form == ("user" if user else "systemd"), survey
    spec = SPEC
    time = timing(spec, parse(spec.schedule), 0.0, UTC)
    wanted = texts("j1", spec, [STAGE], adapter("restic"), time, survey, runs, {"WORD": "tr0ub4dor"})
    await timers.install(None, "j1", survey.form, wanted, anew=True)
    found = (await timers.survey(None, ["j1"])).timers["j1"]
    assert differing(wanted, found.sums) == () and not found.asleep, found
    assert "02:30:00" in await machine.say(f"systemctl {manager} list-timers --all --no-pager")
    shown = await machine.say(f"systemctl {manager} show guardian-timer-j1.service guardian-timer-j1.timer")
    assert "Persistent=yes" in shown and "tr0ub4dor" not in shown
    # switched off by somebody
    await machine.say(f"systemctl {manager} stop guardian-timer-j1.timer")
    assert (await timers.survey(None, ["j1"])).timers["j1"].asleep
    await timers.install(None, "j1", survey.form, wanted, anew=False)

    # due since long, at two in the night; the manager begins it
    clock = '#!/bin/sh\n[ "$1" = "+%H %M %S" ] && echo 02 00 00 || exec /bin/date "$@"\n'
    shim = f"/var/tmp/shim-{user}"
    await machine.say(
        f"mkdir {shim}; printf '%s' '{clock}' >{shim}/date; chmod 755 {shim}/date; echo 1000000000 >{survey.place}/j1/stamp;"
        f" echo 'PATH={shim}:$PATH' >>{survey.place}/j1/environment"
    )
    said = await machine.say(f"systemctl {manager} start guardian-timer-j1.service 2>&1")
    offers = await timers.offers(None)
    assert [(offer.timer, offer.attempt, offer.state) for offer in offers] == [("j1", 1, "ended")], said
    look = (await runs.look(None, {offers[0].id: (0, 0)}))[offers[0].id]
    assert look.exit_code == 0 and look.ended_at is not None, look
    assert f"guardian-run-{offers[0].id}.scope".encode() in look.out and b"tr0ub4dor" in look.out

    await timers.uninstall(None, "j1", with_runs=True)
    assert await timers.offers(None) == []
    assert "guardian-timer" not in await machine.say(
        f"systemctl {manager} list-unit-files --no-pager; find / -xdev -name 'guardian-timer*' 2>/dev/null"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await machine.say(f"find {survey.place} 2>/dev/null"):
            await asyncio.sleep(0.2)
