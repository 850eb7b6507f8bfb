"""Killed at any moment, or with the disk full: what was committed is there, and the chain is whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guardian_tui.config import AuditSettings, StoreSettings
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store

ROOT = Path(__file__).parents[2]


async def kill_again_and_again(folder: Path, url: str, times: int) -> None:
    """Start the appender, let it commit some events, kill it in the middle of the next; then verify."""
    chance = random.Random(7)
    seen = 0
    for _ in range(times):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.audit.appender", str(folder), url,
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        for _ in range(chance.randrange(1, 30)):
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode()
            assert line.strip().isdigit(), line + (await process.stderr.read()).decode()
            assert int(line) > seen, "an event that was told of is gone"
            seen = int(line)
        await asyncio.sleep(chance.random() / 100)  # anywhere within the next event
        process.send_signal(signal.SIGKILL)
        rest = (await process.communicate())[0].split()
        seen = max([seen, *map(int, rest)])
    store = await Store.open(StoreSettings(url=url), folder, ManualClock())
    log = AuditLog(store, Live(), ManualClock(), AuditSettings(syslog=False), folder, reserve_bytes=0)
    await log.start()
    verdict = await log.verify()
    await log.stop()
    await store.close()
    assert verdict.ok, verdict.words
    # the event after the last that was told of may have been committed before the kill
    assert seen <= verdict.events <= seen + 1


async def test_a_kill_in_mid_write_loses_nothing_committed(tmp_path: Path, store_url: str) -> None:
    await kill_again_and_again(tmp_path, store_url, 3)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_hundred_kills_lose_nothing(tmp_path: Path, store_url: str) -> None:
    await kill_again_and_again(tmp_path, store_url, 100)


FULL_DISK = """
import asyncio, os, sys
from pathlib import Path
from guardian_tui.config import AuditSettings, StoreSettings
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.errors import AuditUnavailable

DENIED = Entry("eve", "access.login", "admin", "denied", body={"why": "x" * 200})

async def main(folder, reserve):
    store = await Store.open(StoreSettings(), folder, ManualClock())
    log = AuditLog(store, Live(), ManualClock(), AuditSettings(syslog=False), folder, reserve_bytes=reserve)
    await log.start()
    if reserve:
        assert await log.fill_reserve()
    with open(folder / "other-people.dat", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    written = 0
    try:
        while written < 5000:
            written = await log.record(DENIED)
    except AuditUnavailable as error:
        print("refused:", error.detail, file=sys.stderr)
    os.unlink(folder / "other-people.dat")
    after = await log.record(Entry("ada", "hosts.add", "web-1", "ok"))
    verdict = await log.verify()
    assert after == written + 1, (after, written)
    assert verdict.ok, verdict.words
    await log.stop()
    await store.close()
    print(written)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def on_a_small_disk(folder: Path, reserve_bytes: int) -> tuple[int, str]:
    """Events that a log with this reserve takes when its disk of 40 MB is full, and what it says then."""
    script = 'mount -t tmpfs -o size=40m none "$1" && exec "$2" -c "$3" "$1" "$4"'
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run(
        [*namespace, "sh", "-c", f"mount -t tmpfs none {folder}"], capture_output=True
    ).returncode:
        pytest.skip("this kernel lets nobody but root make a small disk (user namespaces are off)")
    ran = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(folder), sys.executable, FULL_DISK, str(reserve_bytes)],
        capture_output=True, text=True, timeout=110, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.split()[-1]), ran.stderr


def test_a_full_disk_takes_denials_from_the_reserve_then_refuses_in_words(tmp_path: Path) -> None:
    with_reserve, words = on_a_small_disk(tmp_path, 1 << 20)
    assert with_reserve >= 3000, words
    assert with_reserve == 5000 or "the disk" in words


def test_without_a_reserve_a_full_disk_refuses_and_the_chain_stays_whole(tmp_path: Path) -> None:
    without, words = on_a_small_disk(tmp_path, 0)
    assert without < 500, words


async def test_a_store_that_is_locked_by_others_refuses_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from guardian_tui.engine.calls import Entry
    from guardian_tui.protocol.errors import AuditUnavailable

    monkeypatch.setattr("guardian_tui.engine.store.sqlite.BUSY_SECONDS", 0.1)
    store = await Store.open(StoreSettings(), tmp_path, ManualClock())
    log = AuditLog(store, Live(), ManualClock(), AuditSettings(syslog=False), tmp_path, reserve_bytes=0)
    await log.start()
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(AuditUnavailable, match="locked"):
        await log.record(Entry("ada", "hosts.add", "web-1", "ok"))
    other.execute("COMMIT")
    other.close()
    assert await log.record(Entry("ada", "hosts.add", "web-1", "ok")) == 1
    await log.stop()
    await store.close()


async def test_a_store_that_turned_read_only_refuses_in_words(tmp_path: Path) -> None:
    from sqlalchemy import text

    from guardian_tui.engine.calls import Entry
    from guardian_tui.protocol.errors import AuditUnavailable

    store = await Store.open(StoreSettings(), tmp_path, ManualClock())
    log = AuditLog(store, Live(), ManualClock(), AuditSettings(syslog=False), tmp_path, reserve_bytes=0)
    await log.start()
    async with store.write() as tx:
        await tx.execute(text("PRAGMA query_only = ON"))
    with pytest.raises(AuditUnavailable, match="read-only"):
        await log.record(Entry("ada", "hosts.add", "web-1", "ok"))
    await log.stop()
    await store.close()
