"""Accounts: the first admin, invitations, roles and their scopes."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from guardian_tui.config import Paths
from guardian_tui.engine import recovery
from guardian_tui.engine.access import enrolment
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.access.profiles import PROFILES, AnyOf, contains, parse_scope, scopes_of
from guardian_tui.engine.calls import ANY_SCOPE
from guardian_tui.engine.clock import ManualClock
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.errors import (
    Conflict,
    InvalidRequest,
    LoginRefused,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    TooManyRequests,
)
from guardian_tui.protocol.routes import PERMISSIONS, PUBLIC, ROUTES, SELF, WHOLE
from tests.support.gate import PASSWORD, Gate, gate

VIEWER = wire.GrantSpec(profile="viewer")


async def test_only_the_engine_s_own_account_makes_the_first_admin_and_only_once(door: Gate) -> None:
    order = wire.SetUp(name="ada", password=PASSWORD)
    with pytest.raises(PermissionDenied):
        await door.call("setup.begin", order, uid=4242)
    assert not await door.access.is_set_up()
    begun = await asyncio.gather(
        door.call("setup.begin", order), door.call("setup.begin", wire.SetUp(name="eve", password=PASSWORD))
    )
    first = wire.ConfirmEnrolment(token=begun[0].token, code=door.code(begun[0].secret))
    second = wire.ConfirmEnrolment(token=begun[1].token, code=door.code(begun[1].secret))
    done = await asyncio.gather(
        door.call("setup.confirm", first), door.call("setup.confirm", second), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Enrolled"]
    with pytest.raises(Conflict):
        await door.call("setup.begin", order)
    assert await door.access.is_set_up()


async def test_the_first_admin_of_a_shared_engine_is_made_by_root_or_with_a_code_that_is_good_once(
    tmp_path: Path, store_url: str
) -> None:
    kept = FirstCode(tmp_path)
    async with gate(tmp_path, store_url, clock=ManualClock(time.time()), mode=False) as shared:
        with pytest.raises(PermissionDenied, match="one-time code"):
            await shared.call(
                "setup.begin", wire.SetUp(name="eve", password=PASSWORD, code="guess"), uid=4242
            )
        code = kept.make()
        assert not kept.fits(code, shared.clock.now() + 8 * 86400), "a week is enough"
        with pytest.raises(PermissionDenied, match="one-time code"):
            await shared.call(
                "setup.begin", wire.SetUp(name="eve", password=PASSWORD, code=code + "x"), uid=4242
            )
        await shared.call("setup.begin", wire.SetUp(name="root", password=PASSWORD), uid=0)
        begun = await shared.call(
            "setup.begin", wire.SetUp(name="ada", password=PASSWORD, code=code), uid=4242
        )
        order = wire.ConfirmEnrolment(token=begun.token, code=shared.code(begun.secret))
        await shared.call("setup.confirm", order, uid=4242)
        assert not kept.file.exists()
        assert not kept.fits(code, shared.clock.now())


async def test_why_an_account_may_not_do_something_is_said(home: Gate) -> None:
    await home.invite("vic", VIEWER)
    ids = {one.name: one.id for one in (await home.call("accounts.list")).accounts}
    assert await home.access.why_not(ids["ada"], "backups.run") == ""
    assert await home.access.why_not(ids["vic"], "backups.run") == "vic may no longer do that."
    assert "no such account" in await home.access.why_not("nobody", "backups.run")
    await home.call("accounts.disable", wire.AccountRef(account=ids["vic"]))
    assert await home.access.why_not(ids["vic"], "backups.see") == "The account vic is closed."


async def test_an_enrolment_runs_out_is_bound_to_its_peer_and_bears_few_tries(
    door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await door.call("setup.begin", wire.SetUp(name="ada", password=PASSWORD))
    right = wire.ConfirmEnrolment(token=begun.token, code=door.code(begun.secret))
    with pytest.raises(NotFound):
        await door.call("setup.confirm", right, uid=7)
    with pytest.raises(NotFound):
        await door.call("enrol.confirm", right)
    monkeypatch.setattr(enrolment, "TRIES", 2)
    for _ in range(2):
        with pytest.raises(LoginRefused):
            await door.call("setup.confirm", wire.ConfirmEnrolment(token=begun.token, code="000000"))
    with pytest.raises(NotFound):
        await door.call("setup.confirm", right)
    begun = await door.call("setup.begin", wire.SetUp(name="ada", password=PASSWORD))
    door.clock.advance(601)
    with pytest.raises(NotFound):
        await door.call(
            "setup.confirm", wire.ConfirmEnrolment(token=begun.token, code=door.code(begun.secret))
        )
    monkeypatch.setattr(enrolment, "MOST_PENDING", 1)
    await door.call("setup.begin", wire.SetUp(name="ada", password=PASSWORD))
    with pytest.raises(TooManyRequests):
        await door.call("setup.begin", wire.SetUp(name="ada", password=PASSWORD))


async def test_an_invited_person_enrols_once_with_the_code(home: Gate) -> None:
    invited: wire.Invited = await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    assert invited.account.state == "invited"
    with pytest.raises(Conflict):
        await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    with pytest.raises(LoginRefused):
        await home.call(
            "enrol.begin", wire.BeginEnrolment(name="eve", enrolment_code="wrong", password=PASSWORD)
        )
    with pytest.raises(LoginRefused):
        await home.call(
            "enrol.begin", wire.BeginEnrolment(name="nobody", enrolment_code="wrong", password=PASSWORD)
        )
    order = wire.BeginEnrolment(name="eve", enrolment_code=invited.enrolment_code.upper(), password=PASSWORD)
    begun, again = await home.call("enrol.begin", order), await home.call("enrol.begin", order)
    done = await home.call(
        "enrol.confirm", wire.ConfirmEnrolment(token=begun.token, code=home.code(begun.secret))
    )
    assert done.session.profiles == ("viewer",) and done.recovery_key == ""
    with pytest.raises(NotFound):
        await home.call(
            "enrol.confirm", wire.ConfirmEnrolment(token=again.token, code=home.code(again.secret))
        )
    with pytest.raises(LoginRefused):
        await home.call("enrol.begin", order)
    assert {a.name: a.state for a in (await home.call("accounts.list")).accounts} == {
        "ada": "active",
        "eve": "active",
    }


async def test_an_enrolment_code_runs_out_and_is_worth_nothing_without_its_slot(home: Gate) -> None:
    invited: wire.Invited = await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    order = wire.BeginEnrolment(name="eve", enrolment_code=invited.enrolment_code, password=PASSWORD)
    async with home.store.write() as tx:
        await home.vault.remove_slot(tx, "enrolment", invited.account.id)
    with pytest.raises(LoginRefused):
        await home.call("enrol.begin", order)
    home.clock.advance(8 * 86400)
    with pytest.raises(LoginRefused):
        await home.call("enrol.begin", order)


async def test_what_is_not_granted_is_denied_on_every_route(home: Gate) -> None:
    token, _ = await home.invite("eve", VIEWER)
    held = PROFILES["viewer"][0]
    for route in ROUTES.values():
        if route.permission in (PUBLIC, SELF) or route.permission in held:
            continue
        with pytest.raises(PermissionDenied):
            await home.dispatch.open(route.name, token=token, peer=_peer(), request_id="r")
        assert home.events()[-1].action == route.name
        assert home.events()[-1].outcome == "denied"


def _peer():  # type: ignore[no-untyped-def]  # a peer
    from guardian_tui.engine.calls import Peer

    return Peer(1000)


def test_admin_holds_every_permission_and_no_profile_one_that_no_route_has() -> None:
    assert PROFILES["admin"][0] == frozenset(PERMISSIONS)
    for held, words in PROFILES.values():
        assert held <= set(PERMISSIONS)
        assert words.endswith(".")


def test_scopes_are_labels_that_must_all_match_and_grants_add_up() -> None:
    scope = parse_scope("role=web site=eu")
    assert scope.covers({"role": "web", "site": "eu", "x": "y"})
    assert not scope.covers({"role": "web"})
    for wrong in ("role", "=web", "role="):
        with pytest.raises(InvalidRequest):
            parse_scope(wrong)
    both = scopes_of(
        [wire.Grant(profile="viewer", scope="role=web"), wire.Grant(profile="viewer", scope="role=db")]
    )
    assert both["hosts.see"].covers({"role": "db"})
    assert not both["hosts.see"].covers({"role": "mail"})
    wide = scopes_of([wire.Grant(profile="viewer", scope="role=web"), wire.Grant(profile="viewer")])
    assert wide["hosts.see"].covers({})


async def test_a_grant_on_some_hosts_is_none_on_the_engine_as_a_whole(home: Gate) -> None:
    token, _ = await home.invite("dev", wire.GrantSpec(profile="admin", scope="environment=dev"))
    whole = [route for route in ROUTES.values() if route.scoping == "whole"]
    assert {"audit.list", "audit.export", "engine.stop", "secrets.set", "vault.add_keyring"} <= {
        r.name for r in whole
    }
    for route in whole:
        with pytest.raises(PermissionDenied):
            await home.dispatch.open(route.name, token=token, peer=_peer(), request_id="r")
    shown = await home.call("session", token=token)
    assert not WHOLE & set(shown.permissions) and "hosts.edit" in shown.permissions


def test_no_permission_is_for_the_whole_engine_on_one_route_and_for_hosts_on_another() -> None:
    for route in ROUTES.values():
        assert (route.permission in WHOLE) == (route.scoping == "whole")


async def test_nobody_ends_the_session_of_one_who_holds_more(home: Gate) -> None:
    token, _ = await home.invite("dev", wire.GrantSpec(profile="admin", scope="environment=dev"))
    mine = (await home.call("session")).id
    with pytest.raises(PermissionDenied, match="don't hold"):
        await home.call("sessions.revoke", wire.SessionRef(session=mine), token=token)
    theirs = (await home.call("session", token=token)).id
    await home.call("sessions.revoke", wire.SessionRef(session=theirs))
    with pytest.raises(NotFound):
        await home.call("sessions.revoke", wire.SessionRef(session="0" * 16))


async def test_the_last_admin_stays_and_nobody_grants_what_they_lack(home: Gate) -> None:
    with pytest.raises(Conflict, match="last admin"):
        await home.call("accounts.disable", wire.AccountRef(account="ada"))
    with pytest.raises(Conflict, match="last admin"):
        await home.call("accounts.grants", wire.SetGrants(account="ada", grants=(VIEWER,)))
    with pytest.raises(InvalidRequest, match="no profile"):
        await home.call("accounts.invite", wire.Invite(name="eve", grants=(wire.GrantSpec(profile="king"),)))
    with pytest.raises(NotFound):
        await home.call("accounts.disable", wire.AccountRef(account="nobody"))
    token, _ = await home.invite("eve", wire.GrantSpec(profile="admin"))
    changed = await home.call(
        "accounts.grants",
        wire.SetGrants(account="ada", grants=(wire.GrantSpec(profile="operator", scope=" role=web "),)),
        token=token,
    )
    assert changed.grants == (wire.Grant(profile="operator", scope="role=web"),)
    told = json.loads(home.events("accounts.grants")[-1].body)
    assert (told["before"], told["grants"]) == (["admin"], ["operator role=web"])
    with pytest.raises(PermissionDenied):
        await home.call("accounts.list")
    assert [p.name for p in (await home.call("profiles.list", token=token)).profiles] == list(PROFILES)


async def test_one_who_may_invite_can_t_make_an_admin_out_of_less(
    home: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardian_tui.engine.access import profiles

    monkeypatch.setitem(dict(PROFILES), "x", (frozenset(), ""))
    monkeypatch.setattr(
        profiles,
        "PROFILES",
        {**PROFILES, "host-admin": (frozenset({"accounts.edit", "hosts.see"}), "A test's.")},
    )
    token, _ = await home.invite("eve", wire.GrantSpec(profile="host-admin"))
    with pytest.raises(PermissionDenied, match="don't hold"):
        await home.call(
            "accounts.invite",
            wire.Invite(name="mallory", grants=(wire.GrantSpec(profile="admin"),)),
            token=token,
        )


async def test_an_admin_of_some_hosts_rules_over_nobody_of_more(home: Gate) -> None:
    token, _ = await home.invite("dev", wire.GrantSpec(profile="admin", scope="environment=dev"))
    wide = (wire.GrantSpec(profile="admin"),)
    for order in (
        ("accounts.grants", wire.SetGrants(account="dev", grants=wide)),
        ("accounts.invite", wire.Invite(name="mallory", grants=wide)),
        (
            "accounts.invite",
            wire.Invite(name="mallory", grants=(wire.GrantSpec(profile="viewer", scope="environment=prod"),)),
        ),
        ("accounts.grants", wire.SetGrants(account="ada", grants=(VIEWER,))),
        ("accounts.disable", wire.AccountRef(account="ada")),
        ("accounts.enable", wire.AccountRef(account="ada")),
    ):
        with pytest.raises(PermissionDenied):
            await home.call(*order, token=token)
    narrow = wire.GrantSpec(profile="viewer", scope="environment=dev role=web")
    await home.call("accounts.invite", wire.Invite(name="kim", grants=(narrow,)), token=token)


def test_a_scope_contains_what_it_can_be_seen_to_contain() -> None:
    web, db, web_eu = parse_scope("role=web"), parse_scope("role=db"), parse_scope("role=web site=eu")
    both = AnyOf((web, db))
    assert contains(web, web_eu) and not contains(web_eu, web)
    assert contains(both, web_eu) and contains(both, both) and not contains(web, both)
    assert contains(ANY_SCOPE, both) and not contains(both, ANY_SCOPE)


async def test_a_closed_account_is_out_at_once(home: Gate) -> None:
    token, _ = await home.invite("eve", VIEWER)
    await home.call("accounts.disable", wire.AccountRef(account="eve"))
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=token)
    with pytest.raises(LoginRefused):
        await home.login(name="eve", password=PASSWORD + "ee", code="123456")
    assert {a.name: a.state for a in (await home.call("accounts.list")).accounts}["eve"] == "disabled"
    home.access._sessions._known.clear()
    async with home.store.write() as tx:
        from sqlalchemy import update

        from guardian_tui.engine.store.tables import sessions

        await tx.execute(update(sessions).values(ended_at=None))
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=token)


async def test_a_closed_account_that_is_opened_again_has_its_password_and_no_session(home: Gate) -> None:
    token, secret = await home.invite("eve", VIEWER)
    eve = wire.AccountRef(account="eve")
    with pytest.raises(Conflict, match="not closed"):
        await home.call("accounts.enable", eve)
    for _ in range(2):
        await home.call("accounts.disable", eve)
    home.clock.advance(30)
    with pytest.raises(LoginRefused):
        await home.login(name="eve", password=PASSWORD + "ee", code=home.code(secret))
    await home.call("accounts.enable", eve)
    assert home.events("accounts.enable")[-1].target == "eve"
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=token)
    home.clock.advance(30)
    session = await home.login(name="eve", password=PASSWORD + "ee", code=home.code(secret))
    assert session.profiles == ("viewer",)


async def test_the_slot_of_a_closed_account_opens_nothing_by_its_password(home: Gate) -> None:
    from guardian_tui.engine.access import people
    from guardian_tui.engine.vault.sealing import SealBroken

    await home.invite("eve", VIEWER)
    async with home.store.read() as conn:
        person = await people.find(conn, name="eve")
    assert person is not None
    keys = await home.stretcher.stretch(PASSWORD + "ee", person.salt, person.kdf)
    assert await home.vault.unwrap("account", person.id, keys.slot_key)
    await home.call("accounts.disable", wire.AccountRef(account="eve"))
    for kind in ("account", "closed-account"):
        with pytest.raises(SealBroken):
            await home.vault.unwrap(kind, person.id, keys.slot_key)


async def test_an_invitation_that_was_closed_goes_on_when_it_is_opened(home: Gate) -> None:
    invited: wire.Invited = await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    order = wire.BeginEnrolment(name="eve", enrolment_code=invited.enrolment_code, password=PASSWORD)
    await home.call("accounts.disable", wire.AccountRef(account="eve"))
    with pytest.raises(LoginRefused):
        await home.call("enrol.begin", order)
    await home.call("accounts.enable", wire.AccountRef(account="eve"))
    assert {a.name: a.state for a in (await home.call("accounts.list")).accounts}["eve"] == "invited"
    assert (await home.call("enrol.begin", order)).secret


async def test_an_account_whose_slot_is_gone_can_t_be_opened_as_if_it_could_log_in(home: Gate) -> None:
    invited: wire.Invited = await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    await home.call("accounts.disable", wire.AccountRef(account="eve"))
    async with home.store.write() as tx:
        await home.vault.remove_slot(tx, "closed-enrolment", invited.account.id)
    with pytest.raises(Conflict, match="another name"):
        await home.call("accounts.enable", wire.AccountRef(account="eve"))


async def test_a_name_can_t_be_taken_for_another_s_account(home: Gate) -> None:
    invited: wire.Invited = await home.call("accounts.invite", wire.Invite(name="eve", grants=(VIEWER,)))
    with pytest.raises(InvalidRequest, match="looks like the id"):
        await home.call("accounts.invite", wire.Invite(name=invited.account.id, grants=(VIEWER,)))
    # one from before that rule: the id is asked first
    from sqlalchemy import update

    from guardian_tui.engine.store.tables import accounts

    await home.call("accounts.invite", wire.Invite(name="mallory", grants=(VIEWER,)))
    async with home.store.write() as tx:
        await tx.execute(update(accounts).where(accounts.c.name == "mallory").values(name=invited.account.id))
    await home.call("accounts.disable", wire.AccountRef(account=invited.account.id))
    states = {a.id: a.state for a in (await home.call("accounts.list")).accounts}
    assert states[invited.account.id] == "disabled"
    assert list(states.values()).count("disabled") == 1


async def test_the_first_admin_has_no_name_like_an_id_either(door: Gate) -> None:
    with pytest.raises(InvalidRequest, match="looks like the id"):
        await door.call("setup.begin", wire.SetUp(name="0123456789abcdef", password=PASSWORD))


async def test_an_admin_closes_another_but_not_the_last_that_is_open(home: Gate) -> None:
    await home.invite("eve", wire.GrantSpec(profile="admin"))
    await home.call("accounts.disable", wire.AccountRef(account="eve"))
    with pytest.raises(Conflict, match="last admin"):
        await home.call("accounts.disable", wire.AccountRef(account="ada"))


async def test_an_account_that_is_gone_can_do_nothing(home: Gate) -> None:
    with pytest.raises(LoginRefused):
        await home.access._person("nobody")


async def test_the_recovery_key_sets_a_new_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.gate import CHEAP

    paths, clock = Paths(tmp_path / "c", tmp_path / "state", tmp_path / "r"), ManualClock()
    async with gate(paths.state, clock=clock) as one:
        await one.set_up()
        key, secret, codes = one.recovery_key, one.secret, one.codes
    monkeypatch.setattr(recovery, "Stretcher", lambda: recovery_stretcher(CHEAP))
    new = "recovered donkey staple 7"
    with pytest.raises(LoginRefused):
        await recovery.recover(paths, "ada", "ABCD-" * 8, new)
    with pytest.raises(NotFound):
        await recovery.recover(paths, "eve", key, new)
    await recovery.recover(paths, "ada", key.lower(), new)
    async with gate(paths.state, clock=clock) as one:
        one.secret = secret
        await one.login(password=new, code=codes[0])
        assert one.events("recover")[0].target == "ada"


def recovery_stretcher(cost: object):  # type: ignore[no-untyped-def]  # a stretcher
    from guardian_tui.engine.vault.sealing import Stretcher

    return Stretcher(cost)  # type: ignore[arg-type]  # parameters
