"""Runs all tests on both cores with coverage, then holds the coverage against its gates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OVERALL = 90
CRITICAL = "guardian_tui/engine/dispatch.py,guardian_tui/engine/access/*,guardian_tui/engine/audit/*,guardian_tui/engine/vault/*"


def main() -> int:
    """Tests, then gates; answers the exit code."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    run = [sys.executable, "-m", "coverage"]
    # pytest's workers, and the engines that tests start, measure themselves too: patch = subprocess in pyproject.toml
    command = [*run, "run", "-m", "pytest", "-n", "2", "--dist", "loadscope", "-q", *sys.argv[1:]]
    tests = subprocess.run(command, cwd=ROOT)
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
