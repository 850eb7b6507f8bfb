"""What a repository takes and what room is left where it lies, as far as its place can be asked; where it can't, why."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.engine.backups.engines.ssh import SSH
from guardian_tui.protocol.backups import RepositorySpec
from guardian_tui.text import safe

_DISK = 'du -sk -- "$1" | cut -f 1; df -Pk -- "$1" | awk \'END { print $4 }\''
_OVER_SFTP = 'printf \'df "%s"\\n\' "$2" | sftp -q -b - -D "$1"'
_FIGURES = re.compile(rb"^\s*(\d{1,16})\s+(\d{1,16})\s+(\d{1,16})\s+\d{1,16}\s+\d+%\s*$", re.M)
_URL = re.compile(r"(?:ssh|sftp)://(?P<who>[^/:\[\]]+)(?::(?P<port>\d{1,5}))?/(?P<path>.*)\Z")
_SCP = re.compile(r"(?:sftp:)?(?P<who>[^/:\s-][^/:\s]*):(?P<path>(?!//).*)\Z")
_WEB = re.compile(r"(?:rest:|s3:)https?://(?:[^/@]*@)?(?P<who>[^/:\[\]]+)")
_SAFE = re.compile(r"[^\0-\x1f\x7f\"\\*?\[\]]+\Z")
"""A path that ``sftp`` takes between quotes as it stands."""


@dataclass(frozen=True, slots=True)
class Room:
    """Of the place of a repository.

    Attributes:
        taken: bytes that it takes; of a whole disk what all that lies there takes.
        capacity: bytes that there would be for it at most.
        whole_disk: whether ``taken`` is told of the disk, not of the repository.
    """

    taken: int
    capacity: int | None
    whole_disk: bool = False


_WEIGHT = re.compile(rb'"(?:total_size|unique_csize|weight)": ?(\d{1,18})\b')
"""What engines call all that they keep, as it lies there."""


def weight_of(out: bytes) -> int | None:
    """What an engine's own ``weigh`` told; None: nothing."""
    found = _WEIGHT.findall(out)
    return int(found[-1]) if found else None


def by_engine(spec: RepositorySpec) -> bool:
    """Whether its engine is asked what it takes, because its place tells nobody, or because only so much of it may be its own."""
    return asking(spec)[0] is None or bool(spec.capacity_bytes and not spec.location.startswith("/"))


def asking(spec: RepositorySpec) -> tuple[Stage | None, str]:
    """The command that tells it, for :func:`room_of`; None: why there is none."""
    if spec.engine == "pgbackrest":
        return None, "where it lies pgBackRest's own configuration says"
    if spec.location.startswith("/"):
        return Stage("size", ("sh", "-c", _DISK, "sh", spec.location)), ""
    command, path = _over_sftp(spec)
    if not command:
        return (
            None,
            f"a store like {safe(spec.location.partition(':')[0], 20)} tells nobody how much room it has",
        )
    if not _SAFE.match(path):
        return None, "its path can't be asked about over SFTP"
    return Stage("size", ("sh", "-c", _OVER_SFTP, "sh", command, path)), ""


def room_of(spec: RepositorySpec, out: bytes) -> Room | None:
    """What :func:`asking`'s command told; None: nothing."""
    if spec.location.startswith("/"):
        lines = [line.strip() for line in out.split(b"\n")]
        numbers = [int(line) * 1024 for line in lines[:2] if line.isdigit() and len(line) < 16]
        if not numbers or not lines[0].isdigit():
            return None
        return Room(numbers[0], sum(numbers) if len(numbers) == 2 else None)
    found = _FIGURES.search(out)
    if found is None:
        return None
    _, used, free = (int(number) * 1024 for number in found.groups())
    return Room(used, used + free, whole_disk=True)


def _over_sftp(spec: RepositorySpec) -> tuple[str, str]:
    """The command that speaks SFTP with its host, and its path there; empty: it does not lie behind one."""
    found = _URL.match(spec.location) or (_SCP.match(spec.location) if _plain(spec) else None)
    if found is None:
        return "", ""
    path = found["path"]
    if spec.location.startswith(("ssh://", "sftp://")):
        # what follows the slash after the host: a path below the home folder, or with another slash a whole one
        path = (
            path.removeprefix("./") if path.startswith(("./", "/")) or spec.engine == "restic" else f"/{path}"
        )
    if spec.engine == "restic" and "sftp.command" in spec.options:
        return spec.options["sftp.command"], path or "."
    port = found.groupdict().get("port")
    ssh = spec.options.get("rsh") or f"{SSH} {spec.options.get('sftp.args', '')}"
    words = [*shlex.split(ssh), *(("-p", port) if port else ()), found["who"], "-s", "sftp"]
    return shlex.join(words), path or "."


def kept_on(spec: RepositorySpec) -> str:
    """The name or address of the host that it lies on, as its location has it; empty: it says none."""
    where = spec.location
    found = _URL.match(where) or _WEB.match(where) or (_SCP.match(where) if _plain(spec) else None)
    return found["who"].rpartition("@")[2] if found else ""


def _plain(spec: RepositorySpec) -> bool:
    """Whether ``host:path`` is one: restic's other stores look like that too."""
    return spec.engine != "restic" or spec.location.startswith("sftp:")
