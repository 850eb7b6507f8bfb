"""FreeBSD and macOS: what their own programs print, through the probe under every awk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guardian_tui.engine.fleet.mounts import chosen, parse_rooms, rooms_request
from guardian_tui.engine.fleet.reading import Reading, parse
from guardian_tui.engine.fleet.series import sample_values
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

by_every_awk = pytest.mark.parametrize("awk", AWKS)

FREEBSD = {
    "uname -s": "FreeBSD\n", "uname -r": "14.5-RELEASE\n", "uname -m": "amd64\n", "sysctl hw.ncpu": recorded("programs/freebsd14-sysctl"),
    "sysctl -n hw.ncpu": "2\n", "swapinfo": recorded("programs/freebsd14-swapinfo"), "iostat -Ix": recorded("programs/freebsd-iostat"),
    "netstat -ibnW": recorded("programs/freebsd14-netstat"), "mount -p": recorded("programs/freebsd14-mount"),
    "df -P -k -- / /boot/efi": recorded("programs/freebsd14-df"), "df -k -i -- / /boot/efi": recorded("programs/freebsd14-df-inodes"),
}  # fmt: skip
MACOS = {
    "uname -s": "Darwin\n", "uname -r": "24.2.0\n", "uname -m": "arm64\n", "sysctl hw.ncpu": recorded("programs/macos-sysctl"), "sysctl -n hw.ncpu": "8\n",
    "sw_vers -productVersion": "15.2\n", "vm_stat": recorded("programs/macos-vm_stat"), "netstat -ibn": recorded("programs/macos-netstat"),
    "ps -A": " 40.0\n  0.0\n  0.0\n 120.5\n", "mount": recorded("programs/macos-mount"),
}  # fmt: skip


class Bsd(FakeHost):
    """A host without /proc."""

    def answer(self, request: str) -> bytes:
        """The body of one answer."""
        if (self.folder / "proc").exists():
            (self.folder / "proc").rmdir()
        done = subprocess.run(
            ["/bin/sh", "-c", self.command()], input=f"1 {request}\n".encode(), capture_output=True, timeout=60, check=False,
            env={"PATH": str(self.folder / "bin")},
        )  # fmt: skip
        assert done.returncode == 0 and done.stderr == b""
        assert done.stdout.startswith(b"=1 1\n") and done.stdout.endswith(b"\n.1\n")
        return done.stdout.removeprefix(b"=1 1\n").removesuffix(b".1\n")

    def reading(self, request: str) -> Reading:
        """The same, understood to the last line."""
        found = parse(b"=1 1\n" + self.answer(request))
        assert found.problems == [] and found.missing == []
        return found


@by_every_awk
def test_freebsd_tells_processors_memory_disks_and_interfaces(tmp_path: Path, awk: str) -> None:
    reading = Bsd(tmp_path / "host", awk, FREEBSD).reading("f")
    # user, nice, system, interrupts and idle there; irq is the sixth here
    assert reading.cpu == [321, 0, 188, 61683, 0, 10, 0, 0] and reading.cpus == 2
    # 62,202 ticks of two processors at 127 a second; by its clock it was up for 246 s
    assert reading.uptime == pytest.approx(244.89, abs=0.01)
    assert reading.load == [0.32, 0.16, 0.06] and reading.tasks is None
    assert reading.memory["MemTotal"] == 2111283200 // 1024 and reading.memory["MemFree"] == 482182 * 4
    assert reading.memory["MemAvailable"] == (482182 + 528) * 4
    assert reading.memory["SwapTotal"] == 2097152 and reading.memory["SwapFree"] == 2097152 - 524288
    # reads, sectors, ms of all transfers, writes, sectors, in flight, busy
    assert reading.disks == {
        "ada0": [7919671, 11811817891, 118260300, 2973428, 238429008, 0, 0, 48234800, 118260300]
    }
    assert reading.nics == {"vtnet0": [30412, 155, 0, 0, 27564, 136, 0, 0]}
    assert reading.files == (512.0, 65351.0) and reading.pressure == {}


@by_every_awk
def test_memory_that_zfs_would_give_back_is_available(tmp_path: Path, awk: str) -> None:
    sysctl = (
        recorded("programs/freebsd14-sysctl")
        + "kstat.zfs.misc.arcstats.size: 536870912\nkstat.zfs.misc.arcstats.c_min: 67108864\n"
    )
    reading = Bsd(tmp_path / "host", awk, {**FREEBSD, "sysctl hw.ncpu": sysctl}).reading("f")
    assert reading.memory["MemAvailable"] == (482182 + 528) * 4 + (512 - 64) * 1024


@by_every_awk
def test_freebsd_has_rooms_and_inodes_of_its_file_systems_and_says_what_it_is(
    tmp_path: Path, awk: str
) -> None:
    release = 'NAME=FreeBSD\nPRETTY_NAME="FreeBSD 14.5-RELEASE"\n'
    host = Bsd(tmp_path / "host", awk, FREEBSD, files={"/etc/os-release": release})
    mounts = host.reading("o").mounts
    assert mounts == [
        ("/dev/gpt/rootfs", "/", "ufs", False),
        ("/dev/gpt/efiesp", "/boot/efi", "msdosfs", False),
    ]
    local, remote = chosen(mounts)
    assert (local, remote) == (mounts, [])
    root, efi = parse_rooms(host.answer(rooms_request(local)), local)
    assert root.size_bytes == 5061648 * 1024 and root.available_bytes == 2190184 * 1024
    assert root.inodes_free_ratio == pytest.approx(691687 / (691687 + 30615))
    assert efi.used_ratio == pytest.approx(647 / 32764) and efi.inodes_free_ratio != efi.inodes_free_ratio
    lines = host.answer("i").decode().splitlines()
    assert {"i k 14.5-RELEASE", "i a amd64", "i s FreeBSD 14.5-RELEASE", "i n 2"} <= set(lines)


@by_every_awk
def test_macos_tells_memory_swap_interfaces_and_a_share_of_its_processors(tmp_path: Path, awk: str) -> None:
    host = Bsd(tmp_path / "host", awk, MACOS)
    reading = host.reading("f")
    page = 16
    assert reading.memory == {
        "MemTotal": 33554432, "MemFree": (10069 + 5899) * page, "MemAvailable": (10069 + 5899 + 426177) * page, "Buffers": 0,
        "Cached": 398262 * page, "SwapTotal": 10240 * 1024, "SwapFree": round(550.06 * 1024),
    }  # fmt: skip
    assert reading.cpus == 8 and reading.load == [1.86, 1.79, 1.84]
    assert reading.nics == {
        "en0": [0, 0, 0, 0, 836, 0, 0, 0],
        "en1": [13047081883, 22184840, 0, 0, 6652036717, 29605843, 0, 0],
    }
    assert reading.disks == {} and reading.uptime is not None and reading.uptime > 0
    # 160.5 % of one processor, of eight
    then = Reading(cpu=[0.0] * 8, cpus=8, uptime=reading.uptime - 5)
    layout, values = sample_values(reading, then, 5.0, round_trip=0.1, clock_offset=0.0)
    assert values[layout.index["cpu_busy_ratio"]] == pytest.approx(0.2006, abs=0.001)


@by_every_awk
def test_macos_has_its_volumes_and_says_what_it_is(tmp_path: Path, awk: str) -> None:
    host = Bsd(tmp_path / "host", awk, MACOS)
    mounts = host.reading("o").mounts
    assert mounts == [
        ("/dev/disk3s1s1", "/", "apfs", True), ("/dev/disk3s5", "/System/Volumes/Data", "apfs", False), ("/dev/disk5s2", "/Volumes/Time Machine", "hfs", False),
    ]  # fmt: skip
    assert chosen(mounts) == (mounts, [])
    lines = host.answer("i").decode().splitlines()
    assert {"i k 24.2.0", "i a arm64", "i s macOS 15.2", "i n 8"} <= set(lines)


@by_every_awk
def test_sections_that_are_linux_s_are_gaps_there(tmp_path: Path, awk: str) -> None:
    names = (
        "cores",
        "interrupts",
        "kernel",
        "cgroups",
        "sensors",
        "ecc",
        "raid",
        "disks",
        "hardware",
        "sockets",
        "connections",
        "links",
        "nfs",
    )
    for name, raw in Bsd(tmp_path / "host", awk, FREEBSD).ask(*names).items():
        assert raw.rows == [] and raw.problems == [], name
