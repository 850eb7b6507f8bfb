"""Logins have what is alike of all of them from one making of asyncssh's options, and nothing of each other's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.remote import login
from guardian_tui.engine.remote.credentials import Credentials, Offer
from guardian_tui.engine.remote.offering import Guard
from guardian_tui.engine.remote.pins import Trusted
from guardian_tui.engine.remote.target import Target

WAIT_SECONDS = 60
KEY, OTHER = (
    asyncssh.generate_private_key("ssh-ed25519"),
    asyncssh.generate_private_key("ssh-rsa", key_size=2048),
)
PASSWORD = "a pass word"


class Server(asyncssh.SSHServer):
    """Knows two keys and a password."""

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key in (KEY.convert_to_public(), OTHER.convert_to_public())

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Target, Trusted]]:
    """A server, as whom and by what key."""
    host_key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key])
    try:
        target = Target("h1", "one", "127.0.0.1", server.get_port(), "ada")
        yield target, Trusted((host_key.convert_to_public(),), (), ())
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(params=["this", "another"])
def release(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """This asyncssh, and one that keeps its options otherwise."""
    if request.param == "another":
        monkeypatch.setattr(login, "_of_options", attrgetter("_of_another_release"))
    login._is_as_we_know_it.cache_clear()
    yield request.param
    login._is_as_we_know_it.cache_clear()


async def enter(target: Target, trusted: Trusted, offer: Offer) -> asyncssh.SSHClientConnection:
    """Log in, in time."""
    async with asyncio.timeout(WAIT_SECONDS):
        return await login.log_in(Guard(), target, trusted, offer, (), None)


@pytest.mark.parametrize(
    "offer",
    [Offer(keys=[KEY]), Offer(keys=[OTHER]), Offer(password=PASSWORD), Offer(keys=[KEY], password="no")],
)
async def test_whoever_has_what_is_wanted_is_let_in(release: str, offer: Offer) -> None:
    async with listening() as (target, trusted):
        conn = await enter(target, trusted, offer)
        assert conn.get_extra_info("username") == "ada"
        conn.abort()


@pytest.mark.parametrize(
    "offer", [Offer(), Offer(password="no"), Offer(keys=[asyncssh.generate_private_key("ssh-ed25519")])]
)
async def test_whoever_has_not_is_told_so(release: str, offer: Offer) -> None:
    async with listening() as (target, trusted):
        with pytest.raises(asyncssh.PermissionDenied):
            await enter(target, trusted, offer)


async def test_nobody_is_offered_anything_before_his_key_is_known(release: str) -> None:
    async with listening() as (target, _):
        guard = Guard()
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await login.log_in(guard, target, Trusted((), (), ()), Offer(keys=[KEY]), (), None)
        assert guard.seen is not None and guard.greeted


async def test_what_does_not_answer_is_given_up(release: str) -> None:
    accepted: list[asyncio.StreamWriter] = []
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        while await reader.read(1000):
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        target = Target("h1", "one", "127.0.0.1", server.sockets[0].getsockname()[1], "ada")
        task = asyncio.create_task(enter(target, Trusted((), (), ()), Offer()))
        async with asyncio.timeout(WAIT_SECONDS):
            while not accepted:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone.wait()
    with pytest.raises(ConnectionRefusedError):
        await enter(target, Trusted((), (), ()), Offer())


async def test_options_are_made_once_and_hold_no_secret() -> None:
    async with listening() as (target, trusted):
        (await enter(target, trusted, Offer(keys=[KEY]))).abort()
        made = login._alike.cache_info().misses
        logins = [enter(target, trusted, Offer(keys=[key])) for key in (KEY, OTHER, KEY)]
        for conn in await asyncio.gather(*logins):
            conn.abort()
        assert login._alike.cache_info().misses == made
        alike = login.alike_for(target, trusted, Offer(password=PASSWORD))
        assert alike.password is None and alike.client_keys is None
        assert PASSWORD not in repr(vars(alike))


async def test_a_key_file_is_read_once_however_many_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    KEY.write_private_key(str(file))
    reads: list[str] = []
    read = asyncssh.read_private_key

    def counted(path: str, phrase: str | None = None) -> asyncssh.SSHKey:
        reads.append(path)
        return read(path, phrase)

    monkeypatch.setattr(asyncssh, "read_private_key", counted)
    locked: Any = SimpleNamespace(locked=True)
    credentials = Credentials(locked, Bus(), tmp_path)
    targets = [Target(f"h{n}", f"h{n}", "127.0.0.1", 22, "ada", credential=f"key:{file}") for n in range(20)]
    offers = await asyncio.gather(*map(credentials.for_target, targets))
    assert reads == [str(file)]
    assert all(offer.keys == [KEY] and offer.tried == ["the key key"] for offer in offers)


@pytest.mark.parametrize("offer", [Offer(keys=[KEY]), Offer(keys=[KEY], password=PASSWORD)])
def test_they_are_what_asyncssh_makes_of_all_at_once(offer: Offer) -> None:
    target, trusted = (
        Target("h1", "one", "10.0.0.1", 2222, "ada"),
        Trusted((KEY.convert_to_public(),), (), ()),
    )
    guard = Guard()
    alike, own = login.alike_for(target, trusted, offer), login.own_of(guard, target, trusted, offer, ())
    given: dict[str, Any] = {
        name: own[name] for name in ("client_keys", "host", "known_hosts", "password", "port")
    }
    at_once = vars(asyncssh.SSHClientConnectionOptions(alike, client_factory=lambda: guard, **given))
    ours = vars(alike) | own
    # how they were made, and the agent that neither asks: there is none
    apart = {"kwargs", "config", "protocol_factory", "agent_path"}
    assert {name: at_once[name] for name in at_once.keys() - apart} == {
        name: ours[name] for name in ours.keys() - apart
    }
    assert at_once["agent_path"] == "" and ours["agent_path"] is None
    assert ours["protocol_factory"]() is at_once["protocol_factory"]() is guard
