"""Guardian's own upgrade, led by its own runbook: a newer program with one more migration, and the way back to the old one with its state."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest

from guardian_tui import __version__
from guardian_tui.client import Client
from guardian_tui.config import paths_below
from guardian_tui.engine.store.migrate import HEADS, STATE
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, Login, Session, SetUp
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.fleet import HostList, HostRow, HostSpec, HostsQuery
from tests.support.engine import PASSWORD, QUIET, ROOT, WAIT_SECONDS

pytestmark = pytest.mark.timeout(600)
NEWER, NEW_HEAD = "9.0.0", "s9999"
PASSPHRASE = "seven words that nobody else knows"
MIGRATION = f'''"""One more table."""

import sqlalchemy as sa
from alembic import op

revision = "{NEW_HEAD}"
down_revision = "{HEADS[STATE]}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it."""
    op.create_table("newer", sa.Column("x", sa.Text()))


def downgrade() -> None:
    """Drop it."""
    op.drop_table("newer")
'''


@dataclass
class Machine:
    """One on which Guardian is installed as its document has it: a program of an environment of its own, and what puts another in its place.

    ``pipx`` is a stand-in: the real one would ask an index for what Guardian stands on.
    """

    folder: Path
    old: Path
    new: Path

    @property
    def home(self) -> Path:
        return self.folder / "h"

    def sh(self, command: str, said: str = "") -> str:
        """What a person's shell says to a command, which must go well."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "PIP_", "GUARDIAN_"))
        }
        path = f"{self.folder}/environment/bin:{self.folder}/bin:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, input=said, capture_output=True, text=True, timeout=300, check=False,
            env={**kept, "PATH": path, "HOME": str(self.folder), "GUARDIAN_HOME": str(self.home)},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def revision(self) -> str:
        """Of the tables of its state."""
        with sqlite3.connect(f"file:{self.home}/state/state.db?mode=ro", uri=True) as store:
            (found,) = store.execute("SELECT version_num FROM revision_state").fetchone()
        return str(found)


def built(clone: Path, folder: Path) -> Path:
    """The wheel of a tree."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=clone, check=True, capture_output=True, timeout=110)
    (wheel,) = folder.glob("guardian_tui-*.whl")
    return wheel


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """The program of this tree is installed; a newer one is at hand."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    clone = tmp_path / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith(("tests/", "bench/", "docs/")) and (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    old = built(clone, tmp_path / "old")
    store = clone / "guardian_tui/engine/store"
    (store / "migrations/state" / f"{NEW_HEAD}_newer.py").write_text(MIGRATION)
    for file, was, is_ in (
        (clone / "guardian_tui/__init__.py", f'"{__version__}"', f'"{NEWER}"'),
        (store / "migrate.py", f'STATE: "{HEADS[STATE]}"', f'STATE: "{NEW_HEAD}"'),
    ):
        assert was in file.read_text()
        file.write_text(file.read_text().replace(was, is_))
    new = built(clone, tmp_path / "new")
    shutil.rmtree(clone)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=110)
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pipx = tmp_path / "bin" / "pipx"
    pipx.parent.mkdir()
    pip = f"{sys.executable} -m pip --disable-pip-version-check --quiet --python {environment}"
    pipx.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "install --force" ] && exec {pip} install --no-compile --no-deps --no-index --force-reinstall "$3"\n'
    )
    pipx.chmod(0o755)
    one = Machine(tmp_path, old, new)
    (one.home / "config").mkdir(parents=True)
    (one.home / "config" / "config.toml").write_text(QUIET)
    one.sh(f"pipx install --force {old}")
    try:
        yield one
    finally:
        one.sh("guardian-tui engine stop")


class Person:
    """An admin who is led through it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.client = Client(paths_below(machine.home).socket)
        self.secret = ""
        self.step = 0

    async def set_up(self) -> None:
        begun = await self.client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
        self.secret, self.step = begun.secret, int(time.time()) // 30
        order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).at(self.step * 30))
        self.client.token = (await self.client.call("setup.confirm", Enrolled, order)).session.token

    async def login(self) -> None:
        """By a code that was not used yet: the one after the last."""
        self.step = max(self.step + 1, int(time.time()) // 30)
        while self.step > int(time.time()) // 30 + 1:
            await asyncio.sleep(0.2)
        order = Login(name="ada", password=PASSWORD, code=pyotp.TOTP(self.secret).at(self.step * 30))
        self.client.token = (await self.client.call("login", Session, order)).token

    async def row(self, run: str) -> wire.RunbookRun:
        detail = await self.client.call("runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=run))
        return detail.run

    async def goes(self, run: str, step: str, **answer: Any) -> wire.RunbookRun:
        """Answer a step that asks; comes back when the run asks again."""
        row = await self.row(run)
        assert (row.step, row.state) == (step, "asking"), (row, await self.said(run))
        order = wire.AnswerRunbook(run=run, version=row.version, act="go", **answer)
        await self.client.call("runbooks.answer", wire.RunbookRun, order)
        deadline = time.monotonic() + 2 * WAIT_SECONDS
        while (row := await self.row(run)).state not in ("asking", "deciding", "ended"):
            assert time.monotonic() < deadline, row
            await asyncio.sleep(0.05)
        return row

    async def said(self, run: str) -> str:
        found = await self.client.call(
            "runbooks.output", wire.RunbookOutput, wire.RunbookOutputQuery(run=run)
        )
        return "".join(piece.text for piece in found.pieces)

    async def knows_its_host_and_a_log_that_holds(self) -> None:
        hosts = await self.client.call("hosts.list", HostList, HostsQuery())
        assert "db-1" in {host.name for host in hosts.hosts}
        verdict = await self.client.call("audit.verify", AuditVerdict, Nothing())
        assert verdict.ok, verdict


@pytest.fixture
async def ada(machine: Machine) -> AsyncIterator[Person]:
    """Her engine runs the old program."""
    one = Person(machine)
    machine.sh("guardian-tui engine start")
    await one.set_up()
    await one.client.call("hosts.add", HostRow, HostSpec(name="db-1", address="192.0.2.7"))
    yield one
    await one.client.close()


def way_back(row: wire.RunbookRun) -> list[str]:
    """The lines that the document's last step has a person type, each without what is said beside it."""
    assert row.current is not None
    lines = re.findall(r"^ +((?:guardian-tui|pipx)\b.*)$", row.current.words, re.MULTILINE)
    return [line.partition("  ")[0] for line in lines]


async def test_it_is_upgraded_by_its_own_runbook_and_comes_back_as_it_was(
    machine: Machine, ada: Person
) -> None:
    file = machine.folder / "before.tar"
    values = {"file": str(file), "passphrase": PASSPHRASE, "new": str(machine.new), "old": str(machine.old)}
    order = wire.StartRunbook(runbook="guardian-upgrade", values=values)
    run = (await ada.client.call("runbooks.run", wire.RunbookRun, order)).id
    row = await ada.row(run)
    for step in (
        "now",
        "log_good",
        "wheels",
        "sums",
        "room",
        "save",
        "verify",
        "away",
        "install",
        "new_version",
    ):
        row = await ada.goes(run, step)
    said = await ada.said(run)
    assert "is whole" in said and PASSPHRASE not in said
    assert (row.step, f"guardian-tui, version {NEWER}" in said) == ("restart", True), said
    # the new program is there, the engine that runs is still the old one: nobody who forgets to restart it is told that all is well
    assert f"Guardian {__version__} " in machine.sh("guardian-tui engine status")
    assert machine.revision() == HEADS[STATE]

    machine.sh("guardian-tui engine stop && guardian-tui engine start")
    await ada.login()
    row = await ada.row(run)
    assert row.step == "restart"
    for step in ("restart", "status", "hosts"):
        row = await ada.goes(run, step)
    assert row.step == "good", (row, await ada.said(run))
    assert f"Guardian {NEWER} " in machine.sh("guardian-tui engine status")
    assert machine.revision() == NEW_HEAD
    await ada.knows_its_host_and_a_log_that_holds()
    row = await ada.goes(run, "good", choice="no, go back")
    assert row.step == "bad"

    back = way_back(row)
    assert [line.split()[:2] for line in back[:-1]] == [
        ["guardian-tui", "engine"], ["pipx", "install"], ["guardian-tui", "state"],
    ]  # fmt: skip
    for line in back[:2]:
        machine.sh(line)
    # an older program leaves a newer state alone, and says what to do
    with pytest.raises(AssertionError, match="newer version"):
        machine.sh("guardian-tui engine start")
    assert machine.revision() == NEW_HEAD
    for line in back[2:-1]:
        machine.sh(line, f"{PASSPHRASE}\n")
    assert machine.revision() == HEADS[STATE]
    machine.sh("guardian-tui engine start")
    assert f"Guardian {__version__} " in machine.sh("guardian-tui engine status")
    await ada.login()
    await ada.knows_its_host_and_a_log_that_holds()
    # the run is as it was when the state was saved: at that step
    row = await ada.row(run)
    assert (row.step, row.state) == ("save", "deciding")
