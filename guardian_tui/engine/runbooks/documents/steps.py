"""One fence of a step: exactly one kind, and the keys that this kind has."""

from __future__ import annotations

import re
from typing import get_args

from guardian_tui.engine.runbooks.documents.expressions import MOST_CHARACTERS
from guardian_tui.engine.runbooks.documents.fields import Fields, read_fields
from guardian_tui.engine.runbooks.documents.findings import Notes, did_you_mean
from guardian_tui.engine.runbooks.documents.front import VARIABLE, VARIABLE_KEYS, check_name, read_variable
from guardian_tui.engine.runbooks.documents.markdown import Block
from guardian_tui.engine.runbooks.documents.model import ASK, END, ROLLBACK, STOP, Option, Step, StepKind
from guardian_tui.engine.runbooks.documents.patterns import compiled
from guardian_tui.engine.runbooks.documents.places import read_fanout, read_hosts, read_retry
from guardian_tui.engine.runbooks.documents.units import read_seconds
from guardian_tui.protocol.errors import InvalidRequest

KINDS: tuple[StepKind, ...] = get_args(StepKind)
_COMMON = ("title", "next", "on_fail", "roles", "timeout")
_COMMAND = ("as", "hosts", "env", "stdin", "expect", "capture", "retry", "detach", "fanout")
KEYS: dict[StepKind, tuple[str, ...]] = {
    "instruct": _COMMON,
    "run": (*_COMMON, *_COMMAND, "rollback", "dangerous", "confirm"),
    "check": (*_COMMON, *_COMMAND),
    "input": (*_COMMON, *(key for key in VARIABLE_KEYS if key not in ("from", "prompt"))),
    "choose": (*_COMMON, "options"),
    "approve": (*_COMMON, "quorum", "expires"),
    "wait": (*_COMMON, "hosts"),
    "backup": (*_COMMON, "operation", "retry"),
    "silence": (*_COMMON, "hosts", "rules", "duration", "maintenance"),
    "notify": (*_COMMON, "channels"),
}
"""What each kind may have beside itself."""
OPERATIONS = ("backup", "check")
MOST_QUORUM = 10
MOST_ANSWERS = 20
TIMEOUTS: dict[StepKind, float] = {"wait": 900.0, "backup": 6 * 3600.0}
"""Seconds where nothing is written; 60 for all others."""
RESERVED = (END, STOP, ROLLBACK, ASK)

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]{0,59}")
_LOADED = re.compile(
    r"(LD_|BASH_|DYLD_|PYTHON|PERL|RUBY).*|PATH|IFS|ENV|HOME|SHELL|SHELLOPTS|PS4|PROMPT_COMMAND|USER|LOGNAME|PWD"
)
USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_HOLD = re.compile(r"(?s)(.*\S)\s+for\s+(\S+)\s*")


def read_step(block: Block, file: str, notes: Notes) -> tuple[Step, Fields] | None:
    """The step of a fence with its fields; None when it can't be one.  What is wrong is noted."""
    name = block.name
    if not NAME.fullmatch(name):
        words = "This step has no name." if not name else f"{name[:60]!r} is no name of a step."
        notes.add(
            "bad-name", words, "Write ```step name, in small letters, digits, - and _.", line=block.line
        )
    elif name in RESERVED:
        notes.add(
            "reserved-name",
            f"A step can't be called {name}: next has that word.",
            "Call it otherwise.",
            line=block.line,
        )
    fields = read_fields(block.text, block.line, notes, f"The step {name}")
    kind = None if fields is None else _kind(fields, block, notes)
    if fields is None or kind is None:
        return None
    fields.only((kind, *KEYS[kind]), f"A step of kind {kind}")
    text = fields.text(kind).strip()
    hold, pause = 0.0, 0.0
    if kind == "wait":
        text, pause, hold = _wait(fields, text)
    variable = None
    if kind == "input":
        if not VARIABLE.fullmatch(name):
            notes.add(
                "bad-name",
                f"The input {name} names a variable, so it can't have a -.",
                "Use _ in place of it.",
                line=block.line,
            )
        variable = read_variable(fields, name, block.line, prompt=text)
    step = Step(
        name=name, kind=kind, text=text, title=fields.text("title", block.title, most=200), prose=block.prose, file=file, line=block.line,
        user=_user(fields), hosts=read_hosts(fields), timeout_seconds=_timeout(fields, kind), roles=fields.words("roles"),
        env=_environment(fields), stdin=fields.text("stdin"), expect=fields.text("expect", most=1000), capture=_captures(fields),
        retry=read_retry(fields), rollback=fields.text("rollback").strip(), dangerous=_dangerous(fields), confirm=fields.text("confirm", most=200),
        detach=fields.flag("detach"), fanout=read_fanout(fields), next=fields.text("next", most=60), on_fail=fields.text("on_fail", ASK, most=60),
        variable=variable, options=_options(fields) if kind == "choose" else (), quorum=fields.integer("quorum", 1, 1, MOST_QUORUM),
        expires_seconds=fields.seconds("expires", 3600.0), wait_seconds=pause, hold_seconds=hold,
        operation=fields.one_of("operation", OPERATIONS, "backup") if kind == "backup" else "", rules=fields.words("rules"),
        duration_seconds=fields.seconds("duration", 3600.0) if kind == "silence" else 0.0, maintenance=fields.flag("maintenance"),
        channels=fields.words("channels"),
    )  # fmt: skip
    return step, fields


def _kind(fields: Fields, block: Block, notes: Notes) -> StepKind | None:
    kinds = [kind for kind in KINDS if kind in fields]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        fields.note(
            kinds[1],
            "two-kinds",
            f"The step {block.name} is both {kinds[0]} and {kinds[1]}.",
            "Make two steps of it.",
            of_key=True,
        )
        return kinds[0]
    every = {*KINDS, *(key for keys in KEYS.values() for key in keys)}
    for name in fields:
        if name not in every:
            fields.note(
                name,
                "unknown-kind",
                f"{name[:60]!r} is no kind of step.",
                did_you_mean(name, KINDS),
                of_key=True,
            )
            return None
    notes.add(
        "no-kind",
        f"The step {block.name} has no kind.",
        f"Give it one of {', '.join(KINDS)}.",
        line=block.line,
    )
    return None


def _wait(fields: Fields, text: str) -> tuple[str, float, float]:
    if (seconds := read_seconds(text[:60])) is not None and len(text) <= 60:
        return "", seconds, 0.0
    match = _HOLD.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if match is None:
        return text, 0.0, 0.0
    hold = read_seconds(match[2])
    if hold is None:
        fields.note(
            "wait",
            "no-duration",
            f"{match[2][:40]!r} is no duration.",
            "Write it as for 2m.",
            offset=match.start(2),
        )
    return match[1], 0.0, hold or 0.0


def _timeout(fields: Fields, kind: StepKind) -> float:
    seconds = fields.seconds("timeout", TIMEOUTS.get(kind, 60.0))
    if seconds <= 0:
        fields.note("timeout", "no-duration", "timeout is nothing.", "Write it as 90s, 30m or 2h.")
    return seconds


def _user(fields: Fields) -> str:
    user = fields.text("as", most=60)
    if user and not USER.fullmatch(user):
        fields.note("as", "bad-user", f"{user!r} is no Unix user.", "Write it as root or postgres.")
    return user


def _dangerous(fields: Fields) -> str:
    text = fields.text("dangerous", most=500)
    if "confirm" in fields and text in ("", "false"):
        fields.note(
            "confirm",
            "confirm-alone",
            "confirm is of use where a step is dangerous.",
            "Add dangerous: and why.",
            of_key=True,
        )
    return (
        "" if text == "false" else "It changes what can't be had back by itself." if text == "true" else text
    )


def _environment(fields: Fields) -> dict[str, str]:
    inner = fields.mapping("env")
    if inner is None:
        return {}
    found = inner.texts()
    for name in found:
        if not ENVIRONMENT.fullmatch(name) or _LOADED.fullmatch(name):
            inner.note(
                name,
                "bad-environment",
                f"{name[:60]!r} is no variable to set here.",
                "Use capitals, digits and _, and no name that changes how programs start.",
                of_key=True,
            )
    return found


def _captures(fields: Fields) -> dict[str, str]:
    inner = fields.mapping("capture")
    if inner is None:
        return {}
    found = inner.texts()
    for name, pattern in found.items():
        check_name(inner, name)
        try:
            groups = compiled(pattern).groups
        except InvalidRequest as error:
            inner.note(name, "bad-regex", error.detail, "See the syntax of RE2.")
            continue
        if groups > 1:
            inner.note(
                name,
                "two-groups",
                "Only the first group is captured.",
                "Write the others as (?:…).",
                severity="warning",
            )
    return found


def _options(fields: Fields) -> tuple[Option, ...]:
    inner = fields.mapping("options")
    if inner is None:
        fields.note("options", "no-options", "choose has no options.", "Add options: {answer: step}.")
        return ()
    found = tuple(Option(answer, inner.text(answer, most=60)) for answer in inner)
    if len(found) > MOST_ANSWERS:
        fields.note(
            "options", "too-many", f"There are more than {MOST_ANSWERS} answers.", "Ask in two steps."
        )
    return found
