"""Certificates that lie on a host, and the host's own SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import ClassVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity
from cryptography.x509.oid import NameOID

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, instance
from guardian_tui.engine.fleet.sections.lines import fixed, now
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

DAY_SECONDS = 86400.0
MOST_CERTIFICATES = 200
FOREVER = (1 << 64) - 1
"""What an SSH certificate without an end says."""


def _series(path: str) -> str:
    name = path.removeprefix("/etc/").removesuffix("/cert.pem").replace("letsencrypt/live/", "letsencrypt/")
    return f"certificate_days_left{{{instance(name if len(name) <= 60 else '…' + name[-58:])}}}"


class Certificates(Section):
    """``C path base64`` of each certificate; ``D`` the host's clock."""

    name: ClassVar[str] = "certificates"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 60.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each that can be read; authorities that a distribution ships are left out."""
        at = now(raw)
        rows: list[tuple[Cell, ...]] = []
        values = {}
        for path, text in fixed(raw, "C", 2)[:MOST_CERTIFICATES]:
            try:
                one = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
                ends = one.not_valid_after_utc.timestamp()
                if path.startswith("/etc/ssl/certs/") and _authority(one):
                    continue
                row = (
                    cell(path), ends, None if at is None else (ends - at) / DAY_SECONDS, cell(_name(one.subject), 120), cell(_names(one), 200),
                    cell(_name(one.issuer), 120), _key(one), f"{one.serial_number:x}",
                )  # fmt: skip
            except (
                ValueError,
                TypeError,
                OverflowError,
                UnsupportedAlgorithm,
                binascii.Error,
                x509.InvalidVersion,
            ) as error:
                raw.problem(f"{cell(path, 60)}: not a certificate: {cell(str(error), 40)}")
                continue
            rows.append(row)
            if at is not None:
                values[_series(path)] = (ends - at) / DAY_SECONDS
        return Findings(tuple(rows), values)


def _authority(one: x509.Certificate) -> bool:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _names(one: x509.Certificate) -> str:
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ""
    return " ".join(str(name.value) for name in found)


def _key(one: x509.Certificate) -> str:
    return key_words(one.public_key())


def key_words(key: object) -> str:
    """Kind and size of a public key, as `ssh-keygen -l` names them."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.key_size}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ED25519"
    return "ED448" if isinstance(key, ed448.Ed448PublicKey) else "?"


def fingerprint(blob: str) -> str:
    """SHA-256 of a key as `ssh-keygen -l` writes it; empty: it is no key."""
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except (binascii.Error, ValueError):
        return ""
    return blob and "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class HostKeys(Section):
    """``K file line`` of each public half and certificate of the host's SSH keys; ``D`` its clock."""

    name: ClassVar[str] = "host_keys"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each; certificates get the series of certificates, keys are held against the baseline."""
        at = now(raw)
        rows: list[tuple[Cell, ...]] = []
        values, items = {}, {}
        for file, line in fixed(raw, "K", 2):
            words = [*line.split(None, 2), "", "", ""]
            print_ = fingerprint(words[1])
            ends: float | None = None
            kind = cell(words[0], 60)
            try:
                identity = load_ssh_public_identity(" ".join(words[:2]).encode())
            except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error):
                identity = None
            if identity is None and not print_:
                raw.problem(f"{cell(file, 60)}: not a key")
                continue
            if isinstance(identity, SSHCertificate):
                kind = f"{key_words(identity.public_key())} certificate"
                if identity.valid_before != FOREVER:
                    ends = float(identity.valid_before)
                if ends is not None and at is not None:
                    values[f"certificate_days_left{{{instance(file)}}}"] = (ends - at) / DAY_SECONDS
            elif identity is not None:
                kind = key_words(identity)
                items[cell(file, 60)] = print_
            rows.append((cell(file, 120), kind, print_, ends, cell(words[2], 60)))
        return Findings(tuple(rows), values, items=items or None)
