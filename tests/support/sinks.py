"""Real local ends of channels, which take messages, refuse, hang, drop and come back."""

from __future__ import annotations

import asyncio
import datetime
import email
import email.policy
import ipaddress
import json
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "sink.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Sink:
    """A server on 127.0.0.1 whose behaviour may be changed at any time."""

    def __init__(self, certificate: Path | None = None, *, wrapped: bool = False) -> None:
        self.mode = "ok"
        self.tries = 0
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self._wrapped = wrapped
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self):
        context = self.context if self._wrapped else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            self.tries += 1
            if self.mode == "hang":
                await asyncio.sleep(3600)
            if self.mode != "drop":
                await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class WebhookSink(Sink):
    """Takes POSTs.

    ``mode``: ok, hang, drop, a status, ``redirect``, ``flood``, ``hold`` (taken, no answer), ``narrow`` (two alerts at most)."""

    def __init__(self, *rest, **more) -> None:
        super().__init__(*rest, **more)
        self.bodies: list[dict] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._wrapped else 'http'}://127.0.0.1:{self.port}/hook/tOkEn"

    @property
    def events(self) -> list[str]:
        return [alert["event"] for body in self.bodies for alert in body["alerts"]]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            mode = self.mode
            if mode == "cut":
                return
            if mode == "narrow" and len(json.loads(body)["alerts"]) > 2:
                mode = "413"
            if mode == "redirect":
                writer.write(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            elif mode == "flood":
                writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n")
                for _ in range(1000):
                    writer.write(b"\x1b]52;c;x\x07" * 1000)
                    await writer.drain()
            elif mode.isdigit():
                said = b"\x1b[31mno\n[/] thanks"
                writer.write(
                    f"HTTP/1.1 {mode} No\r\nRetry-After: 0\r\nContent-Length: {len(said)}\r\n\r\n".encode()
                    + said
                )
            else:
                self.bodies.append(json.loads(body))
                self.raw.append(body)
                self.headers.append(headers)
                if mode == "hold":
                    await asyncio.sleep(3600)
                writer.write(b"HTTP/1.1 204 Fine\r\n\r\n")
            await writer.drain()


class SmtpSink(Sink):
    """Takes mail.  ``mode``: ok, hang, drop, ``cut`` (in mid-data), or ``COMMAND CODE``: it answers so."""

    def __init__(self, *rest, **more) -> None:
        super().__init__(*rest, **more)
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.logins: list[str] = []
        self.encrypted: list[bool] = []

    @property
    def url(self) -> str:
        return f"{'smtps' if self._wrapped else 'smtp'}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self._wrapped
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            word = line.split()[0].decode().upper() if line.split() else ""
            refused, _, code = self.mode.partition(" ")
            if refused == word and code:
                writer.write(f"{code} \x1b[31mnot today\r\n".encode())
            elif word == "EHLO":
                offers = b"250-STARTTLS\r\n" if self.context and not secure else b""
                writer.write(b"250-sink\r\n" + offers + b"250 AUTH PLAIN\r\n")
            elif word == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.drain()
                await writer.start_tls(self.context)
                secure = True
            elif word == "AUTH":
                self.logins.append(line.decode().strip())
                writer.write(b"235 welcome\r\n")
            elif word == "DATA":
                if self.mode == "cut":
                    return
                writer.write(b"354 go on\r\n")
                data = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
                self.raw.append(data)
                self.mails.append(email.message_from_bytes(data, policy=email.policy.default))
                self.encrypted.append(secure)
                writer.write(b"250 taken\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 fine\r\n")
            await writer.drain()
