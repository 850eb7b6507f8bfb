"""The day of a simulated fleet, as data: what goes wrong when, on what kind of host, and what the engine should say of it.

Times are minutes of the story; how many of them pass in a real minute is the demo's speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from guardian_tui.demo.roles import Place

Trouble = Literal[
    "reboot",
    "clock",
    "disk",
    "jump",
    "cpu",
    "oom",
    "hostile",
    "key",
    "crash-loop",
    "container",
    "raid",
    "link",
]

DAY_MINUTES = 24 * 60.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trouble.

    ``victim``: the role of the host that it befalls; empty: all hosts.  ``lasts``: minutes until it heals by itself.  ``alerts``: the
    rules that fire, in the order in which they first do, once it has gone on long enough.
    """

    words: str
    victim: str
    lasts: float
    alerts: tuple[str, ...]


KINDS: dict[Trouble, Kind] = {
    "reboot": Kind("a host is restarted", "lab", 1, ("rebooted",)),
    "clock": Kind("a clock drifts away", "app", 90, ("clock_unsynchronised", "clock_offset")),
    "disk": Kind("a file system fills: a forecast first, then there is little left", "files", 420, ("disk_forecast", "disk_low")),
    "jump": Kind("a jump host dies, and all behind it are out of reach", "jump", 60, ("host_down",)),
    "cpu": Kind("a process runs away with all processors", "web", 100, ("cpu_busy", "load")),
    "oom": Kind("memory runs out, and the kernel kills", "db", 60, ("oom_kill",)),
    "hostile": Kind("names that try to take over your terminal, on a full disk", "lab", 120, ("disk_low",)),
    "key": Kind("a host shows another key than the one that was accepted", "mail", 60, ("host_key_changed",)),
    "crash-loop": Kind("a service dies and is started again, over and over", "queue", 120, ("unit_crash_loop",)),
    "container": Kind("a container fails its health check", "app", 90, ("container_unhealthy",)),
    "raid": Kind("a disk of a mirror fails", "db", 120, ("raid_degraded",)),
    "link": Kind("the engine's own link is cut: nothing answers", "", 45, ("engine_cut_off",)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """From ``at`` on, for ``minutes``, a trouble befalls the ``number``-th host of its role."""

    at: float
    trouble: Trouble
    number: int = 0
    minutes: float = 0.0
    """0: as long as this kind lasts."""

    @property
    def ends(self) -> float:
        """When it heals."""
        return self.at + (self.minutes or KINDS[self.trouble].lasts)


def _clock(hours: int, minutes: int) -> float:
    return hours * 60.0 + minutes


TIMELINE: tuple[Act, ...] = (
    Act(_clock(0, 10), "reboot"),
    Act(_clock(0, 20), "disk"),
    Act(_clock(0, 45), "clock"),
    Act(_clock(2, 0), "jump"),
    Act(_clock(3, 30), "crash-loop"),
    Act(_clock(4, 30), "cpu"),
    Act(_clock(6, 30), "oom"),
    Act(_clock(8, 0), "hostile", 1),
    Act(_clock(9, 0), "container", 2),
    Act(_clock(9, 30), "key"),
    Act(_clock(11, 0), "reboot", 1),
    Act(_clock(12, 0), "link"),
    Act(_clock(14, 0), "jump", 1, 90),
    Act(_clock(14, 30), "disk", 1),
    Act(_clock(16, 0), "raid", 2),
    Act(_clock(16, 30), "cpu", 2),
    Act(_clock(18, 0), "clock", 3),
    Act(_clock(19, 30), "oom", 1),
    Act(_clock(21, 0), "crash-loop", 1),
    Act(_clock(22, 0), "container", 4),
)


def victims(places: Iterable[Place], act: Act) -> list[str]:
    """Names of the hosts that an act befalls; none where the fleet has no such host."""
    role = KINDS[act.trouble].victim
    if not role:
        return [place.name for place in places]
    fitting = [place.name for place in places if place.role.name == role]
    return [fitting[act.number % len(fitting)]] if fitting else []


def only(troubles: Iterable[Trouble]) -> tuple[Act, ...]:
    """A day on which just these happen, from its first minute to its last, each to another host of its role."""
    acts: list[Act] = []
    for trouble in troubles:
        number = sum(act.trouble == trouble for act in acts)
        acts.append(Act(1, trouble, number, DAY_MINUTES - 2))
    return tuple(acts)
