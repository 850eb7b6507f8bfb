"""The hardware of simulated hosts: some are machines of metal, most are virtual."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import digits, lines_of, role_of, valued

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

_CHIPS = {
    "hwmon/hwmon0/name": "coretemp", "hwmon/hwmon0/temp1_label": "Package id 0", "hwmon/hwmon0/temp1_max": 84000, "hwmon/hwmon0/temp1_crit": 100000,
    "hwmon/hwmon0/temp2_label": "Package id 1", "hwmon/hwmon0/temp2_max": 84000, "hwmon/hwmon0/temp2_crit": 100000,
    "hwmon/hwmon1/name": "drivetemp", "hwmon/hwmon1/temp1_crit": 70000, "hwmon/hwmon2/name": "nct6798", "hwmon/hwmon2/fan1_label": "front",
    "hwmon/hwmon2/fan1_alarm": 0, "hwmon/hwmon2/fan2_label": "rear", "hwmon/hwmon2/fan2_alarm": 0,
}  # fmt: skip


def sensors(figures: Figures) -> Sequence[str]:
    """Warmer and louder the more there is to do; a virtual machine has none."""
    if not role_of(figures).metal:
        return ()
    own, busy = figures.seed % 5, figures.busy
    return valued(
        {
            **_CHIPS, "hwmon/hwmon0/temp1_input": int(36000 + own * 900 + busy * 26000), "hwmon/hwmon0/temp2_input": int(35000 + own * 700 + busy * 27000),
            "hwmon/hwmon1/temp1_input": int(29000 + own * 1000 + busy * 4000), "hwmon/hwmon2/fan1_input": int(2800 + own * 90 + busy * 2400),
            "hwmon/hwmon2/fan2_input": int(2600 + own * 90 + busy * 2100),
        }
    )  # fmt: skip


def ecc(figures: Figures) -> Sequence[str]:
    """Memory without errors."""
    if not role_of(figures).metal:
        return ()
    size = int(figures.memory_kb / 1024 / 2)
    return [f"R\tmc{n}\t0\t0\tIce Lake Socket#{n} IMC#0\t{size}" for n in range(2)]


_NO_ARRAYS = ("R\tPersonalities : ", "R\tunused devices: <none>")
_MIRROR = (
    "R\tPersonalities : [raid1] ", "R\tmd0 : active raid1 sdb1[1] sda1[0]", "R\t      41908224 blocks super 1.2 [2/2] [UU]",
    "R\t      bitmap: 0/1 pages [0KB], 65536KB chunk", "R\t", "R\tunused devices: <none>",
)  # fmt: skip
_BROKEN = (
    "R\tPersonalities : [raid1] ", "R\tmd0 : active raid1 sdb1[1](F) sda1[0]", "R\t      41908224 blocks super 1.2 [2/1] [U_]",
    "R\t      bitmap: 1/1 pages [4KB], 65536KB chunk", "R\t", "R\tunused devices: <none>",
)  # fmt: skip


def raid(figures: Figures) -> Sequence[str]:
    """Machines of metal have their system on a mirror."""
    if not role_of(figures).metal:
        return _NO_ARRAYS
    return _BROKEN if figures.disk_lost else _MIRROR


def disks(figures: Figures) -> Sequence[str]:
    """A disk for each file system, as large as that is."""
    metal = role_of(figures).metal
    rows = []
    for number, room in enumerate(figures.rooms):
        name, sectors = figures.device(number), int(room.size * 2 * 1.05)
        serial = digits(f"{figures.seed} {name}", 12).upper() if metal else ""
        of = f"0\t0\t0\tATA\tSAMSUNG MZ7L3960HCJR\tS6KN{serial}\t[mq-deadline] none" if metal else "1\t0\t0\t0x1af4\t\t\t[none] mq-deadline"  # fmt: skip
        rows.append(f"R\t{name}\t{sectors}\t{of}")
    return rows


def hardware(figures: Figures) -> Sequence[str]:
    """The same for all hosts of a role."""
    return _hardware(role_of(figures).metal, figures.cpus, int(figures.memory_kb))


@cache
def _hardware(metal: bool, cpus: int, memory_kb: int) -> tuple[str, ...]:
    told = (
        ("sys_vendor", "Dell Inc."), ("product_name", "PowerEdge R650"), ("board_vendor", "Dell Inc."), ("board_name", "0PYXKY"), ("bios_vendor", "Dell Inc."),
        ("bios_version", "1.17.2"), ("bios_date", "06/24/2026"), ("can_virtualise", "yes"), ("vendor_id", "GenuineIntel"),
        ("model name", "Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz"), ("microcode", "0xd000404"), ("cpu cores", str(cpus // 2)), ("processors", str(cpus)),
        ("sockets", "2"), ("memory_kb", str(memory_kb)),
    ) if metal else (
        ("sys_vendor", "QEMU"), ("product_name", "Standard PC (Q35 + ICH9, 2009)"), ("product_version", "pc-q35-9.2"), ("bios_vendor", "SeaBIOS"),
        ("bios_version", "1.16.3-debian-1.16.3-2"), ("bios_date", "04/01/2014"), ("vendor_id", "AuthenticAMD"), ("virtual", "yes"),
        ("model name", "AMD EPYC 9354 32-Core Processor"), ("microcode", "0xa10113e"), ("cpu cores", str(cpus)), ("processors", str(cpus)),
        ("sockets", "1"), ("memory_kb", str(memory_kb)),
    )  # fmt: skip
    return tuple(row for name, value in told for row in lines_of(name, value))
