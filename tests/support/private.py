"""Commands that see files of their own in place of the system's, and steps of a runbook that are followed through them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import Document, capture, command_values, judge, render

ALONE = ("unshare", "--mount", "--propagation", "private")


def must_mount() -> None:
    """Fails where this process may not; what it lacks for that is told."""
    if os.geteuid() != 0:
        pytest.fail("Run these tests as root: only root gives a process files of its own in place of /etc.")
    assert shutil.which("unshare"), "install util-linux"
    done = subprocess.run([*ALONE, "true"], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(
            f"Root may not mount here, a container needs CAP_SYS_ADMIN for that: {done.stderr.strip()}"
        )


def within(mounts: Mapping[str, Path], command: str) -> list[str]:
    """A command that finds these folders in place of those of the system."""
    binds = "".join(
        f"mount --bind {shlex.quote(str(own))} {shlex.quote(place)}; " for place, own in mounts.items()
    )
    return [*ALONE, "sh", "-c", f'set -e; {binds}set +e; exec sh -c "$1"', "private", command]


@dataclass
class Follower:
    """Follows steps of one runbook through a real shell, in folders of its own."""

    document: Document
    values: dict[str, str]
    mounts: dict[str, Path]
    programs: str = ""
    said: str = field(default="", init=False)

    def step(self, name: str, *, rollback: bool = False) -> bool:
        """Whether a step is good; what it captured is kept."""
        step = self.document.step(name)
        done = render(self.document, step, self.values, rollback=rollback)
        path = f"{self.programs}:{os.environ['PATH']}:/usr/sbin:/sbin".lstrip(":")
        began = time.monotonic()
        ran = subprocess.run(
            within(self.mounts, exports(done.environment).decode() + done.command), input=done.stdin, capture_output=True, text=True,
            timeout=60, check=False, env={**os.environ, "PATH": path},
        )  # fmt: skip
        self.said = ran.stdout + ran.stderr
        found = capture(step.capture, ran.stdout)
        told = command_values(ran.returncode, ran.stdout, ran.stderr, time.monotonic() - began)
        self.values |= found
        return judge("" if rollback else step.expect, {**self.values, **told}).holds is True
