"""Names, units and meanings of all series.

A series is ``metric`` or ``metric{instance}`` where the instance is a mount, NIC, device or unit.  Shares are
ratios 0..1, sizes bytes, times seconds, rates per second.  A gap is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ratio", "bytes", "seconds", "bytes_per_second", "per_second", "count", "flag", "level"]
Period = Literal["fast", "medium", "slow", "checks", "backups"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of series.  ``instance`` says what stands in braces; empty for host-wide ones."""

    name: str
    unit: Unit
    period: Period
    help: str
    instance: str = ""


def _catalogue(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


METRICS: dict[str, Metric] = _catalogue(
    Metric("cpu_busy_ratio", "ratio", "fast", "share of CPU time not idle and not waiting for I/O"),
    Metric("cpu_user_ratio", "ratio", "fast", "share in user mode, nice included"),
    Metric("cpu_system_ratio", "ratio", "fast", "share in the kernel, interrupts included"),
    Metric("cpu_iowait_ratio", "ratio", "fast", "share idle while I/O was outstanding"),
    Metric("cpu_steal_ratio", "ratio", "fast", "share taken by the hypervisor"),
    Metric("cpu_count", "count", "fast", "CPUs on line"),
    Metric("load1", "count", "fast", "load average of 1 minute"),
    Metric("load5", "count", "fast", "load average of 5 minutes"),
    Metric("load15", "count", "fast", "load average of 15 minutes"),
    Metric("load1_per_core", "count", "fast", "load1 / cpu_count"),
    Metric("tasks_running", "count", "fast", "runnable tasks"),
    Metric("tasks_blocked", "count", "fast", "tasks in uninterruptible sleep"),
    Metric("memory_total_bytes", "bytes", "fast", "usable memory"),
    Metric("memory_available_bytes", "bytes", "fast", "memory that can be had without swapping"),
    Metric("memory_available_ratio", "ratio", "fast", "available / total"),
    Metric("memory_used_ratio", "ratio", "fast", "1 - available / total"),
    Metric("memory_cached_bytes", "bytes", "fast", "page cache and buffers"),
    Metric("swap_total_bytes", "bytes", "fast", "swap space"),
    Metric("swap_used_bytes", "bytes", "fast", "swap in use"),
    Metric("swap_used_ratio", "ratio", "fast", "swap in use / swap space; gap without swap"),
    Metric("major_faults_per_second", "per_second", "fast", "page faults that had to read from disk"),
    Metric("oom_kills", "count", "fast", "processes killed for memory since the last sample"),
    Metric("pressure_cpu_some_ratio", "ratio", "fast", "PSI cpu some, avg10"),
    Metric("pressure_memory_some_ratio", "ratio", "fast", "PSI memory some, avg10"),
    Metric("pressure_memory_full_ratio", "ratio", "fast", "PSI memory full, avg60"),
    Metric("pressure_io_some_ratio", "ratio", "fast", "PSI io some, avg10"),
    Metric("pressure_io_full_ratio", "ratio", "fast", "PSI io full, avg60"),
    Metric("uptime_seconds", "seconds", "fast", "since boot"),
    Metric(
        "clock_offset_seconds",
        "seconds",
        "fast",
        "host's clock minus the engine's, half the round trip taken off",
    ),
    Metric("file_descriptors_used_ratio", "ratio", "fast", "allocated / maximum file handles"),
    Metric("pids_used_ratio", "ratio", "fast", "tasks / kernel.pid_max"),
    Metric("conntrack_used_ratio", "ratio", "fast", "tracked connections / maximum"),
    Metric("round_trip_seconds", "seconds", "fast", "from request to whole answer"),
    Metric("disk_read_bytes_per_second", "bytes_per_second", "fast", "bytes read", "device"),
    Metric("disk_write_bytes_per_second", "bytes_per_second", "fast", "bytes written", "device"),
    Metric("disk_busy_ratio", "ratio", "fast", "share of time with I/O in flight", "device"),
    Metric("disk_await_seconds", "seconds", "fast", "mean time of a finished I/O", "device"),
    Metric("disk_queue", "count", "fast", "mean I/Os in flight", "device"),
    Metric("network_receive_bytes_per_second", "bytes_per_second", "fast", "bytes received", "nic"),
    Metric("network_transmit_bytes_per_second", "bytes_per_second", "fast", "bytes sent", "nic"),
    Metric("network_error_ratio", "ratio", "fast", "errors / packets", "nic"),
    Metric("network_drop_ratio", "ratio", "fast", "drops / packets", "nic"),
    Metric("filesystem_size_bytes", "bytes", "medium", "size", "mount"),
    Metric("filesystem_available_bytes", "bytes", "medium", "free for ordinary users", "mount"),
    Metric("filesystem_used_ratio", "ratio", "medium", "used / (used + available), as df rounds it", "mount"),
    Metric(
        "filesystem_inodes_free_ratio",
        "ratio",
        "medium",
        "free inodes / inodes; gap where there are none",
        "mount",
    ),
    Metric("filesystem_readonly", "flag", "medium", "1: mounted read-only", "mount"),
    Metric("processes", "count", "medium", "processes in all"),
    Metric("processes_zombie", "count", "medium", "processes that have ended and that nobody has waited for"),
    Metric("processes_uninterruptible", "count", "medium", "processes in uninterruptible sleep (state D)"),
    Metric("unit_failed", "flag", "medium", "1: the unit failed", "unit"),
    Metric(
        "unit_restarts",
        "count",
        "medium",
        "restarts by the supervisor since the last reading, per 5 minutes",
        "unit",
    ),
    Metric("clock_synchronised", "flag", "medium", "1: the clock follows a server"),
    Metric("clock_sync_offset_seconds", "seconds", "medium", "clock minus its server's, as its keeper says"),
    Metric("clock_stratum", "count", "medium", "servers between the clock and a reference"),
    Metric("logins_failed_total", "count", "medium", "failed logins in the last 5 minutes"),
    Metric(
        "logins_failed", "count", "medium", "the same from one source; of those with ten or more", "source"
    ),
    Metric(
        "logins_accepted", "count", "medium", "logins in the last 5 minutes from the same source", "source"
    ),
    Metric(
        "container_unhealthy",
        "flag",
        "medium",
        "1: its health check fails, or it starts again and again",
        "container",
    ),
    Metric("container_exited", "flag", "medium", "1: it ended with an error", "container"),
    Metric("containers_running", "count", "medium", "containers that run"),
    Metric("temperature_celsius", "count", "medium", "temperature in degrees Celsius", "sensor"),
    Metric(
        "temperature_ratio",
        "ratio",
        "medium",
        "temperature / what the sensor itself calls critical",
        "sensor",
    ),
    Metric("fan_rpm", "count", "medium", "turns per minute", "sensor"),
    Metric(
        "memory_errors", "count", "medium", "errors of ECC memory since boot, corrected or not", "controller"
    ),
    Metric(
        "memory_errors_uncorrected",
        "count",
        "medium",
        "errors that ECC memory could not correct",
        "controller",
    ),
    Metric("raid_missing_members", "count", "medium", "members that an array of disks lacks", "array"),
    Metric("raid_sync_ratio", "ratio", "medium", "how far a rebuild or check is; gap without one", "array"),
    Metric("sockets_tcp", "count", "medium", "TCP sockets in use"),
    Metric("sockets_time_wait", "count", "medium", "TCP sockets in TIME_WAIT"),
    Metric("sockets_orphaned", "count", "medium", "TCP sockets that no process holds"),
    Metric("sockets_established", "count", "medium", "TCP connections established"),
    Metric(
        "sockets_close_wait", "count", "medium", "TCP connections that the other side closed and ours has not"
    ),
    Metric("sockets_syn_received", "count", "medium", "TCP connections half open"),
    Metric("sockets_udp", "count", "medium", "UDP sockets in use"),
    Metric("tcp_retransmit_ratio", "ratio", "medium", "TCP segments sent again / segments sent"),
    Metric(
        "listen_drops_per_second",
        "per_second",
        "medium",
        "connections dropped because nobody accepted them in time",
    ),
    Metric("listening_drift", "count", "medium", "listening ports that the accepted baseline does not have"),
    Metric("listening_ports", "count", "medium", "ports that are listened on"),
    Metric("link_down", "flag", "medium", "1: switched on, but without carrier", "nic"),
    Metric("link_bits_per_second", "per_second", "medium", "speed that was agreed on", "nic"),
    Metric("bond_inactive_members", "count", "medium", "members of a bond that carry nothing", "bond"),
    Metric("nfs_round_trip_seconds", "seconds", "medium", "mean time of the server's answers", "mount"),
    Metric("nfs_retransmit_ratio", "ratio", "medium", "requests sent again / requests", "mount"),
    Metric(
        "nfs_timeouts_per_second", "per_second", "medium", "requests that were not answered in time", "mount"
    ),
    Metric("entropy_bits", "count", "slow", "random bits that the kernel has at hand"),
    Metric("kernel_tainted", "count", "slow", "the kernel's taint bits; 0: clean"),
    Metric("hung_tasks", "count", "slow", "tasks found hung since boot, where the kernel counts them"),
    Metric("hugepages_free_ratio", "ratio", "slow", "free / reserved huge pages; gap without any"),
    Metric("check_ok", "flag", "checks", "1: the last run was well, 0: it failed; gap: not known", "check"),
    Metric("check_seconds", "seconds", "checks", "how long a run took", "check"),
    Metric(
        "check_trouble",
        "level",
        "checks",
        "2: failed 3 times in a row, 1: in trouble 3 times in a row, until well twice",
        "check",
    ),
    Metric("check_http_trouble", "level", "checks", "as check_trouble, of HTTP checks", "check"),
    Metric("check_certificate_seconds", "seconds", "checks", "until the certificate expires", "check"),
    Metric(
        "check_certificate_invalid",
        "flag",
        "checks",
        "1: chain or name of the certificate does not hold",
        "check",
    ),
    Metric("check_first_byte_seconds", "seconds", "checks", "until the first byte of the answer", "check"),
    Metric("check_body_bytes", "bytes", "checks", "size of the answer's body as sent", "check"),
    Metric("check_round_trip_seconds", "seconds", "checks", "mean round trip of the echoes", "check"),
    Metric("check_loss_ratio", "ratio", "checks", "echoes lost", "check"),
    Metric(
        "check_clock_offset_seconds",
        "seconds",
        "checks",
        "the time server's clock minus the engine's",
        "check",
    ),
    Metric("check_connections", "count", "checks", "connections to the database", "check"),
    Metric("check_connections_ratio", "ratio", "checks", "connections / the most that it takes", "check"),
    Metric(
        "check_replication_lag_seconds", "seconds", "checks", "how far behind the worst replica is", "check"
    ),
    Metric(
        "check_slow_queries",
        "count",
        "checks",
        "queries that run for longer than the check's slow_seconds",
        "check",
    ),
    Metric("check_lock_waits", "count", "checks", "sessions that wait for a lock", "check"),
    Metric("check_cache_hit_ratio", "ratio", "checks", "reads served from the database's cache", "check"),
    Metric("check_memory_ratio", "ratio", "checks", "memory in use / the most that it may take", "check"),
    Metric("check_processes", "count", "checks", "processes that match", "check"),
    Metric("check_file_age_seconds", "seconds", "checks", "since the file was written", "check"),
    Metric("check_file_bytes", "bytes", "checks", "size of the file", "check"),
    Metric("check_log_matches", "count", "checks", "lines that match since the last look", "check"),
    Metric("check_perfdata", "count", "checks", "a plugin's performance value, in base units", "check/label"),
    Metric("backup_age_ratio", "ratio", "backups", "age of the newest good snapshot / its RPO", "job"),
    Metric("backup_failed", "flag", "backups", "1: the last backup was not all good", "job"),
    Metric("backup_anomaly", "flag", "backups", "1: the newest snapshot is unlike those before it", "job"),
    Metric(
        "backup_copy_failed",
        "flag",
        "backups",
        "1: the last copy to one of its repositories was not all good",
        "job",
    ),
    Metric(
        "backup_unreadable",
        "flag",
        "backups",
        "1: the repository can't be read: its password, its place or its data is wrong, or it was not reached for three hours",
        "repository",
    ),
    Metric(
        "backup_space_trouble",
        "level",
        "backups",
        "1: the repository is full within a month if it grows on as it does, 2: within a week",
        "repository",
    ),
    Metric(
        "backup_copy_lag_ratio",
        "ratio",
        "backups",
        "by how much the newest copy is older than the newest good snapshot / its RPO",
        "job",
    ),
    Metric(
        "backup_timer_trouble",
        "flag",
        "backups",
        "1: a timer that is to be on a host is not, or does not go off",
        "job",
    ),
    Metric(
        "backup_drill_trouble",
        "level",
        "backups",
        "1: a restore drill is overdue, 2: the last one failed",
        "job",
    ),
    Metric("check_prometheus", "count", "checks", "a value of a Prometheus endpoint", "check/series"),
    Metric("accounts_drift", "count", "slow", "accounts that differ from the accepted baseline"),
    Metric("host_keys_drift", "count", "slow", "SSH keys of the host that differ from the accepted baseline"),
    Metric(
        "authorized_keys_drift",
        "count",
        "slow",
        "keys that let somebody in that differ from the accepted baseline",
    ),
    Metric("sudoers_drift", "count", "slow", "files of sudoers that differ from the accepted baseline"),
    Metric(
        "suid_files_drift", "count", "slow", "files with SUID or SGID that differ from the accepted baseline"
    ),
    Metric("sshd_settings_drift", "count", "slow", "settings of sshd that differ from the accepted baseline"),
    Metric(
        "firewall_drift", "count", "slow", "chains of the firewall that differ from the accepted baseline"
    ),
    Metric("firewall_active", "flag", "slow", "1: what comes in is filtered"),
    Metric("smart_failing", "flag", "slow", "1: the disk says that it fails", "disk"),
    Metric(
        "disk_wear_ratio", "ratio", "slow", "share of its rated life that a solid-state disk has used", "disk"
    ),
    Metric("disk_reallocated_sectors", "count", "slow", "sectors that the disk has replaced", "disk"),
    Metric(
        "disk_pending_sectors", "count", "slow", "sectors that could not be read and may be replaced", "disk"
    ),
    Metric("disk_media_errors", "count", "slow", "errors that the disk could not correct", "disk"),
    Metric("disk_temperature_celsius", "count", "slow", "as the disk says", "disk"),
    Metric(
        "lvm_pool_used_ratio", "ratio", "slow", "used of a thin pool or snapshot, data or metadata", "volume"
    ),
    Metric("multipath_failed_paths", "count", "slow", "paths to a disk that have failed", "map"),
    Metric("zfs_pool_trouble", "level", "medium", "0: on line, 1: degraded, 2: worse", "pool"),
    Metric("zfs_pool_used_ratio", "ratio", "medium", "used / size", "pool"),
    Metric("updates_pending", "count", "slow", "packages for which there is a newer one"),
    Metric("updates_security", "count", "slow", "the same, marked as security's"),
    Metric(
        "package_lists_age_seconds", "seconds", "slow", "since the host last fetched what packages there are"
    ),
    Metric("reboot_required", "flag", "slow", "1: what was updated needs a reboot"),
    Metric(
        "certificate_days_left",
        "count",
        "slow",
        "days until a certificate on disk ends; below zero: since",
        "file",
    ),
)

COMPLEMENTS: dict[str, str] = {"memory_used_ratio": "memory_available_ratio"}
"""Shares that are the rest of another to the whole: rules stand on one, people look at the other."""
