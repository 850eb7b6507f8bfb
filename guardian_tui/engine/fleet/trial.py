"""One question to the probe over any connection: whether a poll would be answered, for the connection doctor."""

from __future__ import annotations

import asyncio

import asyncssh

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.channel import ProbeChannel
from guardian_tui.engine.fleet.reading import parse
from guardian_tui.engine.remote.connections import Connection, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.text import counted

TRIAL_SECONDS = 10.0
LIMIT_BYTES = 1 << 18


class _Waiting:
    """The channel's user: one answer, or why there is none."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answered(self, body: bytes) -> None:
        """It was answered."""
        if not self.answer.done():
            self.answer.set_result(body)

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """It was not."""
        if not self.answer.done():
            kind, words = ("no_probe", "It logs us in, but") if no_probe else ("closed", "Lost:")
            self.answer.set_exception(ConnectFailed(kind, f"{words} {why}."))  # type: ignore[arg-type]  # both are kinds


async def try_probe(connection: Connection) -> str:
    """Start the probe, ask for the fast figures once, and say how it went.

    Raises:
        ConnectFailed: it does not run there, does not answer in time, or something else does.
    """
    started, user = asyncio.get_running_loop().time(), _Waiting()
    channel = ProbeChannel(user, LIMIT_BYTES)
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            await connection.open_channel(channel, probe.polling_command())
            if not channel.gone:
                channel.ask(1, "f")
            body = await user.answer
    except TimeoutError as error:
        raise ConnectFailed(
            "timeout", f"It logs us in, but its probe did not answer in {TRIAL_SECONDS:.0f} s."
        ) from error
    except asyncssh.ChannelOpenError as error:
        raise ConnectFailed(
            "sessions", f"It logs us in, but opens no session: {words_of(error)}. MaxSessions may be used up."
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise ConnectFailed("closed", f"It logs us in, but opens no channel: {words_of(error)}.") from error
    finally:
        channel.forget()
    seconds = asyncio.get_running_loop().time() - started
    reading = parse(body)
    if reading.uptime is None and reading.cpu is None and not reading.memory:
        what = reading.problems[0] if reading.problems else "an empty answer"
        raise ConnectFailed("no_probe", f"It answers, but not as the probe does: {what}.")
    missing = f"; can't read {', '.join(reading.missing[:5])}" if reading.missing else ""
    return f"{counted(body.count(10), 'line')} in {seconds * 1000:.0f} ms{missing}"
