"""Approvals are another person's, of what was shown, for a time, and only as long as that person may."""

from __future__ import annotations

import pytest

from guardian_tui.engine.calls import Peer
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import AccountRef, GrantSpec, SetGrants
from guardian_tui.protocol.errors import Conflict, PermissionDenied, StepUpRequired
from tests.runbooks.lab import Lab
from tests.support.gate import UID

STEPS = """
```step which
input: Which file?
type: path
```
```step ok
approve: May this be deleted?
expires: 10m
```
```step delete
run: rm -f -- {{which}}
```
```step again
run: echo again
```
"""


async def approve(lab: Lab, run: wire.RunbookRun, token: str, **more: object) -> wire.RunbookRun:
    row = await lab.row(run)
    order = {"run": run.id, "version": row.version, "digest": row.digest, **more}
    found: wire.RunbookRun = await lab.gate.call(
        "runbooks.approve", wire.ApproveRunbook(**order), token=token
    )  # type: ignore[arg-type]  # its fields
    return found


async def asking(lab: Lab, steps: str = STEPS) -> wire.RunbookRun:
    """A run that asks for approval."""
    run = await lab.run(steps)
    if run.step == "which":
        run = await lab.answer(run, value="/tmp/x")
    assert (run.step, run.asked) == ("ok", "approve")
    assert len(run.digest) == 64
    return run


async def test_another_person_approves_what_was_shown(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    assert "go" not in run.acts
    assert "skip" not in run.acts
    with pytest.raises(Conflict, match="does not ask that"):
        await lab_.answer(run)
    with pytest.raises(PermissionDenied, match="does not approve it"):
        await approve(lab_, run, lab_.gate.token)
    with pytest.raises(Conflict, match="has changed since you looked"):
        await approve(lab_, run, grace, digest="0" * 64)
    helper = await lab_.colleague("hal", "support")
    with pytest.raises(PermissionDenied):
        await approve(lab_, run, helper)
    run = await approve(lab_, run, grace, note="looks right")
    assert run.step == "delete"
    (given,) = run.approvals
    assert (given.by, given.ok, given.void) == ("grace", True, "")
    run = await lab_.answer(run)
    assert run.step == "again"
    (event,) = lab_.gate.events("runbooks.approve")[-1:]
    assert "digest" in event.body
    assert event.actor == "grace"


async def test_a_refusal_is_decided_upon(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    run = await approve(lab_, run, grace, ok=False, note="not on a Friday")
    assert (run.state, run.words) == ("deciding", "grace refused: not on a Friday")


async def test_an_approval_wants_a_fresh_second_factor(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    lab_.gate.clock.advance(400)
    with pytest.raises(StepUpRequired):
        await approve(lab_, run, grace)


async def test_an_approval_expires(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    run = await approve(lab_, run, grace)
    lab_.gate.clock.advance(601)
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "It has expired." in run.words


async def test_an_approval_of_somebody_whose_account_is_closed_counts_no_more(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    run = await approve(lab_, run, grace)
    await lab_.gate.call("accounts.disable", AccountRef(account="grace"))
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "The account grace is closed." in run.words
    assert run.verdict == ""


async def test_everybody_sees_that_an_approval_of_a_run_no_longer_holds(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await approve(lab_, await asking(lab_), grace)

    async def void() -> str | None:
        row = lab_.gate.live.runbook_runs.get(run.id)
        return row.approvals[0].void if row is not None else None

    assert await void() == ""
    await lab_.gate.call("accounts.disable", AccountRef(account="grace"))
    assert await lab_.until(void, "it is shown") == "The account grace is closed."
    # what would run is as it was seen: whoever goes on is led back to the approval
    assert (await lab_.answer(run)).step == "ok"


async def test_an_approval_of_somebody_who_may_no_more_on_its_hosts_counts_no_more(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    run = await approve(lab_, run, grace)
    elsewhere = SetGrants(account="grace", grants=(GrantSpec(profile="operator", scope="host=elsewhere"),))
    await lab_.gate.call("accounts.grants", elsewhere)
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "grace may no longer do that on " in run.words


async def test_one_unix_account_is_one_person(lab_: Lab) -> None:
    lab_.runbooks.house.by_uid = True
    grace = await lab_.colleague("grace", "operator")
    hal, _ = await lab_.gate.invite("hal", GrantSpec(profile="operator"), uid=UID + 1)
    run = await asking(lab_)
    # ada's own Unix account
    with pytest.raises(PermissionDenied, match="a Unix account of their own"):
        await approve(lab_, run, grace)
    row = await lab_.row(run)
    order = wire.ApproveRunbook(run=run.id, version=row.version, digest=row.digest)
    run = await lab_.gate.call("runbooks.approve", order, token=hal, uid=UID + 1)
    assert run.step == "delete"
    # led on from there it is the approver's own
    assert run.approvals[0].void == ""
    session = await lab_.gate.login(uid=UID + 1)
    held = lab_.runbooks.runner.runs[run.id]
    held.principal = await lab_.gate.access.authenticate(session.token, Peer(UID + 1))
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "the same Unix account as whoever asked" in run.words


async def test_a_value_that_changes_after_an_approval_makes_it_void(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await asking(lab_)
    run = await approve(lab_, run, grace)
    run = await lab_.answer(run, "back")
    run = await lab_.answer(run, "back")
    assert run.step == "which"
    run = await lab_.answer(run, value="/etc/passwd")
    assert (run.step, run.asked) == ("ok", "approve")
    assert run.approvals == ()


async def test_hosts_that_are_others_after_an_approval_make_it_void(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    await lab_.book(STEPS, hosts="{filter: 'web'}")
    run = await lab_.start(hosts=())
    run = await lab_.answer(run, value="/tmp/x")
    run = await approve(lab_, run, grace)
    lab_.gate.live.hosts.drop("id-web-4")
    run = await lab_.answer(run)
    assert (run.step, run.asked) == ("ok", "approve")
    assert "What would be run has changed since." in run.words


async def test_as_many_approve_as_are_wanted_and_who_approves_twice_counts_once(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    alan = await lab_.colleague("alan", "operator")
    run = await asking(lab_, STEPS.replace("expires: 10m", "quorum: 2"))
    run = await approve(lab_, run, grace)
    run = await approve(lab_, run, grace)
    assert (run.step, run.quorum, len(run.approvals)) == ("ok", 2, 1)
    run = await approve(lab_, run, alan)
    assert run.step == "delete"


async def test_what_comes_from_a_later_step_was_approved_as_where_it_comes_from(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    steps = """
```step ok
approve: May it?
```
```step find
check: echo 42
capture: {pid: '(\\d+)'}
```
```step use
run: echo {{pid}}
```
"""
    run = await asking(lab_, steps)
    run = await approve(lab_, run, grace)
    run = await lab_.answer(run)
    run = await lab_.answer(run)
    assert run.verdict == "done"
    await lab_.restart()
