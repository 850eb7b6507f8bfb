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
SHELLS = {f"{name} alone": path for name in ("dash", "bash", "busybox") if (path := shutil.which(name))}
PROGRAMS = [*AWKS, *SHELLS]


def run(folder: Path, awk: str, requests: bytes, command: str = "", locale: str = "C") -> tuple[int, bytes]:
    """The probe under one awk, or under one shell where there is no awk, to the end of its input."""
    folder.mkdir(exist_ok=True)
    path = f"{folder}:/usr/bin:/bin"
    if awk in SHELLS:
        path = str(folder)
        (folder / "sh").symlink_to(SHELLS[awk])
        for name in ("date", "df", "nproc", "readlink", "timeout", "true", "uname"):
            if not (folder / name).exists():
                (folder / name).symlink_to(shutil.which(name) or name)
    else:
        (folder / "awk").symlink_to(AWKS[awk])
    done = subprocess.run(
        ["/bin/sh", "-c", command or probe.command()], input=requests, capture_output=True, timeout=60, check=False,
        env={"PATH": path, "LC_ALL": locale, "LANG": locale},
    )  # fmt: skip
    # of a locale that this machine has not the shell itself speaks before it begins
    assert not [line for line in done.stderr.splitlines() if b"locale" not in line]
    return done.returncode, done.stdout


@pytest.mark.parametrize("awk", PROGRAMS)
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
def test_a_channel_that_only_polls_gets_a_small_program_with_the_same_figures(
    tmp_path: Path, awk: str
) -> None:
    assert len(probe.polling_command()) < len(probe.command()) / 2
    _, out = run(tmp_path / "bin", awk, b"1 fo\n2 q tasks\n3 i\n", probe.polling_command())
    first, _, rest = out.partition(b".1\n")
    _, whole = run(tmp_path / "other", awk, b"1 fo\n3 i\n")
    one, other = parse(first), parse(whole.partition(b".1\n")[0])
    assert one.problems == [] and one.mounts == other.mounts and set(one.nics) == set(other.nics)
    assert rest.partition(b"=3 1\n")[2] == whole.partition(b"=3 1\n")[2]
    assert b"S\ttasks\nX\ttasks\tthis channel only polls\n" in rest


@pytest.mark.parametrize("awk", PROGRAMS)
def test_requests_that_are_none_are_not_answered_nor_carried_out(tmp_path: Path, awk: str) -> None:
    bad = b"\nhello f\n-1 f\n1;id f\n9999999999999999 f\n$(id) f\n\x00\xff f\n5 \n"
    _, out = run(tmp_path / "bin", awk, bad)
    assert out == b"=5 1\n.5\n"


@pytest.mark.parametrize("awk", PROGRAMS)
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
def test_means_are_told_again_once_and_never_when_they_are_old(tmp_path: Path, awk: str) -> None:
    proc = tmp_path / "proc"
    (proc / "pressure").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "awk").symlink_to(AWKS[awk])
    process = subprocess.Popen(
        ["/bin/sh", "-c", probe.polling_command().replace("/proc/", f"{proc}/")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    def told(seq: int, uptime: float, now: int) -> tuple[list[float] | None, float]:
        (proc / "uptime").write_text(f"{uptime} 1\n")
        (proc / "loadavg").write_text(f"{now}.0 1.0 1.0 1/9 7\n")
        (proc / "pressure" / "io").write_text(f"some avg10={now}.00 avg60=0.00 avg300=0.00 total=1\n")
        process.stdin.write(b"%d f\n" % seq)
        process.stdin.flush()
        lines = []
        while not lines or lines[-1] != b".%d\n" % seq:
            lines.append(process.stdout.readline())
        reading = parse(b"".join(lines))
        assert reading.problems == [] and reading.uptime == uptime
        return reading.load, reading.pressure["io", "some", "avg10"]

    try:
        found = [told(n + 1, at, n) for n, at in enumerate((100.0, 105.0, 110.0, 115.0, 130.0, 138.0, 3.0))]
    finally:
        process.stdin.close()
        process.wait(timeout=10)
    # after a boot too
    assert found == [([float(n), 1.0, 1.0], float(n)) for n in (0, 0, 2, 2, 4, 5, 6)]


@pytest.mark.parametrize("awk", PROGRAMS)
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


@pytest.mark.parametrize("awk", PROGRAMS)
def test_rooms_and_sections_come_in_one_answer(tmp_path: Path, awk: str) -> None:
    request = rooms_request(
        [("/dev/x", "/", "ext4", False), ("/dev/y", "/a b", "ext4", False)], "kernel nonsense"
    )
    assert request == "rq / /a%20b -- kernel nonsense"
    status, out = run(tmp_path / "bin", awk, b"7 %s\n8 q kernel\n" % request.encode())
    both, _, alone = out.partition(b"\n.7\n")
    rooms, found, sections = both.partition(b"\nS\t")
    assert status == 0 and rooms.startswith(b"=7 1\nD ") and b"\nI " in rooms
    assert b" /\n" in rooms
    # a shell without awk has no sections, and takes it for a request for rooms
    assert (found != b"") == (awk in AWKS)
    if found:
        kernel, _, rest = sections.partition(b"\nS\t")
        assert (
            kernel.startswith(b"kernel\nR\t")
            and rest == b"nonsense\nX\tnonsense\tthis probe has no such section"
        )
        assert alone.startswith(b"=8 1\nS\tkernel\nR\t")


@pytest.mark.parametrize("awk", PROGRAMS)
def test_a_host_says_what_it_is(tmp_path: Path, awk: str) -> None:
    _, out = run(tmp_path / "bin", awk, b"1 i\n")
    told = dict(line.split(" ", 2)[1:] for line in out.decode().splitlines() if line.startswith("i "))
    assert told["k"] == os.uname().release and told["a"] == os.uname().machine and int(told["n"]) > 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_alone_tells_what_awk_tells(tmp_path: Path, shell: str) -> None:
    """The same series, from the same lines; what counts up between the two runs aside."""
    _, by_awk = run(tmp_path / "awk", "mawk", b"1 fo\n2 i\n")
    _, by_shell = run(tmp_path / "shell", shell, b"1 fo\n2 i\n")
    one, other = (parse(out.partition(b"\n.1\n")[0]) for out in (by_awk, by_shell))
    assert set(one.memory) == set(other.memory) and one.memory["MemTotal"] == other.memory["MemTotal"]
    assert one.cpus == other.cpus and set(one.disks) == set(other.disks) and set(one.nics) == set(other.nics)
    assert one.mounts == other.mounts and set(one.pressure) == set(other.pressure)
    assert one.oom_kills == other.oom_kills
    if shell == "bash alone":
        # the others read a byte at a time, which /proc/sys does not bear
        assert (one.files is None, one.pid_max, one.conntrack is None) == (
            other.files is None, other.pid_max, other.conntrack is None,
        )  # fmt: skip
    else:
        assert (other.files, other.pid_max, other.conntrack) == (None, None, None)
    assert set(one.missing) == set(other.missing) and other.problems == []
    assert other.running is not None and other.tasks is not None and other.blocked is None
    assert by_awk.partition(b"=2 1\n")[2] == by_shell.partition(b"=2 1\n")[2]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_alone_reads_devices_interfaces_and_names_that_are_odd(tmp_path: Path, shell: str) -> None:
    proc = tmp_path / "proc"
    (proc / "net").mkdir(parents=True)
    (proc / "self").mkdir()
    (proc / "loadavg").write_text("0.10 0.20 0.30 7/512 99\n")
    (proc / "stat").write_text("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1\ncpu1 1\nintr 5\ncpu9 no\n")
    (proc / "diskstats").write_text(
        " 7 0 loop0 9 9 9 9 9 9 9 9 9 9 9\n 8 0 sda 10 1 20 30 40 2 50 60 0 70 80 1 2 3 4\n 8 1 sdb 0 0 0 0 0 0 0 0 0 0 0\n"
    )
    (proc / "net/dev").write_text(
        "Inter-|   Receive\n face |bytes\n    lo: 1 1 1 1\n  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nveth1: 9 9 9 9 9 9 9 9 9 9 9 9\n"
    )
    (proc / "self/mounts").write_text("/dev/a /srv/a\\040*\\134b ext4 ro 0 0\nproc /proc proc rw 0 0\n")
    (tmp_path / "a file that * would match").touch()
    command = probe.command().replace("/proc/", f"{proc}/")
    status, out = run(tmp_path / "bin", shell, b"1 fo\n", command)
    reading = parse(out)
    assert status == 0 and reading.problems == []
    assert reading.cpu == [1, 2, 3, 4, 5, 6, 7, 8] and reading.cpus == 2 and reading.running == 7
    assert reading.disks == {"sda": [10, 20, 30, 40, 50, 60, 0, 70, 80]}
    assert reading.nics == {"eth0": [1, 2, 3, 4, 9, 10, 11, 12]}
    assert reading.mounts == [("/dev/a", "/srv/a *\\b", "ext4", True)]


def test_a_host_without_sh_says_so_by_its_exit_status(tmp_path: Path) -> None:
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


READERS = {
    "date", "df", "uname", "nproc", "ls", "ps", "getconf", "command", "timeout", "id", "unset", "stat", "find", "grep", "sysctl", "vm_stat",
    "netstat", "iostat", "swapinfo", "mount", "sw_vers",
}  # fmt: skip
"""Whatever the probe starts on a host: programs that read and do nothing else, as they are called there."""

FORMS = {
    "firewall-cmd": r"--state$",
    "ip6tables-save": r"$",
    "iptables-save": r"$",
    "lvs": r"--noheadings --units ",
    "multipath": r"-ll$",
    "nft": r"-s list ruleset$",
    "nvme": r"smart-log /dev/",
    "smartctl": r"-n standby -i -H -A /dev/",
    "sshd": r"-T$",
    "vgs": r"--noheadings --readonly ",
    "zpool": r"(list -Hp -o |status -x$)",
    "apk": r"version -l ",
    "apt-get": r"-s -o Debug::NoLocking=1 upgrade$",
    "dnf": r"-q --cacheonly (check-update|updateinfo list --security)$",
    "find": r"$|/root /home -maxdepth 3 ",
    "grep": r"-(rhE|R|r) ",
    "needs-restarting": r"-r$",
    "nice": r"-n 19$",
    "pacman": r"-Q",
    "rpm": r"-qa$",
    "yum": r"-q -C (check-update|updateinfo list security)$",
    "zypper": r"-x --no-refresh list-(updates|patches)( |$)|-n --no-refresh needs-rebooting$",
    "chronyc": r"-n tracking$",
    "docker": r"ps -a --no-trunc --format |inspect --format |ps -aq --no-trunc ",
    "journalctl": r"-q --no-pager -o cat --since -5m -t sshd ",
    "last": r"-w -F -n \d+$",
    "loginctl": r"(list-sessions|show-session) ",
    "ls": r"-l ",
    "ntpctl": r"-s status$",
    "ntpq": r"-pn$",
    "podman": r"ps -a --no-trunc --format ",
    "rc-status": r"--nocolor --(crashed|all)$",
    "ss": r"-Hntuape$",
    "sudo": r"-n -l$|-n$",
    "sv": r"status ",
    "systemctl": r"(list-units|show) ",
    "tail": r"-n \d+",
    "timedatectl": r"show ",
    "who": r"$",
}
"""Programs that could do more, and the forms of their arguments in which they only read.  By `sudo -n` comes what root's rules allow, which is
of these forms too."""


def test_the_program_only_reads() -> None:
    text = probe.program()
    assert "system(" not in text
    assert not re.search(r"printf?\b[^\n]*(>|\|)", text)
    # commands are started in four places, by what these were given, and what they write goes nowhere but to us
    assert re.findall(r"(\w+) \| getline", text) == ["c", "command", "command", "command"]
    assert re.findall(r'c = "([^"]*)"', text) == ["date +%s.%N"]
    assert set(re.findall(r"\d?>+ ?[/&\w]+", "".join(re.findall(r'"[^"]*"', text)))) <= {
        "2>/dev/null",
        "2>&1",
    }
    calls = re.findall(
        r"\b(?:run\(\"[^\"]*\", |output_of\(|answer_of\(|values\(|ask_kernel_for\(|interfaces\(|bounded\(\d+, )(\w+ )?\"([^\"]*)\"",
        text,
    )
    assert calls
    for _, command in calls:
        for part in re.split(r"[;|&]+", command):
            words = part.replace("$t", "").replace("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin", "").split()
            assert not words or words[0] in READERS, command
    # what is started by the path of a program: each in a form that only reads
    started = re.findall(
        r"\b(?:(?:told|told_to_root|blocks)\(\"\w+\", |output_to_root\()\d+, \"([^\"]+)\", (\"[^\"]*\")?",
        text,
    )
    started += re.findall(r"path_of\(\"([^\"]+)\"\) (\" [^\"]+\")", text)
    assert len(started) > 5
    for program, arguments in started:
        assert re.match(FORMS[program], arguments.strip('" ')), (program, arguments)
    # these could do more with other words
    assert {command for _, command in calls if command.startswith("mount")} == {"mount", "mount -p"}
    assert not [command for _, command in calls if command.startswith("sysctl") and set(command) & set("=")]
    # what is found is read, and no more
    assert (
        set(re.findall(r"-exec (\w+)", text)) == {"grep", "ls"}
        and "-delete" not in text
        and "-fprint" not in text
    )
    assert not re.search(r"-(execdir|ok|okdir|fls)\b", text)
    # and by nothing else
    assert set(re.findall(r"path_of\((?!\")(\w+)", text)) == {"program"}


def test_the_shell_s_program_only_reads() -> None:
    text = probe.shell_program()
    assert re.findall(r"[0-9]*>+[^ )\n;]*", text) == ["2>/dev/null"] * text.count(">")
    # whatever it starts, and nothing of a request but quoted words in it
    runs = [line.strip() for line in re.findall(r"\$\(([^()]+)\)", text)]
    assert runs == [
        "date +%s.%N 2>/dev/null", "$may df -P -k -- \"$@\" 2>/dev/null", "$may df -P -i -- \"$@\" 2>/dev/null",
        "uname -m 2>/dev/null", "nproc 2>/dev/null",
    ]  # fmt: skip
    assert "`" not in text and "eval" not in text and text.count("timeout") == 2


def test_the_checksum_is_that_of_what_travels() -> None:
    assert len(probe.checksum()) == 64
    assert "#" not in [line[:1] for line in probe.program().splitlines()]
