"""Repositories that could not be read are read again as soon as what hindered it is over: none stays red for what is no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from guardian_tui.engine.backups import rooms
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.facts import Reachability, SecretChanged, VaultUnlocked
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.protocol.backups import Verdict

OURS: frozenset[Verdict | None] = frozenset({"auth", "network"})
"""What a vault that is locked leads to: a secret of the repository is not to be had, or that of the host which reads it."""


class Rereading:
    """Hears what may have hindered a reading, and is over.

    Args:
        repositories: those that there are now; none before the service has begun.
        being_read: whether a reading of one is under way, which may have begun too early.
        read_soon: begins another.
    """

    def __init__(
        self, bus: Bus, ways: Ways, repositories: Callable[[], Iterable[Repository]], being_read: Callable[[Repository], bool],
        read_soon: Callable[[Repository], object],
    ) -> None:  # fmt: skip
        self._ways = ways
        self._repositories = repositories
        self._being_read = being_read
        self._read_soon = read_soon
        bus.subscribe(SecretChanged, self._secret_changed)
        bus.subscribe(VaultUnlocked, self._vault_unlocked)
        bus.subscribe(Reachability, self._reached)

    def _secret_changed(self, fact: SecretChanged) -> None:
        """What could not be read may be read now, and what could perhaps no longer."""
        self._read(lambda one: one.uses(fact.name))

    def _vault_unlocked(self, fact: VaultUnlocked) -> None:
        self._read(lambda one: one.memory.verdict in OURS or self._being_read(one))

    def _reached(self, fact: Reachability) -> None:
        """A host answers again: it was down, or its key was not accepted yet."""
        if fact.state == "up" and fact.successes == 1:
            self._read(
                lambda one: (
                    (one.memory.verdict == "network" or self._being_read(one))
                    and self._stands_on(one, fact.host_id)
                )
            )

    def _read(self, wanted: Callable[[Repository], bool]) -> None:
        for one in [one for one in self._repositories() if wanted(one)]:
            self._read_soon(one)

    def _stands_on(self, repository: Repository, host_id: str) -> bool:
        """Whether a host reads a repository for us, or keeps it."""
        reader = self._ways.way(repository.spec.host)
        if reader is not None and reader.host_id == host_id:
            return True
        keeper, kept_on = self._ways.way(host_id), rooms.kept_on(repository.spec)
        names = {keeper.name, *([keeper.target.address] if keeper.target else [])} if keeper else set()
        return kept_on in names
