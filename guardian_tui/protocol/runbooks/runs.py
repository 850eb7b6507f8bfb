"""A run as those see it who follow it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.approvals import GivenApproval
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.runbooks.documents import RunbookStep
from guardian_tui.protocol.runbooks.plans import PlannedStep, RunbookPlan
from guardian_tui.protocol.runbooks.words import (
    Act,
    Asked,
    HostState,
    Name,
    Proof,
    RunState,
    RunVerdict,
    StepState,
)


class RunbookMark(Response, frozen=True):
    """How one step of a run is."""

    step: str
    state: StepState
    attempt: int = 0
    """How often it was begun."""
    words: str = ""
    by: str = ""
    at: float | None = None
    """When it began to be so."""
    undo: bool = False
    """Whether it can be taken back."""


class RunbookRun(Response, frozen=True):
    """One run as it stands: what was done, and what is asked now."""

    id: str
    runbook: str
    title: str
    document_version: str
    hash: str
    state: RunState
    by: str
    leader: str
    """Who leads it through now."""
    started_at: float
    version: int
    """What an answer is given to: it is refused if the run has gone on meanwhile."""
    step: str = ""
    """The current one."""
    number: int = 0
    """Of the current step, from 1."""
    marks: tuple[RunbookMark, ...] = ()
    current: PlannedStep | None = None
    """The current step as it will run."""
    asked: Asked = ""
    acts: tuple[Act, ...] = ()
    """What can be answered now."""
    phrase: str = ""
    words: str = ""
    """What is the matter, or what came of it."""
    hosts: tuple[str, ...] = ()
    """The first of them."""
    hosts_count: int = 0
    values: dict[str, str] = msgspec.field(default_factory=dict)
    auto: bool = False
    reason: str = ""
    alert: str = ""
    rule: str = ""
    digest: str = ""
    """What an approval that is given now is bound to."""
    approvals: tuple[GivenApproval, ...] = ()
    quorum: int = 0
    open: tuple[str, ...] = ()
    """Silences and maintenance windows that it opened and will close."""
    verdict: RunVerdict = ""
    ended_at: float | None = None
    proof: Proof = ""
    proof_words: str = ""
    transcript: str = ""
    """sha256 of its transcript, once it has ended."""
    led_before: str = ""
    """Who led it before it was handed over."""
    led_since: float | None = None
    taken: bool = False
    """Who leads it took it: it was not handed over by who led it before."""


class RunbookWatcher(Response, frozen=True):
    """A person who has a run in front of them."""

    name: str
    consoles: int = 1
    since: float | None = None


class RunbookWatchers(Response, frozen=True):
    """Who looks on at a run, whoever came first at the top."""

    id: str
    """Of the run."""
    watchers: tuple[RunbookWatcher, ...] = ()


class RunbookResult(Response, frozen=True):
    """What came of a step on one host."""

    id: str
    """``run/step/host``."""
    run: str
    step: str
    host: str
    state: HostState
    attempt: int = 1
    batch: int = 1
    exit_code: int | None = None
    words: str = ""
    last_line: str = ""
    captured: dict[str, str] = msgspec.field(default_factory=dict)
    started_at: float | None = None
    ended_at: float | None = None
    bytes: int = 0
    """What it wrote."""
    clipped: bool = False
    """Whether some of that was not kept."""
    undo: bool = False
    """Of the command that takes the step back."""


class RunbookProgress(Response, frozen=True):
    """How the current step of a run gets on: counts, and the end of what it writes."""

    id: str
    """Of the run."""
    step: str
    attempt: int
    batch: int = 0
    batches: int = 0
    waiting: int = 0
    running: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    tail: str = ""
    """The end of its output, safe for a terminal; with several hosts each line begins with its host's name."""
    bytes: int = 0
    measured_at: float | None = None
    until: float | None = None
    """When a wait, or the step's time, is over."""
    words: str = ""


class RunbookRunRef(Request, frozen=True):
    """Names one run."""

    run: Name


class RunbookRunDetail(Response, frozen=True):
    """One run in full: the document that it is pinned to, and what came of each step."""

    run: RunbookRun
    steps: tuple[RunbookStep, ...]
    progress: RunbookProgress | None = None
    results: tuple[RunbookResult, ...] = ()
    """Of the current step, the failed ones first."""
    epilogue: str = ""
    ahead: tuple[PlannedStep, ...] = ()
    """Where an approval is asked: the steps that were not done yet, as they would run; what :attr:`RunbookRun.digest` binds."""
    watchers: tuple[RunbookWatcher, ...] = ()
    """Who looks on."""


class RunbookPreview(Response, frozen=True):
    """A dry run from where a run stands: what would run now.  Nothing was run."""

    run: str
    version: int
    step: str
    """The current one."""
    steps: tuple[PlannedStep, ...]
    """The current one, then those that may follow; in a rollback, the commands that take back what is left."""
    undo: bool = False
    blast: str = ""
    problems: tuple[str, ...] = ()
    """Steps that can't be planned as things are, and why."""
    warnings: tuple[str, ...] = ()
    """What would fail on the way as things are."""
    changed: bool = False
    """What the current step would run is not what was shown: other hosts, or other values."""


class RunbookRunsQuery(Request, frozen=True):
    """Runs, the newest first; of one document, or those alone that have not ended."""

    runbook: Annotated[str, msgspec.Meta(max_length=253)] = ""
    active: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class RunbookRunList(Response, frozen=True):
    """Runs, the newest first."""

    runs: tuple[RunbookRun, ...]


class RunbookDryRun(Response, frozen=True):
    """A plan, and what its checks say now: nothing was changed."""

    plan: RunbookPlan
    results: tuple[RunbookResult, ...]
