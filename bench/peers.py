"""What other tools spend on one sample of a host: `ssh`, plain and through a ControlMaster, Ansible's raw module and parallel-ssh.

Ansible and parallel-ssh are no dependencies of ours: they are installed by name into an environment of their own under the cache folder, beside
all else that is measured, the first time that they are wanted.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from support import ROOT

from tests.support.sshd import Sshd

FILES = (
    "stat", "meminfo", "loadavg", "uptime", "net/dev", "diskstats", "vmstat", "pressure/cpu", "pressure/memory", "pressure/io",
    "sys/fs/file-nr", "sys/net/netfilter/nf_conntrack_count",
)  # fmt: skip
"""What the probe reads, below /proc."""
PROC = " ".join(["cat", *(path for name in FILES if Path(path := f"/proc/{name}").exists())])
"""The same by another program."""
PACKAGES = ("ansible-core", "parallel-ssh")
INSTALL_SECONDS = 300

_PARALLEL = """
import json, sys, time
from pssh.clients import ParallelSSHClient
address, port, user, key, command, hosts, rounds = sys.argv[1:]
client = ParallelSSHClient([address] * int(hosts), user=user, port=int(port), pkey=key, pool_size=int(hosts), allow_agent=False)
def wave():
    outputs = client.run_command(command)
    client.join(outputs)
    for output in outputs:
        assert sum(len(line) for line in output.stdout) > 1000, output
wave()
before = time.process_time()
for _ in range(int(rounds)):
    wave()
print(json.dumps((time.process_time() - before) / int(hosts) / int(rounds)))
"""


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, all its threads, to the nanosecond."""
    return (
        sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def children_cpu() -> float:
    """CPU seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Ssh:
    """OpenSSH's client against a server.

    Args:
        folder: for its known_hosts and the master's socket; short, for a socket's name has 100 characters at the most.
    """

    def __init__(self, server: Sshd, folder: Path) -> None:
        known = folder / "known_hosts"
        known.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
        self.options = [
            "-F", "none", "-i", str(server.client_key), "-p", str(server.port), "-o", f"UserKnownHostsFile={known}",
            "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
        ]  # fmt: skip
        self._goal = f"{server.user}@{server.address}"
        self._folder = folder

    def plain(self, count: int) -> float:
        """CPU seconds of an exec over a connection of its own."""
        before = children_cpu()
        self._execs([], count)
        return (children_cpu() - before) / count

    def through_master(self, count: int) -> float:
        """CPU seconds of an exec through a ControlMaster, the master's own included."""
        control = ["-o", f"ControlPath={self._folder}/mux"]
        master = subprocess.Popen(
            ["ssh", *self.options, *control, "-o", "ControlMaster=yes", "-N", self._goal]
        )
        try:
            while not (self._folder / "mux").exists():
                if master.poll() is not None:
                    raise SystemExit("the ControlMaster did not start")
                time.sleep(0.02)
            self._execs(control, 5)
            before = children_cpu() + cpu_of(master.pid)
            self._execs(control, count)
            return (children_cpu() + cpu_of(master.pid) - before) / count
        finally:
            master.kill()
            master.wait(timeout=10)

    def _execs(self, options: list[str], count: int) -> None:
        for _ in range(count):
            command = ["ssh", *self.options, *options, self._goal, PROC]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Environment:
    """The other tools' environment: found, or being made while other things are measured."""

    def __init__(self) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.folder = cache / "guardian-tui" / "bench-peers"
        self._making: subprocess.Popen[bytes] | None = None
        if not (self.folder / "complete").exists():
            print(f"installing {', '.join(PACKAGES)} into {self.folder}, once; this run takes longer")
            script = '"$1" -m venv "$2" && "$2/bin/pip" install --quiet "${@:3}" && touch "$2/complete"'
            self._making = subprocess.Popen(
                ["bash", "-c", script, "bash", sys.executable, str(self.folder), *PACKAGES],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def ready(self) -> bool:
        """Whether it can be used; waits until it is made."""
        if self._making is not None:
            try:
                self._making.wait(timeout=INSTALL_SECONDS)
            except subprocess.TimeoutExpired:
                self._making.kill()
                self._making.wait()
            self._making = None
        found = (self.folder / "complete").exists()
        if not found:
            print(f"{' and '.join(PACKAGES)} could not be installed into {self.folder}: not compared with")
        return found

    def ansible(self, server: Sshd, ssh: Ssh, folder: Path, hosts: int) -> float:
        """CPU seconds of the raw module for one host, its masters being up."""
        inventory, config = folder / "hosts", folder / "ansible.cfg"
        inventory.write_text(
            "".join(
                f"h{number} ansible_host={server.address} ansible_port={server.port} ansible_user={server.user}"
                # a master each, as hosts have
                f" ansible_ssh_extra_args='-o ControlPath={folder}/a{number}'\n"
                for number in range(hosts)
            )
        )
        shared = "-o ControlMaster=auto -o ControlPersist=60s"
        config.write_text(
            f"[defaults]\nforks = 10\nhost_key_checking = true\ninterpreter_python = /usr/bin/python3\n"
            f"[ssh_connection]\npipelining = true\nssh_args = {' '.join(ssh.options)} {shared}\n"
        )
        command = [str(self.folder / "bin" / "ansible"), "all", "-i", str(inventory), "-m", "raw", "-a", PROC]
        settings = {
            **os.environ,
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "LC_ALL": "C.UTF-8",
        }

        def once() -> float:
            before = children_cpu()
            done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"ansible failed: {done.stdout[-500:]} {done.stderr[-500:]}")
            return (children_cpu() - before) / hosts

        once()
        return once()

    def parallel_ssh(self, server: Sshd, hosts: int, rounds: int) -> float:
        """CPU seconds of an exec on a kept connection."""
        words = [
            server.address,
            str(server.port),
            server.user,
            str(server.client_key),
            PROC,
            str(hosts),
            str(rounds),
        ]
        command = [str(self.folder / "bin" / "python"), "-c", _PARALLEL, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"parallel-ssh failed: {done.stderr[-500:]}")
        return float(json.loads(done.stdout))
