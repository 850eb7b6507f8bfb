"""Sessions, accounts and logins, and who keeps the clock: what real programs print, through the probe under every awk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

SYSTEMD = {"/proc/1/comm": "systemd\n", "/proc/uptime": "5000.00 9000.00\n"}
JOURNAL = "journalctl -q --no-pager -o cat --since -5m"


def read(name: str, raw: Raw) -> Findings:
    findings = ALL[name].read(raw, None, 0.0)
    assert raw.problems == []
    return findings


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_counts_tries_by_source_once_and_knows_who_was_let_in_after_them(
    tmp_path: Path, awk: str
) -> None:
    host = FakeHost(
        tmp_path / "host",
        awk,
        {"systemctl": "", JOURNAL: recorded("programs/rocky9-journal-sshd.txt")},
        files=SYSTEMD,
    )
    findings = read("logins", host.ask("logins")["logins"])
    assert sorted(findings.rows) == [
        ("10.0.0.5", 0.0, 1.0, "ada"), ("198.51.100.4", 1.0, 0.0, ""), ("2001:db8::77", 1.0, 0.0, ""), ("203.0.113.9", 2.0, 1.0, "root"),
    ]  # fmt: skip
    assert findings.values == {"logins_failed_total": 4.0}


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    ("line", "source", "counts"),
    [
        ("Disconnected from authenticating user root 203.0.113.9 port 39722 [preauth]", "203.0.113.9", (1.0, 0.0)),
        ("Connection reset by invalid user  203.0.113.9 port 39722 [preauth]", "203.0.113.9", (1.0, 0.0)),
        ("Failed publickey for git from 203.0.113.9 port 39722 ssh2: RSA SHA256:AbC+/9x", "203.0.113.9", (1.0, 0.0)),
        ("Accepted publickey for ada from 203.0.113.9 port 39722 ssh2: ED25519-CERT SHA256:AbC ID ada (serial 0) CA ED25519 SHA256:x", "203.0.113.9", (0.0, 1.0)),
        ("Failed password for invalid user a from 10.0.0.1 port 22 ssh2 from 203.0.113.9 port 39722 ssh2", "203.0.113.9", (1.0, 0.0)),
        ("Disconnected from invalid user from 10.0.0.1 203.0.113.9 port 4711 [preauth]", "203.0.113.9", (1.0, 0.0)),
        ("Bad password attempt for 'x port 1' from 2001:db8::7:39722", "2001:db8::7", (1.0, 0.0)),
        ("Pubkey auth succeeded for 'ada' with ssh-ed25519 key SHA256:x from 203.0.113.9:5", "203.0.113.9", (0.0, 1.0)),
    ],
)  # fmt: skip
def test_a_source_is_what_the_server_wrote_and_not_what_a_name_pretends(
    tmp_path: Path, awk: str, line: str, source: str, counts: tuple[float, float]
) -> None:
    host = FakeHost(tmp_path / "host", awk, {"systemctl": "", JOURNAL: line + "\n"}, files=SYSTEMD)
    ((told, failed, accepted, user),) = read("logins", host.ask("logins")["logins"]).rows
    assert (told, (failed, accepted)) == (source, counts) and user == ("ada" if accepted else "")


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    "line",
    [
        "Invalid user Accepted password for root from 10.0.0.1 port 22 from 203.0.113.9 port 39722",
        "Invalid user x]: Accepted password for root from 203.0.113.9 port 39722",
        "pam_unix(sshd:session): session opened for user ada(uid=1000) by ada(uid=0)",
    ],
)
def test_a_name_that_reads_like_a_login_is_none(tmp_path: Path, awk: str, line: str) -> None:
    host = FakeHost(tmp_path / "a", awk, {"systemctl": "", JOURNAL: line + "\n"}, files=SYSTEMD)
    assert read("logins", host.ask("logins")["logins"]).rows == ()
    log = f"{time.strftime('%b %e %H:%M')}:01 h1 sshd[812]: {line}\n{time.strftime('%b %e %H:%M')}:01 h1 cron[1]: Failed password for x from 1.1.1.1 port 1\n"
    host = FakeHost(tmp_path / "b", awk, {"tail -n 3000": log}, files={"/var/log/auth.log": "x\n"})
    assert read("logins", host.ask("logins")["logins"]).rows == ()


@pytest.mark.parametrize("awk", AWKS)
def test_tries_that_the_log_folds_into_one_line_are_counted(tmp_path: Path, awk: str) -> None:
    now = time.strftime("%b %e %H:%M")
    log = f"{now}:01 h1 sshd[812]: message repeated 23 times: [ Failed password for root from 203.0.113.9 port 39722 ssh2]\n"
    host = FakeHost(tmp_path / "host", awk, {"tail -n 3000": log}, files={"/var/log/auth.log": "x\n"})
    assert read("logins", host.ask("logins")["logins"]).rows == (("203.0.113.9", 23.0, 0.0, ""),)


def test_a_source_that_tries_often_gets_series_for_the_rule_and_the_others_none() -> None:
    rows = [
        ["N"],
        *(["F", f"192.0.2.{n}", str(n), "0", "0", ""] for n in range(12)),
        ["F", "10.9.9.9", "1", "25", "1", "root"],
    ]
    values = ALL["logins"].read(Raw(rows), None, 0.0).values
    assert values == {
        "logins_failed_total": 91.0, "logins_failed{10.9.9.9}": 25.0, "logins_accepted{10.9.9.9}": 1.0, "logins_failed{192.0.2.11}": 11.0,
        "logins_accepted{192.0.2.11}": 0.0, "logins_failed{192.0.2.10}": 10.0, "logins_accepted{192.0.2.10}": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(("form"), ["%b %e %H:%M", "%Y-%m-%dT%H:%M"])
@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_takes_the_last_minutes_of_a_log_file_alone(tmp_path: Path, awk: str, form: str) -> None:
    log = recorded("programs/alpine-messages-dropbear.txt").replace("{minute}", time.strftime(form))
    host = FakeHost(tmp_path / "host", awk, {"tail -n 3000": log}, files={"/var/log/messages": "x\n"})
    rows = read("logins", host.ask("logins")["logins"]).rows
    assert sorted(rows) == [("10.0.0.5", 0.0, 1.0, "ada"), ("203.0.113.9", 2.0, 0.0, "")]


def test_a_journal_or_log_that_only_root_may_read_is_withheld_with_its_rule_and_no_series_is_made_up(
    tmp_path: Path,
) -> None:
    programs = {"systemctl": "", JOURNAL: "", "id -Gn": "guardian users\n"}
    raw = FakeHost(tmp_path / "a", "mawk", programs, files=SYSTEMD, root=False).ask("logins")["logins"]
    assert [rule for _, _, rule in raw.withheld] == [
        "guardian ALL=(root) NOPASSWD: /usr/bin/journalctl -q --no-pager -o cat --since -5m -t sshd -t sshd-session -t dropbear"
    ]
    assert read("logins", raw).values == {}
    programs = {"systemctl": "", JOURNAL: "", "id -Gn": "guardian adm\n"}
    raw = FakeHost(tmp_path / "b", "mawk", programs, files=SYSTEMD, root=False).ask("logins")["logins"]
    assert raw.withheld == [] and read("logins", raw).values == {"logins_failed_total": 0.0}


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_who_could_log_in_what_they_may_and_when_they_last_came(
    tmp_path: Path, awk: str
) -> None:
    passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nada:x:1000:1000:Ada,,:/home/ada:/bin/zsh\ntoor:x:0:0::/:/sbin/nologin\n"
    files = {
        "/etc/passwd": passwd,
        "/etc/group": "root:x:0:\nsudo:x:27:ada\nusers:x:100:ada,eve\ndocker:x:999:ada,eve\n",
    }
    host = FakeHost(
        tmp_path / "host", awk, {"last -w -F": recorded("programs/debian12-last.txt")}, files=files
    )
    findings = read("accounts", host.ask("accounts")["accounts"])
    assert findings.rows == (
        ("root", 0.0, "/bin/bash", "", 1795550400.0, "", "/root"),
        ("ada", 1000.0, "/bin/zsh", "docker sudo", 1795572603.0, "10.0.0.5", "/home/ada"),
        ("toor", 0.0, "/sbin/nologin", "", None, "", "/"),
    )
    assert findings.items == {
        "root": "uid 0 /bin/bash",
        "ada": "uid 1000 /bin/zsh docker sudo",
        "toor": "uid 0 /sbin/nologin",
    }


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_lists_sessions_by_logind_or_by_who(tmp_path: Path, awk: str) -> None:
    programs = {
        "loginctl list-sessions": "      4 1000 ada seat0 pts/0\n     c1  120 gdm seat0 tty1\n",
        "loginctl show-session --no-pager -p Id -p Leader -p Name -p TTY -p RemoteHost -p Service -p State -p Timestamp 4 c1": recorded(
            "programs/debian12-loginctl-show.txt"
        ),
        "systemctl": "",
    }
    rows = read(
        "sessions", FakeHost(tmp_path / "a", awk, programs, files=SYSTEMD).ask("sessions")["sessions"]
    ).rows
    assert rows == (
        ("ada", "pts/0", "10.0.0.5", 1795572603.0, "active", "sshd", 1204.0),
        ("gdm", "tty1", "", 1795550400.0, "closing", "gdm-launch-environment", 900.0),
    )
    for kind, where in (
        ("debian12", ("ada", "pts/0", "10.0.0.5")),
        ("alpine", ("root", "pts/0", "10.0.0.5")),
    ):
        host = FakeHost(tmp_path / kind, awk, {"who": recorded(f"programs/{kind}-who.txt")})
        assert read("sessions", host.ask("sessions")["sessions"]).rows[0][:3] == where


def test_a_login_of_last_december_is_of_last_year() -> None:
    raw = Raw(
        [["D", "1795572603"], ["W", "ada pts/0 Nov 25 02:10 (10.0.0.5)"], ["W", "root tty1 Dec 31 23:59"]]
    )
    first, second = ALL["sessions"].read(raw, None, 0.0).rows
    assert (first[3], second[3]) == (1795572600.0, 1767225540.0)


CLOCKS = [
    (
        {"chronyc -n tracking": "rocky9-chronyc-tracking.txt"},
        ("chrony", "yes", "203.0.113.15", 3.0, -0.000412083),
        1.0,
    ),
    ({"chronyc -n tracking": "rocky9-chronyc-lost.txt"}, ("chrony", "no", "", 0.0, 0.0), 0.0),
    ({"ntpq -pn": "ubuntu18-ntpq.txt"}, ("ntpd", "yes", "203.0.113.8", 2.0, 0.001512), 1.0),
    ({"ntpctl -s status": "openbsd-ntpctl.txt"}, ("openntpd", "yes", "", 3.0, None), 1.0),
]


@pytest.mark.parametrize(("programs", "row", "kept"), CLOCKS)
@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_who_keeps_the_clock_and_how_well(
    tmp_path: Path, awk: str, programs: dict[str, str], row: tuple[object, ...], kept: float
) -> None:
    outputs = {call: recorded(f"programs/{name}") for call, name in programs.items()}
    host = FakeHost(tmp_path / "host", awk, outputs, files={"/proc/uptime": "5000.00 9\n"})
    findings = read("clock_sync", host.ask("clock_sync")["clock_sync"])
    assert findings.rows[0] == row and findings.values["clock_synchronised"] == kept


@pytest.mark.parametrize("awk", AWKS)
def test_systemd_s_own_clock_is_judged_by_when_it_last_heard_a_server_and_asked_seldom_where_there_is_none(
    tmp_path: Path, awk: str
) -> None:
    told = "-rw-r--r-- 1 systemd-timesync systemd-timesync 0 {at} /run/systemd/timesync/synchronized\n"
    for at, kept in ((time.time() - 60, 1.0), (time.time() - 9000, 0.0)):
        host = FakeHost(
            tmp_path / f"h{kept}",
            awk,
            {"systemctl": ""},
            files=SYSTEMD | {"/run/systemd/timesync/synchronized": ""},
        )
        raw = host.ask("clock_sync")["clock_sync"]
        # what `ls` prints of the file is that of now
        rows = [[row[0], told.format(at=int(at))] if row[0] == "T" else row for row in raw.rows]
        assert ALL["clock_sync"].read(Raw(rows), None, 0.0).values["clock_synchronised"] == kept
    programs = {"timedatectl show": "NTP=no\nNTPSynchronized=no\n", "systemctl": ""}
    host = FakeHost(tmp_path / "vm", awk, programs, files=SYSTEMD)
    raw = host.ask("clock_sync", "tasks", "clock_sync")["clock_sync"]
    assert read("clock_sync", raw).rows == (("none", "no", "", None, None),)
    assert [call.split()[0] for call in host.calls()].count("timedatectl") == 1


def test_a_clock_that_has_just_started_is_not_judged_but_one_that_is_right_is() -> None:
    lost = [["M", "NTP=yes"], ["M", "NTPSynchronized=no"]]
    assert ALL["clock_sync"].read(Raw([["B", "900.0 1"], *lost]), None, 0.0).values == {}
    assert ALL["clock_sync"].read(Raw([["B", "1300.0 1"], *lost]), None, 0.0).values == {
        "clock_synchronised": 0.0
    }
