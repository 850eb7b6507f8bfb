"""Cases of the rules over containers, hardware, links and mounts over the network; columns as in test_rules.CASES."""

from __future__ import annotations

UNHEALTHY = "container_unhealthy{web}"
EXITED = "container_exited{web}"
HOT = "temperature_ratio{coretemp Core 0}"
ERRORS = "memory_errors{mc0}"
LOST = "memory_errors_uncorrected{mc0}"
RAID = "raid_missing_members{md0}"
LINK = "link_down{eno1}"
BOND = "bond_inactive_members{bond0}"
PORTS = "listening_drift"
NFS = "nfs_timeouts_per_second{/home/our people}"

MACHINE_CASES = [
    ("container_unhealthy", "warning", (UNHEALTHY,), {UNHEALTHY: 1.0}, 120, None, {}, 0),
    ("container_exited", "warning", (EXITED,), {EXITED: 1.0}, 120, None, {}, 0),
    ("temperature", "warning", (HOT,), {HOT: 0.85}, 300, {HOT: 0.77}, {HOT: 0.70}, 0),
    ("temperature", "critical", (HOT,), {HOT: 1.01}, 300, {HOT: 0.97}, {HOT: 0.70}, 0),
    ("ecc", "warning", (ERRORS, LOST), {ERRORS: 1.0}, 0, None, {}, 0),
    ("ecc", "critical", (ERRORS, LOST), {ERRORS: 1.0, LOST: 1.0}, 0, None, {}, 0),
    ("raid_degraded", "critical", (RAID,), {RAID: 1.0}, 0, None, {}, 0),
    ("link_down", "warning", (LINK,), {LINK: 1.0}, 300, None, {}, 0),
    ("bond_degraded", "warning", (BOND,), {BOND: 1.0}, 300, None, {}, 0),
    ("new_listening_port", "warning", (PORTS,), {PORTS: 1.0}, 0, None, {}, 0),
    ("nfs_stalled", "warning", (NFS,), {NFS: 1 / 60}, 0, None, {}, 600),
]
