"""What people ask of alerts, and order."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from guardian_tui import filter as filters
from guardian_tui.engine.alerts import records
from guardian_tui.engine.alerts.book import SEVERITIES, Book, Held
from guardian_tui.engine.alerts.catalogue import SHIPPED_NAMES, Catalogue, nearest
from guardian_tui.engine.alerts.channels import DeliveryFailed
from guardian_tui.engine.alerts.courier import Courier
from guardian_tui.engine.alerts.messages import Message, Note
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.alerts import (
    Acknowledge,
    AddSilence,
    Alert,
    AlertList,
    AlertRef,
    AlertsQuery,
    ChannelList,
    EndSilence,
    RuleList,
    Silence,
    SilenceList,
    TestChannel,
)
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import ChannelFailed, Conflict, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.rows import alert_columns, alert_text

PAGE = 500
PAGES_LIMIT = 20
"""A filter looks through this many pages of ended alerts."""
SILENCES_LIMIT = 1000


class AlertHandlers:
    """Handlers of the routes of alerts, silences, rules and channels.

    Args:
        settle: called after a change, so that it is told and written.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: Live,
        catalogue: Catalogue,
        book: Book,
        couriers: Mapping[str, Courier],
        environment: str,
        settle: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._live = live
        self._catalogue = catalogue
        self._book = book
        self._couriers = couriers
        self._environment = environment
        self._settle = settle

    def table(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "alerts.list": self.list_alerts,
            "alerts.show": self.show_alert,
            "alerts.acknowledge": self.acknowledge,
            "silences.list": self.list_silences,
            "silences.add": self.add_silence,
            "silences.end": self.end_silence,
            "rules.list": self.list_rules,
            "channels.list": self.list_channels,
            "channels.test": self.test_channel,
        }

    def _sees(self, call: Call, alert: Alert) -> bool:
        return call.sees(self._book.labels(alert.host_id))

    async def list_alerts(self, call: Call, request: AlertsQuery) -> AlertList:
        """Firing alerts, worst and newest first; then, if wanted, ended ones, newest first."""
        wanted = filters.parse(request.filter)

        def passes(alert: Alert) -> bool:
            row = {**alert_columns(alert), "labels": self._book.labels(alert.host_id)}
            return self._sees(call, alert) and wanted.matches(row, alert_text(alert))

        firing = [held.alert for held in self._book.firing.values() if passes(held.alert)]
        firing.sort(key=lambda alert: (-SEVERITIES.index(alert.severity), -alert.since))
        found = firing[: request.limit]
        for page in range(PAGES_LIMIT if request.resolved else 0):
            if len(found) >= request.limit:
                break
            async with self._store.read() as conn:
                ended = await records.read_resolved(conn, PAGE, page * PAGE)
            found += [alert for alert in ended if alert is not None and passes(alert)]
            if len(ended) < PAGE:
                break
        return AlertList(alerts=tuple(found[: request.limit]))

    async def _find(self, call: Call, alert_id: str) -> Held:
        held = self._book.by_id.get(alert_id)
        if held is None:
            async with self._store.read() as conn:
                held = await records.read_alert(conn, alert_id)
        call.host_in_scope(self._book.labels(held.alert.host_id) if held else None, f"the alert {alert_id}")
        if held is None:
            raise NotFound(f"there is no alert {alert_id}")
        return held

    async def show_alert(self, call: Call, request: AlertRef) -> Alert:
        """One alert, also an ended one."""
        return (await self._find(call, request.alert)).alert

    async def acknowledge(self, call: Call, request: Acknowledge) -> Alert:
        """Put a name to an alert, or take it off."""
        held = await self._find(call, request.alert)
        if held.alert.state != "firing" or held.alert.id not in self._book.by_id:
            raise Conflict("The alert is over; there is nothing left to acknowledge.", field="alert")
        if request.undo and not held.alert.acknowledged_by:
            raise Conflict("Nobody has acknowledged this alert.", field="undo")
        by, at, note = ("", None, "") if request.undo else (call.actor, call.now, request.note)
        changes = {"acknowledged_by": by, "acknowledged_at": at, "note": note}
        target = f"{held.alert.host or 'engine'}/{held.alert.rule}"
        body = {
            "alert": held.alert.id,
            "instance": held.alert.instance,
            "note": request.note,
            "undo": request.undo,
        }
        async with call.change(target=target, body=body) as tx:
            # as it is within the transaction: of two at once the first has it
            has_it = held.alert.acknowledged_by
            if not request.undo and has_it not in ("", call.actor, request.taken_from):
                raise Conflict(
                    f"{has_it} has it already. To take it from {has_it}, look at it again and acknowledge it once more.",
                    field="taken_from",
                )
            written = Held(replace(held.alert, **changes), held.told, held.owed, held.paged)
            await records.write_alerts(tx, [written])

            def committed() -> None:
                self._book.update(held, **changes)
                self._settle()

            tx.after_commit(committed)
        return held.alert

    # silences

    def show_silence(self, silence: Silence) -> None:
        """Put a silence where clients see it."""
        self._live.silences.put(silence.id, silence, self._silence_labels(silence))

    def _silence_labels(self, silence: Silence | AddSilence) -> Mapping[str, str]:
        facts = self._book.host_named(silence.host) if silence.host else None
        if facts is not None:
            return self._book.labels(facts.id)
        return {"host": silence.host} if silence.host else {}

    async def list_silences(self, call: Call, request: Nothing) -> SilenceList:
        """Silences that hold, the one that ends first at the top."""
        holding = [silence for silence in self._book.silences.values() if silence.until > call.now]
        return SilenceList(
            silences=tuple(
                sorted((s for s in holding if call.sees(self._silence_labels(s))), key=lambda s: s.until)
            )
        )

    async def add_silence(self, call: Call, request: AddSilence) -> Silence:
        """Keep alerts that match from telling anybody for a time."""
        if request.rule and request.rule not in SHIPPED_NAMES:
            raise InvalidRequest(
                f"There is no rule {request.rule}.{nearest(request.rule, SHIPPED_NAMES)}", field="rule"
            )
        if request.host:
            facts = self._book.host_named(request.host)
            call.host_in_scope(self._book.labels(facts.id) if facts else None, f"the host {request.host}")
        elif not call.sees({}):
            raise PermissionDenied(
                "A silence without a host would hold for hosts outside your scope: name one host.",
                field="host",
            )
        if len(self._book.silences) >= SILENCES_LIMIT:
            raise Conflict(f"{SILENCES_LIMIT} silences hold already; end some first.")
        silence = Silence(
            id=secrets.token_hex(8),
            rule=request.rule,
            host=request.host,
            instance=request.instance,
            reason=request.reason,
            by=call.actor,
            created_at=call.now,
            until=call.now + request.seconds,
        )
        body = {
            "silence": silence.id,
            "rule": silence.rule,
            "host": silence.host,
            "instance": silence.instance,
            "reason": silence.reason,
            "seconds": int(request.seconds),
        }
        async with call.change(target=silence.host or "all hosts", body=body) as tx:
            await records.add_silence(tx, silence)

            def committed() -> None:
                self._book.silences[silence.id] = silence
                self.show_silence(silence)
                self._book.requieten()
                self._settle()

            tx.after_commit(committed)
        return silence

    async def end_silence(self, call: Call, request: EndSilence) -> Done:
        """End a silence now: what still fires is told now."""
        silence = self._book.silences.get(request.silence)
        what = f"a silence {request.silence[:40]!r} that holds"
        if silence is None or silence.until <= call.now:
            raise NotFound(f"{what} does not exist or is not yours to see")
        if silence.host:
            call.host_in_scope(self._silence_labels(silence), what)
        elif not call.sees({}):
            raise PermissionDenied("It holds for hosts outside your scope.")
        async with call.change(
            target=silence.host or "all hosts", body={"silence": silence.id, "rule": silence.rule}
        ) as tx:
            await records.end_silence(tx, silence, call.now)

            def committed() -> None:
                self._book.silences.pop(silence.id, None)
                self._live.silences.drop(silence.id)
                self._book.requieten()
                self._settle()

            tx.after_commit(committed)
        return Done()

    # rules and channels

    async def list_rules(self, call: Call, request: Nothing) -> RuleList:
        """Rules in force, level by level."""
        return RuleList(rules=self._catalogue.rows())

    async def list_channels(self, call: Call, request: Nothing) -> ChannelList:
        """Channels, how they fare, and what waits for them."""
        async with self._store.read() as conn:
            waiting = await records.count_waiting(conn)
        return ChannelList(
            channels=tuple(courier.row(waiting.get(name, 0)) for name, courier in self._couriers.items())
        )

    async def test_channel(self, call: Call, request: TestChannel) -> Done:
        """Send a test message now, past the outbox."""
        courier = self._couriers.get(request.channel)
        if courier is None:
            raise NotFound(
                f"There is no channel {request.channel}.{nearest(request.channel, self._couriers)}"
            )
        call.target = request.channel
        alert = Alert(
            id="test",
            rule="test",
            title="Test message",
            severity="info",
            tier="notify",
            state="resolved",
            since=call.now,
            why=f"sent by {call.actor} to see whether this channel works",
        )
        try:
            await courier.send_now(
                Message(f"test-{secrets.token_hex(12)}", self._environment, (Note("test", alert, call.now),))
            )
        except DeliveryFailed as error:
            raise ChannelFailed(f"{request.channel}: {error.words}") from error
        return Done()
