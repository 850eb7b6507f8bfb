"""What watches and acts: the features, put together over one engine's store, bus and vault, and started in order."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from guardian_tui.engine.access.views import Views
from guardian_tui.engine.alerts.service import Alerts
from guardian_tui.engine.approvals.book import Book
from guardian_tui.engine.approvals.orders import ApprovalOrders
from guardian_tui.engine.backups.asking import Asking
from guardian_tui.engine.backups.discovery.orders import DiscoveryOrders
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.own_state import OwnState
from guardian_tui.engine.backups.planner import Planner
from guardian_tui.engine.backups.proofs import ProofOrders
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.fleet.acts import Acts
from guardian_tui.engine.fleet.authorities import AuthorityOrders
from guardian_tui.engine.fleet.checks.orders import CheckOrders
from guardian_tui.engine.fleet.checks.service import Checks
from guardian_tui.engine.fleet.logs import Logs
from guardian_tui.engine.fleet.orders import HostOrders
from guardian_tui.engine.fleet.probe_orders import ProbeOrders
from guardian_tui.engine.fleet.section_orders import SectionOrders
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.fleet.shells import Shells
from guardian_tui.engine.fleet.trial import try_probe
from guardian_tui.engine.own_state.snapshot import Source, taker
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.remote.credentials import Credentials
from guardian_tui.engine.remote.doctor import Doctor
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.engine.remote.pins import Pins
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.runbooks.documents.library import Library
from guardian_tui.engine.runbooks.orders import RunbookOrders
from guardian_tui.engine.runbooks.service import Runbooks

if TYPE_CHECKING:
    from guardian_tui.engine.main import Engine


class Features:
    """Fleet, alerts, checks, backups and runbooks of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        settings = engine.settings
        self._pins = Pins(engine.store, engine.clock)
        credentials = Credentials(engine.vault, engine.bus, lent=settings.mode == "personal")
        self._questions = Questions(
            engine.live, self._pins, credentials, engine.vault, engine.bus, engine.clock
        )
        self._remote = Remote(settings.fleet, self._pins, credentials, self._questions)
        self._commands = Commands(self._remote)
        self.fleet = Fleet(
            engine.store, engine.bus, engine.live, engine.clock, settings.fleet, settings.store, self._remote, self._questions
        )  # fmt: skip
        self._shells = Shells(self.fleet.inventory, self._remote, allowed=settings.fleet.shells)
        engine.bus.subscribe(SessionEnded, self._shells.session_ended)
        self.alerts = Alerts(
            engine.store, engine.bus, engine.live, engine.clock, settings.alerts, engine.vault, engine.audit,
            keep_days=settings.store.alerts_days, environment=settings.environment,
        )  # fmt: skip
        self.checks = Checks(
            engine.store, engine.bus, engine.live, engine.clock, settings.fleet, settings.checks, self.fleet.inventory, self._remote,
            engine.vault.resolve,
        )  # fmt: skip
        self.backups = Backups(
            engine.store, engine.bus, engine.live, engine.clock, engine.audit, self.fleet.inventory, self._commands, engine.vault.resolve,
            settings.store.alerts_days, (settings.repository_specs(), settings.job_specs()), at_once=settings.fleet.backup_runs_at_once,
            own_state=OwnState(
                engine.paths.state / "own-state", taker(Source(engine.paths, settings.store), engine.clock), engine.vault.resolve
            ),
            host_timers=HostTimers,
        )  # fmt: skip
        books = settings.runbooks
        self.runbooks = Runbooks(
            engine.store, engine.bus, engine.live, engine.clock, engine.audit, self.fleet.inventory, self._commands, engine.vault.resolve,
            Library(
                Path(books.folder).expanduser() if books.folder else None, shipped=books.shipped, rules=self.alerts.catalogue.names(),
                signers=Path(books.signers).expanduser() if books.signers else None,
            ),
            engine.dispatch.act, engine.access.why_not, at_once=books.commands_at_once, keep_days=settings.store.alerts_days,
            by_uid=settings.mode == "team", channels=tuple(settings.alerts.channels),
        )  # fmt: skip
        self._approvals = Book(
            engine.store, engine.live, engine.clock, settings.approvals, engine.access.why_not,
            lambda host: way.labels if (way := self.fleet.inventory.way(host)) else None, by_uid=settings.mode == "team",
        )  # fmt: skip
        self.asking = Asking(self.backups, self._approvals)

    async def start(self, closing: contextlib.AsyncExitStack) -> None:
        """Answer orders, then watch; ``closing`` ends it in the other order."""
        engine = self._engine
        closing.push_async_callback(self._remote.close)
        await self._pins.load()
        self._bind()
        # alerts first: they must hear of the hosts when the fleet announces them
        await self.alerts.start()
        closing.push_async_callback(self.alerts.stop)
        await self.fleet.start()
        closing.push_async_callback(self.fleet.stop)
        closing.push_async_callback(self._shells.stop)
        await self._approvals.start()
        closing.push_async_callback(self._approvals.stop)
        await self.checks.start()
        closing.push_async_callback(self.checks.stop)
        await self.backups.start()
        closing.push_async_callback(self.backups.stop)
        planner = Planner(self.backups, engine.store, engine.clock, engine.audit)
        await planner.start()
        closing.push_async_callback(planner.stop)
        await self.runbooks.start()
        closing.push_async_callback(self.runbooks.stop)
        await engine.access.start()
        closing.push_async_callback(engine.access.stop)

    def _bind(self) -> None:
        engine, fleet, commands = self._engine, self.fleet, self._commands
        for handlers in (
            HostOrders(
                fleet, engine.store, self._pins, Doctor(self._remote, engine.live, try_probe), engine.clock
            ).handlers(),
            AuthorityOrders(fleet, engine.store, self._pins, self._questions).handlers(), SectionOrders(fleet).handlers(),
            ProbeOrders(fleet, self._remote).handlers(), Acts(fleet, commands).handlers(), Logs(fleet, commands).handlers(),
            self._shells.handlers(),
            self._questions.handlers(), self.alerts.handlers(), CheckOrders(self.checks, engine.clock).handlers(),
            ApprovalOrders(self._approvals, engine.dispatch.act).handlers(),
            RunbookOrders(self.runbooks, engine.store, engine.clock).handlers(), Views(engine.store).handlers(),
        ):  # fmt: skip
            engine.dispatch.bind(handlers)
        self._bind_backups()

    def _bind_backups(self) -> None:
        engine, backups = self._engine, self.backups
        scope = Scope(backups)
        orders = BackupOrders(backups, scope, engine.store, engine.clock, self.asking)
        for handlers in (
            orders.handlers(),
            DiscoveryOrders(
                backups, scope, engine.clock, self._commands, orders.add_repository, engine.vault
            ).handlers(),
            ProofOrders(backups, scope, engine.store, engine.clock, self._commands, self.asking).handlers(),
        ):
            engine.dispatch.bind(handlers)
