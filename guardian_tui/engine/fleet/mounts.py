"""File systems: which of a host's mounts are asked for their room, and how df's answer is read.

df hangs on a dead NFS server, so remote mounts are asked in a command of their own, on a channel of its own, with a timeout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from guardian_tui.engine.facts import Layout
from guardian_tui.engine.fleet.layouts import MOST_LAYOUTS, interned
from guardian_tui.text import safe

LOCAL_TYPES = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "vfat", "msdosfs", "apfs", "hfs", "exfat", "ntfs", "ntfs3", "bcachefs", "ufs", "nilfs2"}
)  # fmt: skip
REMOTE_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "9p", "lustre"}
)
MOST_ASKED = 64
MOST_BLOCKS = 2.0**60
NAN = math.nan

Mount = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Room:
    """What df says of one mount."""

    mount: str
    kind: str
    device: str
    size_bytes: float
    available_bytes: float
    used_ratio: float
    inodes_free_ratio: float
    read_only: bool


def chosen(mounts: list[Mount]) -> tuple[list[Mount], list[Mount]]:
    """Mounts worth asking for: local, remote.  One per device, the first mount of it; the root even if it is an overlay."""
    local: dict[str, Mount] = {}
    remote: dict[str, Mount] = {}
    for mount in mounts:
        device, point, kind, _ = mount
        if any(ord(c) < 32 for c in point):
            continue
        if kind in REMOTE_TYPES:
            remote.setdefault(device, mount)
        elif kind in LOCAL_TYPES or point == "/":
            key = device if device.startswith("/") else point
            # the root is what a person looks for, whatever else shows the same device
            if point == "/" or key not in local:
                local[key] = mount
    return list(local.values())[:MOST_ASKED], list(remote.values())[:MOST_ASKED]


def rooms_request(mounts: list[Mount], sections: str = "") -> str:
    """The probe's request for the room and the inodes of these mounts, and for some sections with them."""
    points = (point.replace("%", "%25").replace(" ", "%20") for _, point, _, _ in mounts)
    return f"rq {' '.join(points)} -- {sections}" if sections else f"r {' '.join(points)}"


def parse_rooms(answer: bytes, mounts: list[Mount]) -> list[Room]:
    """Rooms of the mounts that answered; lines that can't be read are left out.

    ``answer`` holds df's lines: ``D`` those of ``df -P -k``, ``I`` those of ``df -P -i``.
    """
    lines = answer.decode("utf-8", "replace").splitlines()
    points = {point for _, point, _, _ in mounts}
    sizes = _table([line[2:] for line in lines if line[:2] == "D "], points)
    nodes = _table([line[2:] for line in lines if line[:2] == "I "], points)
    rooms = []
    for device, point, kind, read_only in mounts:
        if point not in sizes:
            continue
        size, used, available = sizes[point]
        total_nodes, _, free_nodes = nodes.get(point, (0.0, 0.0, 0.0))
        whole = used + available
        rooms.append(
            Room(
                mount=safe(point, 200), kind=kind, device=safe(device, 200), size_bytes=size * 1024, available_bytes=available * 1024,
                used_ratio=used / whole if whole > 0 else 0.0,
                inodes_free_ratio=free_nodes / total_nodes if total_nodes > 0 else NAN, read_only=read_only,
            )
        )  # fmt: skip
    return rooms


def _table(lines: Iterable[str], points: set[str]) -> dict[str, tuple[float, float, float]]:
    found: dict[str, tuple[float, float, float]] = {}
    for line in lines:
        # the mount point is the rest of the line after "Capacity%", and may hold blanks
        head, percent, point = line.partition("% ")
        if not percent:
            head, percent, point = line.partition(" - ")
        words = head.split()
        point = point.strip()
        if point not in points or len(words) < 4:
            continue
        numbers = words[-4:-1] if percent == "% " else words[-3:]
        try:
            size, used, available = map(float, numbers)
        except ValueError:
            continue
        if 0 <= size < MOST_BLOCKS and 0 <= used < MOST_BLOCKS and available < MOST_BLOCKS:
            found[point] = (size, used, max(0.0, available))
    return found


_NAMES = (
    "filesystem_size_bytes",
    "filesystem_available_bytes",
    "filesystem_used_ratio",
    "filesystem_inodes_free_ratio",
    "filesystem_readonly",
)


@lru_cache(maxsize=MOST_LAYOUTS)
def _layout_of(mounts: tuple[str, ...]) -> Layout:
    return interned(tuple(f"{name}{{{mount}}}" for mount in mounts for name in _NAMES))


def room_values(rooms: list[Room]) -> tuple[Layout, list[float]]:
    """The series of a host's file systems."""
    layout = _layout_of(tuple(room.mount for room in rooms))
    values: list[float] = []
    for room in rooms:
        values += [
            room.size_bytes,
            room.available_bytes,
            room.used_ratio,
            room.inodes_free_ratio,
            float(room.read_only),
        ]
    return layout, values
