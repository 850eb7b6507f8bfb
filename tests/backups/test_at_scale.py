"""Five thousand jobs and a hundred thousand snapshots: what the screen asks for costs a number of statements that does not grow with them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, insert, text

from guardian_tui.engine.backups import recall
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.store.tables import backup_jobs, backup_repositories, backup_runs
from guardian_tui.protocol import routes
from guardian_tui.protocol.backups import (
    BackupsQuery,
    JobDetail,
    JobList,
    JobRef,
    JobSpec,
    ReadinessList,
    RepositoryList,
    RepositorySpec,
    RunList,
    RunRow,
    RunsQuery,
    SnapshotList,
    SnapshotsQuery,
)
from guardian_tui.protocol.base import Request
from tests.backups.house import House, house
from tests.support.asking import unasked

pytestmark = pytest.mark.timeout(300)
JOBS, REPOSITORIES, EACH = 5000, 50, 20


async def fill(home: House) -> None:
    """Jobs, each with a run, and twenty snapshots an hour apart."""
    now = home.clock.now()
    jobs, runs = [], []
    for n in range(JOBS):
        spec = JobSpec(
            name=f"job-{n}", host="here", repository=f"vault-{n % REPOSITORIES}", sources=("/srv",)
        )
        jobs.append(
            {
                "id": f"j{n}", "name": spec.name, "host_id": "local", "repository_id": f"r{n % REPOSITORIES}", "source": "screen", "created_at": now,
                "spec": msgspec.json.encode(spec).decode(), "memory": "{}",
            }
        )  # fmt: skip
        row = RunRow(
            id=f"run{n}", job=spec.name, host="here", repository=spec.repository, operation="backup", state="ended", verdict="ok", queued_at=now, ended_at=now,
        )  # fmt: skip
        runs.append(
            {
                "id": row.id, "job_id": f"j{n}", "repository_id": f"r{n % REPOSITORIES}", "operation": "backup", "queued_at": now, "state": "ended",
                "verdict": "ok", "ended_at": now, "row": msgspec.json.encode(row).decode(), "plan": '{"work":{}}', "log": "",
            }
        )  # fmt: skip
    stores = [
        {
            "id": f"r{n}", "name": f"vault-{n}", "source": "screen", "created_at": now,
            "spec": json.dumps({"name": f"vault-{n}", "engine": "dumps", "location": f"/nowhere/{n}", "host": "here"}),
            "memory": json.dumps({"verdict": "ok", "listed_at": now, "tried_at": now}),
        }
        for n in range(REPOSITORIES)
    ]  # fmt: skip
    msgspec.convert(json.loads(stores[0]["spec"]), RepositorySpec)
    # made where they are kept: a hundred thousand rows are not sent
    numbers = f"(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {JOBS - 1}) SELECT n FROM c)"
    each = f"(WITH RECURSIVE d(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM d WHERE k < {EACH - 1}) SELECT k FROM d)"
    snapshots = text(
        "INSERT INTO backup_snapshots (repository_id, id, job_id, at, good, body)"
        f" SELECT 'r' || (n % {REPOSITORIES}), 's' || n || '-' || k, 'j' || n, {now} - k * 3600.0, 1,"
        f' \'{{"id":"s\' || n || \'-\' || k || \'","repository":"vault","at":\' || ({now} - k * 3600.0) || \'}}\''
        f" FROM {numbers} AS jobs CROSS JOIN {each} AS each_one"
    )
    async with home.store.write() as tx:
        await tx.execute(insert(backup_repositories), stores)
        await tx.execute(insert(backup_jobs), jobs)
        await tx.execute(insert(backup_runs), runs)
        await tx.execute(snapshots)


@contextmanager
def statements(home: House) -> Iterator[list[str]]:
    """Statements that reach the database meanwhile."""
    found: list[str] = []

    def note(conn: object, cursor: object, statement: str, *more: object) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    engine = home.store._state.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
async def home(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    from guardian_tui.engine.backups import service

    async with house(tmp_path, store_url) as one:
        await fill(one)

        async def nothing(*repositories: object) -> None:
            """Repositories are read by their hosts, not by the screen."""

        monkeypatch.setattr(service.Backups, "_read_all", nothing)
        yield one


async def test_the_screen_opens_with_a_bounded_number_of_statements(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    with statements(home) as at_start:
        await home.start()
    assert len(home.backups.jobs) == JOBS
    assert len(at_start) <= 20, at_start
    with statements(home) as anew:
        await home.backups.refresh()
    # old runs may be removed meanwhile, and PostgreSQL is asked whether it is there
    asked = [made for made in anew if made.startswith("SELECT ") and "FROM backup_" in made]
    assert 1 <= len(asked) <= 8, asked

    # after a run its own job alone is read again: so many statements, and so many rows
    job = home.backups.jobs["j7"]
    rows: list[int] = []
    tell = recall.Known.tell

    def counted(known: recall.Known, one: Job) -> None:
        rows.append(sum(map(len, known.good.values())))
        tell(known, one)

    with monkeypatch.context() as patched, statements(home) as after_one:
        patched.setattr(recall.Known, "tell", counted)
        await home.backups.refresh(only=(job.id,))
    asked = [made for made in after_one if "FROM backup_" in made and not made.startswith("DELETE")]
    assert 1 <= len(asked) <= 6 and all("IN (" in made for made in asked), asked
    assert (rows, job.snapshots) == ([EACH], EACH)
    with statements(home) as after_none:
        await home.backups.refresh(only=())
    assert not [made for made in after_none if "SELECT backup_" in made], after_none

    asking = unasked(home.backups, home.store, home.clock)
    handlers = BackupOrders(home.backups, Scope(home.backups), home.store, home.clock, asking).handlers()

    async def ask(name: str, request: Request, most: int) -> object:
        call = Call(routes.ROUTES[name], None, Peer(0), "r", home.clock.now(), home.sink, home.store.write)
        # the service's own work may fall in between, but not each time
        for _ in range(5):
            with statements(home) as made:
                answer = await handlers[name](call, request)
            if len(made) <= most:
                return answer
        raise AssertionError((name, made))

    # what the four lists show is in memory: the stream brings it, and no statement is made for it
    jobs = await ask("backups.list", BackupsQuery(), 0)
    assert isinstance(jobs, JobList) and len(jobs.jobs) == JOBS
    assert {(row.state, row.snapshots) for row in jobs.jobs} == {("ok", EACH)}
    hosts = await ask("backups.readiness", BackupsQuery(), 0)
    assert isinstance(hosts, ReadinessList) and hosts.hosts[0].jobs == JOBS
    repositories = await ask("repositories.list", BackupsQuery(), 0)
    assert isinstance(repositories, RepositoryList) and len(repositories.repositories) == REPOSITORIES
    # a job's page, wherever it stands
    detail = await ask("backups.show", JobRef(job=f"job-{JOBS - 1}"), 5)
    assert isinstance(detail, JobDetail) and len(detail.runs) == 1
    snapshots = await ask("backups.snapshots", SnapshotsQuery(job="job-7"), 2)
    assert isinstance(snapshots, SnapshotList) and snapshots.total == EACH
    runs = await ask("backups.runs", RunsQuery(job="job-7"), 1)
    assert isinstance(runs, RunList) and [run.id for run in runs.runs] == ["run7"]
    assert time.monotonic() - began < 300, "a bound against what would hang, not a measure"
