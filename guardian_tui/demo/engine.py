"""The demo's engine: an ordinary one on a leash, over a folder that is thrown away with it.

``python -m guardian_tui.demo.engine FOLDER``: when its standard input ends, for whatever reason, it stops in good order.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from guardian_tui.config import Paths
from guardian_tui.engine.main import run_engine

STOP_SECONDS = 8.0
"""An engine that has not stopped by then is ended."""


def paths_in(folder: Path) -> Paths:
    """Where the files of a demo lie: as with ``GUARDIAN_HOME``."""
    return Paths(folder / "config", folder / "state", folder / "run")


def _hold_leash(folder: Path) -> None:
    """Wait for the end of standard input, in a thread of its own."""
    # not through sys.stdin: its lock must not be held while the interpreter ends
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main(folder: Path) -> int:
    """Run until the leash is let go, then remove the folder."""
    threading.Thread(target=_hold_leash, args=(folder,), name="leash", daemon=True).start()
    try:
        return run_engine(paths_in(folder), linger=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
