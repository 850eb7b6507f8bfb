"""The runbooks that come with Guardian: sound, safe to follow, and doing what they say on a real system."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_tui.engine.alerts.catalogue import SHIPPED_NAMES
from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import Document, Step, capture, command_values, judge, render
from guardian_tui.engine.runbooks.documents.library import Library
from guardian_tui.engine.runbooks.documents.rendering import placeholders

WANTED = {
    "disk-almost-full", "unit-failed", "host-unreachable", "memory-pressure", "runaway-process", "certificate-renewal", "clock-drift", "security-updates",
    "postgresql-point-in-time-restore", "file-restore", "rotate-ssh-host-key", "blue-green-nginx", "incident-response", "off-boarding", "guardian-upgrade",
}  # fmt: skip
VALUES = {
    "mount": "/var", "used": "83", "journal_days": "14", "log_file": "/var/log/x.log", "unit": "x.service", "address": "web-1", "port": "22", "pid": "4711",
    "began": "1", "domain": "a.example", "certificate": "a", "new_certificate": "/etc/a.new", "new_key": "/etc/b.new", "start_one": "chrony.service",
    "version": "15", "cluster": "main", "stanza": "main", "moment": "2026-11-29 22:10", "place": "/srv/it's a file", "restored": "/var/tmp/r", "copy": "/c",
    "fingerprint": "SHA256:abc", "to": "green", "case": "c-1", "account": "bob", "key": "bob@laptop", "file": "/var/tmp/g.tar", "passphrase": "p'w",
    "new": "/a.whl", "old": "/b.whl", "job": "nightly", "server": "nginx.service", "health": "http://127.0.0.1/health",
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> Library:
    """All of them."""
    library = Library(None, rules=SHIPPED_NAMES)
    library.refresh()
    return library


def commands(shipped: Library) -> Iterator[tuple[str, Step, str, dict[str, str]]]:
    """Every command with values in it, those that take back too, with its environment."""
    for entry in shipped.entries:
        document = shipped.get(entry.id)
        for step in document.steps:
            for rollback in (False, True):
                if step.acts and (step.rollback or not rollback):
                    done = render(document, step, VALUES, rollback=rollback)
                    yield entry.id, step, done.command, done.environment


def test_they_are_all_there_and_nothing_is_to_be_said_against_them(shipped: Library) -> None:
    assert [str(one) for entry in shipped.entries for one in entry.findings] == []
    assert {entry.id for entry in shipped.entries} >= WANTED and not shipped.problem
    assert all(entry.file == f"{entry.id}.md" and entry.origin == "shipped" for entry in shipped.entries)


def test_a_person_at_three_in_the_morning_is_told_what_and_why(shipped: Library) -> None:
    for entry in shipped.entries:
        document = shipped.get(entry.id)
        assert (
            document.summary and document.roles and document.steps[0].prose.startswith(f"# {document.title}")
        ), entry.id
        assert document.steps[0].kind in ("check", "instruct") or document.steps[0].name == "lists", (
            f"{entry.id} looks before it acts"
        )
        assert any(step.kind == "choose" for step in document.steps), f"{entry.id} leaves no choice"
        for step in document.steps:
            assert step.dangerous == "" or " " in step.dangerous.strip("."), (
                f"{entry.id}: {step.name} does not say why it is dangerous"
            )
            if step.confirm or step.fanout:
                assert step.dangerous, f"{entry.id}: {step.name}"


def test_who_answers_an_alert_can_hand_it_on(shipped: Library) -> None:
    answered = {rule for entry in shipped.entries for rule in shipped.get(entry.id).rules}
    assert answered >= {
        "disk_low",
        "unit_failed",
        "host_down",
        "memory_low",
        "cpu_busy",
        "tls_certificate",
        "clock_offset",
        "backup_stale",
        "failed_logins",
    }
    for entry in shipped.entries:
        document = shipped.get(entry.id)
        if document.rules and document.id not in ("runaway-process", "security-updates", "incident-response"):
            assert any(step.name == "escalate" and step.kind == "notify" for step in document.steps), entry.id


def test_what_is_locked_or_moved_can_be_taken_back(shipped: Library) -> None:
    for id_, names in {
        "off-boarding": ("lock", "sessions", "keys_out"), "blue-green-nginx": ("switch",), "rotate-ssh-host-key": ("make", "swap"),
        "postgresql-point-in-time-restore": ("stop_cluster", "aside", "start"), "file-restore": ("in_place",), "guardian-upgrade": ("install",),
        "certificate-renewal": ("swap",), "incident-response": ("account_lock",), "security-updates": ("install", "install_all", "reboot"),
    }.items():  # fmt: skip
        assert all(shipped.get(id_).step(name).rollback for name in names), id_


def test_every_command_is_one_that_a_shell_reads(shipped: Library) -> None:
    everything = [(f"{id_}:{step.name}", command) for id_, step, command, _ in commands(shipped)]
    assert len(everything) > 100
    for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]):
        script = "\n".join(
            f"check {shlex.quote(name)} {shlex.quote(command)}" for name, command in everything
        )
        check = f'check() {{ printf "%s\\n" "$2" | {shlex.join(shell)} -n || echo "$1"; }}\n'
        done = subprocess.run(["sh"], input=check + script, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")


def test_no_command_names_a_variable_that_nobody_sets(shipped: Library) -> None:
    for id_, step, _, environment in commands(shipped):
        for text in (step.text, step.rollback):
            assert all(
                name in VALUES or name in {one.name for one in shipped.get(id_).variables}
                for name, _ in placeholders(text)
            )
            for name in (
                "PID",
                "BEGAN",
                "ACCOUNT",
                "KEY",
                "PLACE",
                "COPY",
                "FOLDER",
                "CASE",
                "TO",
                "VERSION",
                "CLUSTER",
                "CERTIFICATE",
                "DOMAIN",
            ):
                assert f'"${name}"' not in text or name in environment, f"{id_}: {step.name}"


# --- on a real system -----------------------------------------------------------------------------------


class Follower:
    """Follows steps of one runbook here, through a real shell."""

    def __init__(self, document: Document, values: dict[str, str]) -> None:
        self._document = document
        self.values = values
        self.said = ""

    def step(self, name: str, *, rollback: bool = False) -> bool:
        """Whether a step is good; what it captured is kept."""
        step = self._document.step(name)
        done = render(self._document, step, self.values, rollback=rollback)
        fed = exports(done.environment).decode() + done.command
        began = time.monotonic()
        ran = subprocess.run(
            ["sh", "-c", fed], input=done.stdin, capture_output=True, text=True, timeout=60, check=False
        )
        self.said = ran.stdout + ran.stderr
        found = capture(step.capture, ran.stdout)
        known = {
            **self.values,
            **found,
            **command_values(ran.returncode, ran.stdout, ran.stderr, time.monotonic() - began),
        }
        self.values |= found
        return judge("" if rollback else step.expect, known).holds is True


def test_a_file_comes_back_and_can_be_taken_back(shipped: Library, tmp_path: Path, restorable: Path) -> None:
    place, restored = tmp_path / "it's a file", restorable / "restored"
    place.write_text("bad")
    follow = Follower(
        shipped.get("file-restore"),
        {"place": str(place), "restored": str(restored), "copy": str(restored / "x")},
    )
    assert follow.step("now") and follow.step("folder")
    (restored / "x").write_text("good")
    assert not follow.step("folder") and "not empty" in follow.said
    assert follow.step("landed") and follow.step("compare") and "differ" in follow.said
    assert follow.step("in_place") and follow.step("same") and place.read_text() == "good"
    assert not follow.step("in_place") and "there already" in follow.said
    # what was written into it since is nobody's to throw away
    place.write_text("newer")
    assert not follow.step("in_place", rollback=True) and "Nothing was taken back" in follow.said
    assert place.read_text() == "newer"
    place.write_text("good")
    assert follow.step("in_place", rollback=True) and place.read_text() == "bad"
    place.unlink()
    assert follow.step("in_place") and follow.step("in_place", rollback=True) and not place.exists()
    assert follow.step("tidy") and not restored.exists()


def test_another_process_with_the_same_number_is_not_ended(shipped: Library) -> None:
    with subprocess.Popen(["sleep", "300"]) as process:
        follow = Follower(shipped.get("runaway-process"), {"pid": str(process.pid)})
        assert follow.step("look") and int(follow.values["began"]) > 0
        began, follow.values["began"] = follow.values["began"], "1"
        assert not follow.step("kill_it") and "Nothing was done" in follow.said and process.poll() is None
        follow.values["began"] = began
        assert follow.step("kill_it") and process.wait(10) == -9


def make_certificate(folder: Path, name: str, host: str, end: str) -> None:
    """A key and a certificate that signs itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90", "-subj", f"/CN={host}", "-addext",
         f"subjectAltName=DNS:{host}", "-keyout", folder / f"{name}.key{end}", "-out", folder / f"{name}.crt{end}"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_a_certificate_by_hand_has_to_fit_and_can_be_taken_back(shipped: Library, tmp_path: Path) -> None:
    make_certificate(tmp_path, "shop", "shop.example", "")
    make_certificate(tmp_path, "shop", "shop.example", ".new")
    make_certificate(tmp_path, "other", "other.example", ".new")
    old, new = (tmp_path / "shop.crt").read_text(), (tmp_path / "shop.crt.new").read_text()
    (tmp_path / "shop.key").chmod(0o640)
    values = {
        "domain": "shop.example",
        "new_certificate": str(tmp_path / "other.crt.new"),
        "new_key": str(tmp_path / "other.key.new"),
    }
    follow = Follower(shipped.get("certificate-renewal"), values)
    assert not follow.step("fits") and "another name" in follow.said
    values["new_key"] = str(tmp_path / "shop.key.new")
    assert not follow.step("fits") and "does not fit" in follow.said
    values["new_certificate"] = str(tmp_path / "shop.crt.new")
    assert follow.step("fits") and follow.step("swap")
    assert (tmp_path / "shop.crt").read_text() == new and os.stat(
        tmp_path / "shop.key"
    ).st_mode & 0o777 == 0o640
    # a second try must not take the new one for the old one
    assert not follow.step("swap") and "Nothing was done" in follow.said
    assert follow.step("swap", rollback=True) and (tmp_path / "shop.crt").read_text() == old
    assert follow.step("swap", rollback=True) and (tmp_path / "shop.crt").read_text() == old
    assert "was not replaced" in follow.said and (tmp_path / "shop.crt.new").read_text() == new


def test_looking_at_a_disk_and_at_the_machine_works_here(shipped: Library) -> None:
    disk = Follower(shipped.get("disk-almost-full"), {"mount": "/"})
    assert disk.step("usage") and 0 < int(disk.values["used"]) <= 100
    # what lies in memory fills no disk, and is not told
    with tempfile.NamedTemporaryFile(dir="/var/tmp", delete=False) as held:
        held.truncate(1 << 40)
        os.unlink(held.name)
        assert disk.step("deleted") and f"{held.name} (deleted)" in disk.said.splitlines()[0]
    assert Follower(shipped.get("memory-pressure"), {}).step("largest")
    process = Follower(shipped.get("runaway-process"), {})
    assert process.step("top") and "%CPU" in process.said
    network = Follower(shipped.get("host-unreachable"), {"address": "127.0.0.1", "port": "1"})
    assert network.step("resolve") and network.step("port_answers")
