"""Orders on the probe: `probe.install`."""

from __future__ import annotations

import shlex
from importlib.resources import files

import asyncssh

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.inventory import command_target
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.protocol.errors import Conflict, HostUnavailable, InvalidRequest
from guardian_tui.protocol.probe import InstalledProbe, InstallProbe
from guardian_tui.text import safe

SECONDS = 30.0


class ProbeOrders:
    """Handlers of the probe's routes."""

    def __init__(self, fleet: Fleet, remote: Remote) -> None:
        self._fleet = fleet
        self._remote = remote

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"probe.install": self.install}

    async def install(self, call: Call, request: InstallProbe) -> InstalledProbe:
        """`probe.install`: the probe as a file on a host, and a key there that can do nothing but run it."""
        host = host_asked(self._fleet.inventory, call, request.host)
        target = command_target(host)
        if target is None:
            raise Conflict("This is the engine's own machine; it is read without SSH.")
        line = _public(request.key)
        script = files(probe.__package__).joinpath("install.sh").read_text(encoding="utf-8")
        command = shlex.join(["sh", "-c", script, "guardian-install", line, line.split()[1]])
        async with self._remote.borrowed(target) as connection:
            done = await connection.run(command, timeout=SECONDS, stdin=probe.file().encode())
        if done.exit_status != 0:
            words = safe(done.err.strip(), 300) or f"exit status {done.exit_status}"
            raise HostUnavailable(f"The probe was not installed on {host.spec.name}: {words}")
        path, _, written = done.out.partition(b"\n")
        if written != probe.file().encode():
            raise HostUnavailable(
                f"What stands on {host.spec.name} now is not the probe that was sent; look at {safe(path, 200)}."
            )
        return InstalledProbe(
            host=host.spec.name, path=safe(path, 200), version=probe.version(), checksum=probe.checksum()
        )


def _public(text: str) -> str:
    """One line of a public key, its comment made harmless.

    Raises:
        InvalidRequest: it is no public key.
    """
    try:
        key = asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise InvalidRequest(
            "The key must be one line of a public key: ssh-ed25519 AAAA… (the .pub file).", field="key"
        ) from error
    algorithm, body = key.export_public_key().decode().split()[:2]
    return f"{algorithm} {body} guardian-probe"
