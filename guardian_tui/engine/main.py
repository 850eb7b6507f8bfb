"""The engine: puts the features together, serves them, and ends in good order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import getpass
import json
import logging
import logging.handlers
import os
import resource
import secrets
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import uvloop

from guardian_tui import __version__
from guardian_tui.config import Paths, Settings, find_paths, load_settings
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.access.service import Access
from guardian_tui.engine.alerts.records import count_waiting
from guardian_tui.engine.alerts.settings import check_settings
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock, SystemClock
from guardian_tui.engine.dispatch import Dispatch
from guardian_tui.engine.environment import hide_secrets
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.listener import Listener, bind_socket, place_of
from guardian_tui.engine.live import Live
from guardian_tui.engine.notify import Notifier
from guardian_tui.engine.server import Server
from guardian_tui.engine.status import Health
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.streams import Streams
from guardian_tui.engine.turns import next_turn
from guardian_tui.engine.vault.orders import Leave, VaultOrders
from guardian_tui.engine.vault.sealing import Stretcher
from guardian_tui.engine.vault.slots import SlotOrders
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.base import PROTOCOL_VERSION, Done, Nothing
from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.protocol.errors import EngineUnreachable, GuardianError, StoreUnavailable
from guardian_tui.protocol.system import EngineStatus, Hello, Linger, Shutdown
from guardian_tui.text import json_safe, safe

if TYPE_CHECKING:
    from guardian_tui.engine.features import Features

log = logging.getLogger(__name__)
_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

COUNT_SECONDS = 5.0
"""Messages that wait to be sent are counted this often, where the store was written."""
BEGIN_SECONDS = 20.0
"""What is asked of features that have not begun yet waits for them so long."""
IDLE_STOP_SECONDS = 900.0
"""A private engine stops so long after its last client, unless it lingers."""
LOG_BYTES = 10 << 20


class Engine:
    """One engine: everything that it is made of, in the order in which it starts.

    Args:
        stretcher: runs argon2id; tests hand in a cheap one.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        *,
        linger: bool,
        clock: Clock | None = None,
        stretcher: Stretcher | None = None,
    ) -> None:
        self.paths = paths
        self.settings = settings
        hide_secrets(settings)
        self.linger = linger
        self.clock: Clock = clock or SystemClock()
        self._stretcher = stretcher
        self.boot = secrets.token_hex(4)
        self.bus = Bus()
        self.live = Live()
        self._stopping = asyncio.Event()
        self._last_request = time.monotonic()
        self._set_up = False
        self.outbox_waiting = 0
        """Messages that wait to be sent, counted again once the store was written."""
        self._outbox_counted = -1
        """Commits of the store up to which it is right."""

    async def run(self) -> None:
        """Serve until it is told to stop.

        Raises:
            GuardianError: it can't start; says why and what to do.
        """
        check_settings(self.settings.alerts)
        place = place_of(self.settings, self.paths.socket)
        async with contextlib.AsyncExitStack() as closing:
            self.store = await Store.open(self.settings.store, self.paths.state, self.clock)
            closing.push_async_callback(self.store.close)
            sock = bind_socket(place)
            closing.callback(place.path.unlink, missing_ok=True)
            await self._compose(closing)
            listener = Listener(self.server.app)
            serving = asyncio.create_task(listener.serve([sock]), name="listener")
            closing.push_async_callback(self._stop_serving, listener, serving)
            notifier = Notifier()
            await self._start_features(closing)
            closing.push_async_callback(notifier.stopping)
            notifier.ready()
            stop = asyncio.create_task(self._stopping.wait())
            idle = asyncio.create_task(self._stop_when_idle())
            done, pending = await asyncio.wait((serving, stop, idle), return_when=asyncio.FIRST_COMPLETED)
            for task in pending - {serving}:
                task.cancel()
            for task in done:
                if error := task.exception():
                    log.error("%s ended by a fault", task.get_name(), exc_info=error)
            log.info("stopping")

    async def _compose(self, closing: contextlib.AsyncExitStack) -> None:
        settings, clock = self.settings, self.clock
        self.audit = AuditLog(
            self.store,
            self.live,
            clock,
            settings.audit,
            self.paths.state,
            reserve_bytes=settings.store.reserve_bytes,
        )
        await self.audit.start()
        closing.push_async_callback(self.audit.stop)
        self._features: asyncio.Future[Features] = asyncio.get_running_loop().create_future()
        self.vault = Vault(self.store, self.bus, clock)
        slots = SlotOrders(self.vault, self.audit)
        await slots.start()
        closing.push_async_callback(slots.stop)
        self.access = Access(
            self.store, self.vault, self.bus, clock, settings.access, engine_uid=os.geteuid(),
            advisory=settings.mode == "personal", stretcher=self._stretcher, first_code=FirstCode(self.paths.state),
        )  # fmt: skip
        self._set_up = await self.access.is_set_up()
        self.dispatch = Dispatch(
            self.access.authenticate, self.audit, self.store.write, clock, self._host_name
        )
        self.health = Health(self)
        self.health.errors.open()
        closing.callback(self.health.errors.close)
        self.streams = Streams(self.live, self.boot, self.status, self.access.still)
        self.bus.subscribe(SessionEnded, self.streams.session_ended)
        self.server = Server(self.dispatch, self.streams, self.health.routes(), self._touched)
        own: dict[str, Handler] = {
            "hello": self.hello, "engine.status": self.order_status, "engine.figures": self.order_figures, "engine.stop": self.order_stop,
            "engine.linger": self.order_linger,
        }  # fmt: skip
        for handlers in (
            self.access.handlers(), self.audit.handlers(), VaultOrders(self.vault, self._ask_leave).handlers(),
            slots.handlers(), own,
        ):  # fmt: skip
            self.dispatch.bind(handlers)

    async def _start_features(self, closing: contextlib.AsyncExitStack) -> None:
        # imported once login is served: asyncssh is among what it brings in
        from guardian_tui.engine.features import Features

        features = Features(self)
        self.fleet, self.runbooks = features.fleet, features.runbooks
        await features.start(closing)
        self._features.set_result(features)
        self.health.ready = True
        gc.freeze()
        # a wave makes and drops thousands of objects that die by themselves: looked through for cycles seldom
        gc.set_threshold(20_000, 20, 20)
        log.info("watching %d hosts", len(self.fleet.inventory.hosts))

    async def _ask_leave(self, call: Call, secret: str) -> Leave | None:
        """Leave to replace or destroy a secret: what stands on it the features know, which begin after the vault."""
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                features = await asyncio.shield(self._features)
        except TimeoutError as error:
            raise EngineUnreachable(
                "The engine is still beginning, and does not know yet what stands on this secret: try again in a moment."
            ) from error
        return await features.asking.secret(call, secret)

    async def _stop_serving(self, listener: Listener, serving: asyncio.Task[None]) -> None:
        self.streams.close()
        listener.stop()
        await asyncio.gather(serving, return_exceptions=True)

    async def _stop_when_idle(self) -> None:
        while True:
            await next_turn(COUNT_SECONDS)
            if len(self.streams):
                self._touched()
            await self._count_outbox()
            if not self.linger and time.monotonic() - self._last_request > IDLE_STOP_SECONDS:
                log.info("no client for %d minutes", IDLE_STOP_SECONDS // 60)
                return

    async def _count_outbox(self) -> None:
        commits = self.store.commits
        if commits == self._outbox_counted:
            # nothing was put in or delivered
            return
        try:
            async with self.store.read() as conn:
                self.outbox_waiting = sum((await count_waiting(conn)).values())
        except StoreUnavailable:
            # the store tells of it itself
            return
        except Exception:
            log.exception("what waits to be sent could not be counted")
            return
        self._outbox_counted = commits

    def _touched(self) -> None:
        self._last_request = time.monotonic()

    def stop(self) -> None:
        """Stop in good order."""
        self._stopping.set()

    def _host_name(self, host: str) -> str:
        """The name of a host given by its id; what is no id stays as it is."""
        row = self.live.hosts.get(host)
        return row.name if row else safe(host, 253)

    # --- orders of the engine itself ---------------------------------------------------------------

    def status(self) -> EngineStatus:
        """The engine's own health, now."""
        return self.health.status()

    async def hello(self, call: Call, request: Nothing) -> Hello:
        """`hello`."""
        if not self._set_up:
            self._set_up = await self.access.is_set_up()
        return Hello(
            version=__version__, protocol=PROTOCOL_VERSION, boot=self.boot, mode=self.settings.mode,
            environment=self.settings.environment, set_up=self._set_up, vault_locked=self.vault.locked, time=self.clock.now(),
            code_wanted=not self._set_up and self.access.wants_code(call.peer), lingering=self.linger,
            store_problem=self.health.store_problem, store_mended=tuple(self.store.problems),
        )  # fmt: skip

    async def order_status(self, call: Call, request: Nothing) -> EngineStatus:
        """`engine.status`."""
        return self.status()

    async def order_figures(self, call: Call, request: Nothing) -> EngineFigures:
        """`engine.figures`."""
        return await self.health.figures()

    async def order_stop(self, call: Call, request: Shutdown) -> Done:
        """`engine.stop`."""
        async with call.change("engine", body={"reason": request.reason}):
            pass
        asyncio.get_running_loop().call_later(0.2, self.stop)
        return Done()

    async def order_linger(self, call: Call, request: Linger) -> Done:
        """`engine.linger`."""
        async with call.change("engine", body={"linger": request.linger}):
            pass
        self.linger = request.linger
        return Done()


class JsonLines(logging.Formatter):
    """One JSON object a line, safe to print to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        fields: dict[str, Any] = {  # Any: JSON values
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            fields["request_id"] = request_id
        if record.exc_info and record.exc_info[0] is not None:
            # the trace, never the values of locals
            fields["error"] = self.formatException(record.exc_info)
        return json_safe(json.dumps(fields, ensure_ascii=False))


class LogFile(logging.handlers.RotatingFileHandler):
    """The log; a disk that takes no more lines costs them, and a trace on standard error for each of them is no help."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # as in the base class
        """Pass over what the disk refused."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


def open_log(paths: Paths) -> None:
    """Write the log to ``engine.log`` in the state folder: 10 MB, three old ones kept, 0600."""
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = paths.state / "engine.log"
    file.touch(mode=0o600)
    handler = LogFile(file, maxBytes=LOG_BYTES, backupCount=3)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic", "httpx", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def run_engine(paths: Paths | None = None, *, linger: bool) -> int:
    """Run an engine in the foreground; returns the exit code."""
    paths = paths or find_paths()
    os.umask(0o077)
    # a core dump would hold the data key
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _raise_file_limit()
    _have_a_name()
    _keep_one_heap()
    try:
        open_log(paths)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(paths, linger=linger))
    except GuardianError as error:
        told = safe(f"{error.title}: {error.detail}", 2000)
        print(told, file=sys.stderr)  # noqa: T201  # the log may not be open
        log.error("%s: %s", error.title, error.detail)
        return 1
    except OSError as error:
        print(f"{paths.state} can't be used: {error.strerror}", file=sys.stderr)  # noqa: T201  # the log may not be open
        return 1
    return 0


async def _run(paths: Paths, *, linger: bool) -> None:
    engine = Engine(paths, load_settings(paths), linger=linger)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)
    # a terminal that closes must not end the engine that it started
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    await engine.run()


def _keep_one_heap() -> None:
    """Have all threads share glibc's first heap: each that packs an hour or reads a host's answer would keep one of its own, an eighth of
    what a fleet takes in all.
    """
    with contextlib.suppress(OSError, AttributeError):
        # other C libraries have no such call
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _have_a_name() -> None:
    """SSH wants the name of our own account, and looks for it at each connection: it may have none (in a container, say), or be out of files."""
    if not os.environ.get("LOGNAME"):
        try:
            os.environ["LOGNAME"] = getpass.getuser()
        except (KeyError, OSError):
            os.environ["LOGNAME"] = f"uid-{os.geteuid()}"


def _raise_file_limit() -> None:
    """As many open files as we may have: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
