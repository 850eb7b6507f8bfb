"""An engine that opens its vault itself: by a keyring that can be trusted, by a systemd credential."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import pytest
from keyring.errors import KeyringLocked, PasswordDeleteError

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import VaultUnlocked
from guardian_tui.engine.vault import keyrings, openers
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    NotFound,
    PermissionDenied,
    StepUpRequired,
    StoreUnavailable,
    VaultLocked,
)
from guardian_tui.protocol.fleet import SecretSet
from guardian_tui.protocol.vault import SlotRef
from tests.support.gate import Gate, gate


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory; trusted only where a test says so."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _open(self) -> None:
        if self.locked:
            raise KeyringLocked("the collection is locked")

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("there is none")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    """This machine's keyring, and one that is known by name."""
    before, one = keyring.get_keyring(), Ring()
    keyring.set_keyring(one)
    monkeypatch.setattr(keyrings, "KEYRING_BACK_ENDS", frozenset({f"{Ring.__module__}.Ring"}))
    yield one
    keyring.set_keyring(before)


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credential that systemd gave us."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    path = folder / "guardian-vault-key"
    path.write_bytes(os.urandom(32))
    path.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return path


async def set_up(one: Gate, kind: str) -> Any:
    """An admin, a secret, and a slot."""
    await one.set_up()
    await one.call("secrets.set", SecretSet(name="mail", value="x"))
    return await one.call(f"vault.add_{kind}")


async def opens(folder: Path, clock: ManualClock) -> bool:
    """Whether the next engine opens the vault by itself."""
    async with gate(folder, clock=clock) as second:
        assert second.vault.locked
        opened = await second.slots.open()
        assert second.vault.locked is not opened
        if opened:
            assert VaultUnlocked() in second.facts
            assert await second.vault.resolve("secret:mail") == "x"
            event = second.events("vault.open")[-1]
            assert event.actor == "engine" and event.target.split()[0] in ("keyring", "credential")
        return opened


async def test_the_next_start_opens_the_vault_by_the_keyring(tmp_path: Path, ring: Ring) -> None:
    clock = ManualClock()
    async with gate(tmp_path / "state", clock=clock) as one:
        slot = await set_up(one, "keyring")
        assert (slot.kind, slot.at_start) == ("keyring", True)
        assert one.events("vault.add_keyring")[-1].target == f"keyring {slot.owner}"
        listed = {s.kind: s for s in (await one.call("vault.slots")).slots}
        assert listed["account"].owner == "ada" and not listed["account"].at_start
        assert set(listed) == {"account", "recovery", "keyring"}
        assert await one.slots.open()
    [(service, name)] = ring.kept
    assert (service, name) == ("guardian-tui", f"vault-{slot.owner}")
    assert await opens(tmp_path / "state", clock)
    ring.locked = True
    assert not await opens(tmp_path / "state", clock)
    ring.locked = False
    for wrong in ("00" * 32, "not hex", ""):
        ring.kept[service, name] = wrong
        assert not await opens(tmp_path / "state", clock)


async def test_a_keyring_that_may_keep_plain_text_is_given_nothing(tmp_path: Path) -> None:
    before, plain = keyring.get_keyring(), Ring()
    plain.__class__ = type("PlaintextKeyring", (Ring,), {"__module__": "keyrings.alt.file"})
    keyring.set_keyring(plain)
    try:
        async with gate(tmp_path) as one:
            await one.set_up()
            with pytest.raises(
                NotFound, match=r"keyrings\.alt\.file\.PlaintextKeyring, which is not a safe place"
            ):
                await one.call("vault.add_keyring")
            assert plain.kept == {}
            assert "keyring" not in {s.kind for s in (await one.call("vault.slots")).slots}
    finally:
        keyring.set_keyring(before)


async def test_a_slot_that_is_removed_opens_nothing_and_leaves_nothing(tmp_path: Path, ring: Ring) -> None:
    clock = ManualClock()
    async with gate(tmp_path / "state", clock=clock) as one:
        slot = await set_up(one, "keyring")
        await one.call("vault.remove_slot", SlotRef(slot=slot.id))
        assert ring.kept == {}
        assert one.events("vault.remove_slot")[-1].target == f"keyring {slot.owner}"
        with pytest.raises(NotFound):
            await one.call("vault.remove_slot", SlotRef(slot=slot.id))
        for other in (await one.call("vault.slots")).slots:
            with pytest.raises(Conflict, match="goes with its account"):
                await one.call("vault.remove_slot", SlotRef(slot=other.id))
        # a keyring that lost the key already is no reason to keep the slot
        slot = await one.call("vault.add_keyring")
        ring.kept.clear()
        await one.call("vault.remove_slot", SlotRef(slot=slot.id))
    assert not await opens(tmp_path / "state", clock)


async def test_a_slot_that_can_t_be_written_leaves_no_key_behind(
    tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gate(tmp_path) as one:
        await one.set_up()

        async def full(*rest: object) -> int:
            raise AuditUnavailable("the disk is full")

        monkeypatch.setattr(one.audit, "append", full)
        with pytest.raises(AuditUnavailable):
            await one.call("vault.add_keyring")
        assert ring.kept == {}


async def test_a_keyring_that_never_answers_is_given_up(
    tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "KEYRING_SECONDS", 0.05)
    free = threading.Event()
    monkeypatch.setattr(ring, "set_password", lambda *rest: free.wait(60))
    async with gate(tmp_path) as one:
        await one.set_up()
        with pytest.raises(NotFound, match="did not answer"):
            await one.call("vault.add_keyring")
        free.set()


async def test_the_next_start_opens_the_vault_by_the_systemd_credential(
    tmp_path: Path, credential: Path
) -> None:
    clock = ManualClock()
    async with gate(tmp_path / "state", clock=clock) as one:
        slot = await set_up(one, "credential")
        secret = one.secret
        assert (slot.kind, slot.at_start) == ("credential", True)
        with pytest.raises(Conflict, match="already"):
            await one.call("vault.add_credential")
    assert await opens(tmp_path / "state", clock)
    credential.chmod(0o600)
    credential.write_bytes(os.urandom(32))
    assert not await opens(tmp_path / "state", clock)
    # the new one is added, the old one taken away
    async with gate(tmp_path / "state", clock=clock) as one:
        one.secret = secret
        one.token = (await one.login()).token
        await one.call("vault.add_credential")
        await one.call("vault.remove_slot", SlotRef(slot=slot.id))
        assert [s.kind for s in (await one.call("vault.slots")).slots].count("credential") == 1
    assert await opens(tmp_path / "state", clock)
    credential.unlink()
    assert not await opens(tmp_path / "state", clock)


async def test_a_credential_by_the_same_name_with_another_slot_s_id_is_not_believed(
    tmp_path: Path, credential: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    async with gate(tmp_path / "state", clock=clock) as one:
        slot = await set_up(one, "credential")
    monkeypatch.setattr(openers, "credential", lambda: (slot.owner, os.urandom(32)))
    assert not await opens(tmp_path / "state", clock)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("mode", "by others"), ("short", "31 bytes"), ("gone", "can't be read"), ("none", "without")],
)
async def test_a_credential_that_is_none_is_refused_with_what_to_do(
    tmp_path: Path, credential: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, words: str
) -> None:
    credential.chmod(0o600)
    if trouble == "mode":
        credential.chmod(0o444)
    elif trouble == "short":
        credential.write_bytes(bytes(31))
    elif trouble == "gone":
        credential.unlink()
    else:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    async with gate(tmp_path / "state") as one:
        await one.set_up()
        with pytest.raises(NotFound, match=words):
            await one.call("vault.add_credential")


async def test_who_may_not_and_who_gave_no_fresh_code_adds_no_slot(
    tmp_path: Path, ring: Ring, credential: Path
) -> None:
    orders = (
        ("vault.add_keyring", None),
        ("vault.add_credential", None),
        ("vault.remove_slot", SlotRef(slot="x")),
    )
    async with gate(tmp_path / "state") as one:
        await one.set_up()
        operator, _ = await one.invite("oto", wire.GrantSpec(profile="operator"))
        some, _ = await one.invite("sam", wire.GrantSpec(profile="admin", scope="role=web"))
        for order in orders:
            for token in (operator, some):
                with pytest.raises(PermissionDenied):
                    await one.call(*order, token=token)
        one.clock.advance(400)
        for order in orders:
            with pytest.raises(StepUpRequired):
                await one.call(*order)
        assert ring.kept == {}


async def test_a_locked_vault_gets_no_slot(tmp_path: Path, ring: Ring) -> None:
    clock = ManualClock()
    async with gate(tmp_path, clock=clock) as one:
        await one.set_up()
        token = one.token
    async with gate(tmp_path, clock=clock) as one:
        with pytest.raises(VaultLocked):
            await one.call("vault.add_keyring", token=token)
        assert ring.kept == {}


async def test_it_opens_while_the_engine_starts_and_trouble_stops_nothing(
    tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    async with gate(tmp_path, clock=clock) as one:
        await set_up(one, "keyring")
    async with gate(tmp_path, clock=clock) as one:
        opened = asyncio.Event()
        one.bus.subscribe(VaultUnlocked, lambda fact: opened.set())

        async def full(*rest: object) -> int:
            raise AuditUnavailable("the disk is full")

        monkeypatch.setattr(one.audit, "record", full)
        await one.slots.start()
        async with asyncio.timeout(30):
            await opened.wait()
        await one.slots.stop()
        await one.slots.stop()
        for trouble in (StoreUnavailable("the server is gone"), RuntimeError("ours")):

            async def fails(trouble: Exception = trouble) -> bool:
                raise trouble

            monkeypatch.setattr(one.slots, "open", fails)
            await one.slots.start()
            assert one.slots._opening is not None
            await one.slots._opening
        told = " ".join(record.getMessage() for record in caplog.records)
        assert "the server is gone" in told and "could not be recorded" in told
        assert told.count("stays locked until somebody logs in") == 2
