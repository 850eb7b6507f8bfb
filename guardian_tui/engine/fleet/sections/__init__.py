"""All sections: how the probe is asked for them, and how its rows are read."""

from __future__ import annotations

from guardian_tui.engine.fleet.sections.base import Findings, Section
from guardian_tui.engine.fleet.sections.certificates import Certificates, HostKeys
from guardian_tui.engine.fleet.sections.cgroups import ControlGroups
from guardian_tui.engine.fleet.sections.clock_sync import ClockSync
from guardian_tui.engine.fleet.sections.containers import Containers
from guardian_tui.engine.fleet.sections.cores import Cores, Interrupts
from guardian_tui.engine.fleet.sections.firewall import Firewall
from guardian_tui.engine.fleet.sections.guarding import AuthorizedKeys, SshdSettings, Sudoers, SuidFiles
from guardian_tui.engine.fleet.sections.hardware import Disks, Hardware
from guardian_tui.engine.fleet.sections.kernel import Kernel
from guardian_tui.engine.fleet.sections.links import Links
from guardian_tui.engine.fleet.sections.nfs import Nfs
from guardian_tui.engine.fleet.sections.people import Accounts, Logins, Sessions
from guardian_tui.engine.fleet.sections.ports import Connections, Listening
from guardian_tui.engine.fleet.sections.processes import Processes, Tasks
from guardian_tui.engine.fleet.sections.raid import MemoryErrors, Raid
from guardian_tui.engine.fleet.sections.raw import Raw, split
from guardian_tui.engine.fleet.sections.sensors import Sensors
from guardian_tui.engine.fleet.sections.sockets import Sockets
from guardian_tui.engine.fleet.sections.storage import Lvm, Multipath, Smart, Zfs
from guardian_tui.engine.fleet.sections.units import Timers, UnitList, Units
from guardian_tui.engine.fleet.sections.updates import Updates

__all__ = ["ALL", "Findings", "Raw", "Section", "due_every", "split"]

_SERVICES: tuple[Section, ...] = (
    Units(), UnitList(), Timers(), ClockSync(), Sessions(), Accounts(), Logins(), Updates(), Certificates(), HostKeys(),
)  # fmt: skip
_SECURITY: tuple[Section, ...] = (Firewall(), AuthorizedKeys(), Sudoers(), SuidFiles(), SshdSettings())
_STORAGE: tuple[Section, ...] = (Smart(), Lvm(), Zfs(), Multipath())
_KERNEL: tuple[Section, ...] = (Cores(), Interrupts(), Kernel(), ControlGroups(), Containers())
_HARDWARE: tuple[Section, ...] = (Sensors(), MemoryErrors(), Raid(), Disks(), Hardware())
_NETWORK: tuple[Section, ...] = (Sockets(), Connections(), Listening(), Links(), Nfs())

ALL: dict[str, Section] = {
    section.name: section
    for section in (Processes(), Tasks(), *_SERVICES, *_SECURITY, *_STORAGE, *_KERNEL, *_HARDWARE, *_NETWORK)
}
"""By name, in the order in which they are asked."""


def due_every(seconds: float) -> tuple[Section, ...]:
    """The sections that the engine reads by itself with this period."""
    return tuple(section for section in ALL.values() if section.kind.period_seconds == seconds)
