"""A process that has imported all of Guardian and forks whenever a test wants it run: to start Python and import it takes longer than most tests.

Run by `tests/support/forked.py`, with the number of an open socket as its argument.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import pkgutil
import selectors
import signal
import socket
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import guardian_tui.engine
from guardian_tui.cli.main import main as command
from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.store import migrate
from guardian_tui.engine.store.database import Store
from tests.support.schema import run_or_repeat

ORDER_BYTES = 1 << 20
MOST_FILES = 1024


def prepare() -> None:
    """Import what an engine imports, and learn what migrations do to an empty store."""
    for module in pkgutil.walk_packages(guardian_tui.engine.__path__, "guardian_tui.engine."):
        if not module.name.endswith(".__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    command.list_commands(command.context_class(command))
    migrate.run_alembic = run_or_repeat

    async def once(folder: Path) -> None:
        await (await Store.open(StoreSettings(), folder, SystemClock())).close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(once(Path(folder)))
    gc.collect()
    gc.freeze()


def run(argv: list[str], environment: dict[str, str], folder: str, files: list[int]) -> None:
    """Be `guardian-tui` with these words, in this environment and folder, over these three files; ends the process."""
    code = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(len(files), MOST_FILES)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.argv = ["guardian-tui", *argv]
        command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class Server:
    """Forks on order and tells how each ended.

    Args:
        listening: where tests come to ask.
        life: a file that ends when whoever started this does.
    """

    def __init__(self, listening: socket.socket, life: int) -> None:
        self._running: dict[socket.socket, set[int]] = {}
        self._asked = selectors.DefaultSelector()
        self._listening, self._life = listening, life
        for source in (listening, life):
            self._asked.register(source, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the end of whoever started this."""
        while True:
            for key, _ in self._asked.select():
                if key.fileobj == self._life:
                    for link in list(self._running):
                        self._leave(link)
                    return
                if key.fileobj is self._listening:
                    link, _ = self._listening.accept()
                    self._running[link] = set()
                    self._asked.register(link, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)

    def _hear(self, link: socket.socket) -> None:
        message, files, _, _ = socket.recv_fds(link, ORDER_BYTES, 3)
        if not message:
            self._leave(link)
            return
        order = json.loads(message)
        if ended := order.get("ended"):
            _, status = os.waitpid(ended, 0)
            self._running[link].discard(ended)
            link.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
            return
        pid = os.fork()
        if not pid:
            run(order["argv"], order["environment"], order["folder"], files)
        self._running[link].add(pid)
        for file in files:
            os.close(file)
        link.send(json.dumps(pid).encode())

    def _leave(self, link: socket.socket) -> None:
        """Whoever asked is gone: what it left running is killed."""
        self._asked.unregister(link)
        link.close()
        for pid in self._running.pop(link):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    prepare()
    Server(socket.socket(fileno=int(sys.argv[1])), sys.stdin.fileno()).serve()
