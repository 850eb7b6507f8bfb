"""Security updates over several hosts, through an engine: each host behind an sshd of its own, with packages of its own by real apt and dpkg."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest

from guardian_tui.client import Client
from guardian_tui.config import AuditSettings, FleetSettings, RunbooksSettings, Settings
from guardian_tui.engine.runbooks.documents.library import SHIPPED
from guardian_tui.protocol import access
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.fleet import HostList, HostRow, HostSpec, HostsQuery
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from tests.runbooks.packages import Machine, host
from tests.support.console import PASSWORD, WAIT_SECONDS, House, house
from tests.support.private import must_mount, within
from tests.support.sshd import Sshd, SshUser

NAMES = ("lamp-1", "lamp-2", "lamp-3")
# it lists units that failed, of which there are none, and takes the order to reboot, which whoever plays the machine carries out
SYSTEMCTL = '#!/bin/sh\ncase "$0" in *shutdown) echo "$@" >>/run/ordered ;; esac\n'
SHORTER = {
    "settle: 1m": "settle: 1s",
    "settle: 6m": "settle: 1s",
    "for 2m": "for 1s",
    "wait: 30s": "wait: 1s",
}


@dataclass
class Lamp:
    """A host: what it has of its own, and its sshd, which sees that alone."""

    name: str
    machine: Machine
    server: Sshd

    @property
    def installed(self) -> str:
        """What dpkg says of the package."""
        return self.machine.run(
            "dpkg-query --show --showformat='${db:Status-Abbrev}${Version}' guardian-lamp"
        )

    @property
    def run(self) -> Path:
        return self.machine.mounts["/run"]

    def reboot(self) -> None:
        """As far as others see it."""
        self.server.stop()
        for name in ("ordered", "reboot-required", "reboot-required.pkgs"):
            (self.run / name).unlink()
        self.server.start()


@pytest.fixture
def lamps() -> Iterator[list[Lamp]]:
    """Three hosts, whose package is of version 1.0."""
    must_mount()
    found: list[Lamp] = []
    folder = Path(tempfile.mkdtemp(prefix="lamps-"))
    try:
        for number, name in enumerate(NAMES, 2):
            own = folder / name
            own.mkdir()
            systemctl = own / "systemctl"
            systemctl.write_text(SYSTEMCTL)
            systemctl.chmod(0o755)
            for place in ("run/sshd", "root"):
                (own / place).mkdir(parents=True, mode=0o700)
            program = Path(os.path.realpath(shutil.which("systemctl") or "/usr/bin/systemctl"))
            places = {str(program): systemctl, "/run": own / "run", "/root": own / "root"}
            server = Sshd(own / "sshd", SshUser("root", own / "root"), f"127.0.0.{number}", {})
            lamp = Lamp(name, host(own, places), server)
            alone = own / "sshd-alone"
            command = f"exec {server._program} -D -e -f {server.folder}/sshd_config"
            alone.write_text(f"#!/bin/sh\nexec {shlex.join(within(lamp.machine.mounts, command))}\n")
            alone.chmod(0o755)
            server._program = str(alone)
            server.start()
            found.append(lamp)
        yield found
    finally:
        for lamp in found:
            lamp.server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def fleet(lamps: list[Lamp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """An engine that watches all of them; the document is the shipped one, with shorter waits."""
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    text = (SHIPPED / "security-updates.md").read_text()
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    books = tmp_path / "books"
    books.mkdir(mode=0o755)
    (books / "security-updates.md").write_text(text)
    settings = Settings(
        fleet=FleetSettings(interval_seconds=0.5), audit=AuditSettings(syslog=False), runbooks=RunbooksSettings(folder=str(books))
    )  # fmt: skip
    async with house(tmp_path, settings) as one:
        for lamp in lamps:
            server, key = lamp.server, tmp_path / f"key-{lamp.name}"
            shutil.copy(server.client_key, key)
            key.chmod(0o600)
            known = f"[{server.address}]:{server.port} {server.host_key}"
            await one.client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
            spec = HostSpec(
                name=lamp.name, address=server.address, port=server.port, user="root", credential=f"key:{key}"
            )
            await one.client.call("hosts.add", HostRow, spec)

        async def up() -> bool:
            hosts = await one.client.call("hosts.list", HostList, HostsQuery())
            return [row.state for row in hosts.hosts if row.name in NAMES] == ["up"] * 3

        await until(up, "all three are up")
        yield one


async def until(holds: Any, what: str) -> None:
    async with asyncio.timeout(2 * WAIT_SECONDS):
        while not await holds():
            await asyncio.sleep(0.05)


class Led:
    """A run that ada leads, and grace approves."""

    def __init__(self, one: House) -> None:
        self.client = one.client
        self.grace = Client(one.paths.socket)
        self.run = ""

    async def colleague(self) -> None:
        order = access.Invite(name="grace", grants=(access.GrantSpec(profile="operator"),))
        code = (await self.client.call("accounts.invite", access.Invited, order)).enrolment_code
        begin = access.BeginEnrolment(name="grace", enrolment_code=code, password=PASSWORD)
        begun = await self.grace.call("enrol.begin", access.Enrolment, begin)
        confirm = access.ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
        self.grace.token = (await self.grace.call("enrol.confirm", access.Enrolled, confirm)).session.token

    async def begin(self) -> None:
        order = wire.StartRunbook(runbook="security-updates", hosts=NAMES)
        self.run = (await self.client.call("runbooks.run", wire.RunbookRun, order)).id

    async def detail(self) -> wire.RunbookRunDetail:
        return await self.client.call(
            "runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=self.run)
        )

    async def closed(self) -> bool:
        """Whether all is done that its end owes."""
        return bool((await self.detail()).run.transcript)

    async def said(self) -> str:
        query = wire.RunbookOutputQuery(run=self.run, limit_bytes=1 << 20)
        found = await self.client.call("runbooks.output", wire.RunbookOutput, query)
        return "".join(piece.text for piece in found.pieces)

    async def goes(self, step: str, act: wire.Act = "go", **answer: Any) -> wire.RunbookRun:
        """Answer a step that asks, and what it wants typed; comes back when the run asks again."""
        row = (await self.detail()).run
        assert (row.step, row.state) == (step, "asking"), (row, await self.said())
        if row.asked == "approve":
            given = wire.ApproveRunbook(run=self.run, version=row.version, digest=row.digest)
            await self.grace.call("runbooks.approve", wire.RunbookRun, given)
        else:
            order = wire.AnswerRunbook(
                run=self.run,
                version=row.version,
                act=act,
                typed=row.phrase if act in ("go", "undo") else "",
                **answer,
            )
            await self.client.call("runbooks.answer", wire.RunbookRun, order)

        async def asks() -> bool:
            return (await self.detail()).run.state in ("asking", "deciding", "paused", "ended")

        await until(asks, "it asks again")
        return (await self.detail()).run

    async def to_the_update(self) -> wire.RunbookRun:
        """From the first look to where packages are replaced."""
        await self.begin()
        for step in ("lists", "preview", "sound", "room"):
            await self.goes(step)
        await self.goes("which", choice="everything that waits")
        for step in ("agreed_all", "quiet_all", "noted_all"):
            row = await self.goes(step)
        return row


async def test_the_first_host_stops_it_and_goes_back_and_a_good_update_goes_over_all_with_a_reboot(
    lamps: list[Lamp], fleet: House
) -> None:
    led = Led(fleet)
    await led.colleague()
    for lamp in lamps:
        lamp.machine.offer("2.0", after="echo the lamp does not light; exit 1")
    row = await led.to_the_update()
    assert row.current is not None and (row.phrase, row.current.batches) == ("3", (1, 1, 1))
    row = await led.goes("install_all")
    assert row.step == "broken" and "rollback" in row.acts, (row, await led.said())
    assert "the lamp does not light" in await led.said()
    mark = next(mark for mark in row.marks if mark.step == "install_all")
    assert (mark.state, mark.words) == ("failed", "0 of 3 well, 1 failed (lamp-1), 2 not begun.")
    assert [lamp.installed for lamp in lamps] == ["iF 2.0", "ii 1.0", "ii 1.0"]
    row = await led.goes("broken", "rollback")
    assert (row.asked, row.step, row.phrase) == ("undo", "install_all", "lamp-1")
    row = await led.goes("install_all", "undo")
    assert row.verdict == "rolled_back", (row, await led.said())
    assert [lamp.installed for lamp in lamps] == ["ii 1.0"] * 3
    assert all("by hand" in lamp.machine.run("cat /opt/guardian-lamp/lamp.conf") for lamp in lamps)

    for lamp in lamps:
        lamp.machine.offer(
            "3.0", after="echo guardian-lamp | tee /run/reboot-required >/run/reboot-required.pkgs"
        )
    await led.to_the_update()
    row = await led.goes("install_all")
    assert row.step == "services", (row, await led.said())
    assert [lamp.installed for lamp in lamps] == ["ii 3.0"] * 3
    await led.goes("services")
    await led.goes("reboot_due")
    assert "A reboot is due for:" in await led.said()
    await led.goes("reboot_now", choice="yes, one first")
    await led.goes("reboot_agreed")
    order: list[str] = []

    async def machines() -> None:
        while len(order) < 3:
            for lamp in lamps:
                if (lamp.run / "ordered").exists():
                    order.append(lamp.name)
                    # its answer is on the way
                    await asyncio.sleep(0.5)
                    await asyncio.to_thread(lamp.reboot)
            await asyncio.sleep(0.05)

    playing = asyncio.create_task(machines())
    try:
        row = await led.goes("reboot")
        # the last was told to, and nothing comes after it that would wait for it
        async with asyncio.timeout(60):
            await playing
        assert (row.step, order) == ("back", list(NAMES)), (row, await led.said())
        # they are still in their window of planned work
        await led.goes("back")
        await led.goes("after")
        await until(led.closed, "what it opened is closed")
        row = (await led.detail()).run
        assert (row.verdict, row.open) == ("done", ()), (row, await led.said())
    finally:
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
        await led.grace.close()
