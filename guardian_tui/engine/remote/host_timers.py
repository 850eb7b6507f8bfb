"""Timers on hosts, and on this machine: systemd's or cron's, which begin detached runs though no engine is there.

What a timer starts is in ``timer.sh``, what is ordered of it in ``timer_orders.sh``.  This side asks what is installed (by hashes), installs, removes, and finds
the runs that timers began; it remembers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from guardian_tui.engine.remote.detached import ID, ORDER_SECONDS, START_SECONDS, DetachedRuns, text_of
from guardian_tui.engine.remote.detached_looks import DetachedFailed, State
from guardian_tui.engine.remote.target import Target
from guardian_tui.text import safe

TIMER_ID = re.compile(r"[0-9A-Za-z-]{1,40}\Z")
SURVEY_BYTES = 1 << 20
OFFERS_BYTES = 1 << 20
CRONS = ("cron", "crond", "fcron", "bcron-sched", "dcron", "cronie", "systemd-cron")
"""Programs that read crontabs."""

Form = Literal["systemd", "user", "cron", "none"]
"""``user``: of a user's own systemd, who lingers."""
_PLACE = re.compile(r"/[^\0-\x1f\x7f\"\\$`']*\Z")
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)\Z")
_SUM = re.compile(r"[0-9a-f]{64}\Z")
_NUMBER = re.compile(r"\d{1,12}\Z")
_MARK = re.compile(r"@[0-9a-f]{24}\Z")


@dataclass(frozen=True, slots=True)
class Installed:
    """A timer as its host has it.

    Attributes:
        sums: name of a text → its SHA-256.
        asleep: it is there, and does not run.
        begun_at: when it began a run last, or was installed.
        trouble: why it could begin none.
    """

    sums: Mapping[str, str] = field(default_factory=dict)
    asleep: bool = False
    begun_at: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a host says of its timers.

    Attributes:
        form: what it can have.
        words: why it can have none.
        place: the folder of them.
        zone_seconds: how far its clock is ahead of UTC.
        timers: those that were asked about and are there.
    """

    form: Form
    words: str
    place: str
    zone_seconds: int
    timers: Mapping[str, Installed]


@dataclass(frozen=True, slots=True)
class Offer:
    """A run that a timer began.

    Attributes:
        id: its name as a detached run.
        timer: the timer's.
        run: its name in all attempts.
        word: begins the lines that mark its stages.
        limit: what ends it if nothing else does.
        marks: of its stages, as they were when the timer was written.
    """

    id: str
    timer: str
    run: str
    attempt: int
    word: str
    limit: Literal["time", "window"]
    marks: bytes
    state: State
    started_at: float | None


class HostTimers:
    """Orders about timers.

    Args:
        runs: the engine's detached runs; the timers of a host live beside them.
        daemons: programs one of which must run where cron is to do it.
    """

    def __init__(self, runs: DetachedRuns, daemons: Sequence[str] = CRONS) -> None:
        self._runs = runs
        self._daemons = " ".join(daemons)

    async def survey(self, target: Target | None, ids: Iterable[str]) -> Survey:
        """What is installed of some timers, and what the host can have.

        Raises:
            DetachedFailed: the answer is nonsense.
            ConnectFailed: the host could not be asked.
        """
        words = (self._runs.folder, self._runs.manager, self._daemons, *map(_checked, ids))
        return read_survey(await self._ask(target, "survey", words, ORDER_SECONDS, room=SURVEY_BYTES))

    async def install(
        self, target: Target | None, id_: str, form: Form, texts: Mapping[str, str], *, anew: bool
    ) -> None:
        """Write a timer, or write it again.

        Args:
            target: the way for commands; None: this machine.
            id_: its name.
            form: what the host can have, by a survey.
            texts: ``settings``, ``script``, ``marks``, ``timer``, ``orders``, and ``cron`` or ``service`` and ``unit``; ``secrets`` may be
                left out where they are to stay.
            anew: its schedule is another one: nothing that was due before now is made up for.

        Raises:
            DetachedFailed: the host can't.
            ConnectFailed: it could not be asked.
        """
        told = {f"f_{name}": text for name, text in texts.items()}
        words = (self._runs.folder, _checked(id_), form, int(anew))
        await self._ask(target, "install", words, START_SECONDS, told=told)

    async def uninstall(self, target: Target | None, id_: str, *, with_runs: bool) -> None:
        """Remove a timer with its secrets; ``with_runs``: those that nobody fetched too, and what is at work is ended.

        Raises:
            DetachedFailed, ConnectFailed: as for :meth:`install`.
        """
        words = (self._runs.folder, _checked(id_), self._runs.grace_seconds, self._runs.shell, int(with_runs))
        await self._ask(target, "uninstall", words, START_SECONDS)

    async def offers(self, target: Target | None) -> list[Offer]:
        """The runs that timers began, in the order of their attempts; what is none of ours is left out.

        Raises:
            DetachedFailed, ConnectFailed: as for :meth:`survey`.
        """
        answer = await self._ask(target, "offers", (self._runs.folder,), ORDER_SECONDS, room=OFFERS_BYTES)
        return read_offers(answer)

    async def _ask(
        self, target: Target | None, verb: str, words: Sequence[object], seconds: float, *,
        told: Mapping[str, str] | None = None, room: int = 0,
    ) -> bytes:  # fmt: skip
        return await self._runs.ask(
            target, verb, words, seconds, told=told, room=room, more=text_of("timer_orders.sh")
        )


def _checked(id_: str) -> str:
    if not TIMER_ID.match(id_):
        raise ValueError(f"{safe(id_, 80)} is no id of a timer")
    return id_


def read_survey(answer: bytes) -> Survey:
    """What a host says of its timers.

    Raises:
        DetachedFailed: it is nonsense.
    """
    lines = answer.decode(errors="replace").split("\n")
    if lines[-2:] != ["end", ""] or len(lines) < 5:
        raise DetachedFailed("answer", "The host's answer about its timers has no end.")
    heads = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines[:3]}
    form, _, words = heads.get("form", "").partition(" ")
    zone = _ZONE.match(heads.get("zone", ""))
    if form not in get_args(Form):
        raise DetachedFailed("answer", "The host's answer about its timers is nonsense.")
    if form != "none" and not _PLACE.match(heads.get("place", "")):
        form, words = "none", "its home folder has a name that no timer can be given"
    seconds = 0
    if zone:
        seconds = (int(zone[2]) * 60 + int(zone[3])) * (-60 if zone[1] == "-" else 60)
    return Survey(
        form,  # type: ignore[arg-type]  # one of its words, by the lines above
        safe(words.strip(), 300), heads.get("place", ""), seconds if abs(seconds) <= 15 * 3600 else 0, _timers(lines[3:-2]),
    )  # fmt: skip


def _timers(lines: Iterable[str]) -> dict[str, Installed]:
    found: dict[str, Installed] = {}
    sums: dict[str, str] = {}
    id_, asleep, begun_at, trouble = "", False, None, ""
    for line in [*lines, "timer "]:
        word, _, rest = line.partition(" ")
        if word == "timer":
            if id_:
                found[id_] = Installed(sums, asleep, begun_at, trouble)
            id_, sums, asleep, begun_at, trouble = rest, {}, False, None, ""
        elif word == "file":
            name, _, digest = rest.partition(" ")
            if _SUM.match(digest):
                sums[name] = digest
        elif word == "asleep":
            asleep = True
        elif word == "begun" and _NUMBER.match(rest):
            begun_at = float(rest)
        elif word == "trouble":
            trouble = safe(rest.strip(), 300)
    return found


def read_offers(answer: bytes) -> list[Offer]:
    """What a host says that its timers began; what makes no sense is left out.

    Raises:
        DetachedFailed: it was cut.
    """
    lines = answer.split(b"\n")
    if lines[-2:] != [b"end", b""]:
        raise DetachedFailed("answer", "The host's list of what its timers began has no end.")
    found = []
    for place in range(0, len(lines) - 4, 3):
        head, said, marks = lines[place : place + 3]
        offer = _offer(
            head.decode(errors="replace").split(" "), said.decode(errors="replace").split(" "), marks
        )
        if offer is not None:
            found.append(offer)
    return sorted(found, key=lambda one: (one.run, one.attempt))


def _offer(head: Sequence[str], said: Sequence[str], marks: bytes) -> Offer | None:
    if len(head) != 4 or head[0] != "run" or len(said) != 5:
        return None
    _, id_, state, started = head
    timer, run, attempt, word, limit = said
    sound = (
        ID.match(id_) and TIMER_ID.match(timer) and attempt.isdigit() and len(attempt) < 4 and id_ == f"{run}-{attempt}"
        and _MARK.match(word) and state in get_args(State)
    )  # fmt: skip
    if not sound:
        return None
    return Offer(
        id_, timer, run, int(attempt), word, "window" if limit == "window" else "time", marks,
        state,  # type: ignore[arg-type]  # one of its words, by the lines above
        float(started) if _NUMBER.match(started) else None,
    )  # fmt: skip
