"""Two people on a shared engine: real Unix users, of whom neither can act as the other or go round the engine."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest

from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.protocol import approvals, backups
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import Account, Enrolment, GrantSpec, Session, SetGrants, SetUp
from guardian_tui.protocol.audit import AuditEvent, AuditPage, AuditQuery
from guardian_tui.protocol.errors import (
    ApprovalNeeded,
    Conflict,
    EngineUnreachable,
    NotAuthenticated,
    PermissionDenied,
)
from guardian_tui.protocol.fleet import HostList, HostsQuery
from guardian_tui.protocol.system import Hello
from tests.support.engine import PASSWORD, WAIT_SECONDS
from tests.support.team import (
    NEEDS_ROOT,
    Person,
    SharedEngine,
    UnixUser,
    acting_as,
    python_for_all,
    shared_engine,
    unix_users,
)

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason=NEEDS_ROOT), pytest.mark.timeout(240)]

T = TypeVar("T")
BOOK = """---
id: tidy
title: Tidy up
version: 1
hosts: person
---
```step ok
approve: May this be done?
```
```step done
run: echo tidied
```
"""


BY_TWO = """[approvals]
orders = ["backups.restore"]
"""


@dataclass
class House:
    """An engine of one Unix user, and three others: two of its group, a stranger."""

    engine: SharedEngine
    a: UnixUser
    b: UnixUser
    stranger: UnixUser
    ada: Person | None = None
    bob: Person | None = None
    vic: Person | None = None


@pytest.fixture(scope="module")
def bare() -> Iterator[House]:
    """Nobody has an account yet."""
    with (
        unix_users(4) as (group, (owner, a, b, stranger)),
        shared_engine(owner, group, BY_TWO, book=BOOK) as engine,
    ):
        yield House(engine, a, b, stranger)


@pytest.fixture(scope="module")
def team(bare: House) -> House:
    """ada is an admin, bob an operator, vic a viewer; vic works under bob's Unix user."""
    bare.ada = bare.engine.first("ada", bare.a)
    bare.bob = bare.engine.join(bare.ada, "bob", bare.b, "operator")
    bare.vic = bare.engine.join(bare.ada, "vic", bare.b, "viewer")
    return bare


def events(team: House, words: str) -> list[AuditEvent]:
    assert team.ada is not None
    return list(team.engine.call(team.ada, "audit.list", AuditPage, AuditQuery(filter=words)).events)


def until(look: Callable[[], T], holds: Callable[[T], object]) -> T:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_nobody_becomes_the_first_admin_by_being_first(bare: House) -> None:
    engine = bare.engine
    assert engine.ask(bare.a, "hello", Hello).code_wanted
    assert not engine.ask(engine.owner, "hello", Hello).code_wanted
    for code in ("", "not-the-code"):
        with pytest.raises(PermissionDenied, match="one-time code"):
            engine.ask(bare.a, "setup.begin", Enrolment, SetUp(name="eve", password=PASSWORD, code=code))
    assert (engine.paths.state / "first-admin-code").exists()


def test_the_code_of_the_first_admin_makes_no_second_one(team: House) -> None:
    engine = team.engine
    order = SetUp(name="eve", password=PASSWORD, code=engine.code)
    with pytest.raises(PermissionDenied, match="one-time code"):
        engine.ask(team.b, "setup.begin", Enrolment, order)
    # nor does a new one, though root made it
    new = FirstCode(engine.paths.state).make()
    os.chown(engine.paths.state / "first-admin-code", engine.owner.uid, engine.owner.gid)
    with pytest.raises(Conflict, match="exists already"):
        engine.ask(team.b, "setup.begin", Enrolment, SetUp(name="eve", password=PASSWORD, code=new))
    FirstCode(engine.paths.state).spend()


def test_the_group_comes_to_the_socket_and_nobody_else_does(bare: House) -> None:
    engine = bare.engine
    socket, folder = engine.socket.stat(), engine.socket.parent.stat()
    assert (stat.S_IMODE(socket.st_mode), stat.S_IMODE(folder.st_mode)) == (0o660, 0o750)
    assert {socket.st_uid, folder.st_uid} == {engine.owner.uid}
    assert (socket.st_gid,) == bare.a.groups == (folder.st_gid,)
    with pytest.raises(EngineUnreachable):
        engine.ask(bare.stranger, "hello", Hello)
    for member in (bare.a, bare.b):
        assert engine.ask(member, "hello", Hello).mode == "team"
        with acting_as(member), pytest.raises(PermissionError):
            engine.socket.unlink()


def test_all_that_the_engine_keeps_is_its_own(team: House) -> None:
    engine = team.engine
    assert not (engine.paths.state / "first-admin-code").exists(), "the code is spent"
    kept = [engine.home, *engine.home.rglob("*")]
    assert any(path.name == "state.db" for path in kept)
    for path in kept:
        assert path.lstat().st_uid == engine.owner.uid, path
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path
    assert engine.process is not None
    memory = f"/proc/{engine.process.pid}"
    for member in (team.a, team.b):
        with acting_as(member):
            for path in kept[1:]:
                with pytest.raises(PermissionError):
                    path.stat()
            with pytest.raises(PermissionError):
                os.listdir(engine.home)
            for name in ("environ", "mem", "fd"):
                with pytest.raises(PermissionError):
                    os.open(f"{memory}/{name}", os.O_RDONLY)
            with pytest.raises(PermissionError):
                os.kill(engine.process.pid, signal.SIGTERM)


def test_a_token_is_of_no_use_to_another_user_and_its_use_is_an_event(team: House) -> None:
    assert team.ada is not None
    assert team.bob is not None
    for thief, owner in ((team.bob, team.ada), (team.ada, team.bob)):
        with pytest.raises(NotAuthenticated):
            team.engine.ask(thief.user, "hosts.list", HostList, HostsQuery(), owner.token)
        assert team.engine.call(owner, "session", Session).account == owner.name
        (told,) = [e for e in events(team, "hosts.list") if e.actor == f"uid:{thief.user.uid}"]
        assert (told.outcome, told.peer_uid) == ("denied", thief.user.uid)
        assert f'"token_of":"{owner.name}"' in told.body


def test_roles_are_enforced_and_the_screen_does_not_call_them_advisory(team: House) -> None:
    assert team.ada is not None
    assert team.vic is not None
    assert not team.engine.call(team.ada, "session", Session).advisory
    host = team.engine.call(team.vic, "hosts.list", HostList, HostsQuery()).hosts[0]
    with pytest.raises(PermissionDenied):
        order = wire.StartRunbook(runbook="tidy", hosts=(host.name,))
        team.engine.call(team.vic, "runbooks.run", wire.RunbookRun, order)


def test_what_one_begins_another_approves(team: House) -> None:
    engine, ada, bob = team.engine, team.ada, team.bob
    assert ada is not None
    assert bob is not None
    host = engine.call(ada, "hosts.list", HostList, HostsQuery()).hosts[0]
    order = wire.StartRunbook(runbook="tidy", hosts=(host.name,))
    run = engine.call(ada, "runbooks.run", wire.RunbookRun, order)
    detail = engine.call(ada, "runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=run.id)).run
    given = wire.ApproveRunbook(run=run.id, version=detail.version, digest=detail.digest)
    with pytest.raises(PermissionDenied, match="another person has to"):
        engine.call(ada, "runbooks.approve", wire.RunbookRun, given)
    # with the other's token it is not the other either
    with pytest.raises(NotAuthenticated):
        engine.ask(ada.user, "runbooks.approve", wire.RunbookRun, given, bob.token)
    assert engine.call(bob, "runbooks.approve", wire.RunbookRun, given).step == "done"
    told = {(e.actor, e.peer_uid, e.outcome) for e in events(team, "runbooks.")}
    assert {("ada", ada.user.uid, "ok"), ("bob", bob.user.uid, "ok"), ("ada", ada.user.uid, "denied")} <= told


def test_a_restore_that_one_asks_for_is_approved_from_another_unix_account(team: House) -> None:
    engine, ada, bob = team.engine, team.ada, team.bob
    assert ada is not None
    assert bob is not None
    base, dumps, back = engine.home / "shop.db", engine.home / "dumps", engine.home / "back"
    with sqlite3.connect(base) as db:
        db.execute("CREATE TABLE t (a)")
    dumps.mkdir()
    for path in (base, dumps):
        path.chmod(0o700)
        os.chown(path, engine.owner.uid, engine.owner.gid)
    host = engine.call(ada, "hosts.list", HostList, HostsQuery()).hosts[0].name
    where = backups.RepositorySpec(name="dumps", engine="dumps", location=str(dumps), host=host)
    engine.call(ada, "repositories.add", backups.RepositoryRow, where)
    spec = backups.JobSpec(
        name="shop", host=host, repository="dumps", dumps=(backups.Dump(kind="sqlite", database=str(base)),)
    )
    engine.call(ada, "backups.add", backups.JobRow, spec)

    def ended(run: str) -> backups.RunRow:
        ref = backups.RunRef(run=run)
        row = until(
            lambda: engine.call(ada, "backups.log", backups.RunDetail, ref).row,
            lambda row: row.state == "ended",
        )
        assert row.verdict == "ok", row
        return row

    saved = ended(engine.call(ada, "backups.run", backups.RunRow, backups.JobRef(job="shop")).id)
    query = backups.SnapshotsQuery(job="shop")
    until(lambda: engine.call(ada, "backups.snapshots", backups.SnapshotList, query).snapshots, bool)
    order = backups.Restore(job="shop", snapshot=saved.snapshot, target=str(back))

    def asks() -> approvals.Approval:
        with pytest.raises(ApprovalNeeded) as needed:
            engine.call(ada, "backups.restore", backups.RunRow, order)
        return engine.call(
            bob, "approvals.show", approvals.Approval, approvals.ApprovalRef(approval=needed.value.field)
        )

    one = asks()
    yes, ref = (
        approvals.GiveApproval(approval=one.id, digest=one.digest),
        approvals.ApprovalRef(approval=one.id),
    )
    # another account, and the same person at the same Unix account
    ada2 = engine.join(ada, "ada2", team.a, "operator")
    with pytest.raises(PermissionDenied, match="a Unix account of their own"):
        engine.call(ada2, "approvals.approve", approvals.Approval, yes)
    with pytest.raises(NotAuthenticated):
        engine.ask(team.a, "approvals.approve", approvals.Approval, yes, bob.token)
    assert engine.call(bob, "approvals.approve", approvals.Approval, yes).state == "approved"
    # bob may not any more, and what he said counts no more
    grants = SetGrants(account="bob", grants=(GrantSpec(profile="viewer"),))
    engine.call(ada, "accounts.grants", Account, grants)
    with pytest.raises(ApprovalNeeded, match="bob may no longer do that"):
        engine.call(ada, "approvals.go", approvals.Approval, ref)
    assert not back.exists()
    grants = SetGrants(account="bob", grants=(GrantSpec(profile="operator"),))
    engine.call(ada, "accounts.grants", Account, grants)
    with pytest.raises(PermissionDenied, match="ada who asked"):
        engine.call(bob, "approvals.go", approvals.Approval, ref)
    ended(engine.call(ada, "approvals.go", approvals.Approval, ref).run)
    assert [path.lstat().st_uid for path in back.rglob("*.sqlite")] == [engine.owner.uid]
    told = {(e.actor, e.peer_uid) for e in events(team, "approvals.approve") if e.outcome == "ok"}
    done = {(e.actor, e.peer_uid) for e in events(team, "backups.restore") if e.outcome == "ok"}
    assert told == {("bob", bob.user.uid)} and ("ada", ada.user.uid) in done


def test_the_console_says_whose_engine_it_is_attached_to(team: House) -> None:
    python, search = python_for_all()
    environment = {"GUARDIAN_SOCKET": str(team.engine.socket), "HOME": "/nonexistent", "PYTHONPATH": search}

    def status(user: UnixUser) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", "guardian_tui", "engine", "status"], cwd="/", env=environment, capture_output=True, text=True,
            user=user.uid, group=user.gid, extra_groups=user.groups, timeout=60,
        )  # fmt: skip

    seen = status(team.a)
    assert (
        f"the shared engine of the account {team.engine.owner.name}, on {team.engine.socket}" in seen.stdout
    )
    out = status(team.stranger)
    assert out.returncode == 3 and "you are not in its group" in out.stdout
