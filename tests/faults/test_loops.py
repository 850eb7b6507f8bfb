"""What nobody foresaw ends no loop of the engine: it is told in the log, and the next turn comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from guardian_tui.config import AuditSettings
from guardian_tui.engine.audit import log as audit_module
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.live import Live
from guardian_tui.engine.store import database
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.metrics import MetricStore
from guardian_tui.engine.turns import going_on
from guardian_tui.protocol.errors import StoreUnavailable
from tests.support.console import until


class Fails:
    """Fails the first time, in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, *_: object) -> bool:
        self.calls += 1
        if self.calls == 1:
            raise ValueError
        return True

    def again(self) -> bool:
        """Whether it was called once more."""
        return self.calls > 1


async def test_checkpoints_of_the_audit_log_go_on(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    fails = Fails()
    monkeypatch.setattr(audit_module, "LOOP_SECONDS", 0.02)
    monkeypatch.setattr(AuditLog, "checkpoint_if_due", fails)
    audit = AuditLog(store, Live(), clock, AuditSettings(syslog=False), tmp_path, reserve_bytes=0)
    await audit.start()
    await until(fails.again)
    await audit.stop()
    assert "checkpoints can't be made: ValueError" in caplog.text


async def test_the_store_is_watched_on(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = Fails()
    monkeypatch.setattr(database, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(Store, "_look", fails)
    store = await Store.open(database.StoreSettings(), tmp_path / "other", clock)
    await until(fails.again)
    await store.close()


async def test_samples_that_cannot_be_written_cost_the_next_ones_nothing(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[[MetricStore], object] = MetricStore._write_queue
    fails = Fails()
    monkeypatch.setattr(MetricStore, "_write_queue", fails)
    store.metrics.add([Sample("h", clock.now(), Layout(("cpu_busy_ratio",)), [0.5])], "fast")
    await store.metrics.flush()
    assert (fails.calls, store.metrics.dropped, store.metrics.waiting) == (1, 1, 0)
    monkeypatch.setattr(MetricStore, "_write_queue", write)
    store.metrics.add([Sample("h", clock.now(), Layout(("cpu_busy_ratio",)), [0.5])], "fast")
    await store.metrics.flush()
    history = await store.metrics.history("h", "cpu_busy_ratio", clock.now() - 60, clock.now() + 60, 10)
    assert [value for value in history.mean if value is not None] == [0.5]


def test_a_fault_is_told_and_that_of_the_store_is_not_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with going_on("it is looked at again"):
        raise StoreUnavailable("full")
    assert not caplog.records
    with going_on("it is looked at again"):
        raise ValueError
    assert "it is looked at again" in caplog.text
