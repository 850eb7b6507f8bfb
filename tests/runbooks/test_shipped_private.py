"""Shipped runbooks that change fixed places of a system (/etc, /root, /var/lib), on private copies of those that this process alone sees."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import render
from guardian_tui.engine.runbooks.documents.library import Library
from tests.support.private import Follower, must_mount, within
from tests.support.sshd import free_port


@pytest.fixture(scope="module", autouse=True)
def mounts() -> None:
    """This process may see other files than the rest of the machine; what it lacks for that is told."""
    must_mount()


@pytest.fixture(scope="module")
def shipped() -> Library:
    """All of them."""
    library = Library(None)
    library.refresh()
    return library


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A real sshd whose /etc/ssh is a folder of ours, and programs: systemctl here does no more than tell that sshd to read again."""
    etc, programs = tmp_path / "etc-ssh", tmp_path / "programs"
    etc.mkdir()
    programs.mkdir()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    key = "/etc/ssh/ssh_host_ed25519_key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / Path(key).name)], check=True
    )
    port = free_port("127.0.0.1")
    (etc / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nPidFile none\nUsePAM no\n"
    )
    with subprocess.Popen(
        within({"/etc/ssh": etc}, "exec /usr/sbin/sshd -D -e"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:  # fmt: skip
        stand_in = programs / "systemctl"
        stand_in.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'reload ssh.service' ] && kill -HUP {server.pid}\n")
        stand_in.chmod(0o755)
        deadline = time.monotonic() + 60.0
        while not scanned(port):
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        try:
            yield etc, programs
        finally:
            server.send_signal(signal.SIGKILL)


def scanned(port: int) -> str:
    """The fingerprint that a server shows; empty when none answers."""
    told = subprocess.run(
        f"ssh-keyscan -T 5 -t ed25519 -p {port} 127.0.0.1 2>/dev/null | ssh-keygen -l -f -", shell=True, capture_output=True, text=True, check=False
    )  # fmt: skip
    return told.stdout.split()[1] if told.returncode == 0 and told.stdout else ""


def test_a_real_sshd_shows_its_new_key_and_then_its_old_one_again(
    shipped: Library, served: tuple[Path, Path]
) -> None:
    etc, programs = served
    follow = Follower(shipped.get("rotate-ssh-host-key"), {}, {"/etc/ssh": etc}, str(programs))
    assert follow.step("now") and follow.step("used"), follow.said
    old = follow.values["old_fingerprint"]
    assert follow.step("make"), follow.said
    new = follow.values["fingerprint"]
    assert new != old
    assert follow.step("swap"), follow.said

    def proven() -> bool:
        # sshd reads again in its own time; the document tries three times
        deadline = time.monotonic() + 60.0
        while not follow.step("proven") and time.monotonic() < deadline:
            time.sleep(0.2)
        return follow.values["fingerprint"] in follow.said

    assert proven(), follow.said
    # a second try must not take the new key for the old one
    assert not follow.step("swap") and "Nothing was done" in follow.said
    assert follow.step("swap", rollback=True), follow.said
    follow.values["fingerprint"] = old
    assert proven(), follow.said
    assert follow.step("swap", rollback=True), follow.said
    assert proven() and follow.step("make", rollback=True)
    assert {path.name for path in etc.glob("ssh_host*")} == {
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    }


def test_a_key_that_sshd_refuses_never_stays(shipped: Library, served: tuple[Path, Path]) -> None:
    etc, programs = served
    follow = Follower(shipped.get("rotate-ssh-host-key"), {}, {"/etc/ssh": etc}, str(programs))
    assert follow.step("now") and follow.step("make")
    before = (etc / "ssh_host_ed25519_key").read_text()
    (etc / "ssh_host_ed25519_key.new").write_text("no key\n")
    assert not follow.step("swap") and "The old one is in place again." in follow.said
    assert (etc / "ssh_host_ed25519_key").read_text() == before


def test_a_cluster_steps_aside_and_no_older_copy_is_taken_for_it(shipped: Library, tmp_path: Path) -> None:
    place = tmp_path / "postgresql"
    cluster, before = place / "15" / "main", place / "15" / "main.before"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("now")
    before.mkdir()
    (before / "PG_VERSION").write_text("an older restore's")
    values = {"version": "15", "cluster": "main", "stanza": "main", "moment": "2026-11-29 22:10"}
    follow = Follower(shipped.get("postgresql-point-in-time-restore"), values, {"/var/lib/postgresql": place})
    assert not follow.step("room")
    # whoever goes on all the same is refused, and taking that back harms nothing
    assert not follow.step("aside") and "not tidied up" in follow.said
    assert follow.step("aside", rollback=True) and (cluster / "PG_VERSION").read_text() == "now"
    shutil.rmtree(before)
    assert follow.step("room") and follow.step("aside"), follow.said
    assert list(cluster.iterdir()) == [] and (before / "PG_VERSION").read_text() == "now"
    (cluster / "PG_VERSION").write_text("restored")
    assert follow.step("aside", rollback=True), follow.said
    assert (cluster / "PG_VERSION").read_text() == "now" and not before.exists()
    (failed,) = place.glob("15/main.failed.*")
    assert (failed / "PG_VERSION").read_text() == "restored"
    assert follow.step("aside", rollback=True) and (cluster / "PG_VERSION").read_text() == "now"


def test_keys_of_who_leaves_go_and_come_back_and_nobody_elses_with_them(
    shipped: Library, tmp_path: Path
) -> None:
    root, home, etc = tmp_path / "root", tmp_path / "home", tmp_path / "etc-ssh"
    files = [root / ".ssh" / "authorized_keys", home / "deploy" / ".ssh" / "authorized_keys"]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(
            "ssh-ed25519 AAAAbob bob@laptop\nssh-ed25519 AAAAeve eve@laptop\nssh-ed25519 AAAAada ada@laptop\n"
        )
        file.chmod(0o600)
    etc.mkdir()
    mounts = {"/root": root, "/home": home, "/etc/ssh": etc}

    def leaver(name: str) -> Follower:
        values = {"account": f"{name}-not-here", "key": f"{name}@laptop"}
        return Follower(shipped.get("off-boarding"), values, mounts)

    bob, eve = leaver("bob"), leaver("eve")
    assert bob.step("keys") and not bob.step("gone") and "still opens" in bob.said
    assert bob.step("lock") and "no such account" in bob.said and bob.step("keys_out"), bob.said
    assert bob.step("gone") and bob.step("keys_out") and eve.step("keys_out"), bob.said + eve.said
    assert all(file.read_text() == "ssh-ed25519 AAAAada ada@laptop\n" for file in files)
    assert files[0].stat().st_mode & 0o777 == 0o600
    # who comes back does not bring back who left before
    assert eve.step("keys_out", rollback=True), eve.said
    assert all("eve@" in file.read_text() and "bob@" not in file.read_text() for file in files)
    assert bob.step("lock", rollback=True), bob.said


def test_the_account_gets_back_the_shell_and_the_date_that_it_had(shipped: Library, tmp_path: Path) -> None:
    for name in ("passwd", "shadow", "group", "gshadow"):
        shutil.copy(f"/etc/{name}", tmp_path / name)
    etc, root = tmp_path / "etc", tmp_path / "root"
    shutil.copytree("/etc", etc, symlinks=True, ignore=lambda folder, names: set() if folder != "/etc" else set(names) - {
        "passwd", "shadow", "group", "gshadow", "login.defs", "pam.d", "security", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "shells",
        "default",
    })  # fmt: skip
    root.mkdir()
    mounts = {"/etc": etc, "/root": root}
    made = within(mounts, "useradd --uid 4711 --shell /bin/sh --expiredate 2031-05-06 --password '*' leaver")
    subprocess.run(made, check=True, capture_output=True)
    follow = Follower(shipped.get("off-boarding"), {"account": "leaver", "key": "leaver@laptop"}, mounts)

    def account() -> tuple[str, str, str]:
        line = next(line for line in (etc / "passwd").read_text().splitlines() if line.startswith("leaver:"))
        kept = next(line for line in (etc / "shadow").read_text().splitlines() if line.startswith("leaver:"))
        return line.split(":")[6], kept.split(":")[1], kept.split(":")[7]

    was = account()
    assert was[0] == "/bin/sh"
    assert follow.step("lock"), follow.said
    assert account() == ("/usr/sbin/nologin", "!*", "1")
    # tried twice, it still knows how it was
    assert follow.step("lock") and follow.step("lock", rollback=True), follow.said
    assert account() == was
    assert follow.step("lock", rollback=True) and "not locked by this" in follow.said
    follow.values["account"] = "daemon"
    assert not follow.step("lock") and "account of the system" in follow.said


def test_blue_and_green_change_and_go_back_to_what_was_active(shipped: Library, tmp_path: Path) -> None:
    etc, programs = tmp_path / "nginx", tmp_path / "programs"
    (etc / "upstreams").mkdir(parents=True)
    programs.mkdir()
    for side in ("blue", "green"):
        (etc / "upstreams" / f"{side}.conf").write_text(f"# {side}\n")
    active, refuse = etc / "upstreams" / "active.conf", tmp_path / "refuse"
    active.symlink_to("green.conf")
    for name, text in (("nginx", f"test ! -e {refuse}"), ("systemctl", "true")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    # the script alone is of interest: its fixed folder need not be there
    document = shipped.get("blue-green-nginx")
    place = Path("/mnt")
    follow = Follower(document, {"to": "green"}, {str(place): etc}, str(programs))
    text = {"switch": document.step("switch")}
    assert "/etc/nginx/upstreams" in text["switch"].text and "/etc/nginx/upstreams" in text["switch"].rollback

    def step(*, rollback: bool = False) -> bool:
        done = render(document, text["switch"], follow.values, rollback=rollback)
        command = exports(done.environment).decode() + done.command.replace("/etc/nginx", str(place))
        ran = subprocess.run(
            within(follow.mounts, command), capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        )  # fmt: skip
        follow.said = ran.stdout + ran.stderr
        return ran.returncode == 0

    # it is active already: going back must not lead people to the other side
    assert step() and "active already" in follow.said
    assert step(rollback=True) and os.readlink(active) == "green.conf"
    follow.values["to"] = "blue"
    refuse.touch()
    assert not step() and "green.conf is active as before" in follow.said
    assert step(rollback=True) or os.readlink(active) == "green.conf"
    refuse.unlink()
    assert step() and os.readlink(active) == "blue.conf"
    assert step(rollback=True) and os.readlink(active) == "green.conf"
    assert step(rollback=True) and os.readlink(active) == "green.conf"


def test_logs_on_a_file_system_that_is_really_full_are_told_and_emptied(
    shipped: Library, tmp_path: Path
) -> None:
    full = tmp_path / "log"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(full)], check=True)
    try:
        log = full / "big.log"
        with pytest.raises(OSError, match="No space left"):
            log.write_bytes(b"x" * (2 << 20))
        assert log.stat().st_size > 900_000
        values = {"mount": "/var/log", "log_file": "/var/log/big.log"}
        follow = Follower(shipped.get("disk-almost-full"), values, {"/var/log": full})
        assert follow.step("usage") and follow.values["used"] == "100"
        assert follow.step("large_logs") and "/var/log/big.log" in follow.said
        assert follow.step("log_tail") and not follow.step("recheck")
        (full / "link.log").symlink_to("big.log")
        follow.values["log_file"] = "/var/log/link.log"
        assert not follow.step("log_empty") and "Nothing was done" in follow.said
        follow.values["log_file"] = "/var/log/big.log"
        assert follow.step("log_empty"), follow.said
        assert follow.step("recheck") and int(follow.values["used"]) < 20
    finally:
        subprocess.run(["umount", str(full)], check=True)
