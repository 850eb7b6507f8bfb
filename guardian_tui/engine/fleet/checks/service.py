"""The checks' service: makes each when it is due, and tells the bus, the store and the live table what came of it.

One slow target costs the others nothing: a run has a time limit, a host at most a few runs at once, and a run waits for its turn outside of
its own time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from guardian_tui.config import CheckSettings, FleetSettings
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import CutOff, HostsChanged, Layout, ProofWanted, Sample, WaveDone
from guardian_tui.engine.fleet.checks import records
from guardian_tui.engine.fleet.checks.check import Check
from guardian_tui.engine.fleet.checks.kinds import runner
from guardian_tui.engine.fleet.checks.patterns import check_patterns
from guardian_tui.engine.fleet.checks.result import Result, of_error
from guardian_tui.engine.fleet.checks.site import Site
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import LOCAL_ID, Inventory, command_target
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.check_params import WHERE, KindParams, read_params
from guardian_tui.protocol.checks import CheckSpec
from guardian_tui.protocol.errors import InvalidRequest, StoreUnavailable

log = logging.getLogger(__name__)

AT_ONCE_PER_HOST = 4
FIRST_RUN_SECONDS = 5.0
"""A new check is made within so long; those of a start are spread over their period, at most a minute."""
START_SPREAD_SECONDS = 60.0
JITTER = 0.05
GATHER_SECONDS = 0.25
"""Results are gathered for so long, and told together."""
REMEMBER_SECONDS = 5.0


class Checks:
    """All checks of an engine.

    Args:
        resolve: the secret behind a reference.
        own: the checks of the config file, by name.
    """

    def __init__(
        self, store: Store, bus: Bus, live: Live, clock: Clock, settings: FleetSettings, own: Mapping[str, CheckSettings],
        inventory: Inventory, remote: Remote, resolve: Callable[[str], Awaitable[str]],
    ) -> None:  # fmt: skip
        self._store = store
        self._bus = bus
        self._live = live
        self._clock = clock
        self._settings = settings
        self._own = own
        self._inventory = inventory
        self._remote = remote
        self._resolve = resolve
        self.checks: dict[str, Check] = {}
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._sooner = asyncio.Event()
        self._all = asyncio.Semaphore(settings.checks_at_once)
        self._of_host: dict[str, asyncio.Semaphore] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._finished: dict[str, Check] = {}
        self._any_finished = asyncio.Event()
        self._unwritten: dict[str, Check] = {}
        self._gone: set[str] = set()
        self._layouts: dict[str, Layout] = {}
        self._own_layouts: dict[str, Layout] = {}
        self._cut_off = False
        self._tasks: list[asyncio.Task[None]] = []
        bus.subscribe(HostsChanged, self._hosts_changed)
        bus.subscribe(CutOff, self._heard_cut_off)
        bus.subscribe(ProofWanted, self._prove)

    async def start(self) -> None:
        """Take up the checks of the store and of the config file, and begin."""
        for check in await records.read_checks(self._store):
            self.checks[check.id] = check
        await self._take_settings()
        for check in self.checks.values():
            self._place(check)
            self.show(check)
            spread = min(check.spec.period_seconds, START_SPREAD_SECONDS)
            self._plan(check, random.uniform(0, spread))  # noqa: S311  # jitter, not a secret
        self._tasks = [
            asyncio.create_task(self._make(), name="checks"),
            asyncio.create_task(self._tell(), name="checks: results"),
            asyncio.create_task(self._remember(), name="checks: memory"),
        ]

    async def stop(self) -> None:
        """End; what is remembered is written first, if it can be."""
        tasks = [*self._tasks, *self._runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._write_memory()

    # --- checks come, change and go ----------------------------------------------------------------

    def named(self, name: str) -> Check | None:
        """A check by id or by name."""
        found = self.checks.get(name)
        return found or next((check for check in self.checks.values() if check.spec.name == name), None)

    def host_of(self, check: Check) -> Host | None:
        """The host that it belongs to."""
        return self._inventory.hosts.get(check.host_id)

    def host_named(self, name: str) -> Host | None:
        """The host of this name; empty: the engine's own machine."""
        return self._inventory.hosts.get(LOCAL_ID) if not name else self._inventory.named(name)

    def labels_of(self, check: Check) -> dict[str, str]:
        """Labels that decide who may see it: its host's."""
        host = self.host_of(check)
        return host.labels if host else {"host": check.spec.host}

    def host_name(self, check: Check) -> str:
        """The name of its host."""
        host = self.host_of(check)
        return host.spec.name if host else check.spec.host

    def joined(self, check: Check) -> None:
        """A check was added (after its commit)."""
        self.checks[check.id] = check
        self._place(check)
        self.show(check)
        first = min(FIRST_RUN_SECONDS, check.spec.period_seconds)
        self._plan(check, random.uniform(0, first))  # noqa: S311  # jitter, not a secret

    def left(self, check: Check) -> None:
        """A check was removed or is about to be another (after its commit): no fault of it is left standing."""
        self.checks.pop(check.id, None)
        run = self._runs.pop(check.id, None)
        if run is not None:
            run.cancel()
        self._finished.pop(check.id, None)
        self._unwritten.pop(check.id, None)
        self._own_layouts.pop(check.id, None)
        if check.host_id in self._inventory.hosts:
            layout = Layout(tuple(check.ruled_series()))
            sample = Sample(check.host_id, self._clock.now(), layout, check.well_values())
            self._bus.publish(WaveDone((sample,), "checks"))
        self._live.checks.drop(check.id)

    def _place(self, check: Check) -> None:
        """Whether it can be made, now that its host is there or not."""
        host = self.host_of(check)
        check.problem = ""
        if host is None:
            check.problem = f"its host {check.spec.host or '(this machine)'} is not watched"
        elif host.target is None and check.where == "forward":
            check.problem = "this machine needs no forward: make the check from the engine"
        if not check.spec.enabled:
            check.state, check.since, check.words = "off", self._clock.now(), "switched off"
        elif check.problem:
            check.state, check.since, check.words = "unknown", self._clock.now(), check.problem
        elif check.state in ("off", "unknown") and check.measured_at is None:
            check.state, check.words = "waiting", ""

    def show(self, check: Check) -> None:
        """Put its row into the live table, if it is another."""
        row = check.row_of(self.host_name(check))
        if row != check.row:
            check.row = row
            self._live.checks.put(check.id, row, self.labels_of(check))

    def _hosts_changed(self, fact: HostsChanged) -> None:
        changed = {host.id for host in fact.hosts}
        for host_id in fact.removed:
            self._of_host.pop(host_id, None)
            self._layouts.pop(host_id, None)
        for check in list(self.checks.values()):
            if check.host_id in fact.removed:
                self.left(check)
                self._gone.add(check.id)
            elif check.host_id in changed:
                host = self.host_of(check)
                if host is not None and check.spec.host:
                    check.spec = replace(check.spec, host=host.spec.name)
                # its labels may be others
                check.row = None
                self.show(check)

    def _heard_cut_off(self, fact: CutOff) -> None:
        self._cut_off = fact.since is not None

    async def _take_settings(self) -> None:
        """Bring the store's checks of the config file in step with it."""
        async with self._store.write() as tx:
            for check in [c for c in self.checks.values() if c.source == "config"]:
                if check.spec.name not in self._own:
                    await records.remove(tx, [check.id])
                    tx.after_commit(partial(self.left, check))
            for name, settings in self._own.items():
                spec = settings.spec(name)
                try:
                    params = read_kind(spec)
                except InvalidRequest as error:
                    raise InvalidRequest(
                        f"[checks.{name}]: {error.detail}", field=f"checks.{name}"
                    ) from error
                known = self.named(name)
                if known is not None and known.source != "config":
                    log.warning(
                        "[checks.%s]: there is such a check already, made on screen; that one counts", name
                    )
                    continue
                host = self.host_named(spec.host)
                host_id = host.id if host else f"missing:{spec.host}"
                if known is None:
                    check = Check(secrets.token_hex(8), spec, params, host_id, "config", self._clock.now())
                    check.since = check.created_at
                    self.checks[check.id] = check
                    await records.put(tx, check, new=True)
                elif (known.spec, known.host_id) != (spec, host_id):
                    known.spec, known.params, known.host_id = spec, params, host_id
                    await records.put(tx, known, new=False)

    # --- when ------------------------------------------------------------------------------------------

    def _plan(self, check: Check, seconds: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), check.id))
        self._sooner.set()

    async def _make(self) -> None:
        while True:
            self._sooner.clear()
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                due_at, _, id = heapq.heappop(self._due)
                check = self.checks.get(id)
                if check is None:
                    continue
                if check.spec.enabled and not check.problem:
                    self.run(check)
                period = check.spec.period_seconds
                jitter = random.uniform(-JITTER, JITTER) * min(period, 60.0)  # noqa: S311  # jitter, not a secret
                # from when it was due, so that its times don't drift; one that is late by more begins anew
                self._plan(check, max(0.0, due_at + period + jitter - now))
            pause = self._due[0][0] - time.monotonic() if self._due else 3600.0
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, pause)):
                    await self._sooner.wait()

    def _prove(self, fact: ProofWanted) -> None:
        """What a check found is said to be mended: it is made now, and by a run that began after that was said (bus subscriber)."""
        for check in self.checks.values():
            if (check.host_id, check.spec.name) != (fact.host_id, fact.instance):
                continue
            if not check.spec.enabled or check.problem:
                continue
            under_way = self._runs.get(check.id)
            if under_way is None:
                self.run(check, proof=True)
            else:
                under_way.add_done_callback(partial(self._prove_after, check))

    def _prove_after(self, check: Check, done: asyncio.Task[None]) -> None:
        if not done.cancelled():
            self.run(check, proof=True)

    def run(self, check: Check, *, proof: bool = False) -> asyncio.Task[None]:
        """Make a check now; one that is under way is not made a second time beside it.

        With ``proof`` one good result ends its trouble, which would else wait for more of them.
        """
        task = self._runs.get(check.id)
        if task is None:
            task = asyncio.create_task(self._run(check, proof), name=f"check {check.spec.name}")
            self._runs[check.id] = task
            task.add_done_callback(lambda done: self._ran(check.id, done))
        return task

    def _ran(self, check_id: str, task: asyncio.Task[None]) -> None:
        if self._runs.get(check_id) is task:
            del self._runs[check_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("a check's run failed", exc_info=task.exception())

    async def _run(self, check: Check, proof: bool) -> None:
        host = self.host_of(check)
        if host is None:
            return
        turn = self._of_host.setdefault(host.id, asyncio.Semaphore(AT_ONCE_PER_HOST))
        async with turn, self._all:
            began, began_at, remembered = time.perf_counter(), self._clock.now(), check.remembered()
            result = await self._result(check, host)
            if self._cut_off and result.state == "failed" and check.where == "engine":
                result = Result("unknown", f"the engine is cut off ({result.words})")
            check.take(result, self._clock.now(), time.perf_counter() - began, proof=proof)
            check.began_at = began_at
        if check.id not in self.checks:
            return
        if check.remembered() != remembered:
            self._unwritten[check.id] = check
        self._finished[check.id] = check
        self._any_finished.set()

    async def _result(self, check: Check, host: Host) -> Result:
        limit = check.spec.timeout_seconds
        site = Site(
            "127.0.0.1" if host.target is None else host.target.address, host.target, command_target(host), check.where, limit,
            self._remote, self._resolve, self._clock, self._settings.plugin_folders, dict(check.memory),
        )  # fmt: skip
        try:
            async with asyncio.timeout(limit):
                result = await runner(check.spec.kind)(check.params, site)
        except TimeoutError:
            if site.reaching and host.target is None:
                return Result("unknown", f"the command did not end in {limit:g} s")
            if site.reaching:
                return Result("unknown", f"no way to its host, or no end of the command, within {limit:g} s")
            return Result("failed", f"no answer within {limit:g} s")
        except Exception as error:
            foreseen = of_error(error, from_engine=check.where == "engine")
            if foreseen is None:
                log.exception("the check %s failed in a way that is not foreseen", check.spec.name)
                return Result("unknown", f"the engine could not make it: {type(error).__name__}")
            return foreseen
        check.memory = site.memory
        return result

    # --- what came of it -------------------------------------------------------------------------------

    async def _tell(self) -> None:
        while True:
            await self._any_finished.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._any_finished.clear()
            try:
                self.tell()
            except Exception:
                log.exception("results of checks could not be told; the next ones are")

    def tell(self) -> None:
        """Tell all what was found since the last time."""
        some, self._finished = list(self._finished.values()), {}
        if not some:
            return
        now = self._clock.now()
        own = []
        for check in some:
            figures = check.own_figures()
            layout = self._own_layouts.get(check.id)
            names = tuple(name for name, _ in figures)
            if layout is None or layout.names != names:
                layout = self._own_layouts[check.id] = Layout(names)
            own.append(
                Sample(check.host_id, check.measured_at or now, layout, [value for _, value in figures])
            )
            self.show(check)
        self._store.metrics.add(own, "checks")
        of_hosts: dict[str, list[Check]] = {check.host_id: [] for check in some}
        for check in self.checks.values():
            if check.host_id in of_hosts:
                of_hosts[check.host_id].append(check)
        ruled = [self._ruled_sample(host_id, of_host, now) for host_id, of_host in of_hosts.items()]
        self._bus.publish(WaveDone(tuple(ruled), "checks"))

    def _ruled_sample(self, host_id: str, of_host: list[Check], now: float) -> Sample:
        """What rules look at, of all checks of a host."""
        names = tuple(name for check in of_host for name in check.ruled_series())
        layout = self._layouts.get(host_id)
        if layout is None or layout.names != names:
            layout = self._layouts[host_id] = Layout(names)
        values = [value for check in of_host for value in check.ruled_values(now)]
        words = {
            f"{check.trouble_metric}{{{check.spec.name}}}": check.words for check in of_host if check.trouble
        }
        began = {check.spec.name: at for check in of_host if (at := check.began_at) is not None}
        return Sample(host_id, now, layout, values, words=words, began=began)

    async def _remember(self) -> None:
        while True:
            await next_turn(REMEMBER_SECONDS)
            try:
                await self._write_memory()
            except StoreUnavailable as error:
                log.warning("what checks remember can't be written: %s", error.detail)
            except Exception:
                log.exception("what checks remember could not be written")

    async def _write_memory(self) -> None:
        some, gone = self._unwritten, self._gone
        if not some and not gone:
            return
        self._unwritten, self._gone = {}, set()
        try:
            async with self._store.write() as tx:
                await records.remove(tx, gone)
                await records.remember(tx, some.values())
        except BaseException:
            self._unwritten = {**some, **self._unwritten}
            self._gone |= gone
            raise


def read_kind(spec: CheckSpec) -> KindParams:
    """The typed parameters of a specification.

    Raises:
        InvalidRequest: they don't fit its kind, or it can't be made from there.
    """
    params = read_params(spec.kind, spec.params)
    check_patterns(params)
    if spec.where and spec.where not in WHERE[spec.kind]:
        allowed = " or ".join(WHERE[spec.kind])
        raise InvalidRequest(f"A check of kind {spec.kind} is made from {allowed}.", field="where")
    return params
