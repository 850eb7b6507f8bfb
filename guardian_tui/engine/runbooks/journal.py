"""The journal of a run: what is written before and after each step, in order, and never changed.

A run is what its journal says.  Whatever a kill of the engine left behind is told apart by the last entry alone.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from guardian_tui.protocol.runbooks import HostState, Proof, RunVerdict


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all entries have: when, and who."""

    at: float
    by: str = ""


class Begun(Entry, frozen=True, tag="begun"):
    """The run begins, pinned to a document's hash."""

    hash: str
    hosts: tuple[str, ...]
    """Ids."""
    values: dict[str, str]
    """Secrets are left out."""
    names: dict[str, str] = {}
    """Of its hosts, by id: hosts go, transcripts stay."""
    account: str = ""
    uid: int = -1
    """The Unix account that it was begun from."""
    alert: str = ""
    rule: str = ""
    instance: str = ""
    alert_host: str = ""
    auto: bool = False
    reason: str = ""


class Command(msgspec.Struct, frozen=True):
    """A command as it will run, and on which hosts (ids); its secrets are masked."""

    command: str
    hosts: tuple[str, ...]
    user: str = ""


class Planned(Entry, frozen=True, tag="planned"):
    """A step is reached; this is what it will do."""

    step: str
    commands: tuple[Command, ...] = ()
    words: str = ""


class Started(Entry, frozen=True, tag="started"):
    """A step begins; or the command that takes it back."""

    step: str
    hosts: tuple[str, ...] = ()
    """Ids of those that it will go over."""
    batches: tuple[int, ...] = ()
    reference: str = ""
    """What finds again what it began: of a detached run, a silence, a message."""
    undo: bool = False
    until: float = 0.0
    """When a wait is over."""
    names: dict[str, str] = {}


class HostsBegun(Entry, frozen=True, tag="hosts_begun"):
    """The command of the current step is about to be run on these hosts."""

    step: str
    hosts: tuple[str, ...]
    batch: int = 1


class HostOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a command on one host."""

    host: str
    state: HostState
    exit_code: int | None = None
    words: str = ""
    last_line: str = ""
    captured: dict[str, str] = {}
    started_at: float = 0.0
    ended_at: float = 0.0
    bytes: int = 0
    clipped: bool = False


class HostsDone(Entry, frozen=True, tag="hosts_done"):
    """The command of the current step has ended on these hosts."""

    step: str
    outcomes: tuple[HostOutcome, ...]


class Noted(Entry, frozen=True, tag="noted"):
    """What the current step began elsewhere has this id."""

    step: str
    reference: str


class Result(Entry, frozen=True, tag="result"):
    """What came of a step."""

    step: str
    state: Literal["done", "failed", "skipped", "unknown", "undone"]
    words: str = ""
    value: str | None = None
    """Of an input; a secret is left out."""
    choice: str = ""
    undo: bool = False


class Moved(Entry, frozen=True, tag="moved"):
    """The run goes to another step: on, back, or the same one again."""

    step: str
    why: Literal["next", "back", "retry", "choice", "failed"] = "next"


class Judged(Entry, frozen=True, tag="judged"):
    """A person approved what is about to be run, or refused it."""

    step: str
    account: str
    digest: str
    ok: bool
    until: float = 0.0
    note: str = ""
    known: tuple[str, ...] = ()
    """Variables that had a value then: what others bring later was not approved as words, but as where they come from."""
    uid: int = -1
    """The Unix account that it was said from."""


class Paused(Entry, frozen=True, tag="paused"):
    """No further hosts are begun."""

    words: str = ""


class Resumed(Entry, frozen=True, tag="resumed"):
    """It goes on with the next hosts."""


class Opened(Entry, frozen=True, tag="opened"):
    """The run opened a silence or a maintenance window, which it owes to close."""

    what: Literal["silence", "maintenance"]
    reference: str
    words: str = ""


class Closed(Entry, frozen=True, tag="closed"):
    """What was opened is closed."""

    reference: str


class Led(Entry, frozen=True, tag="led"):
    """Another person leads the run."""

    to: str


class RollingBack(Entry, frozen=True, tag="rolling_back"):
    """Steps are taken back, the newest first, each if a person says so."""

    steps: tuple[str, ...]


class Proved(Entry, frozen=True, tag="proved"):
    """What the alert's rule says after the run."""

    proof: Proof
    words: str = ""


class Ended(Entry, frozen=True, tag="ended"):
    """The run is over."""

    verdict: RunVerdict
    words: str = ""


AnyEntry = (
    Begun | Planned | Started | HostsBegun | HostsDone | Noted | Result | Moved | Judged | Paused | Resumed | Opened
    | Closed | Led | RollingBack | Proved | Ended
)  # fmt: skip

QUIET = (HostsBegun, HostsDone, Noted, Opened, Closed)
"""Entries that change nothing of what is asked: an answer that was given before them still counts."""

_decoder: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)
_encoder = msgspec.json.Encoder()


def encode(entry: AnyEntry) -> str:
    """An entry as it is kept."""
    return _encoder.encode(entry).decode()


def decode(text: str | bytes) -> AnyEntry:
    """An entry from what was kept."""
    return _decoder.decode(text)
