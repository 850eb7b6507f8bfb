"""The unit of a team's engine under a systemd that really runs: installed, logged in to by two Unix users, restarted, stopped, taken away."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest

from guardian_tui.audit_verify import read_checkpoint
from tests.support.booted import Booted, booted_copy, why_no_copy
from tests.support.engine import PASSWORD, ROOT, WAIT_SECONDS
from tests.support.team import python_for_all

pytestmark = pytest.mark.timeout(600)
TREE, LIBRARIES, HOME = "/opt/guardian/tree", "/opt/guardian/libraries", "/var/lib/guardian"
SOCKET = "/run/guardian/engine.sock"


@dataclass
class Person:
    """A Unix user with an account at the engine."""

    name: str
    token: str = ""
    secret: str = ""
    step: int = 0

    def code(self) -> str:
        """A code that was not used yet: the next one, once it is taken."""
        self.step = max(self.step + 1, int(time.time()) // 30)
        while self.step > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        return pyotp.TOTP(self.secret).at(self.step * 30)


class Machine:
    """One that runs systemd, with Guardian installed for all of its users."""

    def __init__(self, booted: Booted) -> None:
        self.booted = booted
        self.ada, self.bob, self.eve = Person("ada"), Person("bob"), Person("eve")

    def run(self, command: str, user: str = "", stdin: bytes = b"") -> tuple[int | None, str]:
        """Exit status, and all that a command said."""
        self.booted.user = user
        done = asyncio.run(self.booted.run(None, f"cd /; {command}", timeout=120, stdin=stdin))
        return done.exit_status, (done.out + done.err).decode()

    def say(self, command: str, user: str = "") -> str:
        """What a command says that must go well."""
        status, words = self.run(command, user)
        assert status == 0, f"{command}: {words}"
        return words.strip()

    def ask(self, who: Person, *orders: tuple[str, dict[str, Any]]) -> list[Any]:
        """The engine's answers to orders of one person, given by that Unix user."""
        given = msgspec.json.encode({"token": who.token, "orders": orders})
        status, words = self.run(
            f"/opt/guardian/venv/bin/python -m tests.support.inside {SOCKET}", who.name, given
        )
        assert status == 0, words
        answers: list[Any] = msgspec.json.decode(words)
        return answers

    def enrol(self, who: Person, route: str, fields: dict[str, Any]) -> None:
        """Password and authenticator, as on first start."""
        (begun,) = self.ask(who, (f"{route}.begin", {"name": who.name, "password": PASSWORD, **fields}))
        who.secret = begun["secret"]
        (enrolled,) = self.ask(who, (f"{route}.confirm", {"token": begun["token"], "code": who.code()}))
        who.token = enrolled["session"]["token"]

    def login(self, who: Person) -> None:
        """Password and the next code."""
        order = {"name": who.name, "password": PASSWORD, "code": who.code(), "kind": "tui"}
        (session,) = self.ask(Person(who.name), ("login", order))
        who.token = session["token"]

    def until(
        self, who: Person, order: tuple[str, dict[str, Any]], holds: Any
    ) -> Any:  # Any: a predicate of JSON
        """The answer once it is so."""
        deadline = time.monotonic() + 2 * WAIT_SECONDS
        while not holds(answer := self.ask(who, order)[0]):
            assert time.monotonic() < deadline, answer
            time.sleep(0.5)
        return answer


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With three users, of whom ada and bob may attach, and nothing installed yet."""
    if why := why_no_copy():
        pytest.skip(why)
    python, _ = python_for_all()
    libraries = Path(next(path for path in sys.path if path.endswith("site-packages")))
    with booted_copy(tmp_path_factory.mktemp("booted"), {TREE: ROOT, LIBRARIES: libraries}) as booted:
        one = Machine(booted)
        # as `python -m venv` and `pip install` would leave it
        venv = "/opt/guardian/venv"
        one.say(
            f"{python} -m venv --without-pip {venv} && printf '{TREE}\\n{LIBRARIES}\\n' >$(echo {venv}/lib/python3*/site-packages)/guardian.pth"
            f" && printf '#!{venv}/bin/python\\nfrom guardian_tui.cli.main import main\\nmain()\\n' >{venv}/bin/guardian-tui"
            f" && chmod 755 {venv}/bin/guardian-tui && ln -s {venv}/bin/guardian-tui /usr/local/bin/"
        )
        # uids that nobody else has: what is done to all processes of one out there would be done to these too
        uid = 20000 + secrets.randbelow(30000)
        one.say(
            f"uid={uid}; for name in ada bob eve carl; do useradd --create-home --shell /bin/sh --uid $((uid += 1)) $name; done"
        )
        yield one


@pytest.fixture(scope="module")
def team(machine: Machine) -> Machine:
    """Installed; ada is its first admin."""
    told = machine.say("guardian-tui engine install")
    code = told.splitlines()[-1].strip()
    machine.say("for name in ada bob; do usermod --append --groups guardian $name; done")
    machine.enrol(machine.ada, "setup", {"code": code})
    return machine


@pytest.fixture(scope="module")
def both(team: Machine) -> Machine:
    """bob is an operator; the vault is open."""
    team.login(team.ada)
    order = ("accounts.invite", {"name": "bob", "grants": [{"profile": "operator"}]})
    (invited,) = team.ask(team.ada, order)
    team.enrol(team.bob, "enrol", {"enrolment_code": invited["enrolment_code"]})
    return team


def test_the_installed_unit_serves_its_group_and_tells_the_journal_when_it_stops(team: Machine) -> None:
    assert team.say("systemctl is-active guardian && systemctl is-enabled guardian").split() == [
        "active",
        "enabled",
    ]
    modes = team.say(
        f"stat -c '%a %U %G' {SOCKET} /run/guardian {HOME} {HOME}/state /etc/guardian/config.toml"
    ).splitlines()
    assert modes == [
        "660 guardian guardian",
        "750 guardian guardian",
        "700 guardian guardian",
        "700 guardian guardian",
        "600 guardian guardian",
    ]
    assert team.say(f"find {HOME} -perm /077") == ""
    status, words = team.run("guardian-tui hosts list", "eve")
    assert status == 3 and "you are not in its group" in words
    shown = team.until(team.ada, ("hosts.show", {"host": "local"}), lambda answer: answer.get("file_systems"))
    root = next(one for one in shown["file_systems"] if one["mount"] == "/")
    # the unit has it mounted read-only; the machine has not, and a full disk is told of on what can be written
    assert root["read_only"] is False
    status, words = team.run("guardian-tui engine first-code")
    assert status == 1 and "There is an admin already" in words
    team.say("systemctl stop guardian")
    shown = team.say("systemctl show -p Result -p ExecMainStatus -p NRestarts guardian")
    assert sorted(shown.splitlines()) == ["ExecMainStatus=0", "NRestarts=0", "Result=success"]
    assert team.run(f"test -e {SOCKET}")[0] == 1
    # who forges such a line can't forge whose it is
    told = team.say(
        "journalctl --no-pager -o cat _SYSTEMD_UNIT=guardian.service SYSLOG_IDENTIFIER=guardian-audit"
    ).splitlines()
    points = [read_checkpoint(line) for line in told]
    assert points and all(point is not None and point.holds(point.key) for point in points), told
    kept = team.say(f"cat {HOME}/state/audit/checkpoints.jsonl").splitlines()
    assert told == kept[-len(told) :]
    team.say("systemctl start guardian")


@pytest.mark.soak
def test_two_people_log_in_with_their_codes_and_go_on_after_a_restart(both: Machine) -> None:
    for one in (both.ada, both.bob):
        status, words = both.run(
            f"printf '%s\\n%s\\n' '{PASSWORD}' {one.code()} | guardian-tui login --name {one.name}", one.name
        )
        assert status == 0 and f"Logged in as {one.name}" in words, words
        assert "up" in both.say("guardian-tui hosts list", one.name)
        assert "the shared engine of the account guardian" in both.say("guardian-tui engine status", one.name)
    stolen = Person("bob", both.ada.token)
    assert both.ask(stolen, ("hosts.list", {}))[0]["error"] == "not-authenticated"
    again = both.say("guardian-tui engine install")
    assert "+ done" not in again and "✓ is so" in again
    both.say("systemctl restart guardian")
    assert both.until(both.bob, ("session", {}), lambda answer: answer.get("account") == "bob")
    # nobody has opened the vault since
    (status,) = both.ask(both.ada, ("engine.status", {}))
    assert status["audit_ok"] and status["vault_locked"]


@pytest.mark.soak
def test_its_hardening_leaves_it_what_it_needs(both: Machine) -> None:
    both.say(
        "install -d -m 700 -o carl ~carl/.ssh"
        f" && runuser -u guardian -- ssh-keygen -q -t ed25519 -N '' -f {HOME}/.ssh/id_ed25519"
        f" && install -m 600 -o carl {HOME}/.ssh/id_ed25519.pub ~carl/.ssh/authorized_keys && systemctl start ssh"
    )
    ada = both.ada
    both.login(ada)
    both.ask(ada, ("hosts.add", {"name": "web", "address": "127.0.0.1", "user": "carl"}))
    (question,) = both.until(ada, ("questions.list", {}), lambda answer: answer.get("questions"))["questions"]
    both.ask(
        ada,
        (
            "questions.answer",
            {"question": question["id"], "accept": True, "fingerprint": question["fingerprint"]},
        ),
    )
    both.until(ada, ("hosts.list", {"filter": "web"}), lambda answer: answer["hosts"][0]["state"] == "up")
    local = {"engine": "restic", "location": f"{HOME}/vault", "host": both.say("hostname")}
    answers = both.ask(
        ada, ("secrets.set", {"name": "backups/own-state", "value": "a long passphrase of ours"}),
        ("secrets.set", {"name": "backups/vault", "value": "another of the repository"}),
        ("repositories.add", {"name": "vault", "secrets": {"RESTIC_PASSWORD": "secret:backups/vault"}, **local}),
        ("repositories.make", {"repository": "vault"}),
    )  # fmt: skip
    assert not [one for one in answers if "error" in one], answers

    def ended(run: dict[str, Any]) -> dict[str, Any]:
        detail = both.until(
            ada, ("backups.log", {"run": run["id"]}), lambda answer: answer["row"]["state"] == "ended"
        )
        row: dict[str, Any] = detail["row"]
        assert row["verdict"] == "ok", detail
        return row

    ended(answers[-1])
    _, saved = both.ask(
        ada,
        ("backups.add", {"name": "own", "host": "", "repository": "vault", "own_state": True}),
        ("backups.run", {"job": "own"}),
    )
    ended(saved)
    # once its snapshot is listed
    drill = both.until(ada, ("backups.drill", {"job": "own"}), lambda answer: "id" in answer)
    assert ended(drill)["compared"] == 1
    # killed, it is started again
    both.say("systemctl kill --signal=KILL --kill-whom=main guardian")
    both.until(ada, ("session", {}), lambda answer: answer.get("account") == "ada")
    assert both.say("systemctl show -P NRestarts guardian") == "1"


@pytest.mark.soak
def test_by_its_credential_it_opens_the_vault_itself(both: Machine) -> None:
    both.say(
        "mkdir -p /etc/credstore.encrypted && head -c 32 /dev/urandom"
        " | systemd-creds encrypt --name=guardian-vault-key - /etc/credstore.encrypted/guardian-vault-key"
    )
    told = both.say("guardian-tui engine install --vault-credential")
    assert "systemctl restart guardian" in told
    both.say("systemctl restart guardian")
    both.until(both.ada, ("session", {}), lambda answer: answer.get("account") == "ada")
    both.login(both.ada)
    (slot,) = both.ask(both.ada, ("vault.add_credential", {}))
    assert "error" not in slot, slot
    both.say("systemctl restart guardian")
    both.until(both.ada, ("engine.status", {}), lambda answer: answer.get("vault_locked") is False)
    assert "systemctl restart" not in both.say("guardian-tui engine install --vault-credential")


@pytest.mark.soak
def test_it_is_taken_away_with_or_without_its_data(both: Machine) -> None:
    both.say("guardian-tui engine uninstall")
    assert both.run("systemctl cat guardian")[0] == 1
    assert both.run(f"test -e {SOCKET}")[0] == 1
    assert both.run(f"test -e {HOME}/state/state.db")[0] == 0
    # as it was, it goes on
    assert "There is a store already" in both.say("guardian-tui engine install")
    assert both.until(both.bob, ("session", {}), lambda answer: answer.get("account") == "bob")
    status, words = both.run("echo no | guardian-tui engine uninstall --data")
    assert status == 1 and "Nothing was changed" in words
    both.say(f"echo {HOME} | guardian-tui engine uninstall --data")
    assert (
        both.run(f"ls -d {HOME} /etc/guardian /run/guardian; getent passwd guardian; getent group guardian")[
            1
        ].count("No such file")
        == 3
    )
