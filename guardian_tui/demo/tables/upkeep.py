"""The upkeep of simulated hosts: packages that wait, certificates, and the host's own keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from guardian_tui.demo.roles import LAB
from guardian_tui.demo.tables.rows import date, role_of

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

DAY = 86400
_WAITING = (
    ("base-files", "13.8", "13.8+deb13u1"), ("libc-bin", "2.41-12", "2.41-12+deb13u1"), ("libc6", "2.41-12", "2.41-12+deb13u1"),
    ("tzdata", "2026b-0+deb13u1", "2026c-0+deb13u1"),
    ("libsystemd0", "257.8-1~deb13u1", "257.9-1~deb13u1"), ("systemd", "257.8-1~deb13u1", "257.9-1~deb13u1"), ("udev", "257.8-1~deb13u1", "257.9-1~deb13u1"),
    ("rsyslog", "8.2504.0-1", "8.2504.0-1+deb13u1"),
)  # fmt: skip


def updates(figures: Figures) -> Sequence[str]:
    """A few that wait, none of them for security: those install themselves."""
    now = figures.wall()
    fresh = int(now - now % 43_200)
    count = figures.seed * 5 % (len(_WAITING) + 1)
    if role_of(figures).os == LAB.os:
        return (
            date(figures), f"R\tS\t{fresh - 9 * DAY} /usr/lib/sysimage/rpm", f"R\tS\t{fresh} /var/cache/dnf", "R\tQ", "R\tN\t742",
            *(f"R\tF\t{name}.x86_64          {new}.fc43          updates" for name, _, new in _WAITING[1:count:2]),
            "R\tO\t6.17.8-300.fc43.x86_64", "R\tM\t6.17.8-300.fc43.x86_64",
        )  # fmt: skip
    return (
        date(figures), f"R\tS\t{fresh - 6 * DAY} /var/lib/dpkg/status", f"R\tS\t{fresh} /var/lib/apt/lists", f"R\tN\t{431 + figures.seed % 7}", "R\tQ",
        *(f"R\tA\tInst {name} [{old}] ({new} Debian:13.2/stable [amd64])" for name, old, new in _WAITING[:count]),
        "R\tO\t6.12.48+deb13-amd64", "R\tM\t6.12.48+deb13-amd64",
    )  # fmt: skip


_SITES = {
    "web": (("/etc/letsencrypt/live/www.example.com/cert.pem", "www.example.com"), ("/etc/letsencrypt/live/shop.example.com/cert.pem", "shop.example.com")),
    "mail": (("/etc/postfix/smtp.pem", "smtp.example.com"), ("/etc/dovecot/imap.pem", "imap.example.com")), "db": (("/etc/ssl/private-ca/postgres.crt", "db.internal"),),
    "queue": (("/etc/ssl/private-ca/rabbitmq.crt", "queue.internal"),),
}  # fmt: skip
SHORT_DAYS = 23
"""What a certificate that nobody renews by machine has left: soon it is one to warn of."""
LIFE_DAYS, RENEWED_DAYS = 90, 60


def certificates(figures: Figures) -> Sequence[str]:
    """Renewed thirty days before they run out, but for one of every other mail server's, which is renewed by hand."""
    day = int(figures.wall() // DAY)
    rows = [date(figures)]
    for number, (path, name) in enumerate(_SITES.get(role_of(figures).name, ())):
        # one end for all hosts of a role: a certificate is made once
        left = LIFE_DAYS - (day + number * 17) % RENEWED_DAYS
        if role_of(figures).name == "mail" and number and not figures.seed % 2:
            left = SHORT_DAYS
        rows.append(f"R\tC\t{path}\t{_certificate(name, day + left)}")
    return rows


@cache
def _authority() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@lru_cache(64)
def _certificate(name: str, ends_day: int) -> str:
    key = _authority()
    ends = datetime.fromtimestamp(ends_day * DAY, UTC) + timedelta(hours=12)
    one = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Simulated CA E7")]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{name} {ends_day}".encode()).digest()[:12], "big") | 1)
        .not_valid_before(ends - timedelta(days=LIFE_DAYS))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(one.public_bytes(Encoding.DER)).decode()


def public_key(owner: str) -> str:
    """An Ed25519 key that is always the same for its owner; nobody has its private half."""
    kind = b"ssh-ed25519"
    body = hashlib.sha256(owner.encode()).digest()
    blob = len(kind).to_bytes(4, "big") + kind + len(body).to_bytes(4, "big") + body
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def host_keys(figures: Figures) -> Sequence[str]:
    """The key by which it is known."""
    return (
        date(figures),
        f"R\tK\tssh_host_ed25519_key.pub\t{public_key(f'host {figures.seed}')} root@{role_of(figures).name}",
    )
