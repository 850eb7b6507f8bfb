"""Who leads a run and who looks on, in words."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from guardian_tui.protocol.runbooks import RunbookWatcher
from tests.support import runbooks as made
from tests.widgets.fleet_app import NOW
from widgets.runbook_people import lead_lines, people_words, watch_words

GRACE, BOB, ME = RunbookWatcher("grace"), RunbookWatcher("bob", 2), RunbookWatcher("ada")
MANY = tuple(RunbookWatcher(f"op-{number}") for number in range(8))


@pytest.mark.parametrize(
    ("watchers", "words"),
    [
        ((), ""),
        ((ME,), ""),
        ((ME, GRACE), "grace looks on"),
        ((ME, GRACE, BOB), "grace and bob (2 consoles) look on"),
        ((replace(ME, consoles=2),), "you at another console look on"),
        ((replace(ME, consoles=3), GRACE), "grace and you at 2 other consoles look on"),
        (MANY, "op-0, op-1, op-2, op-3, op-4 and 3 more look on"),
    ],
)
def test_others_are_named_and_oneself_only_at_another_console(
    watchers: tuple[RunbookWatcher, ...], words: str
) -> None:
    assert watch_words(watchers, "ada") == words


def told(watchers: tuple[RunbookWatcher, ...], **changes: object) -> str:
    plain = {"by": "ada", "leader": "ada", "led_before": "", "led_since": None, "rule": ""}
    run = replace(made.RUN, **(plain | changes))  # type: ignore[arg-type]  # fields of a run
    lines = lead_lines(run, watchers, "ada", NOW, 200)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_who_leads_tells_since_when_from_whom_and_whether_they_are_there() -> None:
    clock = time.strftime("%H:%M", time.localtime(NOW - 120))
    assert "nobody else looks on" in told((ME,))
    assert "looks on" not in told(()), "an engine that does not tell is not spoken for"
    handed = told((ME, GRACE), led_before="grace", led_since=NOW - 120)
    assert f"handed over by grace {clock}" in handed
    assert "grace looks on" in handed
    taken = told((ME, GRACE), leader="bob", led_before="ada", led_since=NOW - 120, taken=True)
    assert f"taken over from ada {clock}" in taken
    assert "bob is away" in taken
    assert "looks on" not in told((ME, GRACE), state="ended")


def test_where_there_is_little_room_who_leads_is_named_once() -> None:
    run = replace(made.RUN, leader="grace")
    assert people_words(run, (ME, GRACE), "ada") == "grace leads"
    assert people_words(run, (ME, GRACE, BOB), "ada") == "grace leads · bob (2 consoles) looks on"
    assert people_words(replace(run, leader="ada"), (ME, BOB), "ada") == "bob (2 consoles) looks on"
    assert people_words(replace(run, leader="ada"), (ME,), "ada") == ""
