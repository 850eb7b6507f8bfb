"""Sockets, ports, NFS, control groups and containers, by every awk on hosts of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

by_every_awk = pytest.mark.parametrize("awk", AWKS)

PROC = {
    "/proc/net/tcp": recorded("proc-net-tcp"), "/proc/net/tcp6": recorded("proc-net-tcp6"), "/proc/net/udp": recorded("proc-net-udp"),
    "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
} | {f"/proc/{pid}/comm": f"{name}\n" for pid, name in ((611, "dhclient"), (702, "sshd"), (810, "postgres"), (590, "rpc.statd"), (2210, "sshd"), (900, "nginx"))}  # fmt: skip
SS = {"ss -Hntuape": recorded("programs/debian12-ss")}


@by_every_awk
def test_what_listens_is_told_with_its_process_and_what_others_reach_is_the_baseline(
    tmp_path: Path, awk: str
) -> None:
    raw = FakeHost(tmp_path / "host", awk, SS, files=PROC).ask("listening")["listening"]
    found = ALL["listening"].read(raw, None, 0.0)
    assert raw.problems == [] and raw.withheld == []
    rows = {(row[0], row[1], row[2]): row[3:] for row in found.rows}
    assert rows["0.0.0.0", 22.0, "tcp"] == (702.0, "sshd", 0.0, "everyone")
    assert rows["127.0.0.1", 5432.0, "tcp"] == (810.0, "postgres", 113.0, "this host")
    assert rows["::", 80.0, "tcp"] == (900.0, "nginx", 0.0, "everyone")
    assert rows["::1", 631.0, "tcp"] == (None, "", 0.0, "this host")
    assert found.items == {
        "tcp 0.0.0.0:22": "sshd", "tcp [::]:80": "nginx", "udp 0.0.0.0:68": "dhclient",
        # it asks for any port, and has another after each start
        "tcp 10.0.0.10 any port, rpc.statd": "rpc.statd",
    }  # fmt: skip
    assert found.values["listening_ports"] == 7.0


def test_a_host_that_tells_nothing_of_its_ports_has_not_closed_them() -> None:
    assert ALL["listening"].read(Raw([["ports", "32768 60999"]]), None, 0.0).items is None


@by_every_awk
def test_without_root_ports_are_told_and_their_processes_asked_for_with_a_rule(
    tmp_path: Path, awk: str
) -> None:
    host = FakeHost(tmp_path / "host", awk, {"ss -Hntuape": "tcp LISTEN 0 1 a:1 b:* ino:18201 sk:2\n"}, files=PROC, root=False)  # fmt: skip
    raw = host.ask("listening")["listening"]
    assert raw.withheld == [
        (
            "processes behind the sockets of other accounts",
            "only root may see this",
            "guardian ALL=(root) NOPASSWD: /usr/bin/ss -Hntuape",
        )
    ]
    rows = ALL["listening"].read(raw, None, 0.0).rows
    assert len(rows) == 7 and {row[4] for row in rows} == {""}


@by_every_awk
def test_with_the_rule_they_come(tmp_path: Path, awk: str) -> None:
    host = FakeHost(tmp_path / "host", awk, {**SS, "sudo": SS["ss -Hntuape"]}, files=PROC, root=False)
    rule = f"User guardian may run the following commands on db-1:\n    (root) NOPASSWD: {host.folder}/bin/ss -Hntuape\n"
    (host.folder / "bin/sudo").write_text(
        f"#!/bin/sh\nif [ \"$2\" = -l ]; then printf '%s' '{rule}'; else shift; exec \"$@\"; fi\n", encoding="utf-8"
    )  # fmt: skip
    raw = host.ask("listening")["listening"]
    assert raw.withheld == []
    assert "sshd" in {row[4] for row in ALL["listening"].read(raw, None, 0.0).rows}


@by_every_awk
def test_connections_are_told_with_both_ends_and_a_mapped_address_as_what_it_is(
    tmp_path: Path, awk: str
) -> None:
    raw = FakeHost(tmp_path / "host", awk, SS, files=PROC).ask("connections")["connections"]
    rows = ALL["connections"].read(raw, None, 0.0).rows
    assert rows == (
        ("10.0.0.10:22", "10.0.0.90:54194", "tcp", "established", 2210.0, "sshd", 0.0),
        ("10.0.0.10:41970", "10.0.0.91:443", "tcp", "time wait", None, "", 0.0),
        ("10.0.0.10:41972", "10.0.0.91:443", "tcp", "close wait", None, "", 1000.0),
        ("10.0.0.10:80", "10.0.0.90:49153", "tcp", "established", None, "", 33.0),
    )


@by_every_awk
def test_a_processor_that_writes_the_greatest_byte_first_has_the_same_addresses(
    tmp_path: Path, awk: str
) -> None:
    tcp = recorded("proc-net-tcp").replace("0100007F", "7F000001")
    host = FakeHost(tmp_path / "host", awk, {**SS, "uname -m": "s390x\n"}, files={"/proc/net/tcp": tcp})
    raw = host.ask("listening")["listening"]
    assert raw.problems == []
    assert {row[0] for row in ALL["listening"].read(raw, None, 0.0).rows} == {
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.10",
    }


@by_every_awk
def test_sockets_are_counted_by_state_and_what_was_sent_again_is_a_share(tmp_path: Path, awk: str) -> None:
    snmp = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm CurrEstab OutSegs RetransSegs\nTcp: 1 2 {} {}\nUdp: InDatagrams InErrors\nUdp: 9 0\n"
    files = {
        **PROC, "/proc/net/sockstat": "sockets: used 180\nTCP: inuse 5 orphan 1 tw 12 alloc 9 mem 2\nUDP: inuse 2 mem 1\nFRAG: inuse 0 memory 0\n",
        "/proc/net/sockstat6": "TCP6: inuse 3\nUDP6: inuse 1\n", "/proc/net/snmp": snmp.format(1000, 10),
        "/proc/net/netstat": "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 3 4\nIpExt: InNoRoutes\nIpExt: 0\n",
    }  # fmt: skip
    host = FakeHost(tmp_path / "host", awk, files=files)
    first = host.ask("sockets")["sockets"]
    (host.folder / "proc/net/snmp").write_text(snmp.format(1200, 20), encoding="utf-8")
    second = host.ask("sockets")["sockets"]
    found = ALL["sockets"].read(second, first, 10.0)
    assert second.problems == []
    assert found.values == {
        "sockets_tcp": 8.0, "sockets_time_wait": 12.0, "sockets_orphaned": 1.0, "sockets_udp": 3.0, "sockets_established": 2.0,
        "sockets_close_wait": 1.0, "sockets_syn_received": 0.0, "tcp_retransmit_ratio": 0.05, "listen_drops_per_second": 0.0,
    }  # fmt: skip
    rows = {row[0]: row[1:] for row in found.rows}
    assert (
        rows["TCP listen"] == (5.0, None)
        and rows["Tcp RetransSegs"] == (20.0, 1.0)
        and rows["TCP tw"] == (12.0, None)
    )
    # a counter that began anew is a gap
    assert "tcp_retransmit_ratio" not in ALL["sockets"].read(first, second, 10.0).values


@by_every_awk
def test_a_mount_of_nfs_tells_how_fast_its_server_is_and_what_it_did_not_answer(
    tmp_path: Path, awk: str
) -> None:
    host = FakeHost(tmp_path / "host", awk, files={"/proc/self/mountstats": recorded("mountstats")})
    first = host.ask("nfs")["nfs"]
    (host.folder / "proc/self/mountstats").write_text(
        recorded("mountstats").replace("500 510 2 80000000 80000 900 20000 21000", "600 640 12 80000000 80000 900 24000 27000"), encoding="utf-8"
    )  # fmt: skip
    second = host.ask("nfs")["nfs"]
    found = ALL["nfs"].read(second, first, 10.0)
    assert first.problems == second.problems == []
    assert found.rows == (
        (
            "/home/our people", "filer.example.org:/export/home", 10.0, pytest.approx(0.040), pytest.approx(0.060), pytest.approx(30 / 130), 10.0, "WRITE"
        ),
    )  # fmt: skip
    assert found.values == {
        "nfs_round_trip_seconds{/home/our people}": pytest.approx(0.040), "nfs_retransmit_ratio{/home/our people}": pytest.approx(30 / 130),
        "nfs_timeouts_per_second{/home/our people}": 1.0,
    }  # fmt: skip
    # mounted anew in between: counted from then
    assert ALL["nfs"].read(first, second, 10.0).rows[0][2] == 50.0


ID = "4f5c6d7e8f901a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819200"
OTHER = ID.replace("4f", "aa")
PS = f"""{ID}~registry.example.org/shop/web:1.4.2~web~Up 3 days (healthy)
{OTHER}~postgres:16~db,web/database~Up 2 hours (unhealthy)
{ID.replace("4f", "bb")}~redis:7~cache~Exited (137) 5 minutes ago
{ID.replace("4f", "cc")}~alpine~job~Exited (0) 2 days ago
{ID.replace("4f", "dd")}~worker:2~worker~Restarting (1) 12 seconds ago
{ID.replace("4f", "ee")}~busybox~stopped~Exited (143) 2 days ago
{ID.replace("4f", "ff")}~busybox~held~Up 2 hours (Paused)
"""
GROUP = f"/sys/fs/cgroup/system.slice/docker-{ID}.scope"
STRANGER = "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cri-containerd-99887766554433221100aabbccddeeff.scope"
GROUPS = {
    f"{GROUP}/memory.current": "104857600\n", f"{GROUP}/memory.max": "209715200\n", f"{GROUP}/pids.current": "12\n", f"{GROUP}/pids.max": "max\n",
    f"{GROUP}/cpu.stat": "usage_usec {}\nuser_usec 5\nnr_periods 0\nnr_throttled 0\n",
    f"{GROUP}/memory.events": "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n", f"{GROUP}/memory.pressure": "some avg10=2.50 avg60=1.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
    f"{STRANGER}/memory.current": "4096\n", f"{STRANGER}/cpu.stat": "usage_usec 1000000\n",
}  # fmt: skip


def with_groups(cpu: int) -> dict[str, str]:
    return {path: text.replace("{}", str(cpu)) for path, text in GROUPS.items()}


@by_every_awk
def test_containers_are_told_with_state_health_restarts_and_what_they_use(tmp_path: Path, awk: str) -> None:
    docker = {"docker ps -a ": PS, "docker inspect": f"{ID}~0\n{OTHER}~7\n", "docker ps -aq": ""}
    host = FakeHost(
        tmp_path / "host", awk, docker, files={**with_groups(1_000_000), "/var/run/docker.sock": ""}
    )
    first = host.ask("containers")["containers"]
    (host.folder / f"{GROUP[1:]}/cpu.stat").write_text("usage_usec 3500000\n", encoding="utf-8")
    second = host.ask("containers")["containers"]
    found = ALL["containers"].read(second, first, 10.0)
    assert second.problems == [] and second.withheld == []
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["web"] == ("running", "healthy", 0.0, 0.25, 104857600.0, "registry.example.org/shop/web:1.4.2", "Up 3 days (healthy)", "docker", ID[:11] + "…")  # fmt: skip
    assert rows["db"][:3] == ("running", "unhealthy", 7.0)
    assert rows["held"][0] == "paused" and rows["worker"][0] == "restarting"
    # what no engine lists is seen by its control group
    assert [row[-2] for row in found.rows if row[7] == "seen in its control group"] == ["cri-containerd"]
    set_ = {name for name, value in found.values.items() if value and name != "containers_running"}
    assert set_ == {"container_unhealthy{db}", "container_unhealthy{worker}", "container_exited{cache}"}
    assert found.values["containers_running"] == 3.0


@by_every_awk
def test_without_the_right_to_ask_docker_its_containers_are_seen_by_their_groups_and_the_rule_is_told(
    tmp_path: Path, awk: str
) -> None:
    host = FakeHost(tmp_path / "host", awk, {"docker nothing": ""}, files={**with_groups(1), "/var/run/docker.sock": ""}, root=False)  # fmt: skip
    raw = host.ask("containers")["containers"]
    ((what, why, rule),) = raw.withheld
    assert (what, why) == ("containers of docker", "only root may see this")
    assert rule == "guardian ALL=(root) NOPASSWD: /usr/bin/docker ps -a --no-trunc --format {{.ID}}~{{.Image}}~{{.Names}}~{{.Status}}"  # fmt: skip
    assert sorted(str(row[-2]) for row in ALL["containers"].read(raw, None, 0.0).rows) == [
        "cri-containerd",
        "docker",
    ]


@by_every_awk
def test_docker_that_does_not_run_is_no_fault(tmp_path: Path, awk: str) -> None:
    host = FakeHost(tmp_path / "host", awk, {"docker nothing": ""})
    raw = host.ask("containers")["containers"]
    assert not [call for call in host.calls() if call.startswith("docker")]
    assert raw == Raw() and ALL["containers"].read(raw, None, 0.0) == Findings()


@by_every_awk
def test_control_groups_of_both_versions_tell_use_limits_and_kills(tmp_path: Path, awk: str) -> None:
    host = FakeHost(tmp_path / "host", awk, files=with_groups(0))
    first = host.ask("cgroups")["cgroups"]
    (host.folder / f"{GROUP[1:]}/cpu.stat").write_text("usage_usec 5000000\nnr_periods 100\nnr_throttled 25\n", encoding="utf-8")  # fmt: skip
    second = host.ask("cgroups")["cgroups"]
    rows = {row[0]: row[1:] for row in ALL["cgroups"].read(second, first, 10.0).rows}
    assert second.problems == []
    assert rows[f"/system.slice/docker-{ID}.scope"] == (0.5, 0.25, 104857600.0, 209715200.0, 0.5, 0.025, None, 12.0, None, 1.0)  # fmt: skip
    old = {
        "/sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes": "1048576\n", "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "9223372036854771712\n",
        "/sys/fs/cgroup/cpuacct/docker/x/cpuacct.usage": "2000000000\n", "/sys/fs/cgroup/pids/docker/x/pids.current": "3\n",
    }  # fmt: skip
    raw = FakeHost(tmp_path / "old", awk, files=old).ask("cgroups")["cgroups"]
    (row,) = ALL["cgroups"].read(raw, None, 0.0).rows
    assert row == ("/docker/x", None, None, 1048576.0, None, None, None, None, 3.0, None, None)
