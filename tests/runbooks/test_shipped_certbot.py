"""The runbook of certificates that run out, with certbot and an authority that gives certificates by ACME, all of it on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guardian_tui.engine.runbooks.documents.library import Library
from tests.support.private import Follower, must_mount, within
from tests.support.sshd import free_port

DOMAIN = "shop.guardian.test"
DUE = "renew_before_expiry = 20 years"
"""The authority's certificates are good for five."""


def self_signed(folder: Path, name: str, host: str) -> tuple[Path, Path]:
    """A certificate that is good for five days, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "5", "-subj", f"/CN={host}",
         "-addext", f"subjectAltName=DNS:{host}", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def reachable(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("it does not listen")


@dataclass
class Shop:
    """A machine with certbot, whose server shows a certificate that runs out."""

    folder: Path
    mounts: dict[str, Path]
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self, command: str, port: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            within(self.mounts, f"exec {command}"), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )  # fmt: skip
        self.running.append(process)
        reachable(port, process)
        return process

    def serve(self, certificate: Path | str, key: Path | str) -> subprocess.Popen[bytes]:
        """The server, with the files as they are now."""
        command = f"openssl s_server -quiet -accept 127.0.0.1:{self.port} -cert {certificate} -key {key}"
        return self.begin(command, self.port)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        self.running.remove(process)
        process.kill()
        process.wait(10)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Certbot has a certificate of the authority, which is due to be renewed."""
    must_mount()
    names = tmp_path / "hosts"
    names.write_text(f"127.0.0.1 localhost {DOMAIN}\n")
    mounts = {"/etc/letsencrypt": tmp_path / "letsencrypt", "/etc/hosts": names}
    mounts["/etc/letsencrypt"].mkdir()
    certificate, key = self_signed(tmp_path, "authority", "localhost")
    ports = [free_port("127.0.0.1") for _ in range(5)]
    told = {
        "listenAddress": f"127.0.0.1:{ports[0]}", "managementListenAddress": f"127.0.0.1:{ports[1]}", "certificate": str(certificate),
        "privateKey": str(key), "httpPort": ports[2], "tlsPort": ports[3], "ocspResponderURL": "", "externalAccountBindingRequired": False,
    }  # fmt: skip
    # a rehearsal asks the public authority's test server unless the settings name another
    settings = {
        "server": f"https://localhost:{ports[0]}/dir",
        "work-dir": f"{tmp_path}/work",
        "logs-dir": f"{tmp_path}/logs",
    }
    cli = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (mounts["/etc/letsencrypt"] / "cli.ini").write_text(cli)
    (tmp_path / "pebble.json").write_text(json.dumps({"pebble": told}))
    # of this authority alone certbot takes answers
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    # certbot is Debian's, and its libraries too
    monkeypatch.delenv("PYTHONPATH", raising=False)
    one = Shop(tmp_path, mounts, ports[4])
    try:
        one.begin("pebble -config pebble.json", ports[0])
        order = (
            f"certbot certonly --standalone --http-01-port {ports[2]} --domain {DOMAIN} --non-interactive"
            " --agree-tos --register-unsafely-without-email"
        )
        done = subprocess.run(within(one.mounts, order), capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout + done.stderr
        with (mounts["/etc/letsencrypt"] / "renewal" / f"{DOMAIN}.conf").open("r+") as renewal:
            text = renewal.read()
            renewal.seek(0)
            renewal.write(f"{DUE}\n{text}")
        yield one
    finally:
        for process in list(one.running):
            with contextlib.suppress(ProcessLookupError):
                one.stop(process)


def test_what_certbot_cares_for_is_rehearsed_renewed_and_proven_where_it_is_served(shop: Shop) -> None:
    library = Library(None)
    library.refresh()
    values = {"domain": DOMAIN, "port": str(shop.port), "certificate": DOMAIN}
    follow = Follower(library.get("certificate-renewal"), values, shop.mounts)
    old = self_signed(shop.folder, "old", DOMAIN)
    server = shop.serve(*old)
    assert follow.step("served") and DOMAIN in follow.said, follow.said
    assert not follow.step("proven"), "it runs out within two weeks"
    assert follow.step("certbot") and f"Certificate Name: {DOMAIN}" in follow.said, follow.said
    # the authority does not reach this host: the rehearsal says so
    renewal = shop.mounts["/etc/letsencrypt"] / "renewal" / f"{DOMAIN}.conf"
    text = renewal.read_text()
    renewal.write_text(re.sub(r"(?m)^http01_port = .*$", f"http01_port = {free_port('127.0.0.1')}", text))
    assert not follow.step("rehearse") and "connection refused" in follow.said, follow.said
    assert follow.document.step("rehearse").on_fail == "rehearsal_failed"
    renewal.write_text(text)
    kept = shop.mounts["/etc/letsencrypt"] / "archive" / DOMAIN
    # nobody waits before it is asked for: certbot itself would, for up to eight minutes, wherever no terminal is
    assert follow.step("rehearse") and "random delay" not in follow.said, follow.said
    assert "all simulated renewals succeeded" in follow.said, follow.said
    assert sorted(path.name for path in kept.glob("cert*")) == ["cert1.pem"]
    assert follow.step("renew") and "random delay" not in follow.said, follow.said
    assert sorted(path.name for path in kept.glob("cert*")) == ["cert1.pem", "cert2.pem"]
    # the server has to read it
    assert not follow.step("proven")
    shop.stop(server)
    live = f"/etc/letsencrypt/live/{DOMAIN}"
    shop.serve(f"{live}/fullchain.pem", f"{live}/privkey.pem")
    assert follow.step("proven"), follow.said
