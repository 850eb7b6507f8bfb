"""Many things at once on screen: what an import would change, host keys, one change on all marked hosts; each by marks, each with its number."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from guardian_tui.app import GuardianApp
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceText
from guardian_tui.protocol.trust import AuthorityList
from screens.authorities import AuthoritiesScreen
from screens.choosing import ChoiceDialog
from screens.dialogs import ConfirmDialog, TextDialog
from screens.fleet import FleetScreen
from tests.screens.test_backups import words_of as told
from tests.screens.test_console import console, dialog, go, words_of
from tests.support.console import House, house, until
from widgets.authorities_list import AuthoritiesList
from widgets.choice_list import ChoiceList
from widgets.hosts_table import HostsTable


async def seven(one: House) -> None:
    """Seven hosts that answer nowhere."""
    text = "name,address,credential,groups\n" + "".join(
        f"web-{n},127.0.0.9,key:/nowhere,web\n" for n in range(7)
    )
    request = ImportRequest(
        source=SourceText(format="csv", name="seven.csv", text=text),
        names=tuple(f"web-{n}" for n in range(7)),
    )
    assert (await one.client.call("hosts.import", ImportPreview, request)).added == 7


async def marked(app: GuardianApp, pilot: Pilot[int], filter: str, count: int) -> None:
    """Filter the fleet and mark all that is shown."""
    table = app.screen.query_one(HostsTable)
    await go(app, pilot, f"hosts {filter}")
    await until(lambda: len(table.shown) == count)
    table.focus()
    await pilot.press("home", "space", "end", "v")
    await until(lambda: len(table.chosen_ids) == count)


def names_in(app: GuardianApp, **of: object) -> list[str]:
    """Hosts whose row has these values."""
    rows = app.world.hosts.values()
    return sorted(row.name for row in rows if all(getattr(row, key) == value for key, value in of.items()))


async def test_an_import_is_chosen_by_marks_and_shows_field_by_field_what_changed(tmp_path: Path) -> None:
    table = tmp_path / "hosts.csv"
    table.write_text("name,address,user\nweb-1,127.0.0.9,ada\nweb-2,127.0.0.9,[/]\nweb-3,127.0.0.9,ada\n")
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await go(app, pilot, f"import {table}")
        await dialog(app, ChoiceDialog)
        choices = app.screen.query_one(ChoiceList)
        await until(lambda: choices.chosen == ("web-1", "web-3"))
        assert [choice for choice in choices.ids if choice.startswith("problem:")]
        await pilot.press("home", "space", "enter")
        await until(lambda: "1 host added" in words_of(app))
        await until(lambda: "web-3" in names_in(app) and "web-1" not in names_in(app))
        table.write_text("name,address,user\nweb-1,127.0.0.9,ada\nweb-3,127.0.0.9,eve\n")
        await go(app, pilot, f"import {table}")
        await dialog(app, ChoiceDialog)
        choices = app.screen.query_one(ChoiceList)
        await until(lambda: choices.chosen == ("web-1",))
        await pilot.press("end")
        await until(lambda: "user: ada → eve" in str(app.screen.query_one("#about", Static).visual))
        await pilot.press("asterisk", "enter")
        await until(lambda: "1 host added, 1 changed" in words_of(app))
        table.write_text("name,address,user\nweb-1,127.0.0.9,ada\n")
        await go(app, pilot, f"import {table}")
        await dialog(app, ChoiceDialog)
        choices = app.screen.query_one(ChoiceList)
        await until(lambda: choices.ids == ["gone:web-3"] and choices.chosen == ())
        await pilot.press("enter")
        assert isinstance(app.screen, ChoiceDialog)
        await pilot.press("space", "enter")
        await until(lambda: "1 removed" in words_of(app) and "web-3" not in names_in(app))
        await go(app, pilot, f"import {tmp_path / 'nowhere'}")
        await until(lambda: "can't be read" in words_of(app))


async def test_a_change_of_many_marked_hosts_wants_their_number(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await seven(one)
        async with console(one) as (app, pilot):
            await marked(app, pilot, "group=web", 7)
            await pilot.press("E")
            await dialog(app, TextDialog)
            app.screen.query_one(Input).value = "environment=prod label.team=shop"
            await pilot.press("enter")
            await dialog(app, ConfirmDialog)
            await pilot.press("y", "enter")
            assert isinstance(app.screen, ConfirmDialog) and names_in(app, environment="prod") == []
            app.screen.query_one(Input).value = "7"
            await pilot.press("enter")
            await until(lambda: len(names_in(app, environment="prod")) == 7)
            assert "7 hosts changed" in words_of(app)
            await go(app, pilot, "set colour=red")
            await until(lambda: "can't be set" in words_of(app))
            await until(lambda: isinstance(app.screen, FleetScreen))
            await pilot.press("w")
            await dialog(app, ConfirmDialog)
            app.screen.query_one(Input).value = "7"
            await pilot.press("enter")
            await until(lambda: len(names_in(app, state="maintenance")) == 7)


async def test_many_new_keys_are_accepted_as_a_list_with_their_number(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await seven(one)
        await one.client.call(
            "hosts.add", HostRow, HostSpec(name="zoo", address="127.0.0.9", credential="key:/nowhere")
        )
        questions = one.engine.fleet._questions
        keys = {}
        for host in one.engine.fleet.inventory.hosts.values():
            if host.target is not None:
                keys[host.spec.name] = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
                questions.about_key(host.target, keys[host.spec.name], ())
        async with console(one) as (app, pilot):
            await until(lambda: len(app.world.questions) == 8)
            await go(app, pilot, "keys")
            await dialog(app, ChoiceDialog)
            choices = app.screen.query_one(ChoiceList)
            await until(lambda: len(choices.ids) == 8)
            assert choices.chosen == ()
            shown = "".join(text for id in choices.ids for text, _ in choices.line(id, 120))
            assert all(key.get_fingerprint() in shown for key in keys.values())
            await pilot.press("asterisk", "end", "space", "enter")
            await dialog(app, ConfirmDialog)
            app.screen.query_one(Input).value = "7"
            await pilot.press("enter")
            await until(lambda: "7 keys pinned" in words_of(app))
            await until(lambda: [q.host for q in app.world.questions.values()] == ["zoo"])


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_the_list_of_an_import_fits_a_small_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    table = tmp_path / "hosts.csv"
    table.write_text("name,address\n" + "".join(f"web-{n},127.0.0.9\n" for n in range(50)))
    async with house(tmp_path) as one, console(one, size) as (app, pilot):
        await go(app, pilot, f"import {table}")
        await dialog(app, ChoiceDialog)
        choices = app.screen.query_one(ChoiceList)
        await until(lambda: len(choices.chosen) == 50)
        assert choices.size.height >= 2 and choices.region.right <= size[0]
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, FleetScreen))


async def test_an_authority_is_pinned_listed_with_whom_it_covers_and_taken_back_with_its_pattern_typed_in(
    tmp_path: Path,
) -> None:
    key = tmp_path / "ca.pub"
    key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_public_key())
    async with house(tmp_path) as one:
        await seven(one)
        async with console(one) as (app, pilot):
            await go(app, pilot, f"authorities 127.0.0.* {key}")
            await dialog(app, ConfirmDialog)
            app.screen.query_one(Input).value = "127.0.0.*"
            await pilot.press("enter")
            await until(lambda: "it covers 7 hosts" in words_of(app))
            await go(app, pilot, "authorities")
            await until(lambda: isinstance(app.screen, AuthoritiesScreen))
            listed = app.screen.query_one(AuthoritiesList)
            await until(lambda: listed.authority is not None)
            assert all(words in told(app) for words in ("127.0.0.*", "SHA256:", "web-0, web-1"))
            await pilot.press("n")
            await dialog(app, TextDialog)
            app.screen.query_one(Input).value = "*"
            await pilot.press("enter")
            await until(lambda: "PATTERN FILE.pub" in words_of(app))
            await pilot.press("delete")
            await dialog(app, ConfirmDialog)
            assert "covers 7 hosts: web-0" in " ".join(str(line.visual) for line in app.screen.query(Static))
            await pilot.press("y", "enter")
            assert isinstance(app.screen, ConfirmDialog)
            app.screen.query_one(Input).value = "127.0.0.*"
            await pilot.press("enter")
            await until(lambda: "trusted no longer" in words_of(app))
            await until(lambda: listed.authority is None and "No authority is pinned" in told(app))
            assert (await one.client.call("authorities.list", AuthorityList)).authorities == ()
            await pilot.press("delete")
            await until(lambda: "cursor on an authority" in words_of(app))
            await until(
                lambda: (
                    ("authorities.remove", "127.0.0.*")
                    in [(e.action, e.target) for e in app.world.audit.values()]
                )
            )
            await pilot.press("escape")
            await until(lambda: isinstance(app.screen, FleetScreen))
