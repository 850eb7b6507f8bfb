"""The probe as a file on a host, run by a key that can do nothing else."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request, Response


class InstallProbe(Request, frozen=True):
    """Install the probe on a host, and let ``key`` (a line of a public key) run it and nothing else there."""

    host: str
    key: Annotated[str, msgspec.Meta(max_length=8192)]


class InstalledProbe(Response, frozen=True):
    """What stands on the host now."""

    host: str
    path: str
    version: str
    checksum: str
    """SHA-256 of the file; ``sha256sum`` says the same there."""
