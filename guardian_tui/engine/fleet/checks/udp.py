"""One question over UDP, asked again when nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TRIES = 3


class _Asker(asyncio.DatagramProtocol):
    def __init__(self, accept: Callable[[bytes], bool]) -> None:
        self._accept = accept
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        # what is no answer to our question (late, forged) is passed over
        if not self.answer.done() and self._accept(data):
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(
    address: str,
    port: int,
    request: bytes,
    seconds: float,
    accept: Callable[[bytes], bool],
    *,
    tries: int = TRIES,
) -> bytes:
    """The answer to a datagram.

    Args:
        address: whom.
        port: and where.
        request: what is sent.
        seconds: for all tries together.
        accept: whether a datagram is an answer to it.
        tries: how often it is sent.

    Raises:
        TimeoutError: none came.
        OSError: it was refused.
    """
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(
        lambda: _Asker(accept), remote_addr=(address, port)
    )
    try:
        for _ in range(tries):
            transport.sendto(request)
            done, _pending = await asyncio.wait((asker.answer,), timeout=seconds / tries)
            if done:
                return asker.answer.result()
        raise TimeoutError
    finally:
        asker.answer.cancel()
        transport.close()
