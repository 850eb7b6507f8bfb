"""Hardware and kernel: sensors, arrays, memory errors, links, disks and what the machine is, by every awk on hosts of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.protocol.sections import SECTIONS
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

by_every_awk = pytest.mark.parametrize("awk", AWKS)


def read(host: FakeHost, name: str) -> Findings:
    """One reading of a section, understood to the last row."""
    raw = host.ask(name)[name]
    found = ALL[name].read(raw, None, 0.0)
    assert raw.problems == []
    return found


HWMON = "/sys/class/hwmon"
SENSORS = {
    f"{HWMON}/hwmon0/name": "coretemp\n", f"{HWMON}/hwmon0/temp1_input": "83000\n", f"{HWMON}/hwmon0/temp1_label": "Package id 0\n",
    f"{HWMON}/hwmon0/temp1_crit": "100000\n", f"{HWMON}/hwmon0/temp1_max": "82000\n",
    f"{HWMON}/hwmon1/name": "nvme\n", f"{HWMON}/hwmon1/temp1_input": "44850\n", f"{HWMON}/hwmon1/temp1_crit": "84850\n", f"{HWMON}/hwmon1/temp1_label": "Composite\n",
    f"{HWMON}/hwmon2/name": "nvme\n", f"{HWMON}/hwmon2/temp1_input": "41850\n", f"{HWMON}/hwmon2/temp1_crit": "84850\n", f"{HWMON}/hwmon2/temp1_label": "Composite\n",
    f"{HWMON}/hwmon3/name": "nct6775\n", f"{HWMON}/hwmon3/temp1_input": "-128000\n", f"{HWMON}/hwmon3/temp2_input": "36000\n", f"{HWMON}/hwmon3/temp2_crit": "255000\n",
    f"{HWMON}/hwmon3/fan1_input": "0\n", f"{HWMON}/hwmon3/fan1_alarm": "1\n", f"{HWMON}/hwmon3/fan2_input": "1205\n",
    "/sys/class/thermal/thermal_zone0/type": "acpitz\n", "/sys/class/thermal/thermal_zone0/temp": "27800\n",
    "/sys/class/thermal/thermal_zone0/trip_point_0_type": "critical\n", "/sys/class/thermal/thermal_zone0/trip_point_0_temp": "119000\n",
}  # fmt: skip


@by_every_awk
def test_a_sensor_is_judged_by_its_own_critical_and_one_that_is_not_connected_is_left_out(
    tmp_path: Path, awk: str
) -> None:
    found = read(FakeHost(tmp_path / "host", awk, files=SENSORS), "sensors")
    assert found.values["temperature_ratio{coretemp Package id 0}"] == 0.83
    # two of a kind, a filler in place of a critical, a zone with a trip point
    assert found.values["temperature_celsius{nvme Composite #2}"] == 41.85
    assert "temperature_ratio{nct6775 temp2}" not in found.values
    assert found.values["temperature_celsius{nct6775 temp2}"] == 36.0
    assert found.values["temperature_ratio{acpitz}"] == pytest.approx(27.8 / 119)
    rows = {row[0]: row[1:] for row in found.rows}
    assert "nct6775 temp1" not in rows
    assert rows["nct6775 fan1"] == ("fan", None, None, None, 0.0, "alarm")
    assert rows["coretemp Package id 0"] == ("temperature", 83.0, 82.0, 100.0, None, "")


@by_every_awk
def test_an_array_that_lacks_a_member_says_how_many_and_how_far_its_repair_is(
    tmp_path: Path, awk: str
) -> None:
    found = read(FakeHost(tmp_path / "host", awk, files={"/proc/mdstat": recorded("mdstat")}), "raid")
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["md127"][:4] == ("degraded, recovery", "raid5", 1.0, 6.0)
    assert rows["md127"][5:7] == (0.126, 127.5 * 60)
    assert rows["md0"] == ("degraded", "raid1", 1.0, 2.0, "sda1", None, None, "sdb1[1] sda1[0](F)")
    assert rows["md1"][:4] == ("active", "raid1", 0.0, 2.0)
    assert rows["md2"][0] == "active, waits to resync"
    assert rows["md3"][:3] == ("inactive", "", 1.0)
    assert rows["md126"][:3] == ("active", "raid0", 0.0)
    # a container of firmware RAID is no array
    assert rows["md125"][:3] == ("container", "", None)
    assert {name for name, value in found.values.items() if name.startswith("raid_missing") and value} == {
        "raid_missing_members{md127}", "raid_missing_members{md0}", "raid_missing_members{md3}",
    }  # fmt: skip


@by_every_awk
def test_memory_errors_are_told_by_controller_and_none_are_no_fault(tmp_path: Path, awk: str) -> None:
    mc = "/sys/devices/system/edac/mc"
    files = {f"{mc}/mc0/ce_count": "0\n", f"{mc}/mc0/ue_count": "0\n", f"{mc}/mc0/mc_name": "Skylake Socket#0 IMC#0\n", f"{mc}/mc0/size_mb": "65536\n"}  # fmt: skip
    files |= {f"{mc}/mc1/ce_count": "12\n", f"{mc}/mc1/ue_count": "1\n"}
    found = read(FakeHost(tmp_path / "host", awk, files=files), "ecc")
    assert found.rows == (
        ("mc0", 0.0, 0.0, float(64 << 30), "Skylake Socket#0 IMC#0"),
        ("mc1", 12.0, 1.0, None, ""),
    )
    assert (
        found.values["memory_errors{mc1}"] == 13.0 and found.values["memory_errors_uncorrected{mc0}"] == 0.0
    )
    assert read(FakeHost(tmp_path / "other", awk), "ecc") == Findings()


NET = "/sys/class/net"
LINKS = {
    f"{NET}/eno1/operstate": "up\n", f"{NET}/eno1/carrier": "1\n", f"{NET}/eno1/speed": "10000\n", f"{NET}/eno1/duplex": "full\n",
    f"{NET}/eno1/flags": "0x1803\n", f"{NET}/eno1/mtu": "9000\n", f"{NET}/eno1/address": "3c:ec:ef:00:00:01\n", f"{NET}/eno1/carrier_changes": "3\n",
    f"{NET}/eno2/operstate": "down\n", f"{NET}/eno2/carrier": "0\n", f"{NET}/eno2/speed": "-1\n", f"{NET}/eno2/flags": "0x1803\n",
    # switched off: its carrier can't be read
    f"{NET}/eno3/operstate": "down\n", f"{NET}/eno3/flags": "0x1002\n",
    f"{NET}/veth12/operstate": "lowerlayerdown\n", f"{NET}/veth12/carrier": "0\n", f"{NET}/veth12/flags": "0x1003\n",
    f"{NET}/bond0/operstate": "up\n", f"{NET}/bond0/carrier": "1\n", f"{NET}/bond0/flags": "0x1403\n",
    f"{NET}/bonding_masters": "bond0 bond1\n",
    "/proc/net/bonding/bond0": recorded("bonding-802.3ad"), "/proc/net/bonding/bond1": recorded("bonding-backup"),
}  # fmt: skip


@by_every_awk
def test_a_link_without_carrier_and_a_bond_that_lost_a_member_are_told(tmp_path: Path, awk: str) -> None:
    found = read(FakeHost(tmp_path / "host", awk, files=LINKS), "links")
    assert {name: value for name, value in found.values.items() if name.startswith("link_down")} == {
        "link_down{eno1}": 0.0, "link_down{eno2}": 1.0, "link_down{bond0}": 0.0
    }  # fmt: skip
    assert found.values["link_bits_per_second{eno1}"] == 1e10
    # one has no link, one agreed with another partner than the active ones
    assert found.values["bond_inactive_members{bond0}"] == 2.0
    assert found.values["bond_inactive_members{bond1}"] == 0.0
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["eno1"] == ("up", "yes", 10000.0, "full", 9000.0, "bond0", "3c:ec:ef:00:00:01", 3.0, "")
    assert rows["bond0"][-1] == "IEEE 802.3ad Dynamic link aggregation, 3 members, inactive: eno2, eno4"


@by_every_awk
def test_a_machine_says_its_product_processor_memory_and_what_it_runs_under(tmp_path: Path, awk: str) -> None:
    cpuinfo = "".join(
        f"processor\t: {n}\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz\nphysical id\t: {n // 2}\ncpu cores\t: 2\nflags\t\t: fpu vmx hypervisor\n\n"
        for n in range(4)
    )
    files = {
        "/proc/cpuinfo": cpuinfo, "/proc/meminfo": "MemTotal:       32768000 kB\n", "/sys/class/dmi/id/sys_vendor": "QEMU\n",
        "/sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n", "/sys/class/dmi/id/board_name": "Default string\n",
        "/sys/class/dmi/id/bios_version": "1.16.2\n",
    }  # fmt: skip
    found = read(FakeHost(tmp_path / "host", awk, files=files), "hardware")
    assert found.facts == {
        "product": "QEMU Standard PC (Q35 + ICH9, 2009)", "cpu": "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", "virtualisation": "KVM", "memory": "31.2 GiB"
    }  # fmt: skip
    rows = dict(found.rows)
    assert rows["processors"] == "4" and rows["sockets"] == "2" and rows["firmware"] == "1.16.2"
    assert "board" not in rows
    metal = {path: text.replace(" hypervisor", "") for path, text in files.items()}
    metal["/sys/class/dmi/id/sys_vendor"] = "Supermicro\n"
    metal["/sys/class/dmi/id/product_name"] = "SYS-6029P-TRT\n"
    facts = read(FakeHost(tmp_path / "metal", awk, files=metal), "hardware").facts
    assert (facts["virtualisation"], facts["product"]) == ("none", "Supermicro SYS-6029P-TRT")
    board = {"/proc/cpuinfo": "processor\t: 0\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n", "/run/systemd/container": "lxc\n"}  # fmt: skip
    facts = read(FakeHost(tmp_path / "board", awk, files=board), "hardware").facts
    assert (
        facts["product"] == "Raspberry Pi 4 Model B Rev 1.4" and facts["virtualisation"] == "container (lxc)"
    )


@by_every_awk
def test_disks_are_listed_with_model_size_and_kind(tmp_path: Path, awk: str) -> None:
    block = "/sys/block"
    files = {
        "/proc/diskstats": "   8       0 sda 1 0 8\n   8       1 sda1 1 0 8\n 259       0 nvme0n1 1 0 8\n   7       0 loop0 1 0 8\n",
        f"{block}/sda/size": "7814037168\n", f"{block}/sda/queue/rotational": "1\n", f"{block}/sda/removable": "0\n", f"{block}/sda/ro": "0\n",
        f"{block}/sda/device/vendor": "ATA     \n", f"{block}/sda/device/model": "ST4000NM0035-1V4 \n", f"{block}/sda/queue/scheduler": "none [mq-deadline] bfq\n",
        f"{block}/nvme0n1/size": "1953525168\n", f"{block}/nvme0n1/queue/rotational": "0\n", f"{block}/nvme0n1/ro": "1\n",
        f"{block}/nvme0n1/device/model": "SAMSUNG MZQL2960HCJR-00A07              \n", f"{block}/nvme0n1/device/serial": "S64FNE0R500000      \n",
    }  # fmt: skip
    assert read(FakeHost(tmp_path / "host", awk, files=files), "disks").rows == (
        ("sda", 4000787030016.0, "hard disk", "ST4000NM0035-1V4", "", "mq-deadline", ""),
        ("nvme0n1", 1000204886016.0, "NVMe", "SAMSUNG MZQL2960HCJR-00A07", "S64FNE0R500000", "", "read-only"),
    )


@by_every_awk
def test_a_tainted_kernel_says_by_what_in_words(tmp_path: Path, awk: str) -> None:
    files = {
        "/proc/sys/kernel/tainted": "12289\n", "/proc/cmdline": "root=/dev/sda1 ro quiet\n", "/proc/modules": "zfs 1 0 - Live 0x0\nspl 1 1 zfs, Live 0x0\n",
        "/proc/meminfo": "MemTotal: 9 kB\nHugePages_Total:     512\nHugePages_Free:      128\n", "/proc/sys/kernel/random/entropy_avail": "256\n",
        "/proc/stat": "cpu 1\nbtime 1790000000\n", "/sys/devices/system/cpu/vulnerabilities/mds": "Vulnerable: Clear CPU buffers attempted, no microcode\n",
        "/sys/devices/system/cpu/vulnerabilities/meltdown": "Mitigation: PTI\n",
    }  # fmt: skip
    found = read(FakeHost(tmp_path / "host", awk, files=files), "kernel")
    assert found.facts == {"kernel_taint": "proprietary module, module from outside, module not signed"}
    assert found.values == {"kernel_tainted": 12289.0, "entropy_bits": 256.0, "hugepages_free_ratio": 0.25}
    rows = list(found.rows)
    assert ("modules loaded", "2") in rows and ("command line", "root=/dev/sda1 ro quiet") in rows
    assert [value for name, value in rows if name == "vulnerable"] == [
        "mds: Vulnerable: Clear CPU buffers attempted, no microcode"
    ]


@by_every_awk
def test_each_processor_has_its_own_shares_and_interrupts_their_rates(tmp_path: Path, awk: str) -> None:
    cpu = "/sys/devices/system/cpu"
    files = {
        "/proc/stat": "cpu  9 9 9 9 9 9 9 9\ncpu0 100 0 100 800 0 0 0 0 0 0\ncpu1 10 0 0 0 0 0 0 0 0 0\nintr 5\n",
        f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "2100000\n", f"{cpu}/cpu0/thermal_throttle/core_throttle_count": "7\n",
        "/proc/interrupts": "           CPU0       CPU1       \n  24:        100         50   PCI-MSI 512-edge      eth0\n NMI:          0          0   Non-maskable interrupts\n ERR:          3\n",
        "/proc/softirqs": "                    CPU0       CPU1       \n      NET_RX:     1000       2000\n",
    }  # fmt: skip
    host = FakeHost(tmp_path / "host", awk, files=files)
    first = host.ask("cores", "interrupts")
    (host.folder / "proc/stat").write_text(
        "cpu0 150 0 110 840 0 0 0 0 0 0\ncpu1 10 0 0 0 0 0 0 0 0 0\n", encoding="utf-8"
    )
    (host.folder / "proc/softirqs").write_text("      NET_RX:     1100       2100\n", encoding="utf-8")
    second = host.ask("cores", "interrupts")
    one, other = ALL["cores"].read(second["cores"], first["cores"], 2.0).rows
    assert one == (0.0, 0.6, 0.5, 0.1, 0.0, 0.0, 0.0, 2100.0, 7.0)
    # one that is switched off spends no time
    assert other == (1.0, None, None, None, None, None, None, None, None)
    rows = ALL["interrupts"].read(second["interrupts"], first["interrupts"], 2.0).rows
    assert rows == (
        ("24", "hard", 0.0, 150.0, "PCI-MSI 512-edge eth0"), ("ERR", "hard", 0.0, 3.0, ""), ("NET_RX", "soft", 100.0, 3200.0, ""),
    )  # fmt: skip
    assert second["cores"].problems == second["interrupts"].problems == []


@by_every_awk
def test_a_host_that_has_none_of_it_has_gaps_and_no_faults(tmp_path: Path, awk: str) -> None:
    names = (
        "cores",
        "interrupts",
        "cgroups",
        "containers",
        "sensors",
        "ecc",
        "raid",
        "disks",
        "sockets",
        "links",
        "nfs",
    )
    for name, raw in FakeHost(tmp_path / "host", awk).ask(*names).items():
        assert raw == Raw(), name
        assert ALL[name].read(raw, None, 0.0) == Findings(), name


def lines(name: str) -> list[list[str]]:
    return [line.split("\t") for line in recorded(name).splitlines()]


HEALTHY: dict[str, list[list[str]]] = {
    "cores": [["0", "100", "1", "800", "2", "3", "4", "2100000", "7"], ["1", "1", "1", "1", "1", "1", "1", "", ""]],
    "interrupts": [["hard", "24", "150", "PCI-MSI eth0"], ["soft", "NET_RX", "3000", ""]],
    "kernel": [["tainted", "12289"], ["entropy", "256"], ["HugePages_Total", "512"], ["HugePages_Free", "1"], ["hung", "0"]],
    "cgroups": [["V", "a.slice/cpu.stat:usage_usec 5"], ["V", "a.slice/memory.current:9"], ["V", "a.slice/memory.max:max"], ["V", "a.slice/io.pressure:some avg10=1.00 avg60=0"]],
    "containers": [["E", "docker", "4f5c6d7e8f90~web:1~web~Up 3 days (healthy)"], ["N", "4f5c6d7e8f90~2"], ["V", "docker/4f5c6d7e8f90/memory.current:9"]],
    "sensors": [["V", "hwmon/hwmon0/name:coretemp"], ["V", "hwmon/hwmon0/temp1_input:83000"], ["V", "hwmon/hwmon0/temp1_crit:100000"], ["V", "hwmon/hwmon0/fan1_input:900"]],
    "ecc": [["mc0", "1", "2", "name", "65536"]],
    "raid": lines("mdstat"),
    "disks": [["sda", "7814037168", "1", "0", "0", "ATA", "ST4000", "", "none [mq-deadline]"]],
    "hardware": [["sys_vendor", "QEMU"], ["memory_kb", "32768"], ["virtual", "yes"]],
    "sockets": [["TCP: inuse", "5"], ["state 01", "2"], ["Tcp OutSegs", "9"], ["Tcp RetransSegs", "1"], ["TcpExt ListenDrops", "1"]],
    "connections": [["tcp", "0A00000A:0016", "5A00000A:D3B2", "01", "0", "7", "sshd"]],
    "listening": [["tcp6", "00000000000000000000000001000000:0277", "00000000000000000000000000000000:0000", "0A", "0", "", ""], ["ports", "32768 60999"]],
    "links": [["V", "eno1/carrier:1"], ["V", "eno1/flags:0x1003"], ["V", "eno1/speed:10000"]] + [["B", "bond0", line[0]] for line in lines("bonding-802.3ad")],
    "nfs": [["M", "/home", "filer:/home", "nfs4"], ["O", "READ", "9", "9", "0", "1", "2", "3"], ["O", "WRITE", "9", "10", "1", "1", "2", "3"]],
}  # fmt: skip
PERIODS = {60.0: "medium", 3600.0: "slow"}


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_each_series_is_filed_under_the_round_that_reads_it(name: str) -> None:
    raw = Raw([list(row) for row in HEALTHY[name]])
    found = ALL[name].read(raw, Raw([list(row) for row in HEALTHY[name]]), 5.0)
    for series in found.values:
        assert METRICS[series.partition("{")[0]].period == PERIODS[SECTIONS[name].period_seconds], series


ODD = st.sampled_from(
    [
        "",
        "-1",
        "nan",
        "inf",
        "1e308",
        "9" * 40,
        "max",
        "\x1b[2J",
        "a:b/c",
        "[5/x]",
        "(F)",
        "\u202e",
        "0x",
        "~~~~",
        "md0 : active ",
    ]
)


@pytest.mark.parametrize("name", sorted(HEALTHY))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_reading_with_something_odd_in_it_is_never_more_than_a_problem_of_its_row(
    name: str, data: st.DataObject
) -> None:
    rows = [list(row) for row in HEALTHY[name]]
    assert ALL[name].read(Raw([list(row) for row in rows]), None, 0.0).rows
    for _ in range(data.draw(st.integers(1, 3))):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        place = data.draw(st.integers(0, len(row) - 1))
        cut = data.draw(st.integers(0, len(row[place])))
        row[place] = row[place][:cut] + data.draw(ODD) + data.draw(st.sampled_from(["", row[place][cut:]]))
    raw, before = Raw(rows), Raw([list(row) for row in HEALTHY[name]])
    for found in (ALL[name].read(raw, before, 5.0), ALL[name].read(before, raw, 5.0)):
        for row_ in found.rows:
            assert len(row_) == len(SECTIONS[name].columns)
            assert all(isinstance(cell, float) or cell is None or cell.isprintable() for cell in row_)
        for series, value in found.values.items():
            assert value == value and abs(value) < 1e300 and series.isprintable()
