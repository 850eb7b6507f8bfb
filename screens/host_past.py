"""A host's page as it was at a moment: its figures, from the store; what is not kept says so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import History, HistoryQuery, HostDetail
from screens.host_lines import GAUGED

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

AROUND_SECONDS = 60.0
"""A figure is the mean of what was measured so long before and after: what is read seldom has one sample in it."""
AT_ONCE = 8
"""Questions to the store beside each other."""


async def detail_at(console: GuardianApp, detail: HostDetail, at: float) -> HostDetail:
    """What a host's page shows, with the figures of a moment; a figure that was not measured then is a gap."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(series: str) -> tuple[str, float | None]:
        query = HistoryQuery(
            host=detail.row.id, metric=series, start=at - AROUND_SECONDS, end=at + AROUND_SECONDS, points=1
        )
        async with turns:
            try:
                history = await console.client.call("hosts.history", History, query)
            except GuardianError:
                # one that the store has not is a gap, as one that was not measured
                return series, None
        return series, next((value for value in history.mean if value is not None), None)

    wanted = [
        *GAUGED,
        *(f"{name}{{{disk.mount}}}" for disk in detail.file_systems for name in _DISK),
        *(f"{name}{{{nic.name}}}" for nic in detail.nics for name in _NIC),
        *(f"{name}{{{device.name}}}" for device in detail.devices for name in _DEVICE),
    ]
    found = dict(await asyncio.gather(*map(one, wanted)))
    return replace(
        detail,
        values={name: value for name in GAUGED if (value := found[name]) is not None},
        file_systems=tuple(
            replace(
                disk, used_ratio=used, hours_to_full=None,
                available_bytes=disk.available_bytes if (free := found[f"filesystem_available_bytes{{{disk.mount}}}"]) is None else free,
            )
            for disk in detail.file_systems
            if (used := found[f"filesystem_used_ratio{{{disk.mount}}}"]) is not None
        ),
        nics=tuple(
            replace(nic, receive_bytes_per_second=found[f"{_NIC[0]}{{{nic.name}}}"], transmit_bytes_per_second=found[f"{_NIC[1]}{{{nic.name}}}"])
            for nic in detail.nics
        ),
        devices=tuple(
            replace(
                device, read_bytes_per_second=found[f"{_DEVICE[0]}{{{device.name}}}"],
                write_bytes_per_second=found[f"{_DEVICE[1]}{{{device.name}}}"], busy_ratio=found[f"{_DEVICE[2]}{{{device.name}}}"],
            )
            for device in detail.devices
        ),
    )  # fmt: skip


_DISK = ("filesystem_used_ratio", "filesystem_available_bytes")
_NIC = ("network_receive_bytes_per_second", "network_transmit_bytes_per_second")
_DEVICE = ("disk_read_bytes_per_second", "disk_write_bytes_per_second", "disk_busy_ratio")
