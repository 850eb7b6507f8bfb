"""What runs wrote: output, transcripts, and where words stand in them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Ordinal, Request, Response
from guardian_tui.protocol.runbooks.words import Name


class RunbookOutputQuery(Request, frozen=True):
    """Output of a run as it was kept, from a place on; of one step, of one host."""

    run: Name
    step: Annotated[str, msgspec.Meta(max_length=253)] = ""
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    after: Ordinal = 0
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
