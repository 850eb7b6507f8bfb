"""Units and timers: what systemd, OpenRC and runit print, through the probe under every awk."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sections import ALL, Raw
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

DEBIAN = {
    "systemctl list-units": recorded("programs/debian12-list-units.txt"),
    "systemctl show --no-pager": recorded("programs/debian12-show-services.txt"),
    "systemctl show --all --no-pager -p Id -p NRestarts": recorded("programs/debian12-show-all.txt"),
    "systemctl show --all --no-pager -p Id -p NextElapse": recorded("programs/debian12-show-timers.txt"),
}
PROC = {"/proc/1/comm": "systemd\n", "/proc/uptime": "5000.00 9000.00\n"}


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_failed_units_and_services_that_restart(tmp_path: Path, awk: str) -> None:
    raw = FakeHost(tmp_path / "host", awk, DEBIAN, files=PROC).ask("units")["units"]
    findings = ALL["units"].read(raw, None, 0.0)
    assert raw.problems == [] and raw.withheld == []
    rows = {row[0]: row[1:] for row in findings.rows}
    assert rows == {
        "nginx.service": ("failed", "failed", 1000.0, 5.0, "exit-code", "A high performance web server and a reverse proxy server"),
        "app@blue.service": ("activating", "auto-restart", 10.0, 41.0, "exit-code", "Application, blue"),
        "srv-nfs.mount": ("failed", "failed", 4988.0, 0.0, "exit-code", "/srv/nfs"),
    }  # fmt: skip
    assert findings.values == {"unit_failed{nginx.service}": 1.0, "unit_failed{srv-nfs.mount}": 1.0}


def units(restarts: int, failed: str = "") -> Raw:
    rows = [
        ["B", "5000.0 1"],
        ["W"],
        ["S", "app.service", str(restarts), "active", "running", "success", "1"],
    ]
    return Raw(rows + ([["U", f"{failed} loaded failed failed Words"]] if failed else []))


def test_restarts_are_counted_per_five_minutes_and_a_count_that_began_anew_is_no_flood() -> None:
    assert ALL["units"].read(units(7), units(4), 60.0).values == {"unit_restarts{app.service}": 15.0}
    assert ALL["units"].read(units(2), units(9), 60.0).values == {"unit_restarts{app.service}": 10.0}
    assert ALL["units"].read(units(7), None, 0.0).values == {}


def test_a_unit_that_is_well_again_says_so_once() -> None:
    values = ALL["units"].read(units(0), units(0, "x.service"), 60.0).values
    assert values == {"unit_failed{x.service}": 0.0}
    assert ALL["units"].read(units(0), units(0), 60.0).values == {}


@pytest.mark.parametrize("awk", AWKS)
def test_a_systemd_that_does_not_answer_has_not_healed_its_units(tmp_path: Path, awk: str) -> None:
    before = units(0, "x.service")
    silent = FakeHost(
        tmp_path / "a", awk, {"systemctl list-units": "", "systemctl show": ""}, files=PROC
    ).ask("units")["units"]
    assert ALL["units"].read(silent, before, 60.0).values == {}
    well = {"systemctl list-units": "0 loaded units listed.\n", "systemctl show": ""}
    raw = FakeHost(tmp_path / "b", awk, well, files=PROC).ask("units")["units"]
    assert ALL["units"].read(raw, before, 60.0).values == {"unit_failed{x.service}": 0.0}


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_lists_units_with_what_they_take_and_timers_with_their_times(
    tmp_path: Path, awk: str
) -> None:
    raws = FakeHost(tmp_path / "host", awk, DEBIAN, files=PROC).ask("unit_list", "timers")
    rows = ALL["unit_list"].read(raws["unit_list"], None, 0.0).rows
    assert rows[0][:8] == (
        "cron.service",
        "loaded",
        "active",
        "running",
        pytest.approx(4990.517287),
        843776.0,
        1.0,
        0.0,
    )
    assert rows[1][4:8] == (None, None, None, 0.0)
    assert rows[2] == (
        "ssh.socket",
        "masked",
        "inactive",
        "dead",
        None,
        None,
        None,
        None,
        "OpenBSD Secure Shell server socket",
    )
    daily, clean = ALL["timers"].read(raws["timers"], None, 0.0).rows
    assert daily == ("apt-daily.timer", 1795616121.0, None, 1795572603.0, "apt-daily.service", "success")
    assert clean[1:4] == (None, pytest.approx(86400 + 907.213941 - 5000), None)
    assert not raws["timers"].problems


@pytest.mark.parametrize("awk", AWKS)
def test_openrc_tells_its_services_and_what_crashed(tmp_path: Path, awk: str) -> None:
    programs = {
        "rc-status --nocolor --crashed": " nginx\n",
        "rc-status --nocolor --all": recorded("programs/alpine-rc-status.txt"),
    }
    host = FakeHost(tmp_path / "host", awk, programs, files={"/proc/1/comm": "init\n"})
    raws = host.ask("units", "unit_list", "timers")
    assert ALL["units"].read(raws["units"], None, 0.0).values == {"unit_failed{nginx}": 1.0}
    rows = {row[0]: row[2] for row in ALL["unit_list"].read(raws["unit_list"], None, 0.0).rows}
    assert rows == {"chronyd": "active", "sshd": "active", "nginx": "failed", "consolefont": "inactive"}
    assert raws["timers"].rows[1:] == [] and raws["timers"].withheld == []


def test_runit_s_services_need_root_and_the_rule_is_told_ready_to_paste(tmp_path: Path) -> None:
    files = {"/etc/service/web/run": ""}
    programs = {
        "sv status": "run: /etc/service/web: (pid 7) 41s\nfail: /etc/service/db: unable to change to service directory\n"
    }
    raw = FakeHost(tmp_path / "a", "mawk", programs, files=files, root=False).ask("units")["units"]
    ((what, why, rule),) = raw.withheld
    assert rule == "guardian ALL=(root) NOPASSWD: /usr/bin/sv status /etc/service/*"
    assert (what, why) == ("services of runit", "only root may see this")
    raw = FakeHost(tmp_path / "b", "mawk", programs, files=files).ask("units")["units"]
    assert ALL["units"].read(raw, None, 0.0).values == {"unit_failed{db}": 1.0}


@pytest.mark.parametrize(
    "listing",
    ["(root) NOPASSWD: {sv}", "(root) NOPASSWD: /bin/x,\n        {sv}, /bin/y", "(ALL : ALL) NOPASSWD: ALL"],
)
@pytest.mark.parametrize("awk", AWKS)
def test_what_sudo_allows_without_a_password_is_read_by_it(tmp_path: Path, awk: str, listing: str) -> None:
    sv = f"{tmp_path}/host/bin/sv status {tmp_path}/host/etc/service/*"
    told = f"User guardian may run the following commands on h1:\n    {listing.format(sv=sv)}\n"
    programs = {"sudo -n -l": told, "sudo -n /": "run: /etc/service/web: (pid 7) 41s\n", "sv": ""}
    host = FakeHost(tmp_path / "host", awk, programs, files={"/etc/service/web/run": ""}, root=False)
    raw = host.ask("unit_list")["unit_list"]
    assert raw.withheld == [] and [row[:3] for row in ALL["unit_list"].read(raw, None, 0.0).rows] == [
        ("web", "", "active")
    ]


@pytest.mark.parametrize(
    "told",
    [
        "Sorry, user guardian may not run sudo on h1.\n",
        "",
        "    (root) NOPASSWD: /bin/sv status /etc/service/*x\n    (root) {sv}\n",
    ],
)
def test_what_sudo_does_not_allow_without_a_password_is_never_tried(tmp_path: Path, told: str) -> None:
    sv = f"{tmp_path}/host/bin/sv status {tmp_path}/host/etc/service/*"
    host = FakeHost(
        tmp_path / "host",
        "mawk",
        {"sudo -n -l": told.format(sv=sv), "sv": "x"},
        files={"/etc/service/web/run": ""},
        root=False,
    )
    raw = host.ask("units", "unit_list")["units"]
    assert len(raw.withheld) == 1
    assert [call for call in host.calls() if call.startswith("sudo")] == ["sudo -n -l"]


@pytest.mark.parametrize("awk", AWKS)
def test_a_real_listing_of_sudo_is_understood(tmp_path: Path, awk: str) -> None:
    bin = f"{tmp_path}/host/bin/"
    told = recorded("programs/debian12-sudo-l.txt").replace("/usr/sbin/", bin).replace("/usr/bin/", bin)
    programs = {
        "sudo -n -l": told, "sudo -n /": "Failed password for root from 203.0.113.9 port 52114 ssh2\n", "systemctl": "", "journalctl": "",
        "id -Gn": "guardian\n",
    }  # fmt: skip
    host = FakeHost(tmp_path / "host", awk, programs, files=PROC | {"/etc/sudoers": ""}, root=False)
    raws = host.ask("logins", "authorized_keys", "sudoers")
    assert raws["logins"].withheld == [] and ALL["logins"].read(raws["logins"], None, 0.0).rows[0][:2] == (
        "203.0.113.9",
        1.0,
    )
    assert raws["authorized_keys"].withheld == []
    # this one asks for a password
    assert [rule for _, _, rule in raws["sudoers"].withheld] == [
        "guardian ALL=(root) NOPASSWD: /usr/bin/grep -r . /etc/sudoers /etc/sudoers.d"
    ]
    assert [call.split()[:3] for call in host.calls() if call.startswith("sudo")].count(
        ["sudo", "-n", "-l"]
    ) == 1


def test_where_no_service_manager_answers_no_unit_is_told_to_be_well() -> None:
    silent = Raw([["B", "100.0 50.0"]])
    assert ALL["units"].read(silent, None, 0.0).rows == ()
    assert [why for _, why, _ in silent.withheld] == [
        "no service manager answered; systemd, OpenRC and runit are known"
    ]
    # read again from what is kept, it is said once
    ALL["units"].read(silent, None, 0.0)
    assert len(silent.withheld) == 1
    well = Raw([["B", "100.0 50.0"], ["W"]])
    assert ALL["units"].read(well, None, 0.0).rows == () and well.withheld == []
