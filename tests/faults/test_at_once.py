"""Two people do the opposite at once: one of them is told so, and what is in memory is what is in the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from guardian_tui.config import AuditSettings, FleetSettings, RunbooksSettings, Settings
from guardian_tui.engine.calls import Peer
from guardian_tui.protocol import backups, bulk, checks, fleet
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.errors import Conflict, GuardianError, NotFound
from guardian_tui.protocol.routes import ROUTES
from tests.support.console import House, house, until

HOST = fleet.HostSpec(name="web", address="127.0.0.1", port=1)
CHECK = checks.CheckSpec(name="check", kind="tcp", host="web", params={"port": 1}, period_seconds=3600)
REPOSITORY = backups.RepositorySpec(name="repo", engine="dumps", location="/nowhere", host="web")
JOB = backups.JobSpec(
    name="job", host="web", repository="repo", dumps=(backups.Dump(kind="sqlite", database="/nowhere"),), tries=1, timer="engine"
)  # fmt: skip
LISTS = {
    "hosts": "hosts.list",
    "checks": "checks.list",
    "backups": "backups.list",
    "repositories": "repositories.list",
}
MADE: tuple[tuple[str, Request], ...] = (
    ("hosts.add", HOST), ("checks.add", CHECK), ("repositories.add", REPOSITORY), ("backups.add", JOB),
)  # fmt: skip


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[House]:
    settings = Settings(
        fleet=FleetSettings(interval_seconds=60.0, watch_this_machine=False), audit=AuditSettings(syslog=False),
        runbooks=RunbooksSettings(shipped=False),
    )  # fmt: skip
    async with house(tmp_path, settings) as one:
        await until(lambda: one.engine.health.ready)
        yield one


async def order(one: House, route: str, request: Request) -> Any:  # Any: its response, or why not
    try:
        return await one.engine.dispatch.call(
            route, request, token=one.client.token, peer=Peer(os.geteuid()), request_id="r"
        )
    except GuardianError as error:
        return error


async def names(one: House, table: str) -> set[str]:
    answer = await order(one, LISTS[table], ROUTES[LISTS[table]].request())
    return {row.name for row in getattr(answer, table if table != "backups" else "jobs")}


OPPOSITES: tuple[tuple[str, tuple[str, Request], tuple[str, Request]], ...] = (
    ("backups", ("backups.remove", backups.JobRef(job="job")), ("backups.edit", backups.EditJob(job="job", spec=JOB))),
    ("backups", ("backups.remove", backups.JobRef(job="job")), ("backups.run", backups.JobRef(job="job"))),
    ("checks", ("checks.remove", checks.CheckRef(check="check")), ("checks.edit", checks.EditCheck(check="check", timeout_seconds=3))),
    (
        "repositories", ("repositories.remove", backups.RepositoryRef(repository="repo")),
        ("repositories.edit", backups.EditRepository(repository="repo", spec=REPOSITORY)),
    ),
    ("repositories", ("repositories.remove", backups.RepositoryRef(repository="repo")), ("backups.add", JOB)),
    (
        "repositories", ("repositories.remove", backups.RepositoryRef(repository="repo")),
        ("repositories.check", backups.CheckRepository(repository="repo")),
    ),
    ("hosts", ("hosts.remove", fleet.RemoveHost(host="web")), ("hosts.edit", fleet.EditHost(host="web", spec=HOST))),
    ("hosts", ("hosts.remove", fleet.RemoveHost(host="web")), ("hosts.maintenance", fleet.Maintenance(host="web", until=9e9))),
    (
        "hosts", ("hosts.remove", fleet.RemoveHost(host="web")),
        ("hosts.bulk_maintenance", bulk.BulkMaintenance(hosts=("web",), until=9e9, count=1)),
    ),
)  # fmt: skip


async def test_what_is_removed_while_somebody_changes_it_stays_away(one: House) -> None:
    for table, removal, change in OPPOSITES:
        for name, request in MADE:
            await order(one, name, request)
        if table == "repositories":
            # a job that stands on it keeps it
            await order(one, "backups.remove", backups.JobRef(job="job"))
        assert await names(one, table), table
        removed, changed = await asyncio.gather(order(one, *removal), order(one, *change))
        assert not isinstance(removed, GuardianError), removed
        assert isinstance(changed, Conflict | NotFound), (change, changed)
        assert not await names(one, table), change
        (live,) = [live for live in one.engine.live.tables if live.name == table]
        assert not live.rows(), change
        jobs = {row.repository for row in (await order(one, "backups.list", backups.BackupsQuery())).jobs}
        assert jobs <= await names(one, "repositories"), change


async def test_of_two_who_make_the_same_one_is_told_that_it_is_there(one: House) -> None:
    for name, request in MADE:
        done = await asyncio.gather(order(one, name, request), order(one, name, request))
        assert [type(answer) for answer in done if isinstance(answer, GuardianError)] == [Conflict], name


async def test_of_two_who_begin_a_backup_one_begins_it(one: House) -> None:
    for name, request in MADE:
        await order(one, name, request)
    ref = backups.JobRef(job="job")
    done = await asyncio.gather(order(one, "backups.run", ref), order(one, "backups.run", ref))
    assert [type(answer) for answer in done] == [backups.RunRow, Conflict]


async def test_what_somebody_changed_meanwhile_is_not_overwritten(one: House) -> None:
    for name, request in MADE:
        await order(one, name, request)
    old = replace(JOB, tries=2), replace(REPOSITORY, site="here")
    job = backups.EditJob(job="job", spec=JOB, before=old[0])
    repository = backups.EditRepository(repository="repo", spec=REPOSITORY, before=old[1])
    host = fleet.EditHost(host="web", spec=HOST, before=replace(HOST, user="ops"))
    for name, edit in (("backups.edit", job), ("repositories.edit", repository), ("hosts.edit", host)):
        refused = await order(one, name, edit)
        assert isinstance(refused, Conflict) and "since you looked" in refused.detail, name
    done = await order(one, "backups.edit", replace(job, before=JOB))
    assert isinstance(done, backups.JobRow), done
