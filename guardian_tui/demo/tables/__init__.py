"""What a simulated host answers when it is asked for a section: tables in the probe's own rows, that suit its role and its troubles.

What does not change is made once per role; a host keeps nothing of its own for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guardian_tui.demo.tables import (
    hardware,
    kernel,
    network,
    people,
    processes,
    security,
    services,
    storage,
    upkeep,
)

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

TABLES: dict[str, Callable[[Figures], Sequence[str]]] = {
    table.__name__: table
    for table in (
        processes.processes, processes.tasks, services.units, services.unit_list, services.timers, services.clock_sync,
        people.sessions, people.accounts, people.logins, upkeep.updates, upkeep.certificates, upkeep.host_keys,
        security.firewall, security.authorized_keys, security.sudoers, security.suid_files, security.sshd_settings,
        storage.smart, storage.lvm, storage.zfs, storage.multipath,
        kernel.cores, kernel.interrupts, kernel.kernel, kernel.cgroups, kernel.containers,
        hardware.sensors, hardware.ecc, hardware.raid, hardware.disks, hardware.hardware,
        network.sockets, network.connections, network.listening, network.links, network.nfs,
    )
}  # fmt: skip
"""By the name of the section."""


def answer(figures: Figures, sections: str) -> str:
    """The body of an answer to ``q NAME NAME…``, or to ``rq MOUNT… -- NAME NAME…``."""
    lines, words = [], sections.split()
    for name in words[words.index("--") + 1 if words[0] == "rq" else 1 :]:
        lines.append(f"S\t{name}")
        table = TABLES.get(name)
        lines += table(figures) if table else [f"X\t{name}\tthis probe has no such section"]
    return "\n".join(lines) + "\n" if lines else ""
