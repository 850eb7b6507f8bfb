"""The disks of simulated hosts by themselves, and what is built of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import digits, role_of

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

_GIB = 1 << 30


def smart(figures: Figures) -> Sequence[str]:
    """What smartctl says of disks of metal; a virtual one has no health to tell."""
    if not role_of(figures).metal:
        return ()
    rows = []
    for number in range(figures.disks):
        disk = figures.device(number)
        hours = 9000 + figures.seed * 331 % 20000 + number * 40
        lost = figures.disk_lost and number == 1
        attributes = ((5, "Reallocated_Sector_Ct", 1288 if lost else 0), (9, "Power_On_Hours", hours), (187, "Uncorrectable_Error_Cnt", 96 if lost else 0),
                      (194, "Temperature_Celsius", 29 + number + int(figures.busy * 4)), (197, "Current_Pending_Sector", 64 if lost else 0))  # fmt: skip
        rows += [
            f"R\tD\t{disk}\tDevice Model:     SAMSUNG MZ7L3960HCJR-00A07", f"R\tD\t{disk}\tSerial Number:    S6KN{digits(f'{figures.seed} {disk}', 12).upper()}",
            # a disk that drops out of its array seldom says of itself that it fails
            f"R\tD\t{disk}\tSMART overall-health self-assessment test result: PASSED",
            f"R\tD\t{disk}\tPercentage Used Endurance Indicator: {3 + figures.seed % 9}%",
            *(f"R\tD\t{disk}\t{n:3} {name:<23} 0x0032   099   099   000    Old_age   Always       -       {value}" for n, name, value in attributes),
        ]  # fmt: skip
    return rows


def lvm(figures: Figures) -> Sequence[str]:
    """Applications keep their files on a thin pool."""
    if role_of(figures).name != "app":
        return ()
    size = int(figures.rooms[-1].size) * 1024
    used = (1 - figures.rooms[-1].available / figures.rooms[-1].size) * 100
    return (
        f"R\tL\t  pool@vg0@twi-aotz--@{size + 20 * _GIB}@@@{used * 0.8:.2f}@{8 + used / 10:.2f}@@@@",
        f"R\tL\t  app@vg0@Vwi-aotz--@{size}@pool@@{used:.2f}@@@@@", f"R\tL\t  swap@vg0@-wi-ao----@{2 * _GIB}@@@@@@@@",
        f"R\tV\t  vg0@1@3@0@wz--n-@{size + 40 * _GIB}@{18 * _GIB}",
    )  # fmt: skip


def zfs(figures: Figures) -> Sequence[str]:
    """File servers keep what they serve in a pool."""
    if role_of(figures).name != "files":
        return ()
    room = figures.rooms[-1]
    size = int(room.size * 1024 * 1.04)
    # a pool keeps a part for itself, so that it is never as full as what lies on it
    used = int((room.size - room.available) * 1024)
    return (f"R\tZ\ttank@{size}@{used}@{size - used}@{11 + figures.seed % 8}@ONLINE",)


def multipath(figures: Figures) -> Sequence[str]:
    """Databases have their tables on a storage network, by two ways."""
    if role_of(figures).name != "db":
        return ()
    name = "36001405" + digits(str(figures.seed), 24)
    return (
        f"R\tM\tmpatha ({name}) dm-2 LIO-ORG,tables", "R\tM\tsize=800G features='1 queue_if_no_path' hwhandler='1 alua' wp=rw",
        "R\tM\t`-+- policy='service-time 0' prio=50 status=active", "R\tM\t  |- 7:0:0:1 sdd 8:48 active ready running",
        "R\tM\t  `- 8:0:0:1 sde 8:64 active ready running",
    )  # fmt: skip
