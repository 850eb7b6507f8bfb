"""Orders on authorities that sign host keys: `authorities.*`."""

from __future__ import annotations

import asyncssh
from sqlalchemy import select

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.remote.pins import Pin, Pins
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import host_keys
from guardian_tui.protocol import trust as wire
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound


class AuthorityOrders:
    """Handlers of the routes of authorities."""

    def __init__(self, fleet: Fleet, store: Store, pins: Pins, questions: Questions) -> None:
        self._fleet = fleet
        self._store = store
        self._pins = pins
        self._questions = questions

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "authorities.list": self.list_,
            "authorities.pin": self.pin,
            "authorities.remove": self.remove,
        }

    async def list_(self, call: Call, request: Nothing) -> wire.AuthorityList:
        """`authorities.list`: each with the hosts that its pattern covers, as far as the caller sees them."""
        query = select(host_keys).where(host_keys.c.kind == "authority").order_by(host_keys.c.pattern)
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        return wire.AuthorityList(
            authorities=tuple(
                self._row(call, Pin("authority", row.pattern, row.key), row.pinned_at, row.pinned_by)
                for row in rows
            )
        )

    async def pin(self, call: Call, request: wire.PinAuthority) -> wire.Authority:
        """`authorities.pin`: hosts that wait for their key to be accepted are tried again."""
        pin = _read(request)
        body = {"fingerprint": pin.fingerprint, "algorithm": pin.key.split()[0]}
        async with call.change(pin.pattern, body=body) as tx:
            if not await self._pins.add(tx, [pin], call.actor):
                raise Conflict(f"This authority is pinned for {pin.pattern} already.", field="pattern")
            tx.after_commit(self._questions.settle)
        return self._row(call, pin, call.now, call.actor)

    async def remove(self, call: Call, request: wire.AuthorityRef) -> Done:
        """`authorities.remove`: the hosts that it covered must show a key that is trusted, now."""
        found = [
            pin
            for pin in self._pins.of_kind("authority")
            if pin.pattern == request.pattern and pin.fingerprint == request.fingerprint
        ]
        if not found:
            raise NotFound(f"No authority {request.fingerprint[:60]} is pinned for {request.pattern[:60]}.")
        covered = self._covered(found[0])
        async with call.change(request.pattern, body={"fingerprint": request.fingerprint}) as tx:
            await self._pins.remove(tx, found)

            def done() -> None:
                for host in covered:
                    self._fleet.changed(host)

            tx.after_commit(done)
        return Done()

    def _covered(self, pin: Pin) -> list[Host]:
        return [
            host
            for host in self._fleet.inventory.hosts.values()
            if host.target is not None and pin.covers(host.target.address, host.target.port)
        ]

    def _row(self, call: Call, pin: Pin, at: float, by: str) -> wire.Authority:
        names = sorted(host.spec.name for host in self._covered(pin) if call.sees(host.labels))
        return wire.Authority(
            pattern=pin.pattern, algorithm=pin.key.split()[0], fingerprint=pin.fingerprint, pinned_at=at, pinned_by=by, hosts=tuple(names)
        )  # fmt: skip


def _read(request: wire.PinAuthority) -> Pin:
    words = request.key.split()
    try:
        pin = Pin("authority", request.pattern, " ".join(words[:2]))
        asyncssh.import_public_key(pin.key)
        asyncssh.import_known_hosts(pin.line + "\n")
    except (asyncssh.KeyImportError, ValueError, IndexError) as error:
        raise InvalidRequest(
            f"It is no public key or no pattern that can be read: {str(error)[:100]}. Give the line of the authority's .pub file.",
            field="key",
        ) from error
    return pin
