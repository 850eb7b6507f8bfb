"""Restores and prunes that wait: another person's approval, of exactly this, for a time, good once."""

from __future__ import annotations

import msgspec
import pytest

from guardian_tui.config import ApprovalSettings
from guardian_tui.protocol.access import AccountRef, GrantSpec
from guardian_tui.protocol.backups import JobRef
from guardian_tui.protocol.errors import ApprovalNeeded, Conflict, NotFound, PermissionDenied, StepUpRequired
from tests.approvals.conftest import Lab


async def test_a_restore_is_asked_for_by_one_approved_by_another_and_carried_out_once(lab: Lab) -> None:
    one = await lab.asks()
    assert (one.state, one.by, one.order, one.host) == ("waiting", "ada", "backups.restore", "here")
    assert one.words.startswith("Restore 1 file of shop to ")
    assert not (lab.folder / "back").exists()
    # asked for again it is the same, and waits on
    assert (await lab.asks()).id == one.id
    with pytest.raises(PermissionDenied, match="another person has to"):
        await lab.says(one, "ada")
    with pytest.raises(Conflict, match="not what you looked at"):
        await lab.says(one, "grace", digest="0" * 64)
    with pytest.raises(ApprovalNeeded):
        await lab.go(one)
    said = await lab.says(one, "grace", note="looks right")
    assert (said.state, [given.by for given in said.given]) == ("approved", ["grace"])
    with pytest.raises(PermissionDenied, match="ada who asked"):
        await lab.go(one, "grace")
    done = await lab.go(one)
    assert done.state == "done"
    await lab.ended(done.run)
    assert list((lab.folder / "back").iterdir())
    with pytest.raises(Conflict, match="waits no more"):
        await lab.go(one)
    again = await lab.asks(request=lab.order(overwrite=True))
    assert again.id != one.id, "another time it is asked for anew"
    told = [(event.actor, event.outcome) for event in lab.gate.events("backups.restore")]
    assert told[:2] == [("ada", "intent"), ("ada", "ok")]
    (approved,) = [e for e in lab.gate.events("approvals.approve") if e.outcome == "ok"]
    assert (approved.actor, msgspec.json.decode(approved.body)["asked_by"]) == ("grace", "ada")
    carried = next(e for e in lab.gate.events("backups.restore") if e.outcome == "ok")
    assert msgspec.json.decode(carried.body)["approved_by"] == ["grace"]


async def test_what_was_refused_is_over(lab: Lab) -> None:
    one = await lab.asks()
    said = await lab.says(one, "grace", ok=False, note="not on a Friday")
    assert (said.state, said.why) == ("refused", "grace refused: not on a Friday")
    with pytest.raises(Conflict, match="not on a Friday"):
        await lab.says(one, "alan")
    with pytest.raises(Conflict, match="not on a Friday"):
        await lab.go(one)


async def test_who_may_not_does_not_see_it_and_an_approval_wants_a_fresh_code(lab: Lab) -> None:
    lab.tokens["vera"], _ = await lab.gate.invite("vera", GrantSpec(profile="viewer"))
    lab.tokens["otto"], _ = await lab.gate.invite("otto", GrantSpec(profile="operator", scope="host=other"))
    one = await lab.asks()
    for refused in (lab.one(one.id, "vera"), lab.says(one, "vera")):
        with pytest.raises(PermissionDenied):
            await refused
    with pytest.raises(NotFound):
        await lab.says(one, "otto")
    lab.gate.clock.advance(400)
    with pytest.raises(StepUpRequired):
        await lab.says(one, "grace")
    with pytest.raises(StepUpRequired):
        await lab.go(one)


async def test_an_approval_falls_with_its_giver_and_with_time(lab: Lab) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    await lab.gate.call("accounts.disable", AccountRef(account="grace"))
    with pytest.raises(ApprovalNeeded, match="The account grace is closed"):
        await lab.go(one)
    (given,) = (await lab.one(one.id)).given
    assert given.void == "The account grace is closed."
    await lab.says(one, "alan")
    lab.gate.clock.advance(3601)
    token = (await lab.gate.login()).token
    lab.gate.token = token
    with pytest.raises(Conflict, match="in time"):
        await lab.go(one)
    assert (await lab.one(one.id)).state == "void"


@pytest.mark.parametrize("jump", [2 * 86400.0, -2 * 86400.0])
async def test_a_clock_that_is_set_ends_no_approval_and_prolongs_none(lab: Lab, jump: float) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    book, clock = lab.book, lab.gate.clock
    clock.jump(jump)
    assert await book.enough(book.open_one(one.id))
    clock.advance(3590)
    assert await book.enough(book.open_one(one.id))
    clock.advance(20)
    with pytest.raises(Conflict, match="in time"):
        book.open_one(one.id)


async def test_an_approval_lasts_no_longer_because_the_clock_was_set_back_while_the_engine_was_away(
    lab: Lab,
) -> None:
    one = await lab.asks()
    lab.gate.clock.jump(-2 * 86400)
    await lab.restart()
    assert lab.book.open_one(one.id).id == one.id
    lab.gate.clock.advance(3601)
    with pytest.raises(Conflict, match="in time"):
        lab.book.open_one(one.id)


async def test_what_would_be_done_has_changed_and_is_asked_for_anew(lab: Lab) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    # the same folder is not empty any more: something would be overwritten
    (lab.folder / "back").mkdir()
    for name in [file.name for file in (lab.folder / "dumps").rglob("*") if file.is_file()]:
        (lab.folder / "back" / name).write_text("in the way")
    request = lab.order(overwrite=True)
    again = await lab.asks(request=request)
    assert again.id != one.id
    old = await lab.one(one.id)
    assert (old.state, "asked for anew" in old.why) == ("void", True)


async def test_a_prune_is_bound_to_the_snapshots_that_it_forgets(lab: Lab) -> None:
    await lab.save()
    one = await lab.asks("backups.retain", JobRef(job="shop"))
    assert one.words == "Forget 1 snapshot of shop in dumps, for good."
    await lab.says(one, "grace")
    # one more backup: one more would be forgotten, which nobody has agreed to
    await lab.save()
    with pytest.raises(ApprovalNeeded):
        await lab.go(one)
    again = next(o for o in (await lab.gate.call("approvals.list")).approvals if o.state == "waiting")
    assert again.words.startswith("Forget 2 snapshots")
    await lab.says(again, "alan")
    done = await lab.go(again)
    await lab.ended(done.run)
    left = {file.parent for file in (lab.folder / "dumps").rglob("*.sqlite*")}
    assert len(left) == 1


async def test_as_many_as_are_wanted_approve_and_a_restart_forgets_nothing(lab: Lab) -> None:
    lab.settings = ApprovalSettings(orders=("backups.restore",), quorum=2)
    await lab.restart()
    one = await lab.asks()
    assert (await lab.says(one, "grace")).state == "waiting"
    assert (await lab.says(one, "grace")).state == "waiting", "who approves twice counts once"
    await lab.restart()
    kept = await lab.one(one.id)
    assert (kept.state, kept.quorum, len(kept.given)) == ("waiting", 2, 1)
    assert lab.gate.live.approvals.get(one.id) is not None
    assert (await lab.says(one, "alan")).state == "approved"
    done = await lab.go(one)
    await lab.ended(done.run)
    # what is long over is shown no more
    lab.gate.clock.advance(2 * 86400)
    lab.book.sweep()
    assert lab.gate.live.approvals.get(one.id) is None


async def test_where_nothing_is_set_nobody_is_asked(lab: Lab) -> None:
    lab.settings = ApprovalSettings()
    await lab.restart()
    run = await lab.gate.call("backups.restore", lab.order())
    await lab.ended(run)
    assert (await lab.gate.call("approvals.list")).approvals == ()
