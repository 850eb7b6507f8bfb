"""`guardian-tui` in a process of its own, forked from one that stands ready: as `subprocess.Popen`, without the second that its start takes."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from tests.measuring.sitecustomize import INTO, ROOT

AT = "GUARDIAN_TESTS_FORK_AT"
"""The variable that names the socket of the process that stands ready, where one was started for several processes of tests."""


@contextmanager
def standing_ready() -> Iterator[str]:
    """A process that stands ready, for as long as the block lasts; answers where it is asked."""
    with (
        tempfile.TemporaryDirectory(prefix="ready-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening,
    ):
        place = f"{folder}/s"
        listening.bind(place)
        listening.listen()
        environment = {name: value for name, value in os.environ.items() if name != INTO}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(listening.fileno())],
            cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, pass_fds=[listening.fileno()],
        )  # fmt: skip
        try:
            yield place
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


class Ready:
    """The way to the process that stands ready; one is started where there is none."""

    def __init__(self) -> None:
        self._standing = ExitStack()
        place = os.environ.get(AT) or self._standing.enter_context(standing_ready())
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.connect(place)
        self._one_at_a_time = threading.Lock()
        atexit.register(self.close)

    def ask(self, order: Mapping[str, object], files: tuple[int, ...] = ()) -> int:
        """Give it an order, with the files that go with it."""
        with self._one_at_a_time:
            socket.send_fds(self._link, [json.dumps(order).encode()], files)
            answer = self._link.recv(64)
        assert answer, "the process that stands ready has ended"
        return int(json.loads(answer))

    def close(self) -> None:
        """End what it still runs of ours."""
        self._link.close()
        self._standing.close()


_ready: dict[int, Ready] = {}
"""By the process that uses it: a fork has one of its own."""


class Forked:
    """A `guardian-tui` that runs.

    Args:
        argv: its arguments.
        environment: all of its environment.
        files: its standard input, output and error.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        files: tuple[IO[bytes], IO[bytes], IO[bytes]],
    ) -> None:
        if os.getpid() not in _ready:
            _ready[os.getpid()] = Ready()
        self._from = _ready[os.getpid()]
        order = {"argv": argv, "environment": dict(environment), "folder": str(ROOT)}
        self.pid = self._from.ask(order, tuple(file.fileno() for file in files))
        self.returncode: int | None = None
        self._end = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not within so many seconds.
        """
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._end, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("guardian-tui", timeout or 0.0)
            self.returncode = self._from.ask({"ended": self.pid})
            os.close(self._end)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As a power cut would end it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)
