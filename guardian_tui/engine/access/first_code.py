"""The one-time code with which a shared engine's first admin is made: printed to root, kept as a hash, good once and for a week.

Whoever may attach to a shared engine before it has an admin must not become one by being first.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from pathlib import Path

from guardian_tui.engine.access import codes

LIFE_SECONDS = 7 * 86400.0


class FirstCode:
    """The code of one engine.

    Args:
        folder: the engine's state folder, which nobody else reads.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "first-admin-code"

    def make(self) -> str:
        """A new code, in the place of an older one."""
        code = codes.new_enrolment_code()
        self.keep(code)
        return code

    def keep(self, code: str) -> None:
        """Keep the hash of a code, in the place of an older one; by whoever runs the engine, whose folder it is."""
        new = self.file.with_suffix(".new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(_hash(code))
        new.replace(self.file)

    def fits(self, code: str, now: float) -> bool:
        """Whether it is the code, and has not run out."""
        try:
            kept, made = self.file.read_text(encoding="ascii"), self.file.stat().st_mtime
        except (OSError, UnicodeDecodeError):
            return False
        return hmac.compare_digest(kept.strip(), _hash(code)) and now < made + LIFE_SECONDS

    def spend(self) -> None:
        """There is an admin: it is good for nothing any more."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)


def _hash(code: str) -> str:
    # 99 random bits: a plain hash will do
    return hashlib.sha256(codes.normal(code).encode()).hexdigest()
