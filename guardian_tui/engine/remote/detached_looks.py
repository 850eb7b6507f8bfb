"""What hosts say of detached runs: read with distrust, for whoever writes there decides what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from guardian_tui.protocol.errors import HostUnavailable
from guardian_tui.text import safe

ROW_BYTES = 400
"""More than the words about one run take."""
_NUMBER = re.compile(rb"[0-9]{1,15}\Z")

State = Literal["running", "ended", "lost", "absent"]
"""``lost``: it runs no more, and nobody knows how it ended; ``absent``: the host knows nothing of it."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a run is, and what it wrote since the last look.

    Attributes:
        exit_code: how it ended; 128 and more: by a signal.
        cancelled, timed_out: somebody, or its time limit, has asked it to end.
        started_at, ended_at: by the host's clock; where it can't tell, None.
        out, err: what comes next of its output.
        out_offset, err_offset: where to go on reading.
        more: whether there is more to read already.
        clipped: whether output is missing: there was too much of it, or the disk was full.  The file says where.
    """

    state: State
    exit_code: int | None = None
    cancelled: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    out: bytes = b""
    out_offset: int = 0
    err: bytes = b""
    err_offset: int = 0
    timed_out: bool = False
    more: bool = False
    clipped: bool = False


FailureKind = Literal["folder", "no_space", "program", "start", "running", "answer"]


class DetachedFailed(HostUnavailable):
    """A host could not do it; ``kind`` is stable, the detail is for people."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: FailureKind = kind


def looks(answer: bytes, wants: Mapping[str, tuple[int, int]]) -> dict[str, Look]:
    """What a host says of runs.

    Raises:
        DetachedFailed: it says other things than it was asked.
    """
    found: dict[str, Look] = {}
    place = 0
    while True:
        end = answer.find(b"\n", place, place + ROW_BYTES)
        row = answer[place:end] if end >= 0 else b""
        place = end + 1
        if row == b"end" and place == len(answer) and len(found) == len(wants):
            return found
        words = row.split(b" ")
        id_ = words[1].decode(errors="replace") if len(words) == len(_ROW) else ""
        if words[0] != b"run" or id_ not in wants or id_ in found:
            raise DetachedFailed("answer", f"The host's answer about its runs is nonsense: {safe(row, 80)}.")
        look, place = _look(words, answer, place, wants[id_])
        found[id_] = look


_ROW = (
    "run",
    "id",
    "state",
    "code",
    "cancelled",
    "late",
    "cut",
    "started",
    "done",
    "out",
    "out_size",
    "err",
    "err_size",
)


def _look(words: Sequence[bytes], answer: bytes, place: int, offsets: tuple[int, int]) -> tuple[Look, int]:
    row = dict(zip(_ROW, words, strict=True))
    state = row["state"].decode(errors="replace")
    numbers = {name: int(text) for name, text in row.items() if _NUMBER.match(text)}
    needed = {"cancelled", "late", "cut", "out", "out_size", "err", "err_size"} | (
        {"code"} if state == "ended" else set()
    )
    if state not in get_args(State) or not needed <= numbers.keys():
        raise DetachedFailed(
            "answer", f"The host says of a run what it can't be: {safe(b' '.join(words), 120)}."
        )
    middle, last = place + numbers["out"], place + numbers["out"] + numbers["err"]
    if last > len(answer):
        raise DetachedFailed("answer", "The host promised more of a run's output than it sent.")
    out_offset, err_offset = max(0, offsets[0]) + numbers["out"], max(0, offsets[1]) + numbers["err"]
    return Look(
        state=state,  # type: ignore[arg-type]  # one of its words, by the line above
        exit_code=numbers["code"] if state == "ended" else None,
        cancelled=bool(numbers["cancelled"]), timed_out=bool(numbers["late"]), clipped=bool(numbers["cut"]),
        started_at=float(numbers["started"]) if "started" in numbers else None,
        ended_at=float(numbers["done"]) if "done" in numbers else None,
        out=answer[place:middle], out_offset=out_offset, err=answer[middle:last], err_offset=err_offset,
        more=out_offset < numbers["out_size"] or err_offset < numbers["err_size"],
    ), last  # fmt: skip


def known(answer: bytes) -> list[str]:
    """Names in a host's list of runs.

    Raises:
        DetachedFailed: it was cut.
    """
    *names, end, _ = ["", *answer.decode(errors="replace").split("\n")]
    if end != "end.":
        raise DetachedFailed("answer", "The host's list of its runs has no end.")
    return names[1:]


def failure(where: str, answer: bytes) -> DetachedFailed:
    """What a host says that it can't."""
    _, kind, *said = answer.split(b" ", 2)
    words = safe(b" ".join(said).strip(), 300).rstrip(".")
    if b"No space left" in answer or b"Disk quota" in answer:
        return DetachedFailed(
            "no_space", f"{where} has no room for a run: {words}. Free some, and start it again."
        )
    if kind == b"running":
        return DetachedFailed("running", f"{where} still runs it: {words}. Cancel it first.")
    if kind == b"program":
        return DetachedFailed(
            "program", f"{where} can't start what outlives a login: {words}. Install util-linux."
        )
    if kind == b"folder":
        return DetachedFailed("folder", f"{where} can't keep a run's folder: {words}.")
    return DetachedFailed("start", f"{where} could not start a run: {words}.")
