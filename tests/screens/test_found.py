"""What was found on a host, on screen: a line for each repository, all of it about one, observed by one key."""

from __future__ import annotations

import msgspec
import pytest

from guardian_tui.app import GuardianApp
from guardian_tui.cli.words import words_of as told
from guardian_tui.protocol.backups import RepositoryRow
from guardian_tui.protocol.discovery import (
    FoundBackups,
    FoundRepository,
    FoundSchedule,
    FoundSetup,
    ObserveFound,
    TakeSecrets,
)
from screens.choice import ChoiceDialog
from screens.found import FoundScreen
from tests.screens.test_backups import ROWS, words_of
from tests.support.canned import NOW, canned
from tests.support.console import until


def told_to(app: GuardianApp) -> str:
    """What was said to the person."""
    return " ".join(str(note.message) for note in app._notifications)


OPEN = FoundRepository(
    id="a" * 12, engine="borg", location="ssh://u@store/./web\x1b[2J", label="borgbase", name="web-eu-01-borgbase", password="its configuration",
    wants=("backups/web-eu-01-borgbase",), takes=True,
)  # fmt: skip
FOUND = FoundBackups(
    host="web-eu-01", user="backup", at=NOW, programs=("borg 1.2.4", "restic 0.14.0"), unread=("/etc/borgmatic.d/x.yaml: backup may not read it (-rw------- root)",),
    setups=(
        FoundSetup(
            tool="borgmatic", version="1.8.3", file="/etc/borgmatic/config.yaml", sources=("/etc", "/srv"), ran_at=NOW - 7200, ran_words="its timer fired",
            schedules=(FoundSchedule(kind="timer", where="borgmatic.timer", when="daily", what="borgmatic"),),
            repositories=(OPEN, FoundRepository(id="b" * 12, engine="borg", location="/srv/b", observed="vault")),
        ),
        FoundSetup(tool="resticprofile", version="", file="/etc/resticprofile/profiles.hcl", words="HCL is not read here"),
    ),
)  # fmt: skip
ROW = RepositoryRow(
    id="x", name="web-eu-01-borgbase", engine="borg", location="ssh://u@store/./web", host="web-eu-01"
)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_was_found_is_shown_and_observed_by_one_key(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        app._changed(ROWS)
        client.answers |= {
            "backups.discover": FOUND,
            "repositories.observe": ROW,
            "repositories.take_secrets": ROW,
        }
        app.run_line("discover web-eu-01")
        await until(lambda: isinstance(app.screen, FoundScreen) and "1 not observed yet" in words_of(app))
        shown = words_of(app)
        assert "\x1b" not in shown
        for words in (
            "borgmatic",
            "ssh://u@store/./web",
            "not observed",
            "vault",
            "HCL is not read",
            "its timer fired",
            "would be observed as",
        ):
            assert words in shown, words
        await pilot.press("W")
        await until(lambda: "may not read it" in words_of(app))
        await pilot.press("escape", "T")
        await until(lambda: "Observe it first" in told_to(app))
        await pilot.press("o")
        observe = ("repositories.observe", ObserveFound(host="web-eu-01", found="a" * 12))
        await until(lambda: observe in client.orders)
        await pilot.press("down", "o")
        await until(lambda: "observed already, as vault" in told_to(app))
        await pilot.press("T")
        await until(lambda: ("repositories.take_secrets", TakeSecrets(repository="vault")) in client.orders)
        await pilot.press("escape")
        assert not isinstance(app.screen, FoundScreen)


async def test_a_host_that_cannot_be_looked_at_says_why_and_none_in_front_is_asked_for() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        await pilot.press("g", "3")
        await pilot.press("O")
        await until(lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(lambda: "No answer is canned" in words_of(app))


def test_the_headless_answer_names_the_ids_that_are_wanted_next() -> None:
    words = told(FOUND)
    assert "aaaaaaaaaaaa" in words and "observed as vault" in words and "unread: /etc/borgmatic.d" in words
    assert "\x1b" not in words
    assert "Nothing that makes backups" in told(msgspec.structs.replace(FOUND, setups=()))
