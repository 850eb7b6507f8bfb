"""Simulated hosts: many real SSH servers in one process, each with living figures and faults to order.

``python -m guardian_tui.demo.simhost --hosts 500`` prints one line of JSON (names, ports, the host key, the folder of the client key) and
serves until its input ends.  Meanwhile it takes orders, one JSON object a line: ``{"host": "sim-003", "fault": "dead"}``; ``"*"`` is all hosts,
and an empty fault heals.  ``{"logins": true}`` asks how often each was connected to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import asyncssh

from guardian_tui.demo import shell
from guardian_tui.demo.figures import Figures
from guardian_tui.demo.tables import processes
from guardian_tui.demo.told import Teller

Fault = Literal[
    "", "dead", "mute", "hang", "slow", "garbage", "flood", "half", "cut", "late", "foreign", "wrong", "killed", "df_hang", "full", "reboot",
    "key",
]  # fmt: skip
"""What can be wrong with a host.

dead: refuses connections, and cuts those it has.  mute: accepts TCP and says nothing.  hang: logs in, never answers a poll.  slow: answers after
``SLOW_SECONDS``.  garbage: answers with noise.  flood: answers with 100 MB.  half: sends half an answer and no more.  cut: sends half an answer and
cuts.  late: answers the request before, again.  foreign: what answers is another program.  wrong: answers a request that nobody made.  killed: the
probe ends at each request.  df_hang: df never ends.  full: its root fills within seconds.  reboot: its counters begin anew, once.  key: it shows
another host key.
"""
SLOW_SECONDS = 6.0
FLOOD_BYTES = 100 << 20
_CHUNK = b"x" * (1 << 16)
_LONGEST_REQUEST = 4096


class SimHost:
    """One host: its figures, its fault, its listener."""

    def __init__(self, name: str, figures: Figures, address: str) -> None:
        self.name = name
        self.figures = figures
        self.address = address
        self.port = 0
        self.fault: Fault = ""
        self.polls = 0
        """Answers and faults given."""
        self.logins = 0
        """Connections that were made to it, whether or not they got on."""
        self.rooms_asked = 0
        """How often the room of its file systems was asked for."""
        self.commands: list[str] = []
        """What was run beside the probe, newest last; bounded."""
        self.makes_figures = True
        """Whether its probe makes figures of what it reads; one that was installed long ago does not."""
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.listener: asyncssh.SSHAcceptor | None = None
        self.silence: asyncio.Server | None = None
        self.kept: socket.socket | None = None
        """Holds its port while it refuses connections: bound, but not listening."""

    def cut(self) -> None:
        """Cut all connections to it."""
        for conn in list(self.connections):
            conn.abort()


class _Server(asyncssh.SSHServer):
    """A connection to a host; also a jump host, if asked to be one."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._conn: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody connects."""
        self._conn = conn
        self._host.logins += 1
        self._host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        if self._conn is not None:
            self._host.connections.discard(self._conn)

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        """A channel for a command."""
        return _Session(self._host)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """A way through to another simulated host, which is on loopback."""
        return dest_host.startswith("127.")


class _Session(asyncssh.SSHServerSession[bytes]):
    """The probe of a host; any other command is answered at once."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._buffer = b""
        self._command = ""
        self._before = "0"
        self._teller = Teller()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is there."""
        self._channel = chan

    def exec_requested(self, command: str) -> bool:
        """Any command is taken."""
        self._command = command
        return True

    def session_started(self) -> None:
        """Answer what is no dialogue."""
        if "guardian-probe" in self._command:
            return
        host = self._host
        host.commands = [*host.commands[-19:], self._command]
        assert self._channel is not None  # noqa: S101  # by connection_made
        ran = shell.run(host.figures, self._command)
        self._channel.write(ran.out)
        self._channel.write_stderr(ran.err)
        self._channel.exit(ran.status)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Requests, a line each."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > _LONGEST_REQUEST:
            self._buffer = b""
        for line in lines:
            seq, _, sections = line.decode("ascii", "replace").partition(" ")
            if seq.isdigit() and len(seq) < 13:
                self._poll(seq, sections)

    def eof_received(self) -> bool:
        """The probe ends with its input; a command's has ended before it began."""
        return "guardian-probe" not in self._command

    def _poll(self, seq: str, sections: str) -> None:
        assert self._channel is not None  # noqa: S101  # by connection_made
        host, fault = self._host, self._host.fault
        host.polls += 1
        if sections.startswith("r"):
            host.rooms_asked += 1
        if fault in ("hang", "mute") or (fault == "df_hang" and sections.startswith("r")):
            return
        before, self._before = self._before, seq
        answer = host.figures.answer(
            before if fault == "late" else seq, sections, self._teller if host.makes_figures else None
        ).encode()
        if fault == "slow":
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._write, answer)
        elif fault == "garbage":
            self._channel.write(
                b"=%s 1\n" % seq.encode() + bytes(range(256)) * 8 + b"\nc -1 nan 1e400\n.%s\n" % seq.encode()
            )
        elif fault == "flood":
            asyncio.get_running_loop().create_task(self._flood())
        elif fault in ("half", "cut"):
            self._channel.write(answer[: len(answer) // 2])
            if fault == "cut":
                asyncio.get_running_loop().call_later(0.05, host.cut)
        elif fault == "wrong":
            self._channel.write(host.figures.answer(f"{int(seq) + 7}", sections).encode())
        elif fault == "killed":
            self._channel.exit(137)
        elif fault == "foreign":
            self._channel.write(
                b"This account is not available.\r\n=%s 1\nhello\n.%s\n" % (seq.encode(), seq.encode())
            )
        else:
            self._channel.write(answer)

    def _write(self, answer: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(answer)

    async def _flood(self) -> None:
        for _ in range(FLOOD_BYTES // len(_CHUNK)):
            if self._channel is None or self._channel.is_closing():
                return
            self._channel.write(_CHUNK)
            await asyncio.sleep(0)


class SimFleet:
    """All simulated hosts of a process.

    Args:
        client_keys: public keys that may log in, as in authorized_keys.
        address: where they listen; each has a port of its own.
    """

    def __init__(self, client_keys: str, address: str = "127.0.0.1") -> None:
        self._address = address
        self._client_keys = asyncssh.import_authorized_keys(client_keys)
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._options = self._server_options(self._host_key)
        self._other_options: asyncssh.SSHServerConnectionOptions | None = None
        self.hosts: dict[str, SimHost] = {}

    def _server_options(self, host_key: asyncssh.SSHKey) -> asyncssh.SSHServerConnectionOptions:
        return asyncssh.SSHServerConnectionOptions(
            server_host_keys=[host_key], authorized_client_keys=self._client_keys, encoding=None,
            line_editor=False, allow_pty=False, agent_forwarding=False, x11_forwarding=False, gss_host=None, password_auth=False, kbdint_auth=False,
            kex_algs=["curve25519-sha256"], encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"], keepalive_interval=0,
        )  # fmt: skip

    def _options_of(self, host: SimHost) -> asyncssh.SSHServerConnectionOptions:
        if host.fault != "key":
            return self._options
        if self._other_options is None:
            self._other_options = self._server_options(asyncssh.generate_private_key("ssh-ed25519"))
        return self._other_options

    @property
    def host_key(self) -> str:
        """The public key of all hosts: algorithm and base64."""
        return " ".join(self._host_key.export_public_key().decode().split()[:2])

    async def add(self, name: str, figures: Figures) -> SimHost:
        """Start one more host."""
        host = SimHost(name, figures, self._address)
        self.hosts[name] = host
        await self._listen(host)
        return host

    async def start(self, count: int, *, disks: int = 2, nics: int = 2) -> list[SimHost]:
        """Start ``count`` hosts, named sim-000 and so on."""
        return [await self.add(f"sim-{n:03}", Figures(n, disks=disks, nics=nics)) for n in range(count)]

    async def _listen(self, host: SimHost) -> None:
        at, host.kept = host.kept or _bound(host.address, host.port), None
        host.listener = await asyncssh.listen(
            sock=at, options=self._options_of(host), server_factory=lambda: _Server(host), backlog=64
        )
        host.port = host.listener.get_port()

    async def set_fault(self, name: str, fault: Fault) -> None:
        """Break a host in one way, or heal it (empty); ``*`` means all of them.

        Raises:
            KeyError: there is no such host.
        """
        for host in list(self.hosts.values()) if name == "*" else [self.hosts[name]]:
            await self._break(host, fault)

    async def _break(self, host: SimHost, fault: Fault) -> None:
        if "full" in (host.fault, fault):
            root = host.figures.rooms[0]
            root.filling = root.size / 60 if fault == "full" else 0.0
        if fault == "reboot":
            host.figures.restart()
            fault = ""
        before, host.fault = host.fault, fault
        if host.silence is not None:
            host.silence.close()
            host.silence = None
        if "key" in (before, fault) and before != fault:
            self._shut(host)
        if fault in ("dead", "mute"):
            self._shut(host)
            if fault == "mute":
                at, host.kept = host.kept, None
                host.silence = await asyncio.start_server(_say_nothing, sock=at)
        elif host.listener is None:
            await self._listen(host)

    def _shut(self, host: SimHost) -> None:
        """Refuse connections, and cut those there are; the port stays its own."""
        if host.listener is not None:
            host.listener.close()
            host.listener = None
        if host.kept is None:
            host.kept = _bound(host.address, host.port)
        host.cut()

    async def stop(self) -> None:
        """Stop all hosts."""
        for host in self.hosts.values():
            if host.silence is not None:
                host.silence.close()
            self._shut(host)
            if host.kept is not None:
                host.kept.close()
        await asyncio.sleep(0)


def _bound(address: str, port: int) -> socket.socket:
    """A socket that holds a port (0: any)."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


def raise_file_limit() -> None:
    """As many open files as we may have: a host is a listener and its connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.close()


def describe(fleet: SimFleet, client_key: Path) -> str:
    """Where the hosts are, and how to log in, as one line of JSON."""
    hosts = [{"name": host.name, "address": host.address, "port": host.port} for host in fleet.hosts.values()]
    return json.dumps({"host_key": fleet.host_key, "client_key": str(client_key), "hosts": hosts})


async def _obey(fleet: SimFleet) -> None:
    """Take orders from standard input until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        try:
            order = json.loads(line)
            if order.get("logins"):
                told: dict[str, object] = {
                    "logins": {host.name: host.logins for host in fleet.hosts.values()}
                }
                print(json.dumps(told), flush=True)  # noqa: T201  # the answer to an order
                continue
            if order["fault"] not in get_args(Fault):
                raise ValueError(f"no fault is named {order['fault']!r}")
            await fleet.set_fault(order["host"], cast(Fault, order["fault"]))
            told = {"ok": True}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            told = {"ok": False, "error": repr(error)}
        print(json.dumps(told), flush=True)  # noqa: T201  # the answer to an order


async def _serve(hosts: int, disks: int, nics: int, folder: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = folder / "client"
    file.touch(mode=0o600)
    key.write_private_key(str(file))
    fleet = SimFleet(key.export_public_key().decode())
    await fleet.start(hosts, disks=disks, nics=nics)
    print(describe(fleet, file), flush=True)  # noqa: T201  # what the caller waits for
    try:
        await _obey(fleet)
    finally:
        await fleet.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a simulated fleet until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m guardian_tui.demo.simhost", description=__doc__)
    parser.add_argument("--hosts", type=int, default=40, help="how many (default: 40)")
    parser.add_argument("--disks", type=int, default=2, help="block devices and file systems of each")
    parser.add_argument("--nics", type=int, default=2, help="network interfaces of each")
    parser.add_argument("--processes", type=int, default=processes.PROCESSES, help="processes of each")
    parser.add_argument("--cpu", type=int, default=None, help="stay on this processor")
    chosen = parser.parse_args(argv)
    raise_file_limit()
    processes.PROCESSES = chosen.processes
    if chosen.cpu is not None:
        os.sched_setaffinity(0, {chosen.cpu})
    with tempfile.TemporaryDirectory(prefix="simhost-") as folder:
        asyncio.run(_serve(chosen.hosts, chosen.disks, chosen.nics, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
