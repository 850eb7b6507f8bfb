"""A Debian of its own under systemd, booted in namespaces of its own, so that it touches nothing of this machine's.

Its root is a folder by debootstrap, or this machine's own with all that it writes kept in memory: that is there at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from guardian_tui.engine.remote.commands import Commands, run_here
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.engine.remote.target import Target

PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,util-linux,procps"
PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 60.0
CGROUPS = Path("/sys/fs/cgroup")

# devices of its own, for systemd changes owner and mode of its console; the kernel's settings, which all share, can't be written
# $0: the root folder, $1: a control group of ours, of which systemd sees nothing above, $2: the unit that it is booted into
_BOOT = """
echo $$ >"$1/cgroup.procs"
exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child --propagation private /bin/sh -ec '
target=$2
@ROOT@
cd "$0"
mount -t proc proc proc
mount -t sysfs -o ro sys sys
for name in run tmp dev; do mount -t tmpfs "$name" "$name"; done
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
console 1 3
END
ln -s pts/ptmx dev/ptmx
mkdir -p dev/pts dev/shm old
mount -t cgroup2 cgroup2 sys/fs/cgroup
pivot_root . old
umount -l /old
mount --make-rshared /
exec env -i container=guardian-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system systemd.unified_cgroup_hierarchy=1 \\
    systemd.unit=$target systemd.log_target=null systemd.show_status=0' "$0" "$@"
"""
_FOLDER = 'mount --bind "$0" "$0"'
# nothing that this machine starts by itself is started; after $2: pairs of a place and what is seen there
_COPY = """
mount -t tmpfs -o mode=755 memory "$0"
mkdir "$0/upper" "$0/work"
mount -t overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" copy "$0"
: >"$0/etc/fstab"
printf "[Unit]\\nRequires=basic.target dbus.service systemd-user-sessions.service\\nAfter=basic.target dbus.service\\n" >"$0/etc/systemd/system/$target"
while [ $# -gt 2 ]; do
    mkdir -p "$0$3"
    mount --bind "$4" "$0$3"
    mount -o remount,bind,ro "$0$3"
    shift 2
done
"""


class Booted(Commands):
    """Runs commands in there, as root or as another user."""

    def __init__(self, init: int) -> None:
        self._init = init
        self.user = ""

    async def run(
        self, target: Target | None, command: str, *, timeout: float, limit_bytes: int = 1 << 20, stdin: bytes = b""
    ) -> Completed:  # fmt: skip
        words = ["nsenter", "--target", str(self._init), "--all", "env", "-i", PATH]
        if self.user:
            words += [
                f"HOME=/home/{self.user}",
                "setpriv",
                "--reuid",
                self.user,
                "--regid",
                self.user,
                "--init-groups",
            ]
        words += ["/bin/sh", "-c", command]
        return await run_here(shlex.join(words), timeout=timeout, limit_bytes=limit_bytes, stdin=stdin)

    async def say(self, command: str) -> str:
        """What a command says."""
        done = await self.run(None, f"export XDG_RUNTIME_DIR=/run/user/$(id -u); {command}", timeout=30)
        return (done.out + done.err).decode()


def why_not() -> str:
    """Why it can't be had here; empty: it can."""
    return why_no_copy() or ("" if shutil.which("debootstrap") else "debootstrap is not installed")


def why_no_copy() -> str:
    """Why this machine can't be booted once more in here; empty: it can."""
    if os.geteuid() != 0:
        return "only root may boot a root of its own"
    if not Path("/lib/systemd/systemd").exists():
        return "there is no systemd"
    if not _unified():
        return "no unified control groups are mounted"
    made = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False, capture_output=True)
    return made.stderr.decode(errors="replace").strip()


def _unified() -> Path | None:
    return next((path for path in (CGROUPS, CGROUPS / "unified") if (path / "cgroup.procs").exists()), None)


@contextmanager
def booted(folder: Path) -> Iterator[Booted]:
    """Make it, boot it, and end it."""
    root = folder / "root"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)],
        check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    with _running(_FOLDER, root, "multi-user.target") as running:
        yield running


@contextmanager
def booted_copy(folder: Path, seen: Mapping[str, Path]) -> Iterator[Booted]:
    """Boot this machine's own root, as it is, with nothing of what it starts by itself; what is written in there is in memory, and goes with it.

    Args:
        folder: an empty one.
        seen: folders of this machine by the place where they are seen in there, and can't be written.
    """
    pairs = [str(word) for pair in seen.items() for word in pair]
    with _running(_COPY, folder, "guardian-test.target", *pairs) as running:
        yield running


@contextmanager
def _running(make_root: str, root: Path, target: str, *words: str) -> Iterator[Booted]:
    unified = _unified()
    assert unified is not None
    group = unified / f"guardian-{secrets.token_hex(6)}"
    group.mkdir()
    script = _BOOT.replace("@ROOT@", make_root)
    outer = subprocess.Popen(["/bin/sh", "-ec", script, str(root), str(group), target, *words])
    try:
        init = _init_of(outer.pid)
        yield Booted(init)
    finally:
        # its end is the end of all in there
        outer.send_signal(signal.SIGKILL)
        outer.wait()
        for _ in range(100):
            with contextlib.suppress(OSError):
                for inner in sorted(group.rglob("*/"), reverse=True):
                    if inner.is_dir():
                        inner.rmdir()
                group.rmdir()
                break
            time.sleep(0.1)


def _init_of(outer: int) -> int:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        told = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if told:
            ask = ["nsenter", "--target", told[0], "--all", "systemctl", "is-system-running"]
            state = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
            if state in ("running", "degraded"):
                return int(told[0])
        time.sleep(0.2)
    raise RuntimeError("systemd did not boot")
