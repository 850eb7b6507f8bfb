"""Pinned host keys, in memory as OpenSSH's known_hosts has them, in the store for good."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import asyncssh
from sqlalchemy import delete, insert, select

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import host_keys

PinKind = Literal["key", "authority", "revoked"]
_MARKS: dict[str, str] = {"key": "", "authority": "@cert-authority ", "revoked": "@revoked "}


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of known_hosts."""

    kind: PinKind
    pattern: str
    key: str
    """Algorithm and base64, as in an OpenSSH public key."""

    @property
    def line(self) -> str:
        """The line as OpenSSH writes it."""
        return f"{_MARKS[self.kind]}{self.pattern} {self.key}"

    @property
    def fingerprint(self) -> str:
        """SHA256:… of the key."""
        return asyncssh.import_public_key(self.key).get_fingerprint()

    def covers(self, address: str, port: int) -> bool:
        """Whether its pattern names an address and port."""
        found = asyncssh.import_known_hosts(self.line + "\n").match(
            address, ip_of(address), None if port == 22 else port
        )
        return any(found[:3])


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is trusted for one address."""

    keys: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...]
    revoked: tuple[asyncssh.SSHKey, ...]


@lru_cache(maxsize=4096)
def ip_of(address: str) -> str:
    """The address, if it is an IP address; else empty."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def pattern_of(address: str, port: int) -> str:
    """How known_hosts names an address: bare on port 22, else ``[address]:port``."""
    return address if port == 22 else f"[{address}]:{port}"


class Pins:
    """All pins; reads come from memory."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pins: dict[Pin, None] = {}
        self._hosts: asyncssh.SSHKnownHosts | None = None

    async def load(self) -> None:
        """Read all pins from the store."""
        async with self._store.read() as conn:
            rows = (await conn.execute(select(host_keys).order_by(host_keys.c.pinned_at))).all()
        self._pins = dict.fromkeys(Pin(row.kind, row.pattern, row.key) for row in rows)
        self._hosts = None

    def trusted(self, address: str, port: int) -> Trusted:
        """What is trusted for an address and port."""
        if self._hosts is None:
            self._hosts = asyncssh.import_known_hosts("".join(pin.line + "\n" for pin in self._pins))
        found = self._hosts.match(address, ip_of(address), None if port == 22 else port)
        return Trusted(tuple(found[0]), tuple(found[1]), tuple(found[2]))

    def of_kind(self, kind: PinKind) -> list[Pin]:
        """All pins of a kind, the oldest first."""
        return [pin for pin in self._pins if pin.kind == kind]

    async def remove(self, tx: Tx, pins: Iterable[Pin]) -> None:
        """Trust no longer; it counts once the transaction is committed."""
        going = list(pins)
        for pin in going:
            await tx.execute(
                delete(host_keys).where(
                    host_keys.c.kind == pin.kind,
                    host_keys.c.pattern == pin.pattern,
                    host_keys.c.key == pin.key,
                )
            )

        def done() -> None:
            for pin in going:
                self._pins.pop(pin, None)
            self._hosts = None

        tx.after_commit(done)

    async def add(self, tx: Tx, pins: Iterable[Pin], by: str) -> int:
        """Pin keys; answers how many were new.  They count once the transaction is committed."""
        fresh = list(dict.fromkeys(pin for pin in pins if pin not in self._pins))
        if fresh:
            now = self._clock.now()
            rows = [
                {
                    "id": secrets.token_hex(8), "kind": pin.kind, "pattern": pin.pattern, "key": pin.key,
                    "fingerprint": pin.fingerprint, "pinned_at": now, "pinned_by": by,
                }
                for pin in fresh
            ]  # fmt: skip
            await tx.execute(insert(host_keys), rows)
            tx.after_commit(lambda: self._keep(fresh))
        return len(fresh)

    def _keep(self, fresh: list[Pin]) -> None:
        self._pins |= dict.fromkeys(fresh)
        self._hosts = None

    async def replace(self, tx: Tx, address: str, port: int, key: str, by: str) -> None:
        """Pin a changed key in place of all that were trusted for this very address and port."""
        pattern = pattern_of(address, port)
        await tx.execute(delete(host_keys).where(host_keys.c.kind == "key", host_keys.c.pattern == pattern))
        old = [pin for pin in self._pins if pin.kind == "key" and pin.pattern == pattern]
        pin = Pin("key", pattern, key)
        now = self._clock.now()
        row = {
            "id": secrets.token_hex(8),
            "kind": "key",
            "pattern": pattern,
            "key": key,
            "fingerprint": pin.fingerprint,
        }
        await tx.execute(insert(host_keys), {**row, "pinned_at": now, "pinned_by": by})

        def done() -> None:
            for gone in old:
                self._pins.pop(gone, None)
            self._keep([pin])

        tx.after_commit(done)


def parse_known_hosts(text: str) -> tuple[list[Pin], list[str]]:
    """Pins of a known_hosts file, hashed entries and authorities too, and what could not be read (line and why)."""
    pins: list[Pin] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        kind: PinKind = "key"
        if fields[0].startswith("@"):
            mark = fields.pop(0)
            if mark not in ("@cert-authority", "@revoked"):
                problems.append(f"known_hosts line {number}: {mark[:40]} is not known")
                continue
            kind = "authority" if mark == "@cert-authority" else "revoked"
        if len(fields) < 3:
            problems.append(f"known_hosts line {number}: too short")
            continue
        key = f"{fields[1]} {fields[2]}"
        try:
            asyncssh.import_public_key(key)
            asyncssh.import_known_hosts(f"{fields[0]} {key}\n")
        except (asyncssh.KeyImportError, ValueError) as error:
            problems.append(f"known_hosts line {number}: {str(error)[:100]}")
            continue
        pins.append(Pin(kind, fields[0], key))
    return pins, problems
