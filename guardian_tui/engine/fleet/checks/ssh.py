"""SSH checks: a server's greeting and its key."""

from __future__ import annotations

import asyncssh

from guardian_tui.engine.fleet.checks.patterns import found
from guardian_tui.engine.fleet.checks.result import Failed, Result, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch, read_line
from guardian_tui.engine.remote.connections import words_of
from guardian_tui.protocol.check_params import SshParams
from guardian_tui.text import safe

MOST_LINES = 20
"""Lines that may come before the greeting (RFC 4253, 4.2)."""


async def check_ssh(params: SshParams, site: Site) -> Result:
    """Read the greeting, then ask for the key."""
    watch, address = Stopwatch(), site.default_address(params.address)
    async with site.way(address, params.port) as way:
        banner = ""
        async with way.open() as (reader, _):
            for _line in range(MOST_LINES):
                banner = (await read_line(reader)).decode("utf-8", "replace")
                if banner.startswith("SSH-"):
                    break
            else:
                raise Failed("it does not greet as SSH does")
        if params.banner and not found(banner, params.banner):
            raise Failed(f"it greets as {safe(banner, 100)!r}")
        tunnel = None
        if way.forward is not None and site.target is not None:
            tunnel = (await site.remote.connection(site.target)).ssh
        try:
            key = await asyncssh.get_server_host_key(address, params.port, tunnel=tunnel, config=None)
        except asyncssh.Error as error:
            raise Failed(f"it shows no key: {words_of(error)}") from error
    print_ = key.get_fingerprint() if key is not None else "no key"
    result = ok(f"{safe(banner, 60)}, {print_}, in {watch.seconds * 1000:.0f} ms")
    return result.and_if(
        bool(params.fingerprint) and print_ != params.fingerprint,
        f"its key is {print_}, wanted {params.fingerprint}",
    )
