"""The fleet as the engine sees it: evidence in, states and rows out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from guardian_tui.config import FleetSettings, StoreSettings
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import (
    AlertsOfHost,
    CutOff,
    HostsChanged,
    HostsRelabelled,
    ProofWanted,
    QuestionAnswered,
    Reachability,
    StateChanged,
    VaultUnlocked,
)
from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.fleet.drift import Drift
from guardian_tui.engine.fleet.facts_kept import FactsKept
from guardian_tui.engine.fleet.host import DOWN_AFTER, UP_AFTER, Host, judge, row_of
from guardian_tui.engine.fleet.inventory import LOCAL_ID, Inventory
from guardian_tui.engine.fleet.watch import Watch
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.remote.target import UNKNOWN_KINDS, ConnectFailed
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.errors import StoreUnavailable
from guardian_tui.protocol.fleet import HostSpec

log = logging.getLogger(__name__)

CUT_OFF_LEAST = 5
"""Fewer independent hosts than this say nothing about our own link."""
LINK_SECONDS = 1.0
"""How often we look whether it is our own link that failed, while some host fails."""
HOUSEKEEPING_TURNS = 5
RETAIN_SECONDS = 3600.0
CONNECTED_BY = ("interval_seconds", "command_user", "command_credential")
"""Fields of a host, beside its way, for which it is connected anew when they change."""


class Fleet:
    """Watches all hosts; tells the bus what it learns and the live table what it shows."""

    def __init__(
        self, store: Store, bus: Bus, live: Live, clock: Clock, settings: FleetSettings, retention: StoreSettings, remote: Remote,
        questions: Questions,
    ) -> None:  # fmt: skip
        self._store = store
        self._bus = bus
        self._live = live
        self._clock = clock
        self._settings = settings
        self._retention = retention
        self._questions = questions
        self.inventory = Inventory(store)
        questions.addresses = self.inventory.addresses
        self._facts = FactsKept(store)
        self.drift = Drift(store, clock)
        self.changes = Changes(store, bus, clock)
        self.watch = Watch(
            remote,
            bus,
            clock,
            store.metrics,
            self.drift,
            self.changes,
            settings,
            sampled=self._sampled,
            unreached=self._unreached,
        )
        self.cut_off_since: float | None = None
        self._in_doubt = False
        """Some host failed since all of them were last seen to answer."""
        self._before_others: set[str] = set()
        """Hosts behind which others were not reached, since they last came back."""
        self._learned = False
        """The facts of some host were replaced, or it is gone, since they were written."""
        self._housekeeper: asyncio.Task[None] | None = None
        bus.subscribe(AlertsOfHost, self._alerted)
        bus.subscribe(QuestionAnswered, lambda fact: self.watch.hurry(fact.host_id))
        bus.subscribe(VaultUnlocked, lambda fact: self._hurry_waiting())
        bus.subscribe(ProofWanted, lambda fact: self.watch.resurvey(fact.host_id, rare=True))

    @property
    def interval_seconds(self) -> float:
        """How often a host is polled that does not say otherwise."""
        return min(3600.0, max(1.0, self._settings.interval_seconds))

    async def start(self) -> None:
        """Load the inventory and begin to watch."""
        await self.drift.load()
        for problem in await self.inventory.load():
            log.warning("%s", problem)
        now = self._clock.now()
        if self._settings.watch_this_machine:
            name = local.machine_name()
            taken = self.inventory.named(name) is not None
            spec = HostSpec(
                name=f"{name}-local" if taken else name,
                interval_seconds=self.interval_seconds,
                labels={"engine": "yes"},
            )
            until, reason = await self.inventory.own_maintenance(name)
            self.inventory.hosts[LOCAL_ID] = Host(
                LOCAL_ID, spec, None, now, maintenance_until=until, maintenance_reason=reason, why="first reading", since=now,
            )  # fmt: skip
        hosts = list(self.inventory.hosts.values())
        await self._facts.load(hosts)
        self._bus.publish(HostsChanged(tuple(host.known() for host in hosts)))
        for host in hosts:
            self.adopt(host)
        self.watch.start()
        self._housekeeper = asyncio.create_task(self._keep_house(), name="fleet housekeeping")

    async def stop(self) -> None:
        """End."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
            await asyncio.gather(self._housekeeper, return_exceptions=True)
        await self.watch.stop()

    # --- hosts come, change and go -------------------------------------------------------------------

    def adopt(self, host: Host) -> None:
        """Show and watch a host of the inventory."""
        self.show(host)
        self.watch.add(host)

    def joined(self, host: Host) -> None:
        """A host was added (after its commit)."""
        self.inventory.hosts[host.id] = host
        self._bus.publish(HostsChanged((host.known(),)))
        self.adopt(host)

    def changed(self, host: Host) -> None:
        """How a host is reached was changed (after its commit): begin with it anew."""
        self.watch.remove(host.id)
        self._questions.withdraw(host.id)
        host.reach, host.failures, host.successes, host.was_down, host.why = (
            "never",
            0,
            0,
            False,
            "connecting",
        )
        self._bus.publish(HostsChanged((host.known(),)))
        self.adopt(host)

    def respecified(self, specs: Mapping[str, HostSpec]) -> None:
        """Hosts have other specs now (after their commit).

        Only a host whose way changed, or that of a host before it, is connected anew; labels and the like cost no connection.
        """
        affected: dict[str, Host] = {}
        anew: set[str] = set()
        relabelled: dict[str, Mapping[str, str]] = {}
        for host_id, spec in specs.items():
            host = self.inventory.hosts.get(host_id)
            if host is not None:
                if any(getattr(host.spec, name) != getattr(spec, name) for name in CONNECTED_BY):
                    anew.add(host_id)
                name, labels = host.spec.name, host.labels
                host.spec = spec
                affected[host_id] = host
                if host.labels != labels:
                    relabelled[name] = host.labels
        for host in list(affected.values()):
            affected |= {other.id: other for other in self.inventory.through(host)}
        for host in affected.values():
            before = host.target
            if before is None:
                self.announce(host)
                continue
            host.target = self.inventory.target(host.id, host.spec)
            if before.way == host.target.way and host.id not in anew:
                self._questions.relabel(host.target)
                self.announce(host)
            else:
                self.changed(host)
        if relabelled:
            self._live.relabel(relabelled)
            self._bus.publish(HostsRelabelled(frozenset(specs)))

    def trusted_more(self) -> None:
        """Keys were pinned (after their commit): hosts that wait for them are tried again."""
        self._questions.settle()

    def left(self, host: Host) -> None:
        """A host was removed (after its commit)."""
        self.inventory.hosts.pop(host.id, None)
        self._learned = True
        self._before_others.discard(host.id)
        self.watch.remove(host.id)
        self._questions.withdraw(host.id)
        self._bus.publish(HostsChanged(removed=(host.id,)))
        self._live.hosts.drop(host.id)

    def announce(self, host: Host) -> None:
        """What others know of a host has changed (maintenance)."""
        self._bus.publish(HostsChanged((host.known(),)))
        self.show(host)

    # --- evidence ----------------------------------------------------------------------------------------

    def _sampled(self, host: Host) -> None:
        host.successes += 1
        if host.reach != "up" or host.successes <= UP_AFTER:
            if host.reach != "up":
                self._hurry_behind(host)
            host.failures, host.reach, host.why, host.parent_id, host.behind = 0, "up", "", "", ""
            if host.was_down and host.successes >= UP_AFTER:
                host.was_down = False
            fact = Reachability(host.id, "up", self._clock.now(), successes=host.successes)
            self._bus.publish(fact)
        self.show(host)

    def _unreached(self, host: Host, error: ConnectFailed) -> None:
        now = self._clock.now()
        host.successes, host.why, host.parent_id, host.behind = 0, error.detail, "", ""
        if error.kind in ("key_changed", "key_revoked"):
            host.reach = "key_changed"
            fact = Reachability(host.id, "key_changed", now, why=error.detail)
        elif error.kind in UNKNOWN_KINDS:
            host.reach = "unknown"
            fact = Reachability(host.id, "unknown", now, why=error.detail)
        elif error.kind == "jump" or self._parent_is_down(host):
            fact = self._behind(host, error, now)
        else:
            host.failures += 1
            self._in_doubt = True
            if self._parent_in_doubt(host):
                # its silence may be that of what stands before it: no verdict before that one's
                host.failures = min(host.failures, DOWN_AFTER - 1)
            host.reach = "failing"
            # while we are cut off, its silence says nothing of it
            host.was_down = host.was_down or (host.failures >= DOWN_AFTER and self.cut_off_since is None)
            fact = Reachability(host.id, "failing", now, failures=host.failures, why=error.detail)
        self._bus.publish(fact)
        self.show(host)

    def _behind(self, host: Host, error: ConnectFailed, now: float) -> Reachability:
        parent_id = error.parent_id or (host.target.jump[-1].host_id if host.target else "")
        parent = self.inventory.hosts.get(parent_id)
        host.parent_id = parent_id
        self._before_others.add(parent_id)
        host.behind = parent.spec.name if parent else ""
        if parent is not None and parent.reach == "unknown":
            # what stands before it is only unknown to us (no key accepted, no credential): so is this one
            host.reach, host.why = (
                "unknown",
                f"{host.behind}, through which it is reached, is unknown: {parent.why}",
            )
            return Reachability(host.id, "unknown", now, why=host.why)
        host.reach, host.why = "unreachable", f"{host.behind} does not answer"
        return Reachability(host.id, "unreachable", now, why=host.why, parent_id=parent_id)

    def _parent(self, host: Host) -> Host | None:
        jump = host.target.jump if host.target else ()
        return self.inventory.hosts.get(jump[-1].host_id) if jump else None

    def _parent_is_down(self, host: Host) -> bool:
        parent = self._parent(host)
        return parent is not None and parent.state in ("down", "unreachable")

    def _parent_in_doubt(self, host: Host) -> bool:
        parent = self._parent(host)
        return parent is not None and parent.reach in ("failing", "unreachable")

    def _alerted(self, fact: AlertsOfHost) -> None:
        host = self.inventory.hosts.get(fact.host_id)
        if host is not None:
            host.alerts = fact
            self.show(host)

    def _hurry_behind(self, parent: Host) -> None:
        if parent.id not in self._before_others:
            return
        self._before_others.discard(parent.id)
        for host in self.inventory.hosts.values():
            if host.parent_id == parent.id:
                self.watch.hurry(host.id)

    def _hurry_waiting(self) -> None:
        for host in self.inventory.hosts.values():
            if host.reach == "unknown":
                self.watch.hurry(host.id)

    # --- what is shown -------------------------------------------------------------------------------------

    def show(self, host: Host) -> None:
        """Judge a host anew and put its row into the live table."""
        now = self._clock.now()
        state, why = judge(host, now, cut_off=self.cut_off_since is not None)
        if state != host.state or not host.since:
            old, host.state, host.since = host.state, state, now
            if host.row is not None:
                self._bus.publish(StateChanged(host.id, host.spec.name, old, state, now, why))
        host.shown_why = why
        if host.filtered_of is not host.facts:
            self._learned = True
        row = row_of(host)
        if row != host.row:
            host.row = row
            self._live.hosts.put(host.id, row, host.labels)

    # --- housekeeping ----------------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        retained, turn = 0.0, 0
        while True:
            await next_turn(LINK_SECONDS)
            turn += 1
            try:
                if self._in_doubt:
                    self.watch_link()
                if turn % HOUSEKEEPING_TURNS:
                    continue
                self._end_maintenance()
                await self._keep_facts()
                await self.drift.save()
                await self.changes.save()
                await self._store.metrics.close_due_hours(self._clock.now())
                if self._clock.monotonic() - retained > RETAIN_SECONDS:
                    retained = self._clock.monotonic()
                    kept, past = self._retention, self._store.past.now()
                    await self.changes.retain(past - kept.minute_days * 86400)
                    await self._store.metrics.retain(
                        past, kept.raw_days, kept.minute_days, kept.quarter_hour_days
                    )
            except StoreUnavailable as error:
                # the engine's status says so too; hours are closed when it is over
                log.warning("metrics can't be kept in order: %s", error.detail)
            except Exception:
                log.exception("housekeeping failed; it goes on")

    async def _keep_facts(self) -> None:
        """Write what hosts are, if that of some host was replaced: looking through all of them costs as much as polling some."""
        learned, self._learned = self._learned, False
        try:
            if learned:
                await self._facts.write(self.inventory.hosts.values(), self._clock.now())
        except BaseException:
            self._learned = True
            raise

    def watch_link(self) -> None:
        """Most independent hosts failing at once means that it is our own link."""
        independent = [
            h
            for h in self.inventory.hosts.values()
            if h.target and not h.target.jump and h.reach in ("up", "failing")
        ]
        failing = [h for h in independent if h.reach == "failing"]
        self._in_doubt = bool(failing) or self.cut_off_since is not None
        cut = len(independent) >= CUT_OFF_LEAST and len(failing) * 2 > len(independent)
        # hosts that have long been down are not our link's fault: something must have failed just now
        fresh = [h for h in failing if h.failures < DOWN_AFTER]
        if cut and self.cut_off_since is None and len(fresh) * 2 > len(independent):
            self._set_cut_off(self._clock.now(), len(failing), len(independent))
        elif self.cut_off_since is not None and not cut:
            self._set_cut_off(None, len(failing), len(independent))

    def _set_cut_off(self, since: float | None, failed: int, of: int) -> None:
        self.cut_off_since = since
        self._bus.publish(CutOff(since, failed, of))
        for host in self.inventory.hosts.values():
            if since is None and host.reach == "failing":
                # what it failed meanwhile was our fault: judged by what it does from now on
                host.failures, host.why = 0, "not heard since the engine was cut off"
                self.watch.hurry(host.id)
            self.show(host)

    def _end_maintenance(self) -> None:
        now = self._clock.now()
        for host in self.inventory.hosts.values():
            if host.state == "maintenance" and host.maintenance_until <= now:
                self.announce(host)
