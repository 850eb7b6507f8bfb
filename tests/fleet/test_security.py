"""Firewall, keys, sudoers, SUID files and sshd: what real programs print and real files hold, through the probe under every awk."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

BLOB = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
OTHER = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(31) + b"\1").decode()


def read(name: str, raw: Raw) -> Findings:
    findings = ALL[name].read(raw, None, 0.0)
    assert raw.problems == []
    return findings


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_the_chains_of_nftables_and_leaves_out_what_docker_keeps(
    tmp_path: Path, awk: str
) -> None:
    host = FakeHost(
        tmp_path / "host",
        awk,
        {"nft -s list ruleset": recorded("programs/debian12-nft.txt"), "iptables-save": "x"},
    )
    findings = read("firewall", host.ask("firewall")["firewall"])
    assert [row[:4] for row in findings.rows] == [
        ("inet filter input", "input", "drop", 3.0), ("inet filter forward", "forward", "accept", 0.0), ("ip nat helper", "", "", 1.0),
    ]  # fmt: skip
    assert findings.values == {"firewall_active": 1.0} and findings.facts == {"firewall": "nftables, 4 rules"}
    assert not [call for call in host.calls() if call.startswith("iptables")]


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_the_chains_of_iptables_where_there_is_no_nft_and_whether_ufw_keeps_them(
    tmp_path: Path, awk: str
) -> None:
    programs = {"iptables-save": recorded("programs/rocky8-iptables-save.txt"), "ip6tables-save": ""}
    host = FakeHost(tmp_path / "host", awk, programs, files={"/etc/ufw/ufw.conf": "ENABLED=yes\n"})
    findings = read("firewall", host.ask("firewall")["firewall"])
    assert {row[0]: row[1:4] for row in findings.rows} == {
        "ip filter INPUT": ("input", "drop", 2.0), "ip filter FORWARD": ("forward", "accept", 0.0), "ip filter OUTPUT": ("output", "accept", 0.0),
        "ip filter own": ("", "", 1.0),
    }  # fmt: skip
    assert findings.facts == {"firewall": "ufw, 3 rules"}


def test_a_rule_that_is_changed_differs_and_counters_do_not() -> None:
    lines = recorded("programs/rocky8-iptables-save.txt").splitlines()
    first = ALL["firewall"].read(Raw([["I", line] for line in lines]), None, 0.0).items
    counted = [line.replace("[12:720]", "[99:9999]") for line in lines]
    assert ALL["firewall"].read(Raw([["I", line] for line in counted]), None, 0.0).items == first
    opened = [line.replace("--dport 22", "--dport 23") for line in lines]
    changed = ALL["firewall"].read(Raw([["I", line] for line in opened]), None, 0.0).items
    assert (
        first and changed and {name for name in first if first[name] != changed[name]} == {"ip filter INPUT"}
    )


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_lists_the_keys_of_all_homes_with_their_options(tmp_path: Path, awk: str) -> None:
    home = f"{tmp_path}/host"
    files = {
        "/etc/passwd": f"root:x:0:0::{home}/root:/bin/sh\nada:x:1:1::{home}/home/ada:/bin/sh\ntwin:x:2:2::{home}/home/ada:/bin/sh\nx:x:3:3::/nonexistent:/bin/sh\n",
        "/root/.ssh/authorized_keys": f"# mine\n\nssh-ed25519 {BLOB} ada@laptop, the red one\n",
        "/home/ada/.ssh/authorized_keys": f'from="10.0.0.0/8",command="echo ssh-rsa x" ssh-ed25519 {OTHER}\nnot a key\n',
    }
    raw = FakeHost(tmp_path / "host", awk, files=files).ask("authorized_keys")["authorized_keys"]
    findings = ALL["authorized_keys"].read(raw, None, 0.0)
    first, second = findings.rows
    assert first[0] == "root" and first[3:] == ("ada@laptop, the red one", "", "/root/.ssh/authorized_keys")
    assert (
        second[0] == "ada"
        and second[4] == 'from="10.0.0.0/8",command="echo ssh-rsa x"'
        and first[2] != second[2]
    )
    assert len(findings.items or ()) == 2 and len(raw.problems) == 1


@pytest.mark.parametrize("awk", AWKS)
def test_keys_of_closed_homes_come_by_sudo_and_else_their_rule_is_told(tmp_path: Path, awk: str) -> None:
    line = f"/home/eve/.ssh/authorized_keys:ssh-ed25519 {BLOB} eve\n"
    find = f"{tmp_path}/a/bin/find /root /home -maxdepth 3 -name authorized_keys -exec grep -H . {{}} +"
    raw = FakeHost(tmp_path / "b", awk, files={"/etc/passwd": ""}, root=False).ask("authorized_keys")[
        "authorized_keys"
    ]
    assert raw.withheld[0][2].startswith("guardian ALL=(root) NOPASSWD: /usr/bin/find /root /home ")
    programs = {
        "sudo -n -l": f"User guardian may run the following commands on h:\n    (root) NOPASSWD: {find}\n",
        "sudo -n /": line,
    }
    raw = FakeHost(tmp_path / "a", awk, programs, files={"/etc/passwd": ""}, root=False).ask(
        "authorized_keys"
    )["authorized_keys"]
    assert raw.withheld == [] and [row[0] for row in read("authorized_keys", raw).rows] == ["eve"]


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_who_may_use_sudo(tmp_path: Path, awk: str) -> None:
    files = {
        "/etc/sudoers": "# comment\nDefaults env_reset\n%sudo ALL=(ALL:ALL) ALL\n\n@includedir /etc/sudoers.d\n",
        "/etc/sudoers.d/backup": "borg ALL=(root) NOPASSWD: /usr/bin/borg\n",
    }
    findings = read("sudoers", FakeHost(tmp_path / "host", awk, files=files).ask("sudoers")["sudoers"])
    assert ("borg ALL=(root) NOPASSWD: /usr/bin/borg", "yes", "/etc/sudoers.d/backup") in findings.rows
    assert ("%sudo ALL=(ALL:ALL) ALL", "", "/etc/sudoers") in findings.rows
    assert set(findings.items or ()) == {"/etc/sudoers", "/etc/sudoers.d/backup"}
    raw = FakeHost(tmp_path / "other", awk, files=files, root=False).ask("sudoers")["sudoers"]
    assert raw.withheld and ALL["sudoers"].read(raw, None, 0.0).items is None, (
        "what can't be seen is not gone"
    )


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_finds_files_that_run_as_somebody_else_where_that_counts(tmp_path: Path, awk: str) -> None:
    disk, nosuid = tmp_path / "disk", tmp_path / "nosuid"
    for folder in (disk, disk / "a b", nosuid):
        folder.mkdir()
        (folder / "tool").write_text("x")
        (folder / "tool").chmod(0o4755)
    (disk / "plain").write_text("x")
    (disk / "group").write_text("x")
    (disk / "group").chmod(0o2755)
    mounts = f"/dev/sda1 {disk} ext4 rw,relatime 0 0\n/dev/sda1 {tmp_path} ext4 rw 0 0\n/dev/sdb1 {nosuid} xfs rw,nosuid 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
    host = FakeHost(tmp_path / "host", awk, files={"/proc/self/mounts": mounts})
    nice = host.folder / "bin" / "nice"
    nice.symlink_to(shutil.which("nice") or "nice")
    findings = read("suid_files", host.ask("suid_files")["suid_files"])
    assert {str(row[0]): row[3] for row in findings.rows} == {
        f"{disk}/tool": "-rwsr-xr-x", f"{disk}/a b/tool": "-rwsr-xr-x", f"{disk}/group": "-rwxr-sr-x",
    }  # fmt: skip
    assert len(findings.items or ()) == 3


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_what_sshd_has_in_force_and_what_is_risky(tmp_path: Path, awk: str) -> None:
    host = FakeHost(tmp_path / "host", awk, {"sshd -T": recorded("programs/debian12-sshd-T.txt")})
    risks = {row[0]: row[2] for row in read("sshd_settings", host.ask("sshd_settings")["sshd_settings"]).rows}
    assert {name for name, risk in risks.items() if risk} == {
        "passwordauthentication",
        "x11forwarding",
        "ciphers",
        "macs",
        "hostkeyalgorithms",
    }
    assert (
        risks["ciphers"] == "weak: aes128-cbc"
        and risks["hostkeyalgorithms"] == "weak: ssh-rsa"
        and risks["macs"] == "weak: hmac-sha1"
    )


@pytest.mark.parametrize("awk", AWKS)
def test_without_root_sshd_s_files_are_read_the_first_of_a_name_counts_and_matches_are_left_out(
    tmp_path: Path, awk: str
) -> None:
    files = {
        "/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\nPort 22\nPort 2222\nMatch User x\n  PermitEmptyPasswords yes\n",
        "/etc/ssh/sshd_config.d/50-cloud.conf": "PermitRootLogin=yes\n",
        "/etc/ssh/sshd_config.d/old.conf.bak": "X11Forwarding yes\n",
    }
    host = FakeHost(tmp_path / "host", awk, {"sshd": ""}, files=files, root=False)
    raw = host.ask("sshd_settings")["sshd_settings"]
    assert read("sshd_settings", raw).rows == (
        ("port", "22 2222", ""),
        ("permitrootlogin", "yes", "root may log in, by password too"),
    )
    (host.folder / "etc/ssh/sshd_config").unlink()
    assert (
        FakeHost(tmp_path / "closed", awk, {"sshd": ""}, root=False)
        .ask("sshd_settings")["sshd_settings"]
        .withheld[0][2]
        .endswith("/sshd -T")
    )
