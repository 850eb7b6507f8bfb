"""Logging in: what gets in, what does not, and that guessing is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from guardian_tui.engine.access import people
from guardian_tui.engine.access.delays import LONGEST_SECONDS, MOST_KEYS, Delays
from guardian_tui.engine.access.login import Proof
from guardian_tui.engine.calls import Peer
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import AgentOffered, SessionEnded, VaultUnlocked
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import (
    GuardianError,
    InvalidRequest,
    LoginRefused,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    SessionLocked,
    StepUpRequired,
    TooManyRequests,
    VaultLocked,
)
from guardian_tui.protocol.fleet import SecretSet
from tests.support.gate import PASSWORD, UID, Gate, gate


async def test_a_code_works_once(home: Gate) -> None:
    code = home.fresh_code()
    await home.login(code=code)
    with pytest.raises(LoginRefused, match="once"):
        await home.login(code=code)


async def test_two_logins_that_race_with_one_code_let_one_in(home: Gate) -> None:
    code = home.fresh_code()
    done = await asyncio.gather(home.login(code=code), home.login(code=code), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["LoginRefused", "Session"]


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("ada", "wrong password 1", None),
        ("nobody", PASSWORD, None),
        ("ada", PASSWORD, "000000"),
        ("", PASSWORD, None),
        ("ada", PASSWORD, "x" * 30),
        ("ada", PASSWORD, "9" * 12),
    ],
)
async def test_whatever_is_wrong_the_answer_and_its_cost_are_the_same(
    home: Gate, name: str, password: str, code: str | None
) -> None:
    before = home.stretcher.runs
    with pytest.raises(LoginRefused) as refused:
        await home.login(name=name, password=password, code=code or "")
    assert home.stretcher.runs == before + 1
    assert refused.value.detail.startswith("Check name, password and code.")
    assert home.events("login")[-1].outcome == "denied"


async def test_guessing_is_slowed_down_and_success_forgives(home: Gate) -> None:
    for _ in range(4):
        with pytest.raises(LoginRefused):
            await home.login(password="wrong", code="1")
    with pytest.raises(TooManyRequests) as slow:
        await home.login(code="1")
    assert 0 < slow.value.retry_after_seconds <= 2
    home.clock.advance(10)
    await home.login()
    with pytest.raises(LoginRefused):
        await home.login(password="wrong")
    await home.login()


async def test_a_peer_that_tries_many_names_is_slowed_down(home: Gate) -> None:
    for number in range(20):
        with pytest.raises(LoginRefused):
            await home.login(name=f"guess{number}", uid=7, code="1")
    with pytest.raises(TooManyRequests):
        await home.login(name="another", uid=7, code="1")


async def test_a_burst_of_guesses_at_once_is_slowed_down_too(home: Gate) -> None:
    before = home.stretcher.runs
    done = await asyncio.gather(
        *[home.login(password="wrong", code="1") for _ in range(50)], return_exceptions=True
    )
    assert home.stretcher.runs - before == 4
    assert sum(isinstance(one, TooManyRequests) for one in done) == 46


def once_proved(
    home: Gate, monkeypatch: pytest.MonkeyPatch, how: str, then: Callable[[Proof], Awaitable[object]]
) -> None:
    """Have something happen between the next proof and the transaction that uses it."""
    prove = getattr(home.access._logins, how)

    async def slowly(*rest: object) -> object:
        proof = await prove(*rest)
        monkeypatch.setattr(home.access._logins, how, prove)
        await then(proof)
        return proof

    monkeypatch.setattr(home.access._logins, how, slowly)


async def test_an_account_that_is_closed_while_it_logs_in_stays_out(
    home: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.invite("eve", wire.GrantSpec(profile="viewer"))

    async def closed(proof: Proof) -> None:
        await home.call(
            "accounts.grants", wire.SetGrants(account="ada", grants=(wire.GrantSpec(profile="admin"),))
        )
        async with home.store.write() as tx:
            await people.set_state(tx, proof.person.id, "disabled")

    once_proved(home, monkeypatch, "prove", closed)
    with pytest.raises(LoginRefused):
        await home.login()


@pytest.mark.parametrize(("how", "order"), [("prove_code", "session.step_up"), ("prove", "session.unlock")])
async def test_a_session_that_is_ended_while_a_code_is_given_stays_ended(
    home: Gate, monkeypatch: pytest.MonkeyPatch, how: str, order: str
) -> None:
    session = await home.login()

    async def ended(_: Proof) -> None:
        await home.call("sessions.revoke", wire.SessionRef(session=session.id))

    once_proved(home, monkeypatch, how, ended)
    code = home.fresh_code()
    given = (
        wire.StepUp(code=code) if how == "prove_code" else wire.Unlock(password=PASSWORD, code=code)
    )  # fmt: skip
    with pytest.raises(NotAuthenticated):
        await home.call(order, given, token=session.token)
    with pytest.raises(NotAuthenticated):
        await home.access.still(session.id, Peer(UID))
    assert [event.outcome for event in home.events(order)] == []


@pytest.mark.parametrize("how", ["prove", "prove_code"])
async def test_what_is_taken_from_a_person_while_they_give_a_code_is_gone_from_their_session(
    home: Gate, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    token, secret = await home.invite("eve", wire.GrantSpec(profile="operator"))

    async def less(_: Proof) -> None:
        grants = (wire.GrantSpec(profile="viewer"),)
        await home.call("accounts.grants", wire.SetGrants(account="eve", grants=grants))

    once_proved(home, monkeypatch, how, less)
    home.clock.advance(30)
    code = home.code(secret)
    if how == "prove":
        session = await home.login(name="eve", password=PASSWORD + "ee", code=code)
    else:
        session = await home.call("session.step_up", wire.StepUp(code=code), token=token)
    assert session.profiles == ("viewer",) and "secrets.write" not in session.permissions
    with pytest.raises(PermissionDenied):
        await home.call("secrets.list", token=session.token)


async def test_of_two_who_change_a_password_at_once_one_has_it(home: Gate) -> None:
    words = ("another donkey staple 1", "another donkey staple 2")
    orders = [home.call("password.change", wire.ChangePassword(old=PASSWORD, new=new)) for new in words]
    done = await asyncio.gather(*orders, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Done", "LoginRefused"]
    new = next(word for word, one in zip(words, done, strict=True) if isinstance(one, Done))
    assert (await home.login(password=new)).account == "ada"


async def test_a_session_that_is_ended_while_it_is_looked_up_stays_ended(
    home: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await home.login()
    known = home.access._sessions
    known._known.clear()
    load = known._load

    async def slowly(where: object) -> object:
        found = await load(where)  # type: ignore[arg-type]  # as it came
        monkeypatch.setattr(known, "_load", load)
        await home.call("sessions.revoke", wire.SessionRef(session=session.id))
        return found

    home.token = (await home.login(code=home.codes[2])).token
    known._known = {d: k for d, k in known._known.items() if k.id != session.id}
    monkeypatch.setattr(known, "_load", slowly)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=session.token)


def test_delays_double_are_capped_bounded_and_forgotten() -> None:
    clock = ManualClock()
    delays = Delays(clock, 2)
    delays.failed("a")
    assert delays.wait_seconds("a") == 0
    waits = []
    for _ in range(20):
        delays.failed("a")
        waits.append(delays.wait_seconds("a"))
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == LONGEST_SECONDS
    clock.advance(7200)
    delays.failed("a")
    assert delays.wait_seconds("a") == 0
    for number in range(MOST_KEYS + 5):
        delays.failed(f"k{number}")
    assert delays.wait_seconds("a") == 0


async def test_a_recovery_code_stands_in_once(home: Gate) -> None:
    await home.login(code=home.codes[0].upper())
    with pytest.raises(LoginRefused):
        await home.login(code=home.codes[0])
    renewed: wire.RecoveryCodes = await home.call("recovery.renew")
    with pytest.raises(LoginRefused):
        await home.login(code=home.codes[1])
    await home.login(code=renewed.codes[0])


async def test_a_token_is_bound_to_its_uid_and_ends(home: Gate) -> None:
    session = await home.login(agent_socket="/tmp/agent")
    assert home.facts[-1] == AgentOffered("/tmp/agent", UID)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=session.token, uid=UID + 1)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token="")
    mine: wire.Session = await home.call("session", token=session.token)
    assert mine.account == "ada" and mine.token == ""
    await home.call("session.attach", wire.Attach(agent_socket="relative"), token=session.token)
    await home.call("logout", token=session.token)
    assert SessionEnded(session.id, "logout") in home.facts
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=session.token)


async def test_sessions_expire_and_the_cli_s_sooner(home: Gate) -> None:
    screen, script = await home.login(), await home.login(kind="cli")
    home.clock.advance(3601)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=script.token)
    assert SessionEnded(script.id, "expired") in home.facts
    home.clock.advance(12 * 3600)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=screen.token)


async def test_a_clock_that_is_set_back_makes_nothing_last_longer(home: Gate) -> None:
    old = await home.login()
    home.clock.advance(600)
    await home.call("session.touch", token=old.token)
    renewed: wire.Session = await home.call(
        "session.step_up", wire.StepUp(code=home.fresh_code()), token=old.token
    )
    new = await home.login()
    home.clock.jump(-30)
    # a step as it is set right now and then changes nothing
    await home.call("secrets.set", SecretSet(name="a", value="b"), token=renewed.token)
    home.clock.jump(-270)
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=new.token)
    listed: wire.SessionList = await home.call("sessions.list")
    assert new.id not in {one.id for one in listed.sessions} and len(listed.sessions) == 2
    with pytest.raises(SessionLocked):
        await home.call("accounts.list", token=renewed.token)
    assert (await home.call("session", token=renewed.token)).fresh_until == 0


async def test_a_second_factor_is_not_fresh_for_longer_because_the_clock_was_set_back(home: Gate) -> None:
    script = await home.login(kind="cli")
    home.clock.advance(600)
    renewed: wire.Session = await home.call(
        "session.step_up", wire.StepUp(code=home.fresh_code()), token=script.token
    )
    home.clock.jump(-500)
    with pytest.raises(StepUpRequired):
        await home.call("secrets.set", SecretSet(name="a", value="b"), token=renewed.token)


async def test_an_idle_session_locks_itself_and_opens_with_password_and_code(home: Gate) -> None:
    session = await home.login()
    home.clock.advance(600)
    await home.call("session.touch", token=session.token)
    await home.call("session.touch", token=session.token)
    home.clock.advance(600)
    await home.call("accounts.list", token=session.token)
    home.clock.advance(600)
    with pytest.raises(SessionLocked):
        await home.call("accounts.list", token=session.token)
    assert SessionEnded(session.id, "locked") in home.facts
    assert (await home.call("session", token=session.token)).locked
    with pytest.raises(LoginRefused):
        await home.call(
            "session.unlock", wire.Unlock(password="wrong", code=home.fresh_code()), token=session.token
        )
    opened = await home.call(
        "session.unlock", wire.Unlock(password=PASSWORD, code=home.fresh_code()), token=session.token
    )
    assert not opened.locked
    await home.call("session.lock", token=session.token)
    with pytest.raises(SessionLocked):
        await home.call("session.lock", token=session.token)


@pytest.mark.parametrize("asked_again", [True, False])
async def test_the_list_of_sessions_says_which_are_locked(home: Gate, asked_again: bool) -> None:
    screen, script, other = await home.login(), await home.login(kind="cli"), await home.login()
    home.clock.advance(600)
    await home.call("session.touch", token=other.token)
    home.clock.advance(600)
    if asked_again:
        with pytest.raises(SessionLocked):
            await home.call("accounts.list", token=screen.token)
    else:
        # as after a restart: nothing but what is stored
        home.access._sessions._known.clear()
    listed: wire.SessionList = await home.call("sessions.list", token=other.token)
    locked = {session.id: session.locked for session in listed.sessions}
    assert (locked[screen.id], locked[script.id], locked[other.id]) == (True, False, False)
    assert all(session.permissions == () and not session.token for session in listed.sessions)


async def test_step_up_gives_a_new_token_and_the_old_one_dies(home: Gate) -> None:
    home.clock.advance(400)
    with pytest.raises(StepUpRequired):
        await home.call("secrets.set", SecretSet(name="a", value="b"))
    with pytest.raises(LoginRefused):
        await home.call("session.step_up", wire.StepUp(code="12"))
    old = home.token
    renewed: wire.Session = await home.call("session.step_up", wire.StepUp(code=home.fresh_code()))
    home.token = renewed.token
    await home.call("secrets.set", SecretSet(name="a", value="b"))
    still = await home.access.still(renewed.id, Peer(UID))
    assert still.name == "ada"
    home.access._sessions._known.clear()
    assert (await home.access.still(renewed.id, Peer(UID))).session_id == renewed.id
    with pytest.raises(NotAuthenticated):
        await home.access.still("another", Peer(UID))
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=old)


async def test_a_new_password_opens_and_the_old_one_no_longer(home: Gate) -> None:
    new = "another donkey staple 8"
    with pytest.raises(LoginRefused):
        await home.call("password.change", wire.ChangePassword(old="wrong", new=new))
    with pytest.raises(InvalidRequest):
        await home.call("password.change", wire.ChangePassword(old=PASSWORD, new="short"))
    other = await home.login()
    await home.call("password.change", wire.ChangePassword(old=PASSWORD, new=new))
    assert (await home.call("session")).account == "ada"
    with pytest.raises(NotAuthenticated):
        await home.call("session", token=other.token)
    with pytest.raises(LoginRefused):
        await home.login()
    await home.login(password=new)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "5 characters"),
        ("aaaabbbbaaaabbbb", "few characters"),
        ("xx ada-the-first xx", "the name"),
        ("password1234567", "tried first"),
        ("qwe!rtyqwe!rty", "tried first"),
    ],
)
async def test_a_bad_password_is_refused_with_what_to_do(door: Gate, password: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await door.call("setup.begin", wire.SetUp(name="ada", password=password))


async def test_after_a_restart_sessions_go_on_and_the_first_login_opens_the_vault(tmp_path: Path) -> None:
    folder, clock = tmp_path / "state", ManualClock()
    async with gate(folder, clock=clock) as first:
        await first.set_up()
        await first.call("secrets.set", SecretSet(name="a", value="b"))
        token, secret, codes = first.token, first.secret, first.codes
    async with gate(folder, clock=clock) as second:
        second.secret = secret
        assert second.vault.locked
        assert (await second.call("session", token=token)).account == "ada"
        with pytest.raises(VaultLocked):
            await second.call("session.step_up", wire.StepUp(code=second.fresh_code()), token=token)
        with pytest.raises(LoginRefused):
            await second.login(code="000000")
        assert second.vault.locked
        await second.login(code=codes[0])
        assert not second.vault.locked
        assert VaultUnlocked() in second.facts
        assert await second.vault.resolve("secret:a") == "b"


async def test_a_damaged_slot_lets_nobody_in(home: Gate) -> None:
    async with home.store.write() as tx:
        await home.vault.remove_slot(tx, "account", (await home.call("accounts.list")).accounts[0].id)
    with pytest.raises(LoginRefused):
        await home.login()


async def test_a_full_disk_ends_no_session(home: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardian_tui.protocol.errors import StoreUnavailable

    session = await home.login()
    home.clock.advance(60)

    def full() -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(home.store, "write", full)
    assert (await home.call("session.touch", token=session.token)).last_seen_at == home.clock.now()


def _locked(home: Gate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    other = sqlite3.connect(folder / "state.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    home.other = other  # type: ignore[attr-defined]  # kept until the test ends


def _full(home: Gate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    from sqlalchemy.exc import OperationalError

    from guardian_tui.engine.store.database import Tx

    execute = Tx.execute

    async def on_a_full_disk(tx: Tx, statement: object, parameters: object = None) -> object:
        if not str(statement).lstrip().upper().startswith("SELECT"):
            raise OperationalError("", None, sqlite3.OperationalError("database or disk is full"))
        return await execute(tx, statement, parameters)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Tx, "execute", on_a_full_disk)


def _gone(home: Gate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardian_tui.protocol.errors import StoreUnavailable

    def gone() -> None:
        raise StoreUnavailable("the server is gone")

    monkeypatch.setattr(home.store, "write", gone)
    monkeypatch.setattr(home.dispatch, "_begin", gone)
    monkeypatch.setattr(home.store, "read", gone)


@pytest.mark.parametrize("trouble", [_locked, _full, _gone])
async def test_while_the_store_can_t_be_used_the_answer_tells_nothing_of_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    monkeypatch.setattr("guardian_tui.engine.store.sqlite.BUSY_SECONDS", 0.05)
    async with gate(tmp_path) as home:
        await home.set_up()
        home.clock.advance(30)
        token = home.token
        trouble(home, tmp_path, monkeypatch)
        tries = [
            ("ada", PASSWORD, home.code()), ("ada", PASSWORD, home.codes[0]), ("ada", PASSWORD, "000000"),
            ("ada", PASSWORD, "aaaaa-bbbbb"), ("ada", "wrong", home.code()), ("nobody", PASSWORD, "1"), ("", "x", "1"),
        ]  # fmt: skip
        problems = set()
        for number, (name, password, code) in enumerate(tries):
            with pytest.raises(GuardianError) as told:
                await home.login(name=name, password=password, code=code, uid=2000 + number)
            problems.add(told.value.problem())
            home.clock.advance(0.001)
            home.access._logins._by_account._records.clear()
        assert len(problems) == 1
        problem = problems.pop()
        assert (problem.status, problem.type) == (503, "urn:guardian:problem:login-unavailable")
        for order in (
            ("session.unlock", wire.Unlock(password=PASSWORD, code=home.code())),
            ("session.unlock", wire.Unlock(password="wrong", code=home.code())),
            ("session.step_up", wire.StepUp(code=home.code())),
            ("session.step_up", wire.StepUp(code="000000")),
            ("password.change", wire.ChangePassword(old=PASSWORD, new="another donkey staple 8")),
            ("password.change", wire.ChangePassword(old="wrong", new="another donkey staple 8")),
        ):
            with pytest.raises(GuardianError) as told:
                await home.call(*order, token=token)
            assert told.value.problem() == problem
            home.access._logins._by_account._records.clear()
        assert home.events("login") == []
        monkeypatch.undo()
        if hasattr(home, "other"):
            home.other.close()
        # and what was right is right still: the code was not used up
        await home.login(code=home.code())


@pytest.mark.parametrize("code", ["000000", "aaaaa-bbbbb", "1"])
async def test_a_wrong_code_costs_the_same_whether_the_password_is_right(
    home: Gate, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Counted, not timed: argon2id runs, reads and write transactions."""
    counts: list[list[str]] = []
    mine = asyncio.current_task()
    for name in ("read", "write"):
        real = getattr(home.store, name)

        def counted(name: str = name, real: Callable[[], object] = real) -> object:
            if asyncio.current_task() is mine:
                counts[-1].append(name)
            return real()

        monkeypatch.setattr(home.store, name, counted)
        if name == "write":
            monkeypatch.setattr(home.dispatch, "_begin", counted)
    for name, password in (("ada", PASSWORD), ("ada", "wrong"), ("nobody", PASSWORD)):
        before = home.stretcher.runs
        counts.append([])
        with pytest.raises(LoginRefused):
            await home.login(name=name, password=password, code=code)
        assert home.stretcher.runs == before + 1
    assert counts[0] == counts[1] == counts[2]


async def test_many_sessions_are_found_again_in_the_store(
    home: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.engine.access.sessions.MOST_CACHED", 1)
    first = await home.login()
    await home.login()
    assert (await home.call("session", token=first.token)).account == "ada"
    listed: wire.SessionList = await home.call("sessions.list")
    assert len(listed.sessions) == 3
    await home.call("sessions.revoke", wire.SessionRef(session=first.id))
    with pytest.raises(NotFound):
        await home.call("sessions.revoke", wire.SessionRef(session=first.id))
    with pytest.raises(GuardianError):
        await home.call("session", token=first.token)


async def test_who_guesses_at_an_account_keeps_its_owner_out_of_nothing(home: Gate) -> None:
    code = home.fresh_code()
    came = []
    for _ in range(6):
        with pytest.raises((LoginRefused, TooManyRequests)) as refused:
            await home.login(code="1", uid=7)
        came.append(type(refused.value))
    assert came[:3] == [LoginRefused] * 3 and came[-1] is TooManyRequests
    assert (await home.login(code=code)).account == "ada"
    with pytest.raises(TooManyRequests):
        await home.login(code=code, uid=7)
