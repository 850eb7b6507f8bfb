"""Services of simulated hosts: units, timers, and who keeps the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import booted, role_of, stamp

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

_UNITS = (
    ("cron.service", "Regular background program processing daemon"), ("dbus.service", "D-Bus System Message Bus"),
    ("chrony.service", "chrony, an NTP client/server"), ("rsyslog.service", "System Logging Service"),
    ("ssh.service", "OpenBSD Secure Shell server"), ("systemd-journald.service", "Journal Service"),
    ("systemd-logind.service", "User Login Management"), ("systemd-udevd.service", "Rule-based Manager for Device Events and Files"),
    ("unattended-upgrades.service", "Unattended Upgrades Shutdown"), ("nftables.service", "nftables"),
    ("ssh.socket", "OpenBSD Secure Shell server socket"), ("dbus.socket", "D-Bus System Message Bus Socket"),
    ("multi-user.target", "Multi-User System"), ("network-online.target", "Network is Online"), ("-.mount", "Root Mount"),
)  # fmt: skip
_TIMERS = (
    ("apt-daily.timer", 43_200), ("apt-daily-upgrade.timer", 86_400), ("logrotate.timer", 86_400), ("fstrim.timer", 604_800),
    ("man-db.timer", 86_400), ("systemd-tmpfiles-clean.timer", 86_400),
)  # fmt: skip


def units(figures: Figures) -> list[str]:
    """The service of the host while it crashes, and what was restarted."""
    rows = [booted(figures), "R\tW"]
    unit, restarts = role_of(figures).unit, int(figures.restarts)
    since = max(0.0, figures.uptime - 8) * 1e6
    if figures.crash_loop:
        rows.append(f"R\tU\t{unit} loaded activating auto-restart {_words(unit)}")
        rows.append(f"R\tS\t{unit}\t{restarts}\tactivating\tauto-restart\texit-code\t{since:.0f}")
    elif restarts:
        rows.append(f"R\tS\t{unit}\t{restarts}\tactive\trunning\tsuccess\t{since:.0f}")
    return rows


def _words(unit: str) -> str:
    return f"{unit.partition('.')[0].partition('@')[0].capitalize()} of this host"


def unit_list(figures: Figures) -> list[str]:
    """What every host has, and the service of its role."""
    rows = [booted(figures)]
    mine, restarts = role_of(figures).unit, int(figures.restarts)
    for number, (unit, words) in enumerate((*_UNITS, (mine, _words(mine)))):
        service = unit.endswith(".service")
        active, sub = (
            "active",
            "running" if service else "listening" if unit.endswith(".socket") else "active",
        )
        if unit == mine and figures.crash_loop:
            active, sub = "activating", "auto-restart"
        memory, tasks = ((4 + number * 3) << 20, 1 + number % 5) if service else ("[not set]", "[not set]")
        count = restarts if unit == mine else 0
        rows.append(
            f"R\tL\t{unit}\t{count}\tloaded\t{active}\t{sub}\t{(9 + number) * 1_000_000}\t{memory}\t{tasks}\t{words}"
        )
    return rows


def timers(figures: Figures) -> list[str]:
    """Those of the distribution."""
    now = figures.wall()
    rows = [booted(figures)]
    for number, (timer, every) in enumerate(_TIMERS):
        after = every - (now + figures.seed * 977 + number * 311) % every
        rows.append(
            f"R\tT\t{timer}\t{stamp(now + after)}\t\t{stamp(now + after - every)}\t{timer.replace('.timer', '.service')}\tsuccess"
        )
    return rows


def clock_sync(figures: Figures) -> list[str]:
    """By chrony; its server is lost while the clock drifts."""
    offset = figures.clock_offset
    lost = figures.clock_drift or abs(offset) > 1
    return [
        booted(figures), f"R\tD\t{figures.wall() + offset:.0f}",
        f"R\tC\tReference ID    : {'00000000 ()' if lost else 'C0A80A01 (192.168.10.1)'}", f"R\tC\tStratum         : {0 if lost else 3}",
        f"R\tC\tSystem time     : {abs(offset) + 0.000012:.9f} seconds {'slow' if offset < 0 else 'fast'} of NTP time",
        f"R\tC\tLeap status     : {'Not synchronised' if lost else 'Normal'}",
    ]  # fmt: skip
