"""Runs all tests, five at a time (they wait half of their time), with coverage, then holds the coverage against its gates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.measuring.gates import held  # noqa: E402
from tests.measuring.sitecustomize import INTO  # noqa: E402

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30


def scratch() -> str | None:
    """A folder in memory for all that the tests write, where there is room: they wait for a disk at each commit otherwise."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return tempfile.mkdtemp(prefix="g-", dir=MEMORY) if shutil.disk_usage(MEMORY).free >= ROOM_BYTES else None


def tests(noted: str) -> int:
    """All tests, what runs noted in that folder; answers the exit code."""
    # a module is one worker's, and modules begin in the order of tests/order.py: the long ones first
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.workers", "--workers", "5"]
    command += sys.argv[1:]
    search = os.pathsep.join(
        [str(ROOT / "tests" / "measuring"), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    environment = {**os.environ, "PYTHONPATH": search, INTO: noted}
    folder = scratch()
    if folder is None:
        return subprocess.run(command, cwd=ROOT, env=environment).returncode
    # databases that are started as users of their own write there too
    Path(folder).chmod(0o1777)
    # pytest's own name for it is so long that no socket fits below it
    command.append(f"--basetemp={folder}/t")
    try:
        return subprocess.run(command, cwd=ROOT, env={**environment, "TMPDIR": folder}).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Tests, then gates; answers the exit code."""
    with tempfile.TemporaryDirectory(prefix="guardian-measured-") as noted:
        return tests(noted) or (0 if held(Path(noted)) else 1)


if __name__ == "__main__":
    sys.exit(main())
