"""Orders of whoever runs this, at a team's engine: JSON on standard input, the answers as JSON on standard output.

What a test lets a Unix user do who is in another mount namespace: `python -m tests.support.inside SOCKET`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from guardian_tui.client import Client
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.routes import ROUTES


async def give(socket: Path, token: str, orders: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """The answer to each order: its fields, or ``{"error": code, "detail": words}``."""
    client, answers = Client(socket, token), []
    try:
        for name, fields in orders:
            route = ROUTES[name]
            try:
                answer = await client.call(name, route.response, msgspec.convert(fields, route.request))
                answers.append(msgspec.to_builtins(answer))
            except GuardianError as error:
                answers.append({"error": error.code, "detail": error.detail})
    finally:
        await client.close()
    return answers


def main() -> None:
    """Give the orders."""
    given = msgspec.json.decode(sys.stdin.buffer.read())
    answers = asyncio.run(give(Path(sys.argv[1]), given["token"], given["orders"]))
    sys.stdout.buffer.write(msgspec.json.encode(answers))


if __name__ == "__main__":
    main()
