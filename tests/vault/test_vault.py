"""The vault: what is sealed opens only with its key and in its place."""

from __future__ import annotations

from pathlib import Path

import keyring
import keyring.backend
import pytest
from hypothesis import given
from hypothesis import strategies as some

from guardian_tui.engine.vault import keyrings, references
from guardian_tui.engine.vault.sealing import SealBroken, Stretcher, new_key, seal, unseal
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, VaultLocked
from guardian_tui.protocol.fleet import SecretRef, SecretSet
from tests.support.gate import CHEAP, gate


@given(some.binary(max_size=200), some.text(max_size=20))
def test_what_is_sealed_opens_in_its_own_context_only(plain: bytes, context: str) -> None:
    key = new_key()
    sealed = seal(key, context, plain)
    assert unseal(key, context, sealed) == plain
    with pytest.raises(SealBroken):
        unseal(key, context + "x", sealed)
    with pytest.raises(SealBroken):
        unseal(new_key(), context, sealed)


@pytest.mark.parametrize(
    "damaged", [b"", b"\x02" + bytes(40), b"\x01", b"\x01" + bytes(12), b"\x01" + bytes(50)]
)
def test_a_damaged_blob_is_named_so(damaged: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(new_key(), "c", damaged)


async def test_one_run_yields_two_keys_that_differ() -> None:
    stretcher = Stretcher(CHEAP)
    first, again = await stretcher.stretch("p", bytes(16)), await stretcher.stretch("p", bytes(16))
    assert first == again
    assert first.verifier != first.slot_key
    assert stretcher.runs == 2
    assert Stretcher().parameters.memory_kib == 65536


async def _none() -> list[str]:
    return []


async def test_secrets_go_in_and_no_order_brings_them_out(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gate(tmp_path, store_url) as one:
        await one.set_up()
        for value in ("first", "second"):
            await one.call("secrets.set", SecretSet(name="mail", value=value))
        assert (await one.call("secrets.list")).names == ("mail",)
        assert await one.vault.resolve("secret:mail") == "second"
        assert "second" not in "".join(event.body for event in one.events())
        # somebody else was faster: what they set is not replaced unseen
        with monkeypatch.context() as patched:
            patched.setattr(one.vault, "names", _none)
            with pytest.raises(Conflict, match="at this moment"):
                await one.call("secrets.set", SecretSet(name="mail", value="third"))
        assert await one.vault.resolve("secret:mail") == "second"
        await one.call("secrets.remove", SecretRef(name="mail"))
        with pytest.raises(NotFound):
            await one.call("secrets.remove", SecretRef(name="mail"))
        with pytest.raises(NotFound):
            await one.vault.secret("mail")
        async with one.store.write() as tx:
            await one.vault.put_secret(tx, "blob", b"\xff\xfe")
        with pytest.raises(InvalidRequest):
            await one.vault.resolve("secret:blob")


async def test_a_locked_vault_seals_and_opens_nothing(tmp_path: Path) -> None:
    async with gate(tmp_path) as one:
        assert one.vault.locked
        with pytest.raises(VaultLocked):
            one.vault.seal("c", b"x")
        with pytest.raises(VaultLocked):
            await one.vault.secret("a")
        with pytest.raises(SealBroken):
            await one.vault.unwrap("account", "nobody", new_key())
        assert await one.vault.slot_salt("account", "nobody") is None
        key = one.vault.create()
        one.vault.adopt(key)
        one.vault.adopt(new_key())
        assert one.vault.open("c", one.vault.seal("c", b"x"), key) == b"x"
        async with one.store.write() as tx:
            await one.vault.add_slot(tx, "account", "a", b"salt", new_key())
        assert await one.vault.slot_salt("account", "a") == b"salt"


async def test_references_outside_the_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    async with gate(tmp_path) as one:
        assert await one.vault.resolve("env:A_SECRET") == "x"
    with pytest.raises(NotFound):
        await references.resolve_outside("env:NOT_THERE")
    for wrong in ("plain text", "env:", "keyring:no-name", "secret"):
        with pytest.raises(InvalidRequest):
            await references.resolve_outside(wrong)


class _Ring(keyring.backend.KeyringBackend):
    """A keyring for the test; trusted only under a trusted name."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return "x" if username == "known" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


async def test_only_keyrings_that_we_know_by_name_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = _Ring()  # type: ignore[no-untyped-call]  # keyring's own
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring)
    with pytest.raises(NotFound, match="not a safe place"):
        await references.resolve_outside("keyring:guardian/known")
    monkeypatch.setattr(keyrings, "KEYRING_BACK_ENDS", frozenset({f"{_Ring.__module__}._Ring"}))
    assert await references.resolve_outside("keyring:guardian/known") == "x"
    with pytest.raises(NotFound, match="has no"):
        await references.resolve_outside("keyring:guardian/other")
