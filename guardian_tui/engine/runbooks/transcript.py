"""The transcript of a run: who did what when, on which host, and what came of it; as Markdown to read, and as asciicast to play."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from guardian_tui.engine.runbooks import journal, records
from guardian_tui.engine.runbooks.documents import Document
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.runbooks import RunbookPiece, Transcript
from guardian_tui.text import safe

PAGE = 500
HOSTS_TOLD = 20
TEXT_LIMIT = 4 << 20
"""About so many characters of output stand in a transcript; it says so when there is more."""
MOST_PIECES = 100_000
"""Of output: hosts that write a letter now and then make many of them."""
OUTPUT_LINE_LIMIT = 100_000
LINE_LIMIT = 2000
WIDTH, HEIGHT = 100, 30
LONGEST_PAUSE_SECONDS = 2.0
"""Where nothing happens the playback waits no longer."""
_OF_HOSTS = (journal.HostsDone, journal.HostsBegun, journal.Noted)
"""Of single hosts of a step: what is read has each host's output in one piece all the same."""


async def markdown(store: Store, run_id: str, document: Document) -> Transcript:
    """The transcript as Markdown; the same each time."""
    entries, pieces = await records.entries_of(store, run_id), await _pieces(store, run_id)
    return await asyncio.to_thread(_markdown, run_id, document, entries, pieces)


async def asciicast(store: Store, run_id: str, document: Document) -> str:
    """The transcript as asciicast v2, with long pauses shortened."""
    entries, pieces = await records.entries_of(store, run_id), await _pieces(store, run_id)
    return await asyncio.to_thread(_asciicast, document, entries, pieces)


def _markdown(
    run_id: str, document: Document, entries: Sequence[AnyEntry], pieces: Sequence[RunbookPiece]
) -> Transcript:
    names = _names(entries)
    lines = [
        f"# {_line(document.title)}", "", f"Run {run_id} of `{document.id}`, version {_line(document.version)}, sha256 {document.hash}", "",
    ]  # fmt: skip
    for event in _merged(entries, pieces, _OF_HOSTS):
        lines += _block(event) if isinstance(event, list) else _entry(event, names)
    text = "\n".join(lines) + "\n"
    return Transcript(text=text, hash=hashlib.sha256(text.encode()).hexdigest())


def _asciicast(document: Document, entries: Sequence[AnyEntry], pieces: Sequence[RunbookPiece]) -> str:
    names, start = _names(entries), entries[0].at if entries else 0.0
    head = {
        "version": 2,
        "width": WIDTH,
        "height": HEIGHT,
        "timestamp": int(start),
        "title": _line(document.title),
    }
    lines = [json.dumps(head)]
    clock, before = 0.0, start
    for event in _merged(entries, pieces):
        at = event[0].at if isinstance(event, list) else event.at
        clock += min(LONGEST_PAUSE_SECONDS, max(0.0, at - before))
        before = max(at, before)
        text = _screen(event, names)
        if text:
            lines.append(json.dumps([round(clock, 3), "o", text.replace("\n", "\r\n")]))
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Output, harmless, line by line: most lines are plain, and looking at each character of megabytes takes seconds."""
    return "\n".join(
        line if line.isascii() and line.isprintable() else safe(line.replace("\t", "    "), OUTPUT_LINE_LIMIT)
        for line in text.split("\n")
    )


def _names(entries: Sequence[AnyEntry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, journal.Begun | journal.Started):
            found |= entry.names
    return found


async def _pieces(store: Store, run_id: str) -> list[RunbookPiece]:
    found: list[RunbookPiece] = []
    after, size = 0, 0
    while size < TEXT_LIMIT and len(found) < MOST_PIECES:
        page = await records.output(store, run_id, after=after, limit=PAGE)
        if not page:
            return found
        found += page
        after = page[-1].number
        size += sum(len(piece.text) for piece in page)
    last = found[-1]
    found.append(
        RunbookPiece(
            number=last.number + 1,
            at=last.at,
            step=last.step,
            attempt=last.attempt,
            host=last.host,
            stream="out",
            text=f"[… more output is kept with the run than the {TEXT_LIMIT >> 20} MiB or {MOST_PIECES} pieces that a transcript holds]\n",
        )
    )
    return found


def _merged(
    entries: Sequence[AnyEntry], pieces: Sequence[RunbookPiece], together: tuple[type, ...] = ()
) -> Iterator[AnyEntry | list[RunbookPiece]]:
    """Entries in their order, and between them what was written meanwhile, by step and host; what came before those of ``together`` comes later."""
    begin = end = 0
    for entry in entries:
        if not isinstance(entry, together):
            # in the order in which they came: by a clock that was set back meanwhile some would be told twice, and others never
            while end < len(pieces) and pieces[end].at < entry.at:
                end += 1
            yield from _by_host(pieces[begin:end])
            begin = end
        yield entry
    yield from _by_host(pieces[begin:])


def _by_host(pieces: Sequence[RunbookPiece]) -> Iterator[list[RunbookPiece]]:
    groups: dict[tuple[str, int, str], list[RunbookPiece]] = {}
    for piece in pieces:
        groups.setdefault((piece.step, piece.attempt, piece.host), []).append(piece)
    yield from groups.values()


def _block(pieces: Sequence[RunbookPiece]) -> list[str]:
    first = pieces[0]
    text = _text("".join(piece.text for piece in pieces))
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"Output of `{first.step}` on {_line(first.host)}:", "", fence, text.rstrip("\n"), fence, ""]


def _entry(entry: AnyEntry, names: Mapping[str, str]) -> list[str]:
    told = _told(entry, names)
    if not told:
        return []
    if isinstance(entry, journal.Planned):
        return ["", f"## {told[0]}", "", *told[1:], ""]
    return [f"- {utc(entry.at)} {told[0]}", *(f"  {line}" for line in told[1:])]


def _told(entry: AnyEntry, names: Mapping[str, str]) -> list[str]:
    """What an entry says, in lines."""
    tell = _TOLD.get(type(entry))
    return tell(entry, names) if tell is not None else []


def _hosts(hosts: Sequence[str], names: Mapping[str, str]) -> str:
    told = ", ".join(_line(names.get(host, host)) for host in hosts[:HOSTS_TOLD])
    more = f" and {len(hosts) - HOSTS_TOLD} more" if len(hosts) > HOSTS_TOLD else ""
    return f" on {told}{more}" if hosts else ""


def _words(text: str) -> str:
    return f": {_line(text)}" if text else ""


def _begun(entry: journal.Begun, names: Mapping[str, str]) -> list[str]:
    lines = [f"{_line(entry.by)} began it{_hosts(entry.hosts, names)}"]
    if entry.values:
        lines.append(
            "Values: " + ", ".join(f"{_line(key)}={_line(value)}" for key, value in entry.values.items())
        )
    return [*lines, _line(entry.reason)] if entry.reason else lines


def _planned(entry: journal.Planned, names: Mapping[str, str]) -> list[str]:
    lines = [f"Step `{entry.step}`"]
    for one in entry.commands:
        lines += [f"    # as {one.user}"] if one.user else []
        lines += [f"    {line}" for line in safe(one.command, LINE_LIMIT, newlines=True).splitlines()]
    return lines


def _started(entry: journal.Started, names: Mapping[str, str]) -> list[str]:
    what = "takes back" if entry.undo else "starts"
    return [f"{_line(entry.by)} {what} `{entry.step}`{_hosts(entry.hosts, names)}"]


def _hosts_done(entry: journal.HostsDone, names: Mapping[str, str]) -> list[str]:
    return [
        f"{_line(names.get(one.host, one.host))}: {one.state}"
        + (f", exit status {one.exit_code}" if one.exit_code is not None else "")
        + _words(one.words)
        for one in entry.outcomes
    ]


def _result(entry: journal.Result, names: Mapping[str, str]) -> list[str]:
    value = f", value {_line(entry.value)}" if entry.value is not None else ""
    choice = f", choice {_line(entry.choice)}" if entry.choice else ""
    who = f" ({_line(entry.by)})" if entry.by else ""
    return [f"`{entry.step}` {entry.state}{choice}{value}{_words(entry.words)}{who}"]


def _moved(entry: journal.Moved, names: Mapping[str, str]) -> list[str]:
    return [] if entry.why == "next" else [f"To `{entry.step}` ({entry.why})"]


def _judged(entry: journal.Judged, names: Mapping[str, str]) -> list[str]:
    said = "approved" if entry.ok else "refused"
    return [f"{_line(entry.by)} {said} {entry.digest}{_words(entry.note)}"]


_TOLD: dict[type, Callable[..., list[str]]] = {
    journal.Begun: _begun, journal.Planned: _planned, journal.Started: _started, journal.HostsDone: _hosts_done, journal.Result: _result,
    journal.Moved: _moved, journal.Judged: _judged,
    journal.Paused: lambda entry, names: [f"{_line(entry.by) or 'It'} paused{_words(entry.words)}"],
    journal.Resumed: lambda entry, names: [f"{_line(entry.by)} resumed it"],
    journal.Opened: lambda entry, names: [f"Opened: {_line(entry.words)}"],
    journal.Closed: lambda entry, names: [f"Closed: {_line(entry.reference)}"],
    journal.Led: lambda entry, names: [f"{_line(entry.by)} gave the lead to {_line(entry.to)}"],
    journal.RollingBack: lambda entry, names: [f"To be taken back: {', '.join(entry.steps)}"],
    journal.Proved: lambda entry, names: [f"The alert: {entry.proof.replace('_', ' ')}{_words(entry.words)}"],
    journal.Ended: lambda entry, names: [f"Ended: {entry.verdict.replace('_', ' ')}{_words(entry.words)}"],
}  # fmt: skip


def _screen(event: AnyEntry | list[RunbookPiece], names: Mapping[str, str]) -> str:
    """What the playback shows of an event."""
    if isinstance(event, list):
        head = f"\x1b[2m{_line(event[0].host)}\x1b[0m\n" if event[0].host else ""
        text = _text("".join(piece.text for piece in event))
        return head + text.rstrip("\n") + "\n"
    told = _told(event, names)
    if not told:
        return ""
    style = "\x1b[1m" if isinstance(event, journal.Planned) else "\x1b[36m"
    return f"{style}{told[0]}\x1b[0m\n" + "".join(f"{line}\n" for line in told[1:])


def utc(at: float) -> str:
    """A time as text, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _line(text: str) -> str:
    return safe(text, LINE_LIMIT)
