"""Runs all tests, four at a time (they wait half of their time), with coverage, then holds the coverage against its gates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
OVERALL = 90
CRITICAL = "guardian_tui/engine/dispatch.py,guardian_tui/engine/access/*,guardian_tui/engine/audit/*,guardian_tui/engine/vault/*"

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30


def scratch() -> str | None:
    """A folder in memory for all that the tests write, where there is room: they wait for a disk at each commit otherwise."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return tempfile.mkdtemp(prefix="g-", dir=MEMORY) if shutil.disk_usage(MEMORY).free >= ROOM_BYTES else None


def main() -> int:
    """Tests, then gates; answers the exit code."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    run = [sys.executable, "-m", "coverage"]
    # pytest's workers, and the engines that tests start, measure themselves too: patch = subprocess in pyproject.toml
    command = [*run, "run", "-m", "pytest", "-q", "-n", "4"]
    # a module is one worker's, and modules begin in the order of tests/order.py: the long ones first
    command += ["--dist", "loadscope", "--no-loadscope-reorder", *sys.argv[1:]]
    folder = scratch()
    if folder is not None:
        # databases that are started as users of their own write there too
        Path(folder).chmod(0o1777)
        # pytest's own name for it is so long that no socket fits below it
        command.append(f"--basetemp={folder}/t")
    try:
        tests = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **({"TMPDIR": folder} if folder else {})}
        )
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    if tests.returncode:
        return tests.returncode
    subprocess.run([*run, "combine", "--quiet"], cwd=ROOT, check=True)
    whole = subprocess.run(
        [*run, "report", "--skip-covered", "--sort=cover", f"--fail-under={OVERALL}"], cwd=ROOT
    )
    critical = subprocess.run(
        [*run, "report", "--skip-covered", f"--include={CRITICAL}", "--fail-under=100", "-m"], cwd=ROOT
    )
    if whole.returncode or critical.returncode:
        print(f"coverage gate: {OVERALL} % overall, 100 % of dispatch, access, audit and vault")
    return whole.returncode or critical.returncode


if __name__ == "__main__":
    sys.exit(main())
