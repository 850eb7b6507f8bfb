"""Real parts for all tests: PostgreSQL, sshd, a terminal.  A missing one fails with the name of its Debian package."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings
from textual.css.stylesheet import Stylesheet

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.store import migrate
from guardian_tui.engine.store.database import Store
from tests.measuring.sitecustomize import INTO, OF
from tests.order import begins
from tests.support.postgres import Cluster, cluster
from tests.support.schema import run_or_repeat
from tests.support.sshd import Sshd, SshUser, ssh_user
from tests.support.stylesheets import parse_or_repeat
from tests.support.terminal import Terminal

# a machine that others use too is slow now and then: that is no fault of what is tested
settings.register_profile("guardian", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guardian")

MEASURED_ROOMS = frozenset({"cli", "client", "own_state", "server"})
"""Rooms of tests whose engines and consoles in processes of their own run what no test runs in its own."""
MEASURED_OF_PROCESSES = ":".join(
    f"guardian_tui/{path}" for path in ("attach.py", "cli", "client.py", "installing.py", "engine/listener.py", "engine/main.py", "engine/own_state", "engine/recovery.py", "engine/server.py")
)  # fmt: skip


class OnUvloop:
    """Tests on the product's event loop; Python's own tells of more that is wrong."""

    def pytest_asyncio_loop_factories(self) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        """The one loop."""
        return {"uvloop": uvloop.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    """GUARDIAN_TEST_LOOP=uvloop: on the product's event loop."""
    if os.environ.get("GUARDIAN_TEST_LOOP") == "uvloop":
        config.pluginmanager.register(OnUvloop())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long modules first."""
    items.sort(key=lambda item: begins(item.nodeid))


@pytest.fixture(scope="module", autouse=True)
def processes_measured_where_it_counts(request: pytest.FixtureRequest) -> Iterator[None]:
    """What processes that tests start run is noted in a few rooms alone, and of a few parts: probes make their starts longer."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name in MEASURED_ROOMS:
            patch.setenv(OF, MEASURED_OF_PROCESSES)
        else:
            patch.delenv(INTO, raising=False)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A temporary PostgreSQL cluster on a private socket, one for each worker."""
    with cluster() as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Cluster) -> str:
    """URL of an empty PostgreSQL database."""
    return postgres.database()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_store_url(request: pytest.FixtureRequest) -> str:
    """``store.url`` of a store that was never opened: SQLite in the state folder, then PostgreSQL."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """``store.url`` of a store without rows: SQLite in the state folder, then PostgreSQL, where the tables are there."""
    return "" if request.param == "sqlite" else request.getfixturevalue("postgres").store()


@pytest.fixture(scope="module", autouse=True)
def migrations_run_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stores that this process opens repeat what migrations did; the store's own tests run them each time."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name != "store":
            patch.setattr(migrate, "run_alembic", run_or_repeat)
        yield


@pytest.fixture(scope="session", autouse=True)
def stylesheets_parsed_once() -> Iterator[None]:
    """Consoles that this process starts share what was parsed of their stylesheets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_or_repeat)
        yield


@pytest.fixture(scope="session")
def unix_user() -> Iterator[SshUser]:
    """A Unix user with /bin/sh to log in as (root makes one; others use themselves)."""
    with ssh_user() as user:
        yield user


@pytest.fixture
def sshd(unix_user: SshUser) -> Iterator[Callable[..., Sshd]]:
    """Starts real OpenSSH servers on loopback: ``sshd(address="127.0.0.2")``; all are stopped at the end."""
    servers: list[Sshd] = []
    # not under tmp_path, which is closed to others: sshd reads authorized_keys as the user
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    folder.chmod(0o755)

    def start(address: str = "127.0.0.2", **options: str) -> Sshd:
        server = Sshd(folder / f"{len(servers)}", unix_user, address, options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts programs in a real terminal (tmux): ``terminal(command, width, height)``."""
    terminals: list[Terminal] = []

    def start(command: str, width: int = 120, height: int = 40, **environment: str) -> Terminal:
        one = Terminal(tmp_path / f"tmux-{len(terminals)}", command, width, height, environment)
        terminals.append(one)
        return one

    yield start
    for one in terminals:
        one.close()


@pytest.fixture
def clock() -> ManualClock:
    """Stands at a whole hour."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
async def store(store_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(StoreSettings(url=store_url), tmp_path / "state", clock)
    yield opened
    await opened.close()
