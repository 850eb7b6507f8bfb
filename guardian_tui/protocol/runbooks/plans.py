"""What a run would do, before it does anything, and the order that begins one."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.runbooks.documents import RunbookStep, RunbookVariable
from guardian_tui.protocol.runbooks.words import Name, Value, Words


class PlannedCommand(Response, frozen=True):
    """A command as it will run, and the hosts that it is the same for; secrets are masked."""

    command: str
    hosts: tuple[str, ...] = ()
    """The first of them."""
    count: int = 0
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    stdin: str = ""
    missing: tuple[str, ...] = ()
    """Variables that have no value yet: their placeholders still stand in it."""


class PlannedStep(Response, frozen=True):
    """A step as it will run."""

    step: RunbookStep
    commands: tuple[PlannedCommand, ...] = ()
    more_commands: int = 0
    """Further ones that differ by host, which are not told."""
    hosts: int = 0
    batches: tuple[int, ...] = ()
    """Hosts of each batch."""
    words: str = ""
    """What it does where it is no command: what is said, waited for, silenced."""
    permission: str = ""
    person: str = ""
    """Why it needs a person; empty: it goes on without."""
    phrase: str = ""
    """What has to be typed before."""
    undo: str = ""
    """The command that takes it back; empty: it can't be taken back."""


class RunbookPlan(Response, frozen=True):
    """What a run would do: nothing was run."""

    runbook: str
    title: str
    version: str
    hash: str
    hosts: tuple[str, ...]
    """The hosts of the document, the first of them."""
    hosts_count: int
    steps: tuple[PlannedStep, ...]
    blast: str
    """What it can reach, counted, in words."""
    dangerous: int
    digest: str
    """Of document and rendered commands: what an approval is bound to."""
    missing: tuple[RunbookVariable, ...] = ()
    """What has to be given before it can begin."""
    values: dict[str, str] = msgspec.field(default_factory=dict)
    """As they go into commands; secrets are masked."""
    problems: tuple[str, ...] = ()
    """Why it can't be begun as it is."""
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    """What of that is wrong with a value, or with ``hosts``, by its name."""
    warnings: tuple[str, ...] = ()
    """What would fail on the way as things are, though it can be begun."""
    changed: tuple[str, ...] = ()
    """How the document differs from that of its last run, as lines of a diff."""
    last_run: str = ""


class RunbookOrder(Request, frozen=True):
    """What is to be planned or run: a document, where, with which values."""

    runbook: Name
    hosts: tuple[Name, ...] = ()
    values: dict[str, Value] = msgspec.field(default_factory=dict)
    alert: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Id of the alert that it answers: fills values in, and is judged again at the end."""


class StartRunbook(RunbookOrder, frozen=True):
    """Begin a run.

    ``digest`` is that of the plan that the person saw: a document or a fleet that has changed meanwhile is refused.  ``auto`` goes on by itself
    wherever no person is needed.
    """

    digest: Annotated[str, msgspec.Meta(max_length=64)] = ""
    auto: bool = False
    reason: Words = ""
