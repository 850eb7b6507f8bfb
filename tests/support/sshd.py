"""A real OpenSSH server on a loopback address."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 30.0


@dataclass(frozen=True)
class SshUser:
    """Whom to log in as."""

    name: str
    home: Path


@contextmanager
def ssh_user() -> Iterator[SshUser]:
    """A Unix user with /bin/sh.  root's own shell reads .bashrc at each command, so root makes a user of its own."""
    if os.geteuid() != 0:
        yield SshUser(getpass.getuser(), Path.home())
        return
    # not the process id: a run that was killed leaves its user, and ids come again
    name = f"gt{secrets.token_hex(6)}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)
    # "*" instead of "!": no password, but not locked, or sshd refuses keys too
    subprocess.run(["usermod", "-p", "*", name], check=True, capture_output=True)
    try:
        yield SshUser(name, Path(pwd.getpwnam(name).pw_dir))
    finally:
        # whatever was left running as the user holds it back
        subprocess.run(["pkill", "-KILL", "-u", name], check=False, capture_output=True)
        subprocess.run(["userdel", "--remove", name], check=False, capture_output=True)


def free_port(address: str) -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


class Sshd:
    """One server: its keys, its configuration, its process."""

    def __init__(self, folder: Path, user: SshUser, address: str, options: dict[str, str]) -> None:
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        if not Path(program).exists():
            raise RuntimeError("sshd is not installed (Debian: apt-get install openssh-server)")
        self._program = program
        self.folder = folder
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.user = user.name
        self.home = user.home
        self.address = address
        self.port = free_port(address)
        self._options = options
        self.client_key = folder / "client"
        _keygen(self.client_key)
        shutil.copy(self.client_key.with_suffix(".pub"), folder / "authorized_keys")
        (folder / "authorized_keys").chmod(0o644)
        self._process: subprocess.Popen[bytes] | None = None
        self.new_host_key()

    @property
    def pid(self) -> int:
        """Of the server's own process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def new_host_key(self) -> None:
        """Give it another host key (it must be started again)."""
        for old in self.folder.glob("host*"):
            old.unlink()
        _keygen(self.folder / "host")

    @property
    def host_key(self) -> str:
        """Its public key, as in known_hosts: algorithm and base64."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        """SHA256:… of its key, by ssh-keygen."""
        told = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / "host.pub")], capture_output=True, text=True, check=True
        )
        return told.stdout.split()[1]

    def start(self) -> None:
        """Start it, and wait until it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        options = {
            "Port": str(self.port), "ListenAddress": self.address, "HostKey": str(self.folder / "host"), "PidFile": "none",
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"), "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "MaxStartups": "400", "MaxSessions": "400",
            "LogLevel": "ERROR", "UseDNS": "no", "PermitUserEnvironment": "yes", **self._options,
        }  # fmt: skip
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self._program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((self.address, self.port)) == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"sshd did not start: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Stop it, and every connection it serves."""
        process, self._process = self._process, None
        if process is None:
            return
        # its children and theirs serve the connections, and would go on without it
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(timeout=10)
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def _keygen(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
