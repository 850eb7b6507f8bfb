"""CPU of collecting and of the whole engine for one sample of a host, against other tools that do it over SSH, in the same run.

A real sshd on loopback, watched as 250 hosts in waves, each over a connection of its own.  *Transport* is our connections and channels alone: a wave of
requests, until all answers are whole.  *Engine* is all that its process spends while the samples come: transport, parse, rates, rules, store,
events to a subscriber; what it spends with no host to watch is not taken off.  The others' cost is the CPU of their client processes, for a command
that prints what the probe reads.  *Host* is the CPU of sshd and all that it starts.

    python bench/poll.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import psutil
import uvloop
from peers import PROC, Environment, Ssh, cpu_of
from support import admit, awake, follow, surveyed, watch_many

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import FleetSettings, find_paths
from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.channel import ProbeChannel
from guardian_tui.engine.fleet.sections import ALL, Section, due_every
from guardian_tui.engine.fleet.sections.kept import Kept
from guardian_tui.engine.fleet.sections.raw import lines_of, raw_of
from guardian_tui.engine.remote.connections import Connection, Remote
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.pins import Trusted
from guardian_tui.engine.remote.target import Target
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, RARE_SECONDS, SLOW_SECONDS
from tests.support.sshd import Sshd, ssh_user


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        hosts, interval_seconds: whom the engine polls, and how often.
        lines: whose transport is measured, in so many ``waves``.
        polls: of a lone host, for each way.
        plain, master: execs by ssh.
        ansible, parallel: hosts of the other tools.
    """

    hosts: int
    interval_seconds: float
    seconds: float
    lines: int
    waves: int
    polls: int
    plain: int
    master: int
    ansible: int
    parallel: int


FULL = Size(250, 5.0, 60.0, 250, 40, 300, 60, 200, 100, 50)
QUICK = Size(100, 2.0, 6.0, 100, 8, 60, 10, 40, 10, 10)
"""As many samples a second from fewer hosts, after their first surveys and before the next: without them."""
WAVE_SECONDS = 0.25
LONE_SECONDS = 0.05
LIMIT = 1 << 20
CAT = f'while read n s; do echo "=$n 1"; {PROC}; echo ".$n"; done'
"""A channel that is kept, and runs cat for each request."""


@contextmanager
def real_server() -> Iterator[Sshd]:
    """An sshd on loopback, and a user to log in as."""
    with ssh_user() as user, tempfile.TemporaryDirectory(prefix="gb") as folder:
        Path(folder).chmod(0o755)
        server = Sshd(Path(folder) / "sshd", user, "127.0.0.2", {"MaxStartups": "600"})
        server.start()
        try:
            yield server
        finally:
            server.stop()


class _Known:
    """Pins, credentials and questions of a server whose key is known."""

    def __init__(self, server: Sshd) -> None:
        self._trusted = Trusted((asyncssh.import_public_key(server.host_key),), (), ())
        self._key = asyncssh.read_private_key(str(server.client_key))

    def trusted(self, address: str, port: int) -> Trusted:
        """The server's key."""
        return self._trusted

    async def for_target(self, target: Target) -> Offer:
        """The client's key."""
        return Offer(keys=[self._key])

    def withdraw(self, host_id: str) -> None:
        """Nobody asks anything."""


class _Line:
    """One host's channel; a wave waits for all of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.channel = ProbeChannel(self, LIMIT)
        self.answer: asyncio.Future[bytes] | None = None

    async def open(self, command: str) -> None:
        """Start what answers."""
        await self.connection.ssh.create_session(lambda: self.channel, command, encoding=None)

    def ask(self, seq: int, request: str = "f") -> asyncio.Future[bytes]:
        """Send a request; its answer will come."""
        self.answer = asyncio.get_running_loop().create_future()
        self.channel.ask(seq, request)
        return self.answer

    def answered(self, body: bytes) -> None:
        """The whole answer."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(body)

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """The end of the channel."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(SystemExit(f"a channel was lost: {why}"))


class Collector:
    """The engine's connections and channels, without the rest of it."""

    def __init__(self, server: Sshd) -> None:
        known = _Known(server)
        self._server = server
        self._remote = Remote(FleetSettings(connects_at_once=50), known, known, known)  # type: ignore[arg-type]  # all that it asks of them
        self._seq = 0

    async def line(self, name: str, command: str) -> _Line:
        """One more host."""
        target = Target(name, name, self._server.address, self._server.port, self._server.user)
        line = _Line(await self._remote.connection(target))
        await line.open(command)
        return line

    async def wave(self, lines: list[_Line]) -> None:
        """Ask all, and wait for all answers."""
        self._seq += 1
        answers = await asyncio.gather(*[line.ask(self._seq) for line in lines])
        assert min(map(len, answers)) > 200

    async def close(self) -> None:
        """Close all connections."""
        await self._remote.close()


async def measure_transport(server: Sshd, hosts: int, waves: int) -> tuple[float, float]:
    """CPU seconds of collecting one sample in waves, and in lone polls."""
    collector = Collector(server)
    lines = await asyncio.gather(*[collector.line(f"h{n}", probe.polling_command()) for n in range(hosts)])
    await collector.wave(lines)
    before = time.process_time()
    for _ in range(waves):
        await collector.wave(lines)
        await asyncio.sleep(WAVE_SECONDS)
    in_waves = (time.process_time() - before) / waves / hosts
    lone = min(2 * waves + 20, hosts)
    before = time.process_time()
    for line in lines[:lone]:
        await collector.wave([line])
        await asyncio.sleep(LONE_SECONDS)
    alone = (time.process_time() - before) / lone
    await collector.close()
    return in_waves, alone


def tree_cpu(root: psutil.Process) -> float:
    """CPU seconds of a process and of all that it started, ended ones too (these to 10 ms)."""
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
            total += cpu_of(process.pid) + times.children_user + times.children_system
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    return total


async def measure_host(server: Sshd, count: int) -> tuple[float, float, float]:
    """CPU seconds on the host of one sample: by the probe, by a channel that runs cat, by an exec each."""
    collector, root = Collector(server), psutil.Process(server.pid)
    spent = []
    for command in (probe.polling_command(), CAT):
        line = await collector.line(f"host-{len(spent)}", command)
        await collector.wave([line])
        before = tree_cpu(root)
        for _ in range(count):
            await collector.wave([line])
        spent.append((tree_cpu(root) - before) / count)
    line = await collector.line("host-exec", CAT)
    before = tree_cpu(root)
    for _ in range(count):
        await line.connection.run(PROC, timeout=10)
    spent.append((tree_cpu(root) - before) / count)
    await collector.close()
    return spent[0], spent[1], spent[2]


async def measure_round(server: Sshd, sections: Sequence[Section]) -> tuple[float, float]:
    """CPU seconds of asking for these sections one by one: on the host, and of our side, to read and pack them."""
    collector, root = Collector(server), psutil.Process(server.pid)
    line = await collector.line("sections", probe.command())
    await collector.wave([line])
    before, ours = tree_cpu(root), time.process_time()
    for number, section in enumerate(sections, 10):
        for name, lines in lines_of(await line.ask(number, f"q {section.name}"), (section.name,)).items():
            Kept.of(lines, 0.0, 0.0, 0.0)
            ALL[name].read(raw_of(lines), None, 0.0)
    spent = tree_cpu(root) - before, time.process_time() - ours
    await collector.close()
    return spent


async def measure_engine(server: Sshd, size: Size) -> tuple[float, int]:
    """CPU seconds of the engine for one sample, and how many samples were counted."""
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    (paths.config / "config.toml").write_text(
        f"[fleet]\nconnects_at_once = 50\ninterval_seconds = {size.interval_seconds}\n"
    )
    process = start_engine(paths, linger=True)
    try:
        await wait_until_listening(paths, process)
        client = Client(paths.socket)
        await admit(client)
        hosts = [
            {"name": f"host-{number:03}", "address": server.address, "port": server.port}
            for number in range(size.hosts)
        ]
        await watch_many(client, hosts, server.host_key, server.user, server.client_key)
        following = await follow(client, size.hosts, "host-", 90)
        await surveyed(client)
        before, counted = cpu_of(process.pid), following.samples
        await asyncio.sleep(size.seconds)
        spent, samples = cpu_of(process.pid) - before, following.samples - counted
        await following.close()
        await client.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
    return spent / samples, samples


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="under half a minute, once the other tools are installed"
    )
    size = QUICK if parser.parse_args().quick else FULL
    others = Environment()
    values: dict[str, float] = {}
    with awake(), real_server() as server, tempfile.TemporaryDirectory(prefix="gb") as folder:
        os.environ["GUARDIAN_HOME"] = folder
        ssh = Ssh(server, Path(folder))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            by_probe, by_cat, by_exec = runner.run(measure_host(server, size.polls))
            plain, master = ssh.plain(size.plain), ssh.through_master(size.master)
            transport, lone = runner.run(measure_transport(server, size.lines, size.waves))
            rounds = {
                name: runner.run(measure_round(server, sections))
                for name, sections in (("medium", due_every(MEDIUM_SECONDS)), ("slow", due_every(SLOW_SECONDS)), ("rare", due_every(RARE_SECONDS)))
                if size is FULL or name == "medium"
            }  # fmt: skip
        engine, samples = asyncio.run(measure_engine(server, size))
        print(
            f"ms of CPU a sample: transport {transport * 1000:.3f} (a lone poll every 50 ms {lone * 1000:.3f}),"
            f" engine {engine * 1000:.3f} ({samples} samples); ssh through a master {master * 1000:.2f}, plain {plain * 1000:.1f}"
        )
        print(f"on the host: probe {by_probe * 1000:.3f}, cat {by_cat * 1000:.2f}, exec {by_exec * 1000:.2f}")
        for name, (on_host, ours) in rounds.items():
            print(
                f"a first round of {name} sections: {on_host * 1000:.0f} on the host, {ours * 1000:.1f} of ours"
            )
        values["controlmaster"] = transport / master
        values["engine_controlmaster"] = engine / master
        values["ssh"] = engine / plain
        values["host_cat"], values["host_exec"] = by_probe / by_cat, by_probe / by_exec
        values["lone_controlmaster"] = lone / master
        if others.ready():
            ansible = others.ansible(server, ssh, Path(folder), size.ansible)
            parallel = others.parallel_ssh(server, size.parallel, 10 if size is QUICK else 20)
            print(f"ansible raw {ansible * 1000:.1f}, parallel-ssh {parallel * 1000:.2f}")
            values["ansible"], values["parallel_ssh"] = transport / ansible, transport / parallel
    print(json.dumps({"bench": "poll", "values": {name: round(value, 5) for name, value in values.items()}}))


if __name__ == "__main__":
    main()
