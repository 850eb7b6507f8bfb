"""Acts on a host from its page: `processes.signal`, `units.control`."""

from __future__ import annotations

import shlex

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import command_target
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.protocol.acts import Acted, ControlUnit, SignalProcess
from guardian_tui.protocol.errors import Conflict, HostUnavailable, NotFound
from guardian_tui.protocol.sections import SECTIONS
from guardian_tui.text import safe

SECONDS = 20.0
UNIT_SECONDS = 60.0
"""A unit may take long to stop."""


class Acts:
    """Handlers of acts on hosts."""

    def __init__(self, fleet: Fleet, commands: Commands) -> None:
        self._fleet = fleet
        self._commands = commands

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"processes.signal": self.signal, "units.control": self.control}

    async def signal(self, call: Call, request: SignalProcess) -> Acted:
        """`processes.signal`: only if the pid still is the process that the person saw."""
        host = host_asked(self._fleet.inventory, call, request.host)
        found = await self._command_of(host, request.pid)
        if found is None:
            raise NotFound(f"There is no process {request.pid} on {host.spec.name} any more.")
        if found != request.command:
            raise Conflict(
                f"{request.pid} on {host.spec.name} is another process now: {found[:100]}.", field="pid"
            )
        await self._privileged(host, ["kill", "-s", request.signal, "--", str(request.pid)], SECONDS)
        left = await self._command_of(host, request.pid)
        words = "it is still there" if left == request.command else "it is gone"
        return Acted(host=host.spec.name, words=f"SIG{request.signal} was sent to {request.pid}; {words}.")

    async def _command_of(self, host: Host, pid: int) -> str | None:
        _, findings, _, _ = await self._fleet.watch.survey.open(host, "processes", fresh=True)
        place = [column.name for column in SECTIONS["processes"].columns].index("command")
        return next((str(row[place]) for row in findings.rows if row[0] == pid), None)

    async def control(self, call: Call, request: ControlUnit) -> Acted:
        """`units.control`."""
        host = host_asked(self._fleet.inventory, call, request.host)
        await self._privileged(
            host, ["systemctl", "--no-ask-password", request.act, "--", request.unit], UNIT_SECONDS
        )
        target = command_target(host)
        words = shlex.join(["systemctl", "is-active", "--", request.unit])
        done = await self._commands.run(target, words, timeout=SECONDS, limit_bytes=4096)
        self._fleet.watch.resurvey(host.id)
        return Acted(
            host=host.spec.name,
            words=f"{request.unit}: {request.act} was carried out; it is {safe(done.out.strip(), 40) or 'unknown'} now.",
        )

    async def _privileged(self, host: Host, argv: list[str], seconds: float) -> Completed:
        """Run a command with the rights that it needs: the account's own, else those that a sudoers rule gives it.

        Raises:
            HostUnavailable: it failed; says how, and which rule would help.
        """
        target = command_target(host)
        words = shlex.join(argv)
        # root needs no sudo, and may have none
        script = (
            f'if [ "$(id -u)" = 0 ]; then {words}; elif {words} 2>/dev/null; then :; else sudo -n {words}; fi'
        )
        done = await self._commands.run(target, script, timeout=seconds, limit_bytes=1 << 16)
        if done.exit_status == 0:
            return done
        said = safe((done.err or done.out).strip(), 300) or f"exit status {done.exit_status}"
        user = target.user if target else "the engine's user"
        raise HostUnavailable(
            f"{host.spec.name} refused it as {user}: {said}. A sudoers rule lets it: {user} ALL=(root) NOPASSWD: {argv[0]}"
        )
