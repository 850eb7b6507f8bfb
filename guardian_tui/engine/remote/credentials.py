"""Credentials: what a login on a host is made with, loaded once and kept.

A credential is ``agent``, ``key:PATH``, ``secret:NAME``, ``ask``, or empty: the agent, then the default key files.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import asyncssh

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.facts import AgentOffered
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.errors import NotFound, VaultLocked
from guardian_tui.text import safe

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
AGENTS_KEPT = 8
AGENT_SECONDS = 5.0
MOST_PATHS = 1024


LoginKey = asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]
"""A key, with its certificate if it has one."""


@dataclass(slots=True)
class Offer:
    """What is offered to a server."""

    keys: list[LoginKey] = field(default_factory=list)
    agent: str | None = None
    password: str | None = None
    tried: list[str] = field(default_factory=list)
    """In words, for the error when none is accepted."""
    given: bool = False
    """Whether it is a password that a person gave for this host."""
    signing: bool = False
    """Whether we wait for the agent's signature, and not for the server."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to offer."""
        return not self.keys and self.agent is None and self.password is None


class NeedsAnswer(Exception):
    """A person must give a pass phrase or a password."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words


class Credentials:
    """Finds what to offer to a target."""

    def __init__(self, vault: Vault, bus: Bus, home: Path | None = None, *, lent: bool = True) -> None:
        self._lent = lent
        """Whether people lend us their agents: a shared engine would let everybody act with one person's keys."""
        self._vault = vault
        self._home = home or Path.home()
        self._agents: list[str] = []
        self._files: dict[Path, tuple[float, LoginKey]] = {}
        self._reading: dict[Path, asyncio.Lock] = {}
        self._empty_agent = False
        self._given: dict[tuple[str, str], str] = {}
        self._refused: set[str] = set()
        """Hosts that refused their password: what is kept in the vault is not tried again before a new answer."""
        own = os.environ.get("SSH_AUTH_SOCK", "")
        if own:
            self._agents.append(own)
        bus.subscribe(AgentOffered, self.offer_agent)

    def offer_agent(self, fact: AgentOffered) -> None:
        """A client handed over its agent (bus subscriber): the newest is tried first.

        The socket must belong to the peer that offers it: nobody lends us another person's agent.
        """
        if not self._lent:
            return
        try:
            info = Path(fact.path).stat()
        except OSError:
            return
        if not stat.S_ISSOCK(info.st_mode) or info.st_uid != fact.peer_uid:
            return
        if fact.path in self._agents:
            self._agents.remove(fact.path)
        self._agents = [fact.path, *self._agents][:AGENTS_KEPT]

    def give(self, host_id: str, kind: str, secret: str) -> None:
        """Keep an answered pass phrase or password in memory."""
        self._given[host_id, kind] = secret
        self._refused.discard(host_id)

    def refused(self, host_id: str) -> None:
        """A host refused the password that was given for it: the next attempt asks anew."""
        self.forget(host_id)
        self._refused.add(host_id)

    def forget(self, host_id: str) -> None:
        """Forget what was given for a host (it was refused, or the host is gone)."""
        for key in [key for key in self._given if key[0] == host_id]:
            del self._given[key]

    async def for_target(self, target: Target) -> Offer:
        """What to offer.

        Raises:
            NeedsAnswer: a person must give a pass phrase or password first.
            ConnectFailed: there is nothing to offer, or the vault is locked.
        """
        offer = Offer()
        kind, _, rest = target.credential.partition(":")
        if kind == "secret":
            await self._from_vault(target, rest, offer)
        elif kind == "key":
            await self._from_file(target, _expanded(self._home, rest), offer, must=True)
        elif kind == "ask":
            await self._asked(target, offer)
        else:
            offer.agent = await self._agent()
            if offer.agent:
                offer.tried.append("the agent")
            if kind == "agent" and offer.empty:
                raise ConnectFailed("agent", f"There is nothing to log in with: {self._agent_words()}.")
            if kind != "agent":
                for name in DEFAULT_KEYS:
                    await self._from_file(target, self._home / ".ssh" / name, offer, must=False)
        if offer.empty:
            raise ConnectFailed(
                "no_credential",
                f"There is nothing to log in with: {self._agent_words()}, and there is no key file that can be used. "
                "Attach with an agent, or set a credential for the host.",
            )
        return offer

    def _agent_words(self) -> str:
        """Why no agent is of use."""
        if self._empty_agent:
            return "the agent that answers holds no key"
        return "no ssh-agent answers" if self._lent else "a shared engine uses nobody's ssh-agent but its own"

    async def _agent(self) -> str | None:
        self._empty_agent = False
        for path in list(self._agents):
            try:
                async with asyncio.timeout(AGENT_SECONDS):
                    agent = await asyncssh.connect_agent(path)
                    try:
                        keys = await agent.get_keys()
                    finally:
                        agent.close()
            except (OSError, ValueError, asyncssh.Error, TimeoutError):
                # many hosts ask at once: another may have struck it off by now
                if path in self._agents:
                    self._agents.remove(path)
                continue
            if keys:
                return path
            self._empty_agent = True
        return None

    async def _from_file(self, target: Target, path: Path, offer: Offer, *, must: bool) -> None:
        try:
            changed = path.stat().st_mtime + _changed_at(_certificate_of(path))
        except OSError as error:
            if must:
                raise ConnectFailed(
                    "key_file", f"The key file {path} can't be read: {error.strerror}."
                ) from error
            return
        # read once, however many want it at once: a pass phrase makes it dear
        async with self._reading.setdefault(path, asyncio.Lock()):
            key = await self._read(target, path, changed, must=must)
        if key is None:
            return
        offer.keys.append(key)
        offer.tried.append(f"the key {path.name}")

    async def _read(self, target: Target, path: Path, changed: float, *, must: bool) -> LoginKey | None:
        known = self._files.get(path)
        if known is not None and known[0] == changed:
            return known[1]
        phrase = await self._answer(target, "passphrase")
        try:
            key = await asyncio.to_thread(asyncssh.read_private_key, str(path), phrase)
        except asyncssh.KeyEncryptionError as error:
            if not must:
                return None
            self.forget(target.host_id)
            raise NeedsAnswer("passphrase", f"The pass phrase of {path} is wanted.") from error
        except (asyncssh.KeyImportError, OSError) as error:
            if must and "phrase" in str(error).lower():
                raise NeedsAnswer("passphrase", f"The pass phrase of {path} is wanted.") from error
            if must:
                raise ConnectFailed(
                    "key_file", f"The key file {path} can't be used: {safe(str(error), 200)}."
                ) from error
            return None
        pair = await asyncio.to_thread(_with_certificate, path, key)
        self._files[path] = (changed, pair)
        return pair

    async def _from_vault(self, target: Target, name: str, offer: Offer) -> None:
        try:
            value = await self._vault.secret(name)
        except VaultLocked as error:
            raise ConnectFailed(
                "vault_locked", "Its credential is in the vault, which is locked until somebody logs in."
            ) from error
        except NotFound as error:
            raise ConnectFailed("no_credential", f"The vault has no secret named {name}.") from error
        if b"PRIVATE KEY" not in value:
            offer.password = value.decode("utf-8", "replace")
            offer.tried.append("the password in the vault")
            return
        phrase = await self._answer(target, "passphrase")
        try:
            offer.keys.append(await asyncio.to_thread(asyncssh.import_private_key, value, phrase))
        except asyncssh.KeyEncryptionError as error:
            raise NeedsAnswer("passphrase", f"The pass phrase of the key {name} is wanted.") from error
        except asyncssh.KeyImportError as error:
            if phrase is None and "phrase" in str(error).lower():
                raise NeedsAnswer("passphrase", f"The pass phrase of the key {name} is wanted.") from error
            raise ConnectFailed(
                "no_credential", f"The secret {name} is not a key that we can read: {error}."
            ) from error
        offer.tried.append("the key in the vault")

    async def _asked(self, target: Target, offer: Offer) -> None:
        password = await self._answer(target, "password")
        if password is None:
            raise NeedsAnswer("password", f"The password of {target.user} on {target.name} is wanted.")
        offer.password, offer.given = password, True
        offer.tried.append("the password that was given")

    async def _answer(self, target: Target, kind: str) -> str | None:
        """What a person gave, in memory or kept in the vault."""
        given = self._given.get((target.host_id, kind))
        if given is not None or self._vault.locked or target.host_id in self._refused:
            return given
        try:
            return (await self._vault.secret(kept_name(target.name, kind))).decode()
        except (NotFound, VaultLocked):
            return None


@lru_cache(maxsize=MOST_PATHS)
def _expanded(home: Path, path: str) -> Path:
    return home / path[2:] if path.startswith("~/") else home / ".ssh" / Path(path)


@lru_cache(maxsize=MOST_PATHS)
def _certificate_of(path: Path) -> Path:
    """Where the certificate of a key file lies, as ssh looks for it."""
    return path.with_name(f"{path.name}-cert.pub")


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _with_certificate(path: Path, key: asyncssh.SSHKey) -> LoginKey:
    """A key with the certificate beside it; one that can't be read, or is of another key, is left out."""
    try:
        certificate = asyncssh.read_certificate(str(_certificate_of(path)))
    except (OSError, asyncssh.KeyImportError):
        return key
    return (key, certificate) if certificate.key == key.convert_to_public() else key


def kept_name(host: str, kind: str) -> str:
    """Name in the vault of an answer that a person wanted kept."""
    return f"host/{host}/{kind}"
