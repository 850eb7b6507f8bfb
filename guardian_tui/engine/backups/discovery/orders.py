"""Orders on what is found: look, observe, take over passwords."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from guardian_tui.engine.backups.discovery.search import Search, last_sign, search
from guardian_tui.engine.backups.discovery.setups import (
    Found,
    Setup,
    is_open,
    masked,
    name_of,
    problem_of,
    proposal,
    reference_of,
    same_place,
)
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol import discovery as wire
from guardian_tui.protocol.backups import RepositoryRow, RepositorySpec
from guardian_tui.protocol.errors import Conflict, HostUnavailable, NotFound
from guardian_tui.text import safe

Add = Callable[[Call, RepositorySpec], Awaitable[RepositoryRow]]
REFERENCE = "secret:"
OURS = "backups/"
"""Secrets whose names begin so may be sealed from what a host says; no other, and none that is there already."""
SOURCES_SHOWN = 50
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,4}[\w.+-]{0,20}", re.ASCII)


class DiscoveryOrders:
    """Handlers of these routes.

    Args:
        add: adds a repository, as a person who writes it by hand does.
        vault: where passwords are sealed.
    """

    def __init__(
        self, backups: Backups, scope: Scope, clock: Clock, commands: Commands, add: Add, vault: Vault
    ) -> None:
        self._backups = backups
        self._scope = scope
        self._clock = clock
        self._commands = commands
        self._add = add
        self._vault = vault

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "backups.discover": self.discover,
            "repositories.observe": self.observe,
            "repositories.take_secrets": self.take_secrets,
        }

    async def discover(self, call: Call, request: wire.DiscoverBackups) -> wire.FoundBackups:
        """`backups.discover`: nothing is written anywhere."""
        way = self._scope.host(call, request.host)
        found = await self._search(way)
        taken = self._names()
        setups = []
        for setup in found.setups:
            version = version_of(found.read.versions.get(setup.tool, ""))
            repositories = tuple(self._repository(way, setup, one, taken) for one in setup.repositories)
            at, words = last_sign(setup, found.times)
            setups.append(_told(setup, version, repositories, at, words))
        unread = [f"{safe(f.path, 300)}: {safe(f.why, 200)}" for f in found.read.files.values() if f.why]
        return wire.FoundBackups(
            host=way.name, user=safe(found.read.user, 64), at=self._clock.now(), setups=tuple(setups), unread=tuple(sorted(unread)),
            programs=tuple(safe(f"{tool} {version_of(words)}".strip(), 100) for tool, words in sorted(found.read.versions.items())), cut=found.read.cut,
        )  # fmt: skip

    async def observe(self, call: Call, request: wire.ObserveFound) -> RepositoryRow:
        """`repositories.observe`: the repository is added; of its secrets only where they will be looked for."""
        way = self._scope.host(call, request.host)
        found = await self._search(way)
        taken = self._names()
        for setup in found.setups:
            for one in setup.repositories:
                known = self._observed(way, one)
                # the names are given out as they were when it was looked for
                name = "" if known else name_of(one, setup, way.name, taken)
                taken.add(name)
                if setup.id_of(one) != request.found:
                    continue
                if known:
                    raise Conflict(f"It is observed already, as {known.spec.name}.")
                return await self._add(call, _proposal(one, way, request.name or name))
        raise NotFound(f"It is no longer set up on {way.name}: look again.", field="found")

    async def take_secrets(self, call: Call, request: wire.TakeSecrets) -> RepositoryRow:
        """`repositories.take_secrets`: read once more, openly, and sealed; told to nobody."""
        repository = self._scope.repository(call, request.repository)
        way = self._scope.host(call, repository.spec.host)
        call.target = repository.spec.name
        found = await self._search(way, openly=True)
        wanted = {
            variable: reference.removeprefix(REFERENCE)
            for variable, reference in repository.spec.secrets.items()
        }
        values = next(
            (
                one.secrets
                for setup in found.setups
                for one in setup.repositories
                if self._observed(way, one) is repository
                and any(is_open(value) for value in one.secrets.values())
            ),
            {},
        )
        taken = {
            wanted[variable]: value
            for variable, value in values.items()
            if wanted.get(variable, "").startswith(OURS) and is_open(value)
        }
        if not taken:
            raise NotFound(f"No configuration on {way.name} holds a password of {repository.spec.name}.")
        if there := sorted(set(taken) & set(await self._vault.names())):
            raise Conflict(
                f"The vault has a secret {there[0]} already: remove it first, if it is the wrong one."
            )
        async with call.change(repository.spec.name, body={"host": way.name, "secrets": sorted(taken)}) as tx:
            for name, value in taken.items():
                await self._vault.put_secret(tx, name, value.encode(errors="surrogateescape"))
        return self._backups.repository_row(repository)

    async def _search(self, way: Way, *, openly: bool = False) -> Search:
        try:
            return await search(self._commands, way, openly=openly)
        except ConnectFailed as error:
            raise HostUnavailable(f"{way.name} can't be looked at: {error.detail}") from error

    def _names(self) -> set[str]:
        return {one.spec.name for one in self._backups.repositories.values()}

    def _observed(self, way: Way, found: Found) -> Repository | None:
        for one in self._backups.repositories.values():
            spec = one.spec
            here = self._backups.way(spec.host)
            local = found.engine == "pgbackrest" or found.location.startswith("/")
            if spec.engine != found.engine or not same_place(found.engine, spec.location, found.location):
                continue
            if spec.options.get("repo", "") == found.options.get("repo", "") and (
                not local or (here is not None and here.host_id == way.host_id)
            ):
                return one
        return None

    def _repository(self, way: Way, setup: Setup, found: Found, taken: set[str]) -> wire.FoundRepository:
        known = self._observed(way, found)
        name = "" if known else name_of(found, setup, way.name, taken)
        wants: tuple[str, ...] = ()
        problem = ""
        if known is None:
            taken.add(name)
            wants = tuple(reference_of(name, variable).removeprefix(REFERENCE) for variable in found.secrets)
            try:
                problem = problem_of(_proposal(found, way, name))
            except Conflict as error:
                problem = error.detail
        return wire.FoundRepository(
            id=setup.id_of(found), engine=found.engine, location=safe(masked(found.location), 1000), label=safe(found.label, 200),
            observed=known.spec.name if known else "", name=name, password=safe(found.how, 300), wants=wants,
            takes=any(found.secrets.values()), problem=safe(problem, 400),
        )  # fmt: skip


def version_of(words: str) -> str:
    """The version in what a program says of itself, which tells its compiler too."""
    found = _VERSION.search(words)
    return found[0] if found else ""


def _proposal(found: Found, way: Way, name: str) -> RepositorySpec:
    try:
        return proposal(found, way.name, name)
    except (msgspec.ValidationError, ValueError) as error:
        raise Conflict(f"It can't be observed as it stands: {safe(str(error), 200)}.") from error


def _told(
    setup: Setup, version: str, repositories: tuple[wire.FoundRepository, ...], at: float | None, words: str
) -> wire.FoundSetup:
    schedules = [
        wire.FoundSchedule(
            kind=one.kind, where=safe(one.where, 300), when=safe(one.when, 200), what=safe(what, 200)
        )
        for one, what in setup.runners
    ]
    schedules += [
        wire.FoundSchedule(
            kind="configuration", where=safe(setup.file, 300), when=safe(when, 200), what=safe(what, 200)
        )
        for what, when in setup.declared
    ]
    return wire.FoundSetup(
        tool=setup.tool, version=safe(version, 100), file=safe(setup.file, 300), profile=safe(setup.profile, 100), words=safe(setup.why, 400),
        repositories=repositories, sources=tuple(safe(one, 300) for one in setup.sources[:SOURCES_SHOWN]), schedules=tuple(schedules[:50]),
        ran_at=at, ran_words=words,
    )  # fmt: skip
