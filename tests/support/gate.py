"""Access, vault, audit and the gate over a real store, with a clock in the test's hand and a cheap argon2id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyotp

from guardian_tui.config import AccessSettings, AuditSettings, StoreSettings
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.access.service import Access
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.dispatch import Dispatch
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.vault.orders import VaultOrders
from guardian_tui.engine.vault.sealing import KdfParameters, Stretcher
from guardian_tui.engine.vault.slots import SlotOrders
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.base import Nothing, Request, Response

PASSWORD = "correct donkey staple 9"
UID = 1000
CHEAP = KdfParameters(memory_kib=64, passes=1, lanes=1)
R = TypeVar("R", bound=Response)


@dataclass
class Gate:
    """One engine's gate."""

    store: Store
    clock: ManualClock
    bus: Bus
    live: Live
    audit: AuditLog
    vault: Vault
    stretcher: Stretcher
    access: Access
    dispatch: Dispatch
    facts: list[object]
    slots: SlotOrders
    secret: str = ""
    codes: tuple[str, ...] = ()
    recovery_key: str = ""
    token: str = ""

    async def call(
        self, name: str, request: Request | None = None, *, token: str | None = None, uid: int = UID
    ) -> Any:
        """Give an order as the socket would."""
        return await self.dispatch.call(
            name,
            request or Nothing(),
            token=self.token if token is None else token,
            peer=Peer(uid),
            request_id="r",
        )

    def code(self, secret: str = "") -> str:
        """The TOTP code of now."""
        return pyotp.TOTP(secret or self.secret).at(int(self.clock.now()))

    def fresh_code(self) -> str:
        """A code that was not used yet: time goes on until there is one."""
        self.clock.advance(30)
        return self.code()

    async def set_up(self, name: str = "ada") -> wire.Enrolled:
        """Make the first admin; later calls use their token."""
        begun: wire.Enrolment = await self.call("setup.begin", wire.SetUp(name=name, password=PASSWORD))
        self.secret = begun.secret
        done: wire.Enrolled = await self.call(
            "setup.confirm", wire.ConfirmEnrolment(token=begun.token, code=self.code())
        )
        self.codes, self.recovery_key, self.token = done.recovery_codes, done.recovery_key, done.session.token
        return done

    async def invite(self, name: str, *grants: wire.GrantSpec, uid: int = UID) -> tuple[str, str]:
        """Invite a person and enrol them, from a Unix account; answers their token and TOTP secret."""
        invited: wire.Invited = await self.call("accounts.invite", wire.Invite(name=name, grants=grants))
        begun = await self.call(
            "enrol.begin",
            wire.BeginEnrolment(
                name=name, enrolment_code=invited.enrolment_code, password=PASSWORD + name[0] * 2
            ),
            token="",
            uid=uid,
        )
        order = wire.ConfirmEnrolment(token=begun.token, code=self.code(begun.secret))
        done = await self.call("enrol.confirm", order, token="", uid=uid)
        return done.session.token, begun.secret

    async def login(
        self, *, code: str = "", name: str = "ada", password: str = PASSWORD, uid: int = UID, **more: Any
    ) -> wire.Session:
        """Log in; a fresh code unless one is given."""
        order = wire.Login(name=name, password=password, code=code or self.fresh_code(), **more)
        session: wire.Session = await self.call("login", order, token="", uid=uid)
        return session

    def events(self, action: str = "") -> list[AuditEvent]:
        """Audit events, oldest first."""
        rows = sorted(self.live.audit.rows(), key=lambda event: event.seq)
        return [event for event in rows if not action or event.action == action]


async def nobody(call: Call, secret: str) -> None:
    """Nobody is asked for leave."""


@asynccontextmanager
async def gate(
    folder: Path, store_url: str = "", *, clock: ManualClock | None = None, mode: bool = True
) -> AsyncIterator[Gate]:
    """A gate over a store; the store is closed at the end, and can be opened again by another gate."""
    clock = clock or ManualClock()
    store = await Store.open(StoreSettings(url=store_url), folder, clock)
    try:
        bus, live = Bus(), Live()
        audit = AuditLog(store, live, clock, AuditSettings(syslog=False), folder)
        await audit.start()
        vault, stretcher = Vault(store, bus, clock), Stretcher(CHEAP)
        access = Access(
            store, vault, bus, clock, AccessSettings(), engine_uid=UID, advisory=mode, stretcher=stretcher, first_code=FirstCode(folder)
        )  # fmt: skip
        dispatch = Dispatch(access.authenticate, audit, store.write, clock)
        slots = SlotOrders(vault, audit)
        for handlers in (
            access.handlers(), audit.handlers(), VaultOrders(vault, nobody).handlers(), slots.handlers(),
        ):  # fmt: skip
            dispatch.bind(handlers)
        facts: list[object] = []
        from guardian_tui.engine import facts as kinds

        for kind in (kinds.SessionEnded, kinds.AgentOffered, kinds.VaultUnlocked):
            bus.subscribe(kind, facts.append)
        yield Gate(store, clock, bus, live, audit, vault, stretcher, access, dispatch, facts, slots)
        await audit.stop()
    finally:
        await store.close()
