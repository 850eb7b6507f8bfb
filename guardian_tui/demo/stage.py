"""Behind the scenes of a demo: starts its engine and its simulated hosts, makes the account, and plays the script.

``python -m guardian_tui.demo.stage FOLDER`` is the child of whoever shows the demo, and the parent of the engine.  It says one JSON object
a line: ``{"admin": …}`` when somebody may log in, ``{"scene": …}`` for each thing that begins or ends.  It takes lines ``{"trouble": NAME}``.
When its standard input ends, for whatever reason, it ends the engine, removes the folder, and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from guardian_tui.demo.roles import roster
from guardian_tui.demo.script import KINDS, TIMELINE, Act, Trouble, only

if TYPE_CHECKING:
    from guardian_tui.client import Client
    from guardian_tui.demo.director import Director, Scene
    from guardian_tui.demo.simhost import SimFleet

ADMIN = "demo"
PASSWORD = "a fleet of ghosts"  # noqa: S105  # told to everybody: it opens nothing but simulated hosts
START_SECONDS = 60.0
STOP_SECONDS = 10.0
TOTP_SECONDS = 30

SETTINGS = """\
environment = "demo"

[fleet]
watch_this_machine = false
file_systems_seconds = 10
breaker_max_seconds = 10
connects_at_once = 50
connects_per_jump = 10

[access]
idle_seconds = 43200
fresh_seconds = 43200

[audit]
syslog = false

[alerts]
hurry = {speed}
boot_grace_seconds = {grace}
"""


def settings_for(speed: float) -> str:
    """The engine's settings: rules wait as much less as the story goes faster."""
    return SETTINGS.format(speed=float(speed), grace=600.0 / speed)


def start_engine(folder: Path, speed: float) -> subprocess.Popen[bytes]:
    """Start the demo's engine on a leash: it ends when our end of its input does."""
    for name in ("config", "state"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "config" / "config.toml").write_text(settings_for(speed))
    # nobody's own agent, engine or keyring is part of a demo
    kept = {key: value for key, value in os.environ.items() if key not in ("SSH_AUTH_SOCK", "GUARDIAN_HOME")}
    with (folder / "state" / "engine.err").open("wb") as err:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "guardian_tui.demo.engine", str(folder)],
            stdin=subprocess.PIPE, stdout=err, stderr=err, start_new_session=True, env=kept,
        )  # fmt: skip


class Stage:
    """One demo behind its scenes."""

    def __init__(self, folder: Path, hosts: int, speed: float, troubles: Sequence[Trouble]) -> None:
        self._folder = folder
        self._places = roster(hosts)
        self._speed = speed
        self._acts = only(troubles) if troubles else TIMELINE
        self._director: Director | None = None
        self._by_hand: list[Act] = []

    async def run(self) -> None:
        """Set everything up, then play until nobody listens any more."""
        from guardian_tui.client import Client
        from guardian_tui.demo.director import Director

        hosts = asyncio.create_task(self._start_hosts())
        client = Client(self._folder / "run" / "engine.sock")
        obeying = asyncio.create_task(self._obey())
        try:
            await self._set_up(client)
            fleet = await hosts
            self._director = Director(fleet, self._places, self._speed, _tell_scene)
            await self._join(client, fleet)
            await self._look(client, fleet)
            await self._log_out(client)
            playing = asyncio.create_task(self._director.play(self._acts))
            await asyncio.wait((obeying, playing), return_when=asyncio.FIRST_COMPLETED)
            for task in (playing, obeying):
                if task.done():
                    task.result()
                task.cancel()
        finally:
            await client.close()

    async def _start_hosts(self) -> SimFleet:
        # imported here: the engine comes up meanwhile
        import asyncssh

        from guardian_tui.demo.figures import Figures
        from guardian_tui.demo.simhost import SimFleet

        key = asyncssh.generate_private_key("ssh-ed25519")
        file = self._folder / "client-key"
        file.touch(mode=0o600)
        key.write_private_key(str(file))
        fleet = SimFleet(key.export_public_key().decode())
        for number, place in enumerate(self._places):
            await fleet.add(place.name, Figures(number, nics=1, role=place.role))
        return fleet

    async def _set_up(self, client: Client) -> None:
        """Make the first admin through the API, as a person's first start does."""
        import pyotp

        from guardian_tui.client import wait_for_engine
        from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp

        await wait_for_engine(client.socket, START_SECONDS)
        begun = await client.call("setup.begin", Enrolment, SetUp(name=ADMIN, password=PASSWORD))
        # the code of the step before: the present one is left for whoever logs in
        code = pyotp.TOTP(begun.secret).at(int(time.time()) - TOTP_SECONDS)
        done = await client.call("setup.confirm", Enrolled, ConfirmEnrolment(token=begun.token, code=code))
        client.token = done.session.token
        _tell({"admin": {"name": ADMIN, "password": PASSWORD, "secret": begun.secret}})

    async def _join(self, client: Client, fleet: SimFleet) -> None:
        """Have the engine watch all hosts, their keys accepted."""
        from guardian_tui.protocol.errors import NotFound
        from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceText

        known = "".join(f"[{h.address}]:{h.port} {fleet.host_key}\n" for h in fleet.hosts.values())
        source = SourceText(format="csv", name="demo", text=self._table(fleet))
        order = ImportRequest(source=source, known_hosts=known, names=tuple(fleet.hosts))
        while True:
            try:
                await client.call("hosts.import", ImportPreview, order)
                return
            except NotFound:
                # login is served before what watches is imported
                await asyncio.sleep(0.05)

    async def _look(self, client: Client, fleet: SimFleet) -> None:
        """Have the engine make checks of some hosts."""
        from guardian_tui.demo.checks import checks_of
        from guardian_tui.protocol.checks import CheckRow

        for check in checks_of(self._places, {host.name: host.port for host in fleet.hosts.values()}):
            await client.call("checks.add", CheckRow, check)

    def _table(self, fleet: SimFleet) -> str:
        """The fleet as a table to import."""
        out = io.StringIO()
        table = csv.writer(out)
        labels = list(self._places[0].labels)
        headings = ["name", "address", "port", "user", "credential", "environment", "jump"]
        table.writerow([*headings, *(f"label.{key}" for key in labels)])
        for place in self._places:
            host = fleet.hosts[place.name]
            row = [
                place.name,
                host.address,
                host.port,
                "demo",
                f"key:{self._folder / 'client-key'}",
                place.environment,
            ]
            table.writerow([*row, " ".join(place.jump), *(place.labels[key] for key in labels)])
        return out.getvalue()

    async def _log_out(self, client: Client) -> None:
        from guardian_tui.protocol.base import Done

        await client.call("logout", Done)

    async def _obey(self) -> None:
        """Take troubles by hand from standard input until it ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                trouble = json.loads(line)["trouble"]
                if trouble in KINDS and self._director is not None:
                    await self._by_hand_turn(self._director, trouble)

    async def _by_hand_turn(self, director: Director, trouble: Trouble) -> None:
        """Let a trouble begin now, or end what was begun by hand."""
        mine = [act for act in self._by_hand if act.trouble == trouble]
        if mine:
            self._by_hand.remove(mine[0])
            await director.heal(mine[0])
            return
        act = Act(0, trouble, number=1)
        self._by_hand.append(act)
        await director.begin(act)


def _tell(what: dict[str, object]) -> None:
    # whoever listened may be gone; that is noticed by the end of our input
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)  # noqa: T201  # the parent reads it


def _tell_scene(scene: Scene) -> None:
    from guardian_tui.demo.director import title

    _tell({"scene": {"trouble": scene.act.trouble, "begins": scene.begins, "words": title(scene)}})


def end_engine(engine: subprocess.Popen[bytes]) -> None:
    """Let go of the engine's leash, and see that it ends."""
    assert engine.stdin is not None  # noqa: S101  # a pipe, by start_engine
    engine.stdin.close()
    try:
        engine.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a demo until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m guardian_tui.demo.stage", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--fault", action="append", default=[], choices=get_args(Trouble))
    chosen = parser.parse_args(argv)
    engine = start_engine(chosen.folder, chosen.speed)
    try:
        from guardian_tui.demo.simhost import raise_file_limit

        raise_file_limit()
        asyncio.run(Stage(chosen.folder, chosen.hosts, chosen.speed, chosen.fault).run())
    finally:
        end_engine(engine)
        shutil.rmtree(chosen.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
