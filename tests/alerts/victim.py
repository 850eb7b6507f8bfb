"""A process with nothing but alerts in it, to be killed.  Arguments: state folder, store URL, webhook URL."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from guardian_tui.config import AlertsSettings, ChannelSettings
from tests.alerts.conftest import Stage


async def main(folder: str, url: str, hook: str) -> None:
    stage = Stage(Path(folder), url)
    channel = ChannelSettings(kind="webhook", url=hook, timeout_seconds=300.0)
    async with stage.running(AlertsSettings(channels={"ops": channel})):
        stage.hosts("web-1", "web-2")
        stage.wave({"load1_per_core": 0.1}, "web-1", "web-2")
        stage.down("web-1", "web-2")
        await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
