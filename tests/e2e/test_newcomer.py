"""The newcomer's path, in a real terminal, with a real sshd and a real mail sink."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest

from tests.support.sinks import SmtpSink
from tests.support.sshd import Sshd
from tests.support.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "correct donkey staple 9"


class MailBox:
    """A real SMTP sink in a thread of its own."""

    def __init__(self) -> None:
        self.sink: SmtpSink | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def begin() -> None:
            self.sink = SmtpSink()
            await self.sink.__aenter__()
            self._ready.set()

        self._loop.run_until_complete(begin())
        self._loop.run_forever()

    @property
    def subjects(self) -> list[str]:
        assert self.sink is not None
        return [str(mail["subject"]) for mail in self.sink.mails]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def mail_box() -> Iterator[MailBox]:
    box = MailBox()
    yield box
    box.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """GUARDIAN_HOME; whatever engine runs there is stopped at the end, by the pid that holds the store."""
    folder = tmp_path / "g"
    yield folder
    lock = folder / "state" / "engine.lock"
    if lock.exists() and (pid := lock.read_text().strip()):
        subprocess.run(["kill", "-TERM", pid], check=False, capture_output=True)


def guardian(home: Path, *words: str, feed: str = "") -> subprocess.CompletedProcess[str]:
    """A headless command."""
    return subprocess.run(
        [sys.executable, "-m", "guardian_tui", *words], cwd=ROOT, env={**os.environ, "HOME": str(home), "GUARDIAN_HOME": str(home)},
        input=feed, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def enrol(terminal: Terminal) -> str:
    """Walk through the first start; answers the TOTP secret."""
    terminal.wait_for("welcome to guardian")
    terminal.type("ada")
    terminal.press("Enter")
    terminal.type(PASSWORD)
    terminal.press("Enter")
    terminal.type(PASSWORD)
    terminal.press("Enter")
    shown = terminal.wait_for("Scan this", "Code")
    secret = "".join(re.findall(r"\b[A-Z2-7]{4}\b", shown))
    assert len(secret) == 32, shown
    terminal.type(pyotp.TOTP(secret).now())
    terminal.press("Enter")
    terminal.wait_for("keep these", "recovery key")
    terminal.press("Enter")
    terminal.wait_for("hosts 1", "audit")
    return secret


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24)])
def test_a_newcomer_gets_from_nothing_to_a_verified_audit_log(
    terminal: Callable[..., Terminal],
    sshd: Callable[..., Sshd],
    mail_box: MailBox,
    home: Path,
    width: int,
    height: int,
) -> None:
    host = sshd("127.0.0.2")
    assert mail_box.sink is not None
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(
        f'[fleet]\ninterval_seconds = 1\n[alerts.channels.mail]\nkind = "smtp"\nurl = "{mail_box.sink.url}"\nstarttls = false\n'
        'sender = "guardian@example.test"\nto = ["ops@example.test"]\n'
    )
    console = terminal(
        f"cd {ROOT} && {sys.executable} -m guardian_tui",
        width,
        height,
        GUARDIAN_HOME=str(home),
        HOME=str(home),
    )
    secret = enrol(console)

    # add a real host, and accept its key
    console.type("n")
    console.wait_for("add a host", "Credential")
    for value in (
        "web-1",
        "127.0.0.2",
        None,
        host.user,
        "",
        f"key:{host.client_key}",
        "",
        "prod",
        "role=web",
        "",
    ):
        if value is None:
            console.press("BSpace", "BSpace")
            console.type(str(host.port))
        elif value:
            console.type(value)
        console.press("Enter")
    console.wait_for("web-1", "unknown", "not accepted yet")
    console.type("K")
    console.wait_for("accept this host key", host.fingerprint)
    console.type("y")
    console.wait_until_gone("accept this host key")
    wait_for_state(console, "web-1", "up")

    # it dies: an alert, and a mail
    host.stop()
    wait_for_state(console, "web-1", "down")
    deadline = time.monotonic() + 60
    while not any("web-1" in subject for subject in mail_box.subjects):
        assert time.monotonic() < deadline, f"no mail came: {mail_box.subjects}"
        time.sleep(0.2)

    # acknowledge it
    move_to(console, "web-1")
    console.type("a")
    console.wait_for("yours")

    # it comes back, and the alert resolves
    host.start()
    wait_for_state(console, "web-1", "up")

    # all of it is in the audit log, which verifies
    console.type(":audit")
    console.press("Enter")
    shown = console.wait_for("alerts.acknowledge", "questions.answer", "hosts.add", "setup.confirm")
    assert "alert.fired" in shown
    assert "alert.resolved" in shown
    console.type("V")
    console.wait_for("the chain holds")

    # the same headless; a code works once, so the next one is waited for
    code = pyotp.TOTP(secret).at(time.time() + 30)
    login = guardian(home, "login", "--name", "ada", feed=f"{PASSWORD}\n{code}\n")
    assert login.returncode == 0, login.stderr
    verdict = guardian(home, "audit", "verify", "--json")
    assert verdict.returncode == 0, verdict.stderr
    assert json.loads(verdict.stdout)["ok"] is True
    hosts = guardian(home, "hosts", "list", "--json")
    assert {row["name"]: row["state"] for row in json.loads(hosts.stdout)["hosts"]}["web-1"] == "up"
    bundle = home / "export.json"
    bundle.write_text(guardian(home, "audit", "export").stdout)
    offline = guardian(home, "audit", "verify", str(bundle))
    assert offline.returncode == 0, offline.stdout + offline.stderr
    console.press("Escape")
    console.type("q")
    console.wait_for("ended 0")


def wait_for_state(console: Terminal, name: str, state: str, seconds: float = 60.0) -> None:
    """Wait until the line of a host shows a state."""
    deadline = time.monotonic() + seconds
    while not re.search(rf"{name}\s+{state}\b", shown := console.screen()):
        assert time.monotonic() < deadline, f"{name} never was {state}:\n{shown}"
        time.sleep(0.2)


def move_to(console: Terminal, name: str) -> None:
    """Put the cursor on a host's line."""
    console.press("Home")
    for _ in range(20):
        # a paint may take a moment on a busy machine: look twice before going on
        for _ in range(4):
            if re.search(rf"▌. {name}\s", console.screen()):
                return
            time.sleep(0.25)
        console.press("Down")
    raise AssertionError(console.screen())
