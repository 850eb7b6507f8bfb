"""Approvals against those who would go round them: withdrawn givers, borrowed accounts, what is changed after it was approved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from guardian_tui.config import ApprovalRule, ApprovalSettings
from guardian_tui.engine.approvals import book as books
from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.asking import Asking
from guardian_tui.engine.backups.records import Repository
from guardian_tui.protocol import approvals as wire
from guardian_tui.protocol.access import AccountRef, GrantSpec, SetGrants
from guardian_tui.protocol.backups import (
    EditJob,
    EditRepository,
    JobRef,
    RepositoryRef,
    RepositorySpec,
    Retention,
)
from guardian_tui.protocol.errors import (
    ApprovalNeeded,
    Conflict,
    NotFound,
    PermissionDenied,
    TooManyRequests,
)
from guardian_tui.protocol.fleet import SecretRef, SecretSet
from tests.approvals.conftest import ALL, Lab

EVERY = ApprovalSettings(
    orders=(
        "backups.restore", "backups.retain", "backups.add", "backups.edit", "backups.remove", "repositories.unlock", "repositories.edit", "repositories.remove",
    )
)  # fmt: skip


def grants(profile: str, scope: str = "") -> SetGrants:
    return SetGrants(account="grace", grants=(GrantSpec(profile=profile, scope=scope),))


async def until(look: Callable[[], bool]) -> None:
    """Wait for what the book sees by itself."""
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_who_was_withdrawn_counts_no_more(lab: Lab) -> None:
    for number, (route, request, why, back) in enumerate((
        ("accounts.grants", grants("viewer"), "may no longer do that", grants("operator")),
        ("accounts.grants", grants("operator", "host=elsewhere"), "may no longer do that on here", grants("operator")),
        ("accounts.disable", AccountRef(account="grace"), "is closed", None),
    )):  # fmt: skip
        one = await lab.asks(request=lab.order(target=str(lab.folder / f"back{number}")))
        assert (await lab.says(one, "grace")).state == "approved"
        await lab.call("", route, request)
        shown = await lab.one(one.id)
        assert shown.state == "waiting" and why in shown.given[0].void
        with pytest.raises(ApprovalNeeded, match="no longer holds"):
            await lab.go(one)
        assert not (lab.folder / f"back{number}").exists()
        if back is not None:
            await lab.call("", "accounts.grants", back)
    assert (await lab.says(one, "alan")).state == "approved"
    await lab.ended((await lab.go(one)).run)


async def test_everybody_sees_that_an_approval_no_longer_holds(lab: Lab) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    live = lab.gate.live.approvals

    def shown() -> tuple[str, list[str]]:
        row = live.get(one.id)
        assert row is not None
        return row.state, [given.void for given in row.given]

    assert shown() == ("approved", [""])
    labels = live.labels(one.id)
    await lab.call("", "accounts.grants", grants("viewer"))
    await until(lambda: shown()[0] == "waiting")
    assert "may no longer do that" in shown()[1][0] and live.labels(one.id) == labels
    await lab.call("", "accounts.grants", grants("operator"))
    await until(lambda: shown() == ("approved", [""]))
    lab.gate.clock.advance(one.expires_at - lab.gate.clock.now() + 1)
    await until(lambda: shown()[0] == "void")


async def test_a_look_that_fails_is_not_the_last(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    kept, failed = lab.book.void_of, asyncio.Event()

    async def fails(*given: Any) -> dict[str, str]:
        failed.set()
        raise RuntimeError("no such luck")

    monkeypatch.setattr(lab.book, "void_of", fails)
    await asyncio.wait_for(failed.wait(), 60)
    monkeypatch.setattr(lab.book, "void_of", kept)
    await lab.call("", "accounts.disable", AccountRef(account="grace"))
    await until(lambda: lab.gate.live.approvals.get(one.id).state == "waiting")  # type: ignore[union-attr]  # it is there


async def test_who_is_withdrawn_between_the_last_look_and_the_deed_counts_no_more(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asking.restore

    async def late(self: Asking, *given: Any) -> books.Ticket | None:
        ticket = await asked(self, *given)
        await lab.call("", "accounts.disable", AccountRef(account="grace"))
        return ticket

    one = await lab.asks()
    await lab.says(one, "grace")
    monkeypatch.setattr(Asking, "restore", late)
    with pytest.raises(Conflict, match="fallen meanwhile"):
        await lab.go(one)
    assert not lab.backups.runner.runs
    assert (await lab.one(one.id)).state == "waiting"


async def test_one_unix_account_is_one_person_whatever_accounts_it_logs_in_to(lab: Lab) -> None:
    await lab.set(ApprovalSettings(orders=("backups.restore",), quorum=2), by_uid=True)
    for name, uid in (("mallory", 1000), ("bob", 2000), ("bob2", 2000), ("carol", 3000)):
        await lab.colleague(name, uid=uid)
    one = await lab.asks()
    with pytest.raises(PermissionDenied, match="a Unix account of their own"):
        await lab.says(one, "mallory")
    assert (await lab.says(one, "bob")).state == "waiting"
    with pytest.raises(PermissionDenied, match="a Unix account of their own"):
        await lab.says(one, "bob2")
    assert (await lab.says(one, "carol")).state == "approved"
    # whoever asked, at an approver's Unix account
    session = await lab.gate.login(uid=3000)
    lab.tokens["ada at carol's"], lab.uids["ada at carol's"] = session.token, 3000
    with pytest.raises(ApprovalNeeded, match="same Unix account as whoever asked"):
        await lab.go(one, "ada at carol's")
    await lab.restart()
    await lab.ended((await lab.go(one)).run)
    again = await lab.asks(request=lab.order(target=str(lab.folder / "again")))
    await asyncio.gather(lab.says(again, "bob"), lab.says(again, "bob2"), return_exceptions=True)
    with pytest.raises(ApprovalNeeded):
        await lab.go(again)


async def test_what_it_comes_from_is_part_of_what_was_approved(lab: Lab) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    repository = lab.backups.repositories["r"]
    elsewhere = lab.folder / "of-somebody-else"
    (lab.folder / "dumps").rename(elsewhere)
    spec = msgspec.structs.replace(repository.spec, location=str(elsewhere))
    await lab.call("", "repositories.edit", EditRepository(repository="dumps", spec=spec))
    with pytest.raises(ApprovalNeeded):
        await lab.go(one)
    assert (await lab.one(one.id)).state == "void"
    assert not (lab.folder / "back").exists()


async def test_each_order_that_takes_something_away_can_be_set_to_wait(lab: Lab) -> None:
    await lab.set(EVERY)
    await lab.save()
    job, repository = lab.backups.jobs["j"].spec, lab.backups.repositories["r"].spec
    less = msgspec.structs.replace(job, keep=Retention(last=2), enabled=False)
    there = msgspec.structs.replace(repository, site="cellar")
    hook = msgspec.structs.replace(job, name="hook", before=("rm -r /srv",))
    orders = (
        ("backups.add", hook, "Back here up from now on, by the job hook"),
        ("backups.edit", EditJob(job="shop", spec=less), "Change the backup job shop"),
        ("repositories.edit", EditRepository(repository="dumps", spec=there), "Change the repository dumps"),
        ("repositories.unlock", RepositoryRef(repository="dumps"), "Remove the locks of the repository dumps, in which 2 jobs"),
        ("backups.remove", JobRef(job="shop"), "Remove the backup job shop"),
        ("backups.remove", JobRef(job="hook"), "Remove the backup job hook"),
        ("repositories.remove", RepositoryRef(repository="dumps"), "Remove the repository dumps"),
    )  # fmt: skip
    for route, request, words in orders:
        one = await lab.asks(route, request)
        assert one.order == route and one.words.startswith(words) and one.lines
        with pytest.raises(PermissionDenied):
            await lab.says(one, "")
        await lab.says(one, "grace")
        done = await lab.go(one)
        assert done.state == "done"
        if done.run:
            await lab.over(done.run)
        told = next(event for event in reversed(lab.gate.events(route)) if event.outcome == "ok")
        assert msgspec.json.decode(told.body)["approved_by"] == ["grace"]
        if route == "backups.edit":
            assert {"enabled: true → false", "keep:"} <= {
                line if "enabled" in line else line[:5] for line in one.lines
            }
    assert not lab.backups.jobs and not lab.backups.repositories


@pytest.mark.parametrize(
    "rules",
    [
        {"orders": ("repositories.edit",)},
        {"rules": (ApprovalRule(orders=("repositories.edit",), repositories=("vault",)),)},
        {"rules": (ApprovalRule(orders=("secrets.set", "secrets.remove"), repositories=("vault",)),)},
    ],
)
async def test_who_replaces_a_repositorys_password_changes_how_it_is_reached(
    lab: Lab, rules: dict[str, Any]
) -> None:
    await lab.set(ApprovalSettings(**rules))
    spec = RepositorySpec(
        name="vault", engine="restic", location="/srv/vault", host="here", secrets={"RESTIC_PASSWORD": "secret:backups/vault"},
    )  # fmt: skip
    lab.backups.repositories["v"] = Repository("v", spec, "screen", 0.0)
    theirs = SecretSet(name="backups/vault", value="a password of mallory's")

    async def kept() -> str:
        return (await lab.gate.vault.secret("backups/vault")).decode()

    # the first value takes nothing away, and of what no repository stands on nobody is asked
    await lab.call("", "secrets.set", SecretSet(name="backups/vault", value="the first"))
    await lab.call("", "secrets.set", SecretSet(name="mail", value="one"))
    await lab.call("", "secrets.set", SecretSet(name="mail", value="two"))
    one = await lab.asks("secrets.set", theirs)
    assert one.words == "Replace the secret backups/vault, by which vault is reached."
    assert one.lines == ("vault: restic, /srv/vault, read by here",)
    gone = await lab.asks("secrets.remove", SecretRef(name="backups/vault"))
    assert gone.words.startswith("Destroy the secret backups/vault") and await kept() == "the first"
    # what was asked for lies nowhere in the store, sealed or not
    assert b"mallory" not in msgspec.json.encode(lab.book.find(one.id))
    await lab.says(one, "grace")
    with pytest.raises(Conflict, match="kept nowhere"):
        await lab.go(one)
    await lab.call("", "secrets.set", theirs)
    assert await kept() == "a password of mallory's" and (await lab.one(one.id)).state == "done"
    told = next(event for event in reversed(lab.gate.events("secrets.set")) if event.outcome == "ok")
    assert msgspec.json.decode(told.body)["approved_by"] == ["grace"] and "mallory" not in told.body
    with pytest.raises(ApprovalNeeded, match="give the order again"):
        await lab.call("", "secrets.set", theirs)
    await lab.says(gone, "grace")
    assert (await lab.go(gone)).state == "done"
    with pytest.raises(NotFound):
        await kept()


async def test_a_rule_for_a_job_asks_for_two_and_for_others_nobody(lab: Lab) -> None:
    rule = ApprovalRule(orders=("backups.restore",), jobs=("shop",), quorum=2, expires_seconds=120.0)
    await lab.set(ApprovalSettings(rules=(rule,)))
    one = await lab.asks()
    assert (one.quorum, one.expires_at - one.asked_at) == (2, 120)
    assert (await lab.says(one, "grace")).state == "waiting"
    # nobody has to read what a prune would forget
    await lab.ended((await lab.call("", "backups.retain", JobRef(job="shop"))).id)
    lab.gate.clock.advance(120)
    with pytest.raises(Conflict, match="in time"):
        await lab.says(one, "alan")
    assert (await lab.one(one.id)).state == "void"


async def test_more_are_wanted_by_now_than_when_it_was_asked_for(lab: Lab) -> None:
    one = await lab.asks()
    assert (await lab.says(one, "grace")).state == "approved"
    await lab.set(ApprovalSettings(orders=("backups.restore",), quorum=2))
    shown = await lab.one(one.id)
    assert (shown.state, shown.quorum) == ("waiting", 2)
    with pytest.raises(ApprovalNeeded, match="1 of 2"):
        await lab.go(one)
    await lab.says(one, "alan")
    assert (await lab.go(one)).state == "done"


async def test_carried_out_twice_at_once_it_is_done_once(lab: Lab) -> None:
    one = await lab.asks()
    await lab.says(one, "grace")
    came = await asyncio.gather(*(lab.go(one) for _ in range(4)), return_exceptions=True)
    done = [each for each in came if isinstance(each, wire.Approval)]
    assert len(done) == 1, came
    assert all(isinstance(each, Conflict) for each in came if each is not done[0]), came
    ran = await records.runs_of(lab.gate.store, "j", before=0.0, limit=50)
    assert sum(run.operation == "restore" for run in ran) == 1


async def test_nobody_fills_the_list_for_all_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.set(EVERY)
    monkeypatch.setattr(books, "MOST_OF_ONE", 1)
    one = await lab.asks()
    # the same, asked for in another way, stands in the place of the first
    other = await lab.asks(request=lab.order(target=str(lab.folder / "other")))
    assert (await lab.one(one.id)).state == "void"
    with pytest.raises(TooManyRequests, match="of yours"):
        await lab.call("", "backups.remove", JobRef(job="shop"))
    with pytest.raises(ApprovalNeeded):
        await lab.call("grace", "backups.remove", JobRef(job="shop"))
    assert (await lab.one(other.id)).state == "waiting"


async def test_out_of_scope_it_is_not_there(lab: Lab) -> None:
    await lab.set(ALL)
    await lab.colleague("otto", scope="host=elsewhere")
    one = await lab.asks()
    assert (await lab.call("otto", "approvals.list")).approvals == ()
    for route in ("approvals.show", "approvals.go"):
        with pytest.raises(NotFound):
            await lab.call("otto", route, wire.ApprovalRef(approval=one.id))
    with pytest.raises(NotFound):
        await lab.says(one, "otto")
