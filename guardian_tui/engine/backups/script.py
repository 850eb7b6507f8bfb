"""A run as one shell script, and what its output says of the stages.

The stages run one after another in one detached process group.  Before and after each the script writes a line that begins with a word which nobody
knows but this run: a file's name, or a hook that prints what it likes, can't end a stage or begin another.
"""

from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from guardian_tui.engine.backups.engines.base import (
    Adapter,
    Event,
    Stage,
    StageEnd,
    Stream,
    Summary,
    Warned,
)
from guardian_tui.protocol.backups import Operation, Progress
from guardian_tui.text import safe

LINE_LIMIT = 1 << 20
"""Bytes of a line that are read; the rest of it is dropped."""
WARNINGS_KEPT = 200
SUMMARIES_KEPT = 1000
TAIL_LINES = 20
LOG_LINES = 400
KEPT_BYTES = 1 << 20
_LINE_ENDS = re.compile(rb"[\r\n]")


class Mark(msgspec.Struct, frozen=True):
    """What is kept of a stage to go on reading it after a restart."""

    name: str
    told: bool
    kept: bool = False


def marks_of(stages: Sequence[Stage]) -> tuple[Mark, ...]:
    """The marks of some stages."""
    return tuple(Mark(stage.name, stage.told, stage.kept) for stage in stages)


def render(stages: Sequence[Stage], word: str) -> str:
    """The script for /bin/sh that runs the stages; it ends with 1 if one failed.

    Args:
        stages: in the order in which they run.
        word: begins the lines that mark stages; letters and digits, made for this run alone.
    """
    parts = [
        "umask 077",
        "export LC_ALL=C.UTF-8",
        f"mark() {{ printf '\\n%s %s\\n' {word} \"$*\"; printf '\\n%s %s\\n' {word} \"$*\" >&2; }}",
        "bad=0",
    ]
    for number, stage in enumerate(stages):
        good = "|".join(str(code) for code in stage.exit_codes)
        lines = [f"mark begin {number}", *_commands(stage), f'mark end {number} "$code" "$from"']
        lines.append(f"case $code in {good}) ;; *) bad=1 ;; esac")
        if not stage.source_may_fail:
            lines.append('[ "$from" = 0 ] || bad=1')
        body = "\n".join(lines)
        parts.append(body if stage.always else f"if [ $bad = 0 ]; then\n{body}\nfi")
    return "\n".join([*parts, "exit $bad", ""])


def _commands(stage: Stage) -> list[str]:
    if not stage.source:
        return [f"{_subshell(stage, stage.argv)} </dev/null; code=$?; from=0"]
    # both exit codes, and the sink's own output where it belongs: descriptor 4 is the script's output, 3 leads into the answer
    return [
        "exec 4>&1",
        f'codes=$( {{ {{ {_subshell(stage, stage.source)} </dev/null 3>&- 4>&-; echo "from=$?" >&3; }} |'
        f' {{ {_subshell(stage, stage.argv)} >&4 3>&- 4>&-; echo "code=$?" >&3; }} }} 3>&1 )',
        "exec 4>&-",
        'code=1; from=1; eval "$codes"',
    ]


def _subshell(stage: Stage, argv: Sequence[str]) -> str:
    sets = [f"{name}={value}" for name, value in stage.env.items()]
    enter = f"cd -- {shlex.quote(stage.folder)} && " if stage.folder else ""
    return f"( {enter}exec {shlex.join(['env', *sets, *argv] if sets else argv)} )"


@dataclass(slots=True)
class _Flow:
    """One of the two streams."""

    pending: bytearray = field(default_factory=bytearray)
    dropping: bool = False
    stage: int | None = None


class Reader:
    """Folds the output of a run, byte by byte from its beginning, into events; the same bytes always give the same."""

    def __init__(self, adapter: Adapter, operation: Operation, marks: Sequence[Mark], word: str) -> None:
        self._adapter = adapter
        self._operation = operation
        self.marks = marks
        self._begin = f"{word} begin ".encode()
        self._end = f"{word} end ".encode()
        self._flows: dict[Stream, _Flow] = {"out": _Flow(), "err": _Flow()}
        self._tails: dict[int, deque[str]] = {}
        self._codes: dict[int, tuple[int, int]] = {}
        self.progress: Progress | None = None
        self.warnings: list[str] = []
        self.warned = 0
        """All warnings, those that are not kept too."""
        self.summaries: list[Summary] = []
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.kept: dict[str, bytearray] = {}
        """Output of the stages that are kept, by name; at most :data:`KEPT_BYTES` each."""

    @property
    def ends(self) -> tuple[StageEnd, ...]:
        """The stages that have ended, in their order; what one complained about may come after its end, on the other stream."""
        return tuple(
            StageEnd(self.marks[number].name, *self._codes[number], "\n".join(self._tails.get(number, ())))
            for number in sorted(self._codes)
        )

    @property
    def events(self) -> tuple[Event, ...]:
        """What the adapter judges by."""
        return (*(Warned(words) for words in self.warnings), *self.summaries)

    @property
    def made(self) -> Summary | None:
        """The last snapshot that was told of, with the figures that its stage told in other lines; None: none was."""
        last = next((one for one in reversed(self.summaries) if one.snapshot), None)
        if last is None or not last.stage:
            return last
        made = last
        for one in self.summaries:
            if one.stage == last.stage:
                made = replace(
                    made,
                    files=made.files if one.files is None else one.files,
                    bytes=made.bytes if one.bytes is None else one.bytes,
                    added_bytes=made.added_bytes if one.added_bytes is None else one.added_bytes,
                )
        return made

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what came next on a stream."""
        flow = self._flows[stream]
        place = 0
        for end in _LINE_ENDS.finditer(data):
            self._keep(flow, data[place : end.start()])
            self._line(flow, stream)
            place = end.end()
        self._keep(flow, data[place:])

    def close(self) -> None:
        """Both streams have ended: what has no line's end is a line too."""
        for stream, flow in self._flows.items():
            self._line(flow, stream)

    @staticmethod
    def _keep(flow: _Flow, part: bytes) -> None:
        flow.pending += part[: max(0, LINE_LIMIT - len(flow.pending))]

    def _line(self, flow: _Flow, stream: Stream) -> None:
        line = bytes(flow.pending)
        flow.pending.clear()
        if not line:
            return
        if line.startswith(self._begin):
            flow.stage = _number(line[len(self._begin) :])
        elif line.startswith(self._end):
            self._ended(line[len(self._end) :].split())
            flow.stage = None
        else:
            self._said(flow.stage, line, stream)

    def _ended(self, words: Sequence[bytes]) -> None:
        numbers = [_number(word) for word in words]
        if len(numbers) != 3 or None in numbers:
            return
        number, code, source = numbers
        if number is None or code is None or source is None or number in self._codes:
            return
        if number < len(self.marks):
            self._codes[number] = (code, source)

    def _said(self, number: int | None, line: bytes, stream: Stream) -> None:
        known = number is not None and number < len(self.marks)
        mark = self.marks[number] if known and number is not None else None
        if mark is not None and mark.kept and stream == "out":
            kept = self.kept.setdefault(mark.name, bytearray())
            if len(kept) + len(line) < KEPT_BYTES:
                kept += line + b"\n"
            return
        event = None
        if mark is not None and mark.told:
            event = self._adapter.parse(self._operation, mark.name, line, stream)
        if isinstance(event, Progress):
            self.progress = event
            return
        if isinstance(event, Warned):
            self.warned += 1
            if len(self.warnings) < WARNINGS_KEPT:
                self.warnings.append(event.words)
        elif isinstance(event, Summary) and len(self.summaries) < SUMMARIES_KEPT:
            self.summaries.append(event)
        words = safe(line, 500)
        self.log.append(words)
        if stream == "err" and number is not None and known:
            self._tails.setdefault(number, deque(maxlen=TAIL_LINES)).append(words)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) < 10 else None
