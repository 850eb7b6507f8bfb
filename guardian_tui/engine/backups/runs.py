"""One run, as the engine keeps it in memory from its queueing to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from guardian_tui.engine.backups.engines.base import Judgement
from guardian_tui.engine.backups.outcome import Outcome
from guardian_tui.engine.backups.records import Job, Limit, Passing, Plan, Repository
from guardian_tui.engine.backups.script import Mark, Reader
from guardian_tui.engine.backups.work import Restore, Work
from guardian_tui.engine.remote.detached_looks import Look
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import RunRow

RETRY_SECONDS: dict[Passing, float] = {"locked": 300.0, "network": 60.0}
"""What is tried again, and after how long (each time twice as long)."""
HINDERED: dict[Passing, str] = {
    "locked": "The repository was locked",
    "network": "The link to the repository failed",
}
SCHEDULE = "schedule"
"""Who begins what is due."""
TIMER = "timer"
"""Who began a run that its host's own timer began."""
PERSON = "It was ended by a person."
REMOVED = "Its job was removed, and it was ended with it."
"""Why runs are ended."""
RESTARTED = Judgement(
    "failed",
    "The host was restarted, or the run's traces are gone, before it was known how it ended.",
    "Run it again; a lock that it left is removed by the engine's own unlock.",
)


@dataclass(slots=True)
class Run:
    """A run that has not ended."""

    row: RunRow
    work: Work
    job: Job | None
    repository: Repository
    way: Way
    word: str = ""
    marks: tuple[Mark, ...] = ()
    not_before: float = 0.0
    reader: Reader | None = None
    offsets: tuple[int, int] = (0, 0)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    look: Look | None = None
    outcome: Outcome | None = None
    ending: str = ""
    """Why it is to be ended, in words; empty: it is not."""
    limit: Limit = ""
    """What ends it if nothing else does, beside the job's own limit."""
    passing: Passing = "locked"
    """Why it waits, where it is to be tried again."""
    to_end: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where the engine itself carries it, and somebody wants it ended."""
    on_its_host: bool = True
    """Whether its host was told to begin: nobody asks about it before."""
    task: asyncio.Task[None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it is to be ended."""
        return bool(self.ending)

    @property
    def by_timer(self) -> bool:
        """Whether its host's own timer began it: then nobody else begins it again."""
        return self.row.by == TIMER

    @property
    def carried(self) -> bool:
        """Whether the engine itself carries what it restores: then nothing of it goes on without the engine."""
        return isinstance(self.work, Restore) and bool(self.work.carried)

    @property
    def detached_id(self) -> str:
        """Its name on the host; each attempt has its own."""
        return f"{self.row.id}-{self.row.attempt}"

    def plan(self) -> Plan:
        """What is kept of it on disk."""
        return Plan(
            msgspec.Raw(msgspec.json.encode(self.work)), self.word, msgspec.Raw(msgspec.json.encode(self.marks)), self.not_before, self.limit,
            self.passing, self.ending,
        )  # fmt: skip


Ended = Callable[[Run], Awaitable[None]]
