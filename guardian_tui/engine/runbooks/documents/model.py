"""A runbook as data: what a document says, checked and typed.  Everything here is frozen and goes as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from guardian_tui.engine.runbooks.documents.findings import Finding

StepKind = Literal[
    "instruct", "run", "check", "input", "choose", "approve", "wait", "backup", "silence", "notify"
]
VariableType = Literal[
    "host", "path", "int", "number", "enum", "datetime", "duration", "secret", "regex", "word", "text"
]
Origin = Literal["person", "alert", "inventory", "capture"]

END = "end"
"""Target of ``next`` that ends a run well."""
STOP = "stop"
"""Target of ``next`` and ``on_fail`` that ends a run as failed."""
ROLLBACK = "rollback"
"""Target of ``on_fail``: offer what was done back, newest first."""
ASK = "ask"
"""``on_fail`` when nothing is written: a person decides between retry, skip, back and stop."""


class Variable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A typed value of a run, and where it comes from."""

    name: str
    type: VariableType = "text"
    origin: Origin = "person"
    field: str = ""
    """Of an alert or of the inventory: which field, e.g. ``mount`` or ``labels.role``."""
    prompt: str = ""
    """What a person is asked."""
    default: str | None = None
    minimum: str = ""
    maximum: str = ""
    """Bounds of int, number, duration and datetime, as they are written."""
    pattern: str = ""
    """RE2 that the whole value has to match."""
    options: tuple[str, ...] = ()
    """Of an enum."""
    line: int = 0

    @property
    def secret(self) -> bool:
        """Whether it is masked everywhere, and never stands in a command."""
        return self.type == "secret"


class Hosts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which hosts a document or a step acts on."""

    origin: Literal["alert", "person", "engine", "names", "filter", "variable"]
    """``engine``: the machine that Guardian's engine runs on."""
    names: tuple[str, ...] = ()
    filter: str = ""
    """In the grammar of ``/``; may hold placeholders."""
    variable: str = ""
    most: int = 500


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Tries of a command that fails, the first included."""

    times: int
    wait_seconds: float = 5.0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A number of hosts, or a part of them."""

    count: int = 0
    percent: float = 0.0

    def of(self, hosts: int) -> int:
        """How many of so many hosts: a part is rounded up, so that it is never none."""
        if not self.percent:
            return min(self.count, hosts)
        return min(hosts, -int(-hosts * self.percent // 100))


class Fanout(msgspec.Struct, frozen=True, kw_only=True):
    """How a step goes over many hosts: batch by batch, until too many fail."""

    serial: tuple[Share, ...] = (Share(percent=100.0),)
    """Sizes of batches; the last is repeated until all are done."""
    max_failures: Share = Share()
    """So many may fail; one more stops it."""
    gate: bool = True
    """After each batch the hosts' probes must be good and no new alert may fire."""
    settle_seconds: float = 0.0
    """Waited after a batch before its hosts are judged."""


class Option(msgspec.Struct, frozen=True):
    """One answer of a ``choose`` step, and the step that it leads to."""

    answer: str
    target: str


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of exactly one kind.  Durations are seconds; what a kind does not use is empty."""

    name: str
    kind: StepKind
    text: str
    """What stands after the kind: a command, a text, a question, a condition, or the name of a backup job."""
    title: str = ""
    """The heading above it, if there is one."""
    prose: str = ""
    """Markdown between the step before and this one."""
    file: str = ""
    line: int = 0
    """Of the fence, in the file."""

    # where, as whom, how long
    user: str = ""
    """``as``: Unix user on the host; empty: whoever logs in there."""
    hosts: Hosts | None = None
    """None: the document's."""
    timeout_seconds: float = 60.0
    roles: tuple[str, ...] = ()
    """Who may do it; of an approval, who may approve."""

    # commands
    env: dict[str, str] = {}
    """Variables of the command's environment, with placeholders; sent over standard input."""
    stdin: str = ""
    """What the command is fed, with placeholders."""
    expect: str = ""
    capture: dict[str, str] = {}
    """Variable → RE2; its first group (else all of the match) in what the command printed."""
    retry: Retry | None = None
    rollback: str = ""
    """The command that takes it back."""
    dangerous: str = ""
    """Why it is; empty when it is not."""
    confirm: str = ""
    """What a person has to type first, with placeholders."""
    detach: bool = False
    """It survives the link, the engine and the terminal."""
    fanout: Fanout | None = None

    # ways on
    next: str = ""
    """A step, ``end`` or ``stop``; empty: the one that follows in the document."""
    on_fail: str = ASK

    # input, choose
    variable: Variable | None = None
    """Of an ``input``: what is asked for."""
    options: tuple[Option, ...] = ()

    # approve
    quorum: int = 1
    expires_seconds: float = 3600.0

    # wait
    wait_seconds: float = 0.0
    """A plain pause; 0: ``text`` is a condition."""
    hold_seconds: float = 0.0
    """The condition must hold so long without a break."""

    # backup, silence, notify
    operation: str = ""
    """Of a backup: ``backup`` or ``check``."""
    rules: tuple[str, ...] = ()
    """Of a silence: which rules; empty: all of them."""
    duration_seconds: float = 0.0
    """Of a silence."""
    maintenance: bool = False
    """A maintenance window in place of a silence."""
    channels: tuple[str, ...] = ()
    """Of a notification; empty: all."""

    @property
    def acts(self) -> bool:
        """Whether it runs a command on hosts."""
        return self.kind in ("run", "check")

    @property
    def read_only(self) -> bool:
        """Whether a dry run may run it: a check, by its author's word."""
        return self.kind == "check"


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A runbook that was read whole and found sound."""

    id: str
    title: str
    version: str
    hash: str
    """sha256 in hex of the bytes, and of those that it includes."""
    name: str
    """File it was read from."""
    summary: str = ""
    rules: tuple[str, ...] = ()
    """``for``: alert rules that it answers; they are judged again at the end."""
    roles: tuple[str, ...] = ()
    """Who may run it; empty: everyone with the permission."""
    hosts: Hosts | None = None
    tags: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    """Declared, and those that inputs and captures make."""
    steps: tuple[Step, ...] = ()
    epilogue: str = ""
    """Markdown after the last step."""
    includes: tuple[str, ...] = ()
    """Files that it includes, in order."""
    findings: tuple[Finding, ...] = ()
    """Warnings and hints; no errors, or it would be none."""

    def step(self, name: str) -> Step:
        """The step of this name.

        Raises:
            KeyError: there is none.
        """
        for one in self.steps:
            if one.name == name:
                return one
        raise KeyError(name)

    def following(self, step: Step) -> str:
        """Where a run goes after this step when it succeeded: a step's name, ``end`` or ``stop``."""
        if step.next:
            return step.next
        place = next(n for n, one in enumerate(self.steps) if one.name == step.name)
        return self.steps[place + 1].name if place + 1 < len(self.steps) else END

    def variable(self, name: str) -> Variable:
        """The variable of this name.

        Raises:
            KeyError: there is none.
        """
        for one in self.variables:
            if one.name == name:
                return one
        raise KeyError(name)
