"""SMART, NVMe, LVM, ZFS and multipath: what real programs print, through the probe under every awk."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS


def read(name: str, raw: Raw) -> Findings:
    findings = ALL[name].read(raw, None, 0.0)
    assert raw.problems == []
    return findings


def disks(host: FakeHost, *names: str) -> FakeHost:
    for name in names:
        (host.folder / "sys/block" / name).mkdir(parents=True)
    return host


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    ("output", "disk", "row", "failing"),
    [
        ("smartctl-sata", "sda", ("WDC WD40EFRX-68N32N0", "PASSED", None, 35402.0, 8.0, 2.0, 0.0, 33.0), 0.0),
        (
            "smartctl-sata-failing",
            "sda",
            ("ST3500418AS", "Reallocated_Sector_Ct is failing", None, None, 3924.0, None, None, None),
            1.0,
        ),
        (
            "smartctl-nvme",
            "nvme0n1",
            ("Samsung SSD 970 EVO Plus 1TB", "PASSED", 0.07, 12345.0, None, None, 0.0, 41.0),
            0.0,
        ),
        (
            "nvme-smart-log",
            "nvme0n1",
            ("", "critical warning 0x04", 1.04, 43201.0, None, None, 12.0, 36.0),
            1.0,
        ),
        ("smartctl-virtual", "sda", ("QEMU HARDDISK", "", *(None,) * 6), None),
    ],
)
def test_every_awk_tells_what_disks_say_of_themselves(
    tmp_path: Path, awk: str, output: str, disk: str, row: tuple[object, ...], failing: float | None
) -> None:
    call = "smartctl -n standby -i -H -A" if output.startswith("smartctl") else "nvme smart-log"
    host = disks(
        FakeHost(tmp_path / "host", awk, {call: recorded(f"programs/{output}.txt")}),
        disk,
        "loop0",
        "vda",
        "sr0",
    )
    findings = read("smart", host.ask("smart")["smart"])
    assert findings.rows == ((disk, *row),)
    assert findings.values.get(f"smart_failing{{{disk}}}") == failing


def test_without_root_each_disk_s_rule_is_told(tmp_path: Path) -> None:
    host = disks(FakeHost(tmp_path / "host", "mawk", {"smartctl": ""}, root=False), "sda", "nvme0n1")
    raw = host.ask("smart")["smart"]
    assert sorted(rule for _, _, rule in raw.withheld) == [
        f"guardian ALL=(root) NOPASSWD: /usr/bin/smartctl -n standby -i -H -A /dev/{disk}"
        for disk in ("nvme0n1", "sda")
    ]
    assert read("smart", raw).rows == ()


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_how_full_thin_pools_and_snapshots_are_and_which_volume_lost_its_disk(
    tmp_path: Path, awk: str
) -> None:
    programs = {
        "lvs --noheadings": recorded("programs/debian12-lvs.txt"),
        "vgs --noheadings": recorded("programs/debian12-vgs.txt"),
    }
    host = FakeHost(tmp_path / "host", awk, programs, files={"/dev/mapper/control": ""})
    findings = read("lvm", host.ask("lvm")["lvm"])
    rows = {row[0]: row[1:] for row in findings.rows}
    assert rows["vg0/data"] == ("thin volume", 107374182400.0, None, 0.612, None, "pool", "")
    assert rows["vg0/pool"][:1] == ("thin pool",) and rows["vg0/root"] == (
        "volume",
        42949672960.0,
        None,
        None,
        None,
        "",
        "",
    )
    assert rows["vg1/lost"][-1] == rows["vg1"][-1] == "a physical volume is missing"
    assert findings.values == {
        "lvm_pool_used_ratio{vg0/pool}": pytest.approx(0.8331),
        "lvm_pool_used_ratio{vg0/snap}": pytest.approx(0.9702),
    }


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_a_degraded_pool_and_why(tmp_path: Path, awk: str) -> None:
    programs = {
        "zpool list -Hp": recorded("programs/ubuntu22-zpool-list.txt"),
        "zpool status -x": recorded("programs/ubuntu22-zpool-status.txt"),
    }
    host = FakeHost(tmp_path / "host", awk, programs, files={"/proc/spl/kstat/zfs/arcstats": "x\n"})
    findings = read("zfs", host.ask("zfs")["zfs"])
    tank, rpool = findings.rows
    assert tank[:2] == ("tank", "DEGRADED") and tank[4:6] == (pytest.approx(0.8), 0.12)
    assert "could not be used" in str(tank[6]) and str(tank[6]).endswith("ata-WDC_WD40EFRX-2 UNAVAIL")
    assert rpool[1] == "ONLINE" and rpool[6] == ""
    assert (findings.values["zfs_pool_trouble{tank}"], findings.values["zfs_pool_trouble{rpool}"]) == (
        1.0,
        0.0,
    )


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_counts_failed_paths_of_a_map(tmp_path: Path, awk: str) -> None:
    programs = {"multipath -ll": recorded("programs/rocky9-multipath.txt")}
    host = FakeHost(tmp_path / "host", awk, programs, files={"/run/multipathd.pid": "7\n"})
    findings = read("multipath", host.ask("multipath")["multipath"])
    assert findings.rows == (
        ("sdb", "mpatha", "3:0:0:1", "active ready"),
        ("sdc", "mpatha", "4:0:0:1", "failed faulty"),
    )
    assert findings.values == {"multipath_failed_paths{mpatha}": 1.0}


@pytest.mark.parametrize("awk", AWKS)
def test_what_a_host_has_not_is_absent_and_no_fault(tmp_path: Path, awk: str) -> None:
    names = [
        name
        for name, section in ALL.items()
        if type(section).__module__.endswith((".storage", ".firewall", ".guarding", ".certificates"))
    ]
    assert len(names) == 11
    for name, raw in FakeHost(tmp_path / "host", awk, root=False).ask(*names).items():
        findings = read(name, raw)
        assert findings.rows == () and findings.values == {} and not findings.items
        assert [what for what, _, rule in raw.withheld if rule] in ([], ["authorized_keys of other homes"])
