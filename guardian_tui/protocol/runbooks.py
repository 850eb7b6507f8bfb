"""Runbooks: the library of documents, what one would do, and runs of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.approvals import GivenApproval
from guardian_tui.protocol.base import Request, Response

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]
Value = Annotated[str, msgspec.Meta(max_length=8192)]

StepKind = Literal[
    "instruct", "run", "check", "input", "choose", "approve", "wait", "backup", "silence", "notify"
]
StepState = Literal["todo", "asking", "running", "paused", "done", "failed", "skipped", "unknown", "undone"]
"""``unknown``: the engine ended in the middle of it, and nobody knows what came of it; ``undone``: it was taken back."""
RunState = Literal["asking", "running", "paused", "deciding", "ended"]
"""``asking``: a person goes on (:attr:`RunbookRun.asked` says how); ``deciding``: a step failed or is unknown, and a person says what to do."""
RunVerdict = Literal["", "done", "failed", "stopped", "rolled_back"]
Asked = Literal["", "confirm", "type", "input", "choose", "approve", "decide", "undo"]
"""``type``: :attr:`RunbookRun.phrase` has to be typed; ``undo``: whether a step is taken back."""
Act = Literal["go", "skip", "retry", "back", "accept", "undo", "rollback", "pause", "resume", "stop"]
"""``accept``: take a step that failed, or of which nothing is known, as done; ``rollback``: begin to take steps back; ``undo``: take this one back."""
Proof = Literal["", "waiting", "fixed", "not_fixed", "unknown"]
"""What the alert's rule says after the run, judged again with fresh probes."""
HostState = Literal["waiting", "running", "ok", "failed", "unknown"]


# --- the library --------------------------------------------------------------------------------------


class RunbookVariable(Response, frozen=True):
    """A typed value of a runbook, and where it comes from."""

    name: str
    type: str
    origin: Literal["person", "alert", "inventory", "capture"] = "person"
    prompt: str = ""
    default: str | None = None
    minimum: str = ""
    maximum: str = ""
    pattern: str = ""
    options: tuple[str, ...] = ()
    secret: bool = False


class RunbookOption(Response, frozen=True):
    """One answer of a choice, and the step that it leads to."""

    answer: str
    target: str


class RunbookStep(Response, frozen=True):
    """A step as it stands in its document."""

    name: str
    kind: StepKind
    number: int
    """From 1."""
    title: str = ""
    prose: str = ""
    """Markdown that stands before it."""
    text: str = ""
    """What stands after its kind: a command, a text, a question, a condition, a name."""
    user: str = ""
    roles: tuple[str, ...] = ()
    dangerous: str = ""
    """Why it is; empty: it is not."""
    rollback: str = ""
    expect: str = ""
    captures: tuple[str, ...] = ()
    detach: bool = False
    fanout: str = ""
    """In words: ``1, 25 %, then all; stops after 1 failure``."""
    timeout_seconds: float = 0.0
    next: str = ""
    on_fail: str = ""
    variable: RunbookVariable | None = None
    options: tuple[RunbookOption, ...] = ()
    quorum: int = 0


class RunbookRow(Response, frozen=True):
    """One line of the library."""

    id: str
    title: str
    file: str
    version: str = ""
    hash: str = ""
    summary: str = ""
    rules: tuple[str, ...] = ()
    """Alert rules that it answers."""
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    steps: int = 0
    dangerous: int = 0
    """How many of its steps are."""
    commit: str = ""
    """Of the repository that it was read from."""
    problems: tuple[str, ...] = ()
    """Why it can't be run, each with its place; empty: it can."""
    last_run: str = ""
    """Id of its newest run, where that is the caller's to see; in the stream it comes as :class:`RunbookNewest`."""
    last_at: float | None = None
    last_verdict: RunVerdict = ""


class RunbookNewest(Response, frozen=True):
    """The newest run of a document, for those who may see that run."""

    id: str
    """Of the document."""
    run: str
    at: float
    verdict: RunVerdict = ""


class RunbookDetail(Response, frozen=True):
    """One document in full."""

    row: RunbookRow
    variables: tuple[RunbookVariable, ...] = ()
    steps: tuple[RunbookStep, ...] = ()
    epilogue: str = ""
    findings: tuple[str, ...] = ()
    """Warnings and hints of its author's, each with its place."""


class RunbooksQuery(Request, frozen=True):
    """Documents of the library; of those alone that answer a rule, or whose words match."""

    rule: Annotated[str, msgspec.Meta(max_length=200)] = ""
    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class RunbookList(Response, frozen=True):
    """Documents, by title."""

    runbooks: tuple[RunbookRow, ...]
    problem: str = ""
    """Why the library could not be read as a whole."""


class RunbookRef(Request, frozen=True):
    """Names one document by its id."""

    runbook: Name


# --- a plan -------------------------------------------------------------------------------------------


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


class RunbookDryRun(Response, frozen=True):
    """A plan, and what its checks say now: nothing was changed."""

    plan: RunbookPlan
    results: tuple[RunbookResult, ...]


# --- a run --------------------------------------------------------------------------------------------


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


class WatchRun(Request, frozen=True):
    """Say that a console shows a run: others see who looks on.  It holds for ``seconds``, and is said again until ``leave``."""

    run: Name
    console: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """One of a session's consoles; each names itself."""
    seconds: Annotated[float, msgspec.Meta(ge=5, le=600)] = 30.0
    leave: bool = False


class RunbookRunsQuery(Request, frozen=True):
    """Runs, the newest first; of one document, or those alone that have not ended."""

    runbook: Annotated[str, msgspec.Meta(max_length=253)] = ""
    active: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class RunbookRunList(Response, frozen=True):
    """Runs, the newest first."""

    runs: tuple[RunbookRun, ...]


class AnswerRunbook(Request, frozen=True):
    """Answer what a run asks.

    ``version`` is that of the run that the person saw; whoever comes second is told so.  ``typed`` is the phrase of a dangerous step, ``value`` what an
    input asks for, ``choice`` the answer to a choice, ``reason`` why a step is skipped or accepted.
    """

    run: Name
    version: int
    act: Act = "go"
    step: Annotated[str, msgspec.Meta(max_length=253)] = ""
    typed: Words = ""
    value: Value = ""
    choice: Annotated[str, msgspec.Meta(max_length=253)] = ""
    reason: Words = ""
    secrets: dict[str, Value] = msgspec.field(default_factory=dict)
    """Secrets that are asked for again: they are kept in memory alone, and a restart of the engine takes them."""


class ApproveRunbook(Request, frozen=True):
    """Approve what a run is about to do, or refuse it; bound to ``digest``, what the person was shown."""

    run: Name
    version: int
    digest: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    ok: bool = True
    note: Words = ""


class StopRunbook(Request, frozen=True):
    """Stop a run: what runs now is ended, what it opened is closed, nothing more is begun."""

    run: Name
    reason: Words = ""


class HandOver(Request, frozen=True):
    """Let another person lead a run; an empty name: take it yourself."""

    run: Name
    to: Annotated[str, msgspec.Meta(max_length=64)] = ""


class RunbookOutputQuery(Request, frozen=True):
    """Output of a run as it was kept, from a place on; of one step, of one host."""

    run: Name
    step: Annotated[str, msgspec.Meta(max_length=253)] = ""
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Number of the last piece that is known already."""
    limit_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 20)] = 256 << 10


class RunbookPiece(Response, frozen=True):
    """A piece of output, as it came."""

    number: int
    at: float
    step: str
    attempt: int
    host: str
    stream: Literal["out", "err"]
    text: str


class RunbookOutput(Response, frozen=True):
    """Pieces of output in order."""

    pieces: tuple[RunbookPiece, ...]
    more: bool = False


class TranscriptQuery(Request, frozen=True):
    """The transcript of a run: Markdown to read, or asciicast to play in a terminal."""

    run: Name
    format: Literal["markdown", "asciicast"] = "markdown"


class Transcript(Response, frozen=True):
    """A transcript; ``hash`` is that of the Markdown, which the audit log names."""

    text: str
    hash: str


class SearchRunbooks(Request, frozen=True):
    """Words in the output, commands and answers of all runs."""

    text: Annotated[str, msgspec.Meta(min_length=2, max_length=200)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    older_than: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Only runs that are older than this one."""


class RunbookMatch(Response, frozen=True):
    """One place where the words stand."""

    run: str
    runbook: str
    step: str
    host: str
    at: float
    line: str


class RunbookMatches(Response, frozen=True):
    """Places, those of the newest run first."""

    matches: tuple[RunbookMatch, ...]
    more: bool = False
    older_than: str = ""
    """With ``more``: the oldest run that was looked through; give it with the same words to go on from there."""
