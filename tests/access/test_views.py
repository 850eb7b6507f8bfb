"""Views that people keep: one's own, those that others share, and what holds them back."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from guardian_tui.engine.access import views as kept_views
from guardian_tui.engine.access.views import Views
from guardian_tui.engine.store.tables import views
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.errors import Conflict, NotFound
from guardian_tui.protocol.views import SaveView, View, ViewRef
from tests.support.gate import Gate


@pytest.fixture
async def shelf(home: Gate) -> Gate:
    """A gate that answers the routes of views."""
    home.dispatch.bind(Views(home.store).handlers())
    return home


async def listed(shelf: Gate, token: str | None = None) -> list[View]:
    return list((await shelf.call("views.list", token=token)).views)


async def test_a_view_is_kept_replaced_and_forgotten_and_each_is_an_event(shelf: Gate) -> None:
    order = SaveView(name="hot", filter="cpu>90", sort="cpu", columns=("cpu", "label:role"), problems=True)
    assert await shelf.call("views.save", order) == View(
        name="hot", screen="fleet", filter="cpu>90", sort="cpu", columns=("cpu", "label:role"), problems=True, owner="ada"
    )  # fmt: skip
    await shelf.call("views.save", SaveView(name="hot", screen="alerts", filter="critical"))
    assert [(one.name, one.screen, one.filter) for one in await listed(shelf)] == [
        ("hot", "alerts", "critical")
    ]
    await shelf.call("views.remove", ViewRef(name="hot"))
    assert not await listed(shelf)
    with pytest.raises(NotFound):
        await shelf.call("views.remove", ViewRef(name="hot"))
    assert [(one.action, one.target) for one in shelf.events() if one.action.startswith("views.")] == [
        ("views.save", "hot"), ("views.save", "hot"), ("views.remove", "hot")
    ]  # fmt: skip


async def test_others_are_offered_what_is_shared_and_nothing_else_and_can_not_change_it(shelf: Gate) -> None:
    await shelf.call("views.save", SaveView(name="mine"))
    await shelf.call("views.save", SaveView(name="ours", shared=True))
    bob, _ = await shelf.invite("bob", wire.GrantSpec(profile="viewer"))
    await shelf.call("views.save", SaveView(name="zebra"), token=bob)
    assert [(one.name, one.owner, one.mine) for one in await listed(shelf, bob)] == [
        ("zebra", "bob", True), ("ours", "ada", False)
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await shelf.call("views.remove", ViewRef(name="ours"), token=bob)
    assert [one.name for one in await listed(shelf)] == ["mine", "ours"]


async def test_views_are_bounded_and_one_that_can_not_be_read_takes_no_other_with_it(
    shelf: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_views, "MOST_VIEWS", 2)
    for name in ("a", "b"):
        await shelf.call("views.save", SaveView(name=name))
    with pytest.raises(Conflict, match="remove one first"):
        await shelf.call("views.save", SaveView(name="c"))
    # to replace one is no further one
    await shelf.call("views.save", SaveView(name="b", filter="x"))
    account = (await shelf.call("accounts.list")).accounts[0].id
    async with shelf.store.write() as tx:
        await tx.execute(
            insert(views), {"account_id": account, "name": "broken", "shared": 0, "body": '{"nme":'}
        )
    assert [one.name for one in await listed(shelf)] == ["a", "b"]
