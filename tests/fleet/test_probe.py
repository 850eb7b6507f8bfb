"""The probe itself, run as a host runs it, by every awk that this machine has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.mounts import rooms_request
from guardian_tui.engine.fleet.reading import parse

AWKS = {name: path for name in ("mawk", "gawk", "busybox", "original-awk") if (path := shutil.which(name))}


def run(folder: Path, awk: str, requests: bytes, command: str = "", locale: str = "C") -> tuple[int, bytes]:
    """The probe under one awk, to the end of its input."""
    folder.mkdir(exist_ok=True)
    (folder / "awk").symlink_to(AWKS[awk])
    done = subprocess.run(
        ["sh", "-c", command or probe.command()], input=requests, capture_output=True, timeout=60, check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": locale, "LANG": locale},
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_answers_each_request_and_ends_with_its_input(tmp_path: Path, awk: str) -> None:
    status, out = run(tmp_path / "bin", awk, b"1 fto\n2 f\n", locale="de_DE.UTF-8")
    assert status == 0
    first, _, rest = out.partition(b".1\n")
    assert first.startswith(b"=1 1\n") and rest.startswith(b"=2 1\n") and rest.endswith(b"\n.2\n")
    reading = parse(first)
    assert reading.problems == []
    assert (
        reading.cpu and reading.uptime and reading.memory["MemTotal"] > 0 and reading.clock and reading.mounts
    )


@pytest.mark.parametrize("awk", AWKS)
def test_requests_that_are_none_are_not_answered_nor_carried_out(tmp_path: Path, awk: str) -> None:
    bad = b"\nhello f\n-1 f\n1;id f\n9999999999999999 f\n$(id) f\n\x00\xff f\n5 \n"
    _, out = run(tmp_path / "bin", awk, bad)
    assert out == b"=5 1\n.5\n"


@pytest.mark.parametrize("awk", AWKS)
def test_a_container_without_half_of_proc_names_what_is_missing(tmp_path: Path, awk: str) -> None:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "uptime").write_text("77.5 1\n")
    (proc / "stat").write_text("cpu  1 2 3 4\ncpu0 1 2 3 4\nprocs_running 1\n")
    command = probe.command().replace("/proc/", f"{proc}/")
    status, out = run(tmp_path / "bin", awk, b"1 fo\n", command)
    reading = parse(out)
    assert status == 0 and out.endswith(b".1\n")
    assert reading.uptime == 77.5 and reading.cpu == [1, 2, 3, 4, 0, 0, 0, 0] and reading.cpus == 1
    for name in ("meminfo", "loadavg", "pressure/io", "diskstats", "net/dev", "sys/fs/file-nr"):
        assert f"!{proc}/{name}\n".encode() in out
    assert reading.problems == []


@pytest.mark.parametrize("awk", AWKS)
def test_a_mount_named_like_a_command_stays_a_name_and_its_room_is_told(tmp_path: Path, awk: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    said = tmp_path / "said"
    df = folder / "df"
    df.write_text(f"#!/bin/sh\nprintf '<%s>' \"$@\" >>{said}\necho /dev/x 9 5 4 50% /\n")
    df.chmod(0o755)
    names = ["/a'; touch pwned; '", "-h", "/two words $(id)", "/100%20"]
    request = rooms_request([("/dev/x", name, "ext4", False) for name in names])
    status, out = run(folder, awk, b"7 %s\n" % request.encode())
    assert status == 0 and out == b"=7 1\nD /dev/x 9 5 4 50% /\nI /dev/x 9 5 4 50% /\n.7\n"
    words = "".join(f"<{name}>" for name in names)
    assert said.read_text() == f"<-P><-k><-->{words}<-P><-i><-->{words}"


@pytest.mark.parametrize("awk", AWKS)
def test_a_host_says_what_it_is(tmp_path: Path, awk: str) -> None:
    _, out = run(tmp_path / "bin", awk, b"1 i\n")
    told = dict(line.split(" ", 2)[1:] for line in out.decode().splitlines() if line.startswith("i "))
    assert told["k"] == os.uname().release and told["a"] == os.uname().machine and int(told["n"]) > 0


def test_a_host_without_awk_says_so_by_its_exit_status(tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", probe.command()],
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": str(empty)},
    )
    assert done.returncode == 127


def test_the_program_only_reads() -> None:
    text = probe.program()
    assert "system(" not in text
    assert not re.search(r"printf?\b[^\n]*(>|\|)", text)
    # whatever it starts, and nothing of a request but quoted names in it
    assert re.findall(r'c = "([^"]*)"', text) == ["date +%s.%N"]
    assert re.findall(r"(\w+) \| getline", text) == ["c", "command"]
    runs = re.findall(r'run\("[^"]*", (.*)\)', text)
    assert [" ".join(re.findall(r'"(.*?)"', run)) for run in runs] == [
        "df -P -k --  2>/dev/null", "df -P -i --  2>/dev/null", "uname -m", "nproc 2>/dev/null"
    ]  # fmt: skip


def test_the_checksum_is_that_of_what_travels() -> None:
    assert len(probe.checksum()) == 64
    assert "#" not in [line[:1] for line in probe.program().splitlines()]
