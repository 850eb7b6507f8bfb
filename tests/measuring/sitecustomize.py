"""Notes which lines and branches of the product run: in every Python process that finds this folder in ``PYTHONPATH`` and is told where to leave what it noted.

SlipCover puts probes into the product's own code as it is imported.  A tracer would be called for each line of Textual too, and make tests of screens two and a
half times as long.  The probes cost each process four seconds for all of the product, so processes that tests start note only what none notes in its own.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALL = "guardian_tui:screens:widgets:themes"
OMITTED = ("guardian_tui/engine/store/migrations/versions/*",)
NOT_MEANT_TO_RUN = ("if TYPE_CHECKING:", "@overload", "raise NotImplementedError", r"\.\.\.$")

INTO = "GUARDIAN_MEASURED_INTO"
"""The variable that names the folder for what was noted, a JSON file of each process."""
OF = "GUARDIAN_MEASURED_OF"
"""The variable that names what is noted: patterns of paths below the repository, parted by colons; all where it is not set."""

NEVER = -1
"""Probes stay in the code: to take them out again walks over all modules each time."""


def measure(into: Path) -> None:
    """Note what runs from now on; it is written when the process ends."""
    import slipcover

    paths = os.environ.get(OF, ALL).split(":")
    noted = slipcover.Slipcover(branch=True, d_miss_threshold=NEVER, exclude_also=list(NOT_MEANT_TO_RUN))
    matcher = slipcover.FileMatcher(
        sources=[ROOT / path for path in paths], omit=[str(ROOT / path) for path in OMITTED]
    )
    slipcover.ImportManager(noted, matcher).__enter__()
    process = os.getpid()

    def write() -> None:
        (into / f"{os.getpid()}-{os.urandom(4).hex()}.json").write_text(json.dumps(noted.get_coverage()))

    def at_end() -> None:
        # a fork is not the process that was measured
        if os.getpid() == process:
            write()

    atexit.register(at_end)
    global leave_note
    leave_note = write


leave_note: Callable[[], None] | None = None
"""Writes what was noted so far in this process: a fork that was measured too says so itself."""

if __name__ == "sitecustomize" and os.environ.get(INTO):
    measure(Path(os.environ[INTO]))
