"""Updates, reboots, certificates and host keys: what package managers of several systems print, and real keys, through the probe under every awk."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from guardian_tui.engine.fleet.sections import ALL, Findings, Raw
from guardian_tui.engine.fleet.sections.updates import newer_kernel
from tests.fleet.fakes import FakeHost, recorded
from tests.fleet.test_probe import AWKS

STATUS = "Package: bash\nStatus: install ok installed\n\nPackage: gone\nStatus: deinstall ok config-files\n\nPackage: dash\nStatus: install ok installed\n"


def read(name: str, raw: Raw) -> Findings:
    findings = ALL[name].read(raw, None, 0.0)
    assert raw.problems == []
    return findings


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize(
    ("system", "waiting", "secure"),
    [
        ("debian12", 5, {"libgcrypt20", "liblzma-dev"}),
        ("ubuntu22", 3, {"libc6", "linux-image-generic"}),
    ],
)
def test_every_awk_tells_apt_s_updates_and_which_are_for_security(
    tmp_path: Path, awk: str, system: str, waiting: int, secure: set[str]
) -> None:
    programs = {
        "nice -n 19": recorded(f"programs/{system}-apt-get.txt"), "apt-get": "", "stat -c": "1795572681 /var/lib/dpkg/status\n1795500000 /var/lib/apt/lists\n",
    }  # fmt: skip
    files = {
        "/var/lib/dpkg/status": STATUS,
        "/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
        "/lib/modules/6.1.0-28-amd64/x": "",
    }
    host = FakeHost(tmp_path / "host", awk, programs, files=files, root=False)
    raw = host.ask("updates", "tasks", "updates")["updates"]
    findings = read("updates", Raw(raw.rows[: len(raw.rows) // 2]))
    assert {row[0] for row in findings.rows if row[3] == "yes"} >= secure
    assert findings.values["updates_security"] == len({row[0] for row in findings.rows if row[3]})
    assert findings.values["updates_pending"] == waiting and findings.values["reboot_required"] == 0.0
    assert findings.facts == {
        "packages": "2",
        "upgraded": "2026-11-25",
        "package_lists": "2026-11-24",
        "reboot": "not needed",
    }
    # nothing changed between the two questions: the host did not work for the second, and it has the same answer
    assert [call.split()[0] for call in host.calls()].count("nice") == 1
    assert len(raw.rows) % 2 == 0 and raw.rows[1 : len(raw.rows) // 2] == raw.rows[len(raw.rows) // 2 + 1 :]


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("info", ["rocky9-dnf-updateinfo.txt", "fedora41-dnf5-updateinfo.txt"])
def test_every_awk_tells_dnf_s_updates_to_root_and_the_rules_to_others(
    tmp_path: Path, awk: str, info: str
) -> None:
    programs = {
        "dnf -q --cacheonly check-update": recorded("programs/rocky9-dnf-check-update.txt"), "dnf -q --cacheonly updateinfo list": recorded(f"programs/{info}"),
        "rpm -qa": "a-1-1.x86_64\nb-1-1.noarch\n", "needs-restarting -r": recorded("programs/rocky9-needs-restarting.txt"), "stat": "",
    }  # fmt: skip
    findings = read("updates", FakeHost(tmp_path / "root", awk, programs).ask("updates")["updates"])
    assert [row[0] for row in findings.rows] == ["NetworkManager", "openssl-libs", "tzdata"]
    assert "openssl-libs" in {row[0] for row in findings.rows if row[3] == "yes"}
    assert findings.values == {
        "updates_pending": 3.0,
        "updates_security": 2.0 if "rocky" in info else 1.0,
        "reboot_required": 1.0,
    }
    raw = FakeHost(tmp_path / "other", awk, programs, root=False).ask("updates")["updates"]
    assert [rule for _, _, rule in raw.withheld] == [
        "guardian ALL=(root) NOPASSWD: /usr/bin/dnf -q --cacheonly check-update",
        "guardian ALL=(root) NOPASSWD: /usr/bin/dnf -q --cacheonly updateinfo list --security",
    ]
    assert read("updates", raw).values == {"reboot_required": 1.0}, "no updates known is not none pending"


def test_yum_s_updates_are_told_where_there_is_no_dnf(tmp_path: Path) -> None:
    programs = {
        "yum -q -C check-update": recorded("programs/centos7-yum-check-update.txt"),
        "yum -q -C updateinfo list security": recorded("programs/centos7-yum-updateinfo.txt"), "rpm -qa": "a\n",
    }  # fmt: skip
    rows = read("updates", FakeHost(tmp_path / "host", "mawk", programs).ask("updates")["updates"]).rows
    assert {row[0]: row[3] for row in rows} == {"bpftool": "yes", "curl": "yes", "tzdata": ""}


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_tells_zypper_s_and_apk_s_updates(tmp_path: Path, awk: str) -> None:
    programs = {
        "zypper -x --no-refresh list-updates": recorded("programs/leap15-zypper-updates.txt"),
        "zypper -x --no-refresh list-patches": recorded("programs/leap15-zypper-patches.txt"),
        "zypper -n --no-refresh needs-rebooting": "Core libraries or services have been updated.\nReboot is required to ensure that your system benefits from these updates.\n",
        "rpm -qa": "a\n",
    }
    findings = read("updates", FakeHost(tmp_path / "leap", awk, programs).ask("updates")["updates"])
    assert findings.rows == (
        ("bash", "4.4-150400.25.22", "4.4-150400.27.3.2", "", ""), ("openSUSE-SLE-15.6-2025-430", "", "1", "yes", "important"),
    )  # fmt: skip
    assert findings.values["reboot_required"] == 1.0
    files = {"/lib/apk/db/installed": "C:Q1x\nP:busybox\n\nP:musl\n"}
    host = FakeHost(
        tmp_path / "alpine", awk, {"apk version": recorded("programs/alpine320-apk-version.txt")}, files=files
    )
    findings = read("updates", host.ask("updates")["updates"])
    assert [row[:3] for row in findings.rows][1] == ("ca-certificates-bundle", "20240226-r0", "20240705-r0")
    assert findings.values["updates_pending"] == 3.0 and findings.facts["packages"] == "2"


@pytest.mark.parametrize(
    ("running", "installed", "newer"),
    [
        ("6.1.0-28-amd64", ["6.1.0-28-amd64", "6.1.0-31-amd64"], "6.1.0-31-amd64"),
        ("6.1.0-9-amd64", ["6.1.0-10-cloud-amd64", "6.1.0-9-amd64"], ""),
        ("5.14.0-503.23.2.el9_5.x86_64", ["5.14.0-503.23.2.el9_5.x86_64", "5.14.0-570.12.1.el9_6.x86_64"], "5.14.0-570.12.1.el9_6.x86_64"),
        ("6.6.58-0-lts", ["6.6.58-0-lts"], ""),
        ("6.8.0-proxmox", ["6.1.0-28-amd64"], ""),
        ("", [], ""),
    ],
)  # fmt: skip
def test_a_newer_kernel_of_the_same_flavour_asks_for_a_reboot(
    running: str, installed: list[str], newer: str
) -> None:
    assert newer_kernel(running, installed) == newer


def test_a_package_manager_that_does_not_answer_has_not_said_that_nothing_waits(tmp_path: Path) -> None:
    files = {"/var/lib/dpkg/status": STATUS}
    programs = {"apt-get": "", "nice -n 19": ""}
    findings = read(
        "updates", FakeHost(tmp_path / "h", "mawk", programs, files=files).ask("updates")["updates"]
    )
    assert "updates_pending" not in findings.values and findings.facts["packages"] == "2"


def test_a_flag_for_a_reboot_is_seen(tmp_path: Path) -> None:
    findings = read(
        "updates",
        FakeHost(
            tmp_path / "h", "mawk", files={"/run/reboot-required": "*** System restart required ***\n"}
        ).ask("updates")["updates"],
    )
    assert findings.values == {"reboot_required": 1.0} and findings.facts["reboot"] == "packages ask for it"


def certificate(name: str, days: float, *, authority: bool = False) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        who, who, key.public_key(), 4711, now - timedelta(days=300), now + timedelta(days=days)
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(f"www.{name}")]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_finds_certificates_that_are_configured_or_lie_about_and_no_authorities(
    tmp_path: Path, awk: str
) -> None:
    files = {
        "/srv/tls/site.pem": certificate("site.example", 12.5) + certificate("intermediate.example", 900),
        "/etc/nginx/tls/old.crt": certificate("old.example", -3).replace("\n", "\r\n"),
        "/etc/nginx/tls/old.key.pem": "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n",
        "/etc/ssl/certs/root.pem": certificate("A Root", 4000, authority=True),
        "/etc/ssl/certs/broken.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    host = FakeHost(tmp_path / "host", awk, files=files)
    conf = host.folder / "etc/nginx/nginx.conf"
    conf.write_text(
        f'server {{\n  ssl_certificate   "{host.folder}/srv/tls/site.pem"; # ssl_certificate_key x\n}}\n',
        encoding="utf-8",
    )
    raw = host.ask("certificates")["certificates"]
    assert "SECRET" not in str(raw.rows)
    findings = ALL["certificates"].read(raw, None, 0.0)
    assert {row[0]: row[3:] for row in findings.rows} == {
        "/srv/tls/site.pem": ("site.example", "www.site.example", "site.example", "ECDSA 256", "1267"),
        "/etc/nginx/tls/old.crt": ("old.example", "www.old.example", "old.example", "ECDSA 256", "1267"),
    }
    assert findings.values["certificate_days_left{/srv/tls/site.pem}"] == pytest.approx(12.5, abs=0.1)
    assert findings.values["certificate_days_left{nginx/tls/old.crt}"] == pytest.approx(-3, abs=0.1)
    assert len(raw.problems) == 1 and "broken.pem" in raw.problems[0]


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_reads_let_s_encrypt_s_certificates_as_root_and_tells_the_rule_to_others(
    tmp_path: Path, awk: str
) -> None:
    pem = certificate("a.example", 89)
    where = "/etc/letsencrypt/live/a.example/cert.pem"
    files = {where: pem, "/etc/letsencrypt/live/a.example/privkey.pem": "SECRET\n"}
    host = FakeHost(tmp_path / "root", awk, files=files)
    findings = read("certificates", host.ask("certificates")["certificates"])
    assert list(findings.values) == ["certificate_days_left{letsencrypt/a.example}"]
    host = FakeHost(tmp_path / "other", awk, files=files, root=False)
    raw = host.ask("certificates")["certificates"]
    assert raw.rows[1:] == [] and raw.withheld[0][2].endswith(
        "/grep -R . /etc/letsencrypt/live --include cert.pem"
    )


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_lists_the_host_s_keys_and_when_its_certificates_end(tmp_path: Path, awk: str) -> None:
    folder = tmp_path / "host" / "etc" / "ssh"
    for kind, bits in (("ed25519", "256"), ("rsa", "2048")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "ssh-keygen",
                "-q",
                "-N",
                "",
                "-C",
                "h1 é\x1b",
                "-t",
                kind,
                "-b",
                bits,
                "-f",
                folder / f"ssh_host_{kind}_key",
            ],
            check=True,
        )
    ca = tmp_path / "ca"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", ca], check=True)
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-s",
            ca,
            "-I",
            "h1",
            "-h",
            "-n",
            "h1",
            "-V",
            "+10d",
            folder / "ssh_host_ed25519_key.pub",
        ],
        check=True,
    )
    findings = read("host_keys", FakeHost(tmp_path / "host", awk).ask("host_keys")["host_keys"])
    told = subprocess.run(
        ["ssh-keygen", "-l", "-f", folder / "ssh_host_rsa_key.pub"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rows = {row[0]: row[1:] for row in findings.rows}
    assert rows["ssh_host_rsa_key.pub"][:3] == ("RSA 2048", told[1], None)
    assert rows["ssh_host_ed25519_key-cert.pub"][0] == "ED25519 certificate"
    assert findings.values == {
        "certificate_days_left{ssh_host_ed25519_key-cert.pub}": pytest.approx(10, abs=0.1)
    }
    assert set(findings.items or ()) == {"ssh_host_rsa_key.pub", "ssh_host_ed25519_key.pub"}
