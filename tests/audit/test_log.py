"""Events are appended in order, stand or fall with what they record, and are refused rather than lost."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from guardian_tui.audit_verify import verify_export
from guardian_tui.config import StoreSettings
from guardian_tui.engine.audit import orders as orders_module
from guardian_tui.engine.audit.anchors import Anchors
from guardian_tui.engine.audit.entries import BODY_LIMIT_BYTES, TEXT_LIMIT, body_text
from guardian_tui.engine.audit.keys import are_made, load_keys
from guardian_tui.engine.audit.log import LIVE_EVENTS, AuditLog
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import meta
from guardian_tui.protocol.audit import AuditBundle, AuditExport, AuditQuery
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import AuditUnavailable, InternalError, InvalidRequest, StoreUnavailable
from tests.audit.conftest import LOUD, Bench, eventually

ENTRY = Entry("ada", "hosts.add", "web-1", "ok")


async def test_a_hundred_orders_at_once_get_consecutive_numbers(bench: Bench) -> None:
    numbers = await asyncio.gather(*(bench.log.record(ENTRY) for _ in range(100)))
    assert sorted(numbers) == list(range(1, 101))
    assert (await bench.log.verify()).ok


async def test_an_order_that_is_rolled_back_leaves_neither_event_nor_gap(bench: Bench) -> None:
    await bench.write(2)
    with pytest.raises(RuntimeError):
        async with bench.store.write() as tx:
            await bench.log.append(tx, ENTRY)
            raise RuntimeError("the order failed")
    assert bench.live.audit.get("3") is None
    assert await bench.log.record(ENTRY) == 3
    assert (await bench.log.verify()).ok


async def test_the_change_and_its_event_are_one_transaction(bench: Bench) -> None:
    async with bench.store.write() as tx:
        await tx.execute(insert(meta), {"key": "colour", "value": "blue"})
        await bench.log.append(tx, ENTRY)
        assert bench.live.audit.get("1") is None
    shown = bench.live.audit.get("1")
    assert shown is not None and shown.target == "web-1"


async def test_a_client_sees_the_newest_two_hundred(bench: Bench) -> None:
    await bench.write(LIVE_EVENTS + 5)
    assert len(bench.live.audit) == LIVE_EVENTS
    assert bench.live.audit.get("5") is None
    async with bench.again() as log:
        assert log.head == LIVE_EVENTS + 5
        assert len(log._live.audit) == LIVE_EVENTS
        assert await log.record(ENTRY) == LIVE_EVENTS + 6


async def test_a_hostile_name_is_stored_whole_enough_and_verifies(bench: Bench) -> None:
    for name in ("[@click=app.quit]x", "\x1b]52;c;aGk=\x07", "nul\0", "lone \ud800", "é" * 4000, "[/]"):
        await bench.log.record(
            Entry(name, "hosts.add", name, "ok", body={name: [name, {"x": (1, None, True)}]})
        )
    events = await bench.events()
    assert events[2].actor == "nul\\0"
    assert events[3].actor == "lone \\ud800"
    assert len(events[4].actor) == TEXT_LIMIT and events[4].actor.endswith("…")
    assert (await bench.log.verify()).ok


def test_a_body_is_bounded_and_says_that_it_was_cut() -> None:
    body = body_text({f"key {n}": '"' * 250 for n in range(60)})
    assert len(body.encode()) <= BODY_LIMIT_BYTES
    assert json.loads(body)["cut"] is True
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    assert "…" in body_text({"deep": deep})


@pytest.mark.parametrize("value", [1.5, 2**63, b"x", object()])
def test_what_encoders_differ_on_is_refused(value: object) -> None:
    with pytest.raises(InternalError, match="can't be hashed"):
        body_text({"value": value})


async def test_an_order_is_refused_when_its_event_cannot_be_written(bench: Bench) -> None:
    await bench.sql("DROP TABLE audit_events")
    with pytest.raises(AuditUnavailable):
        await bench.log.record(ENTRY)


async def test_an_order_is_refused_when_the_store_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise StoreUnavailable("the disk is full. Nothing was changed.")

    monkeypatch.setattr(bench.store, "write", full)
    with pytest.raises(AuditUnavailable, match="disk is full"):
        await bench.log.record(ENTRY)


async def test_nothing_is_recorded_before_the_log_is_started(bench: Bench) -> None:
    log = AuditLog(bench.store, Live(), bench.clock, LOUD, bench.folder)
    with pytest.raises(AuditUnavailable, match="started"):
        await log.record(ENTRY)
    with pytest.raises(AuditUnavailable, match="started"):
        await log.verify()
    await log.stop()


# --- checkpoints ---------------------------------------------------------------------------------


async def test_a_checkpoint_is_made_after_so_many_events(bench: Bench) -> None:
    await bench.write(9)
    assert not await bench.log.checkpoint_if_due()
    await bench.write(1)
    await eventually(lambda: bench.file.exists() and len(bench.file.read_text().splitlines()) == 1)


async def test_a_checkpoint_is_made_after_a_while_if_anything_is_new(bench: Bench) -> None:
    bench.clock.advance(301)
    assert not await bench.log.checkpoint_if_due()
    await bench.write(1)
    await eventually(bench.file.exists)
    assert await bench.log.checkpoint() is False


async def test_a_stop_makes_a_last_checkpoint(bench: Bench) -> None:
    async with bench.again() as log:
        await log.record(ENTRY)
    assert json.loads(bench.file.read_text())["seq"] == 1


async def test_syslog_gets_each_checkpoint_and_its_absence_is_only_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        sink.bind(str(tmp_path / "log"))
        sink.settimeout(20)
        anchors = Anchors(tmp_path / "c.jsonl", syslog=True, syslog_socket=tmp_path / "log")
        anchors.write("{}")
        assert sink.recv(4096) == b"<85>guardian-audit: {}"
    Anchors(tmp_path / "c.jsonl", syslog=True, syslog_socket=tmp_path / "none").write("{}")
    assert "syslog did not take" in caplog.text


async def test_half_a_line_left_by_a_power_cut_spoils_nothing(bench: Bench) -> None:
    await bench.write(1)
    assert await bench.log.checkpoint()
    with bench.file.open("a") as file:
        file.write('{"chain":"ha')
    await bench.write(1)
    assert await bench.log.checkpoint()
    assert (await bench.log.verify()).ok


def test_a_disk_that_takes_half_a_line_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardian_tui.engine.audit.anchors.os.write", lambda handle, data: len(data) // 2)
    with pytest.raises(OSError, match="No space"):
        Anchors(tmp_path / "c.jsonl", syslog=False).write("{}")


def test_the_tail_of_a_long_file_has_whole_lines_only(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path / "c.jsonl", syslog=False)
    assert anchors.tail() == []
    (tmp_path / "c.jsonl").write_text("".join(f'{{"n":{n:0100d}}}\n' for n in range(2000)))
    tail = anchors.tail()
    assert len(anchors.read()) == 2000
    assert 100 < len(tail) < 2000 and all(line.startswith('{"n"') for line in tail)


async def test_a_checkpoint_that_missed_the_file_is_written_before_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(line: str) -> None:
        raise OSError(28, "No space left on device")

    await bench.write(1)
    with monkeypatch.context() as patch:
        patch.setattr(bench.log._anchors, "write", full)
        with pytest.raises(OSError):
            await bench.log.checkpoint()
        await bench.write(1)
        with pytest.raises(OSError):
            await bench.log.checkpoint()
        with pytest.raises(AuditUnavailable, match="No space"):
            await bench.order("audit.export", AuditExport())
        patch.setattr(Anchors, "write", lambda self, line: full(line))
        async with bench.again() as log:
            assert log.head == 3
    async with bench.again():
        pass
    lines = [json.loads(line) for line in bench.file.read_text().splitlines()]
    assert [line["count"] for line in lines] == [1, 2]


async def test_a_trouble_is_logged_once_and_the_loop_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns = 0

    async def broken() -> bool:
        nonlocal turns
        turns += 1
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(bench.log, "checkpoint_if_due", broken)
    await eventually(lambda: turns > 5)
    assert caplog.text.count("the disk is full") == 1


# --- orders ---------------------------------------------------------------------------------------


async def test_the_log_is_read_by_pages_and_by_words(bench: Bench) -> None:
    await bench.write(5, "ada")
    await bench.write(3, "100%_bob")
    page = await bench.order("audit.list", AuditQuery(limit=2))
    assert [event.seq for event in page.events] == [8, 7] and page.more
    page = await bench.order("audit.list", AuditQuery(before=2))
    assert [event.seq for event in page.events] == [1] and not page.more
    page = await bench.order("audit.list", AuditQuery(filter="%_BOB host-1"))
    assert [event.seq for event in page.events] == [7]
    page = await bench.order("audit.list", AuditQuery(filter="a%a"))
    assert page.events == ()


async def test_an_export_verifies_without_the_engine(bench: Bench) -> None:
    await bench.write(5)
    bundle = await bench.order("audit.export", AuditExport())
    data = msgspec.json.encode(bundle)
    assert [event.action for event in bundle.events][-1] == "audit.export"
    verdict = verify_export(data, bench.log.public_key.upper() + "\n")
    assert verdict.ok and "not MACs" in verdict.words and verdict.events == 6
    assert "whose key" in verify_export(data).words
    part = await bench.order("audit.export", AuditExport(first=3, last=4))
    assert [event.seq for event in part.events] == [3, 4, 5, 6] and not part.more
    assert verify_export(msgspec.json.encode(part), bench.log.public_key).ok


async def test_a_long_export_comes_in_pieces_that_each_verify(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_module, "EXPORT_MOST", 8)
    for _ in range(4):
        await bench.write(5)
        await bench.log.checkpoint()
    bundle = await bench.order("audit.export", AuditExport(first=2))
    assert bundle.more and bundle.events[-1].seq == 5
    assert verify_export(msgspec.json.encode(bundle), bench.log.public_key).ok


async def test_parts_of_an_export_without_a_checkpoint_among_them_are_whole_together(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_module, "EXPORT_MOST", 4)
    monkeypatch.setattr(orders_module, "BATCH", 3)
    monkeypatch.setattr(bench.log._checkpoints, "due", lambda head: False)
    await bench.write(2)
    await bench.log.checkpoint()
    await bench.write(11)
    parts: list[AuditBundle] = []
    while not parts or parts[-1].more:
        first = parts[-1].events[-1].seq + 1 if parts else 3
        parts.append(await bench.order("audit.export", AuditExport(first=first)))
    assert not parts[0].checkpoints and [event.seq for event in parts[0].events] == [3, 4, 5, 6]
    whole = msgspec.structs.replace(
        parts[0],
        events=tuple(event for part in parts for event in part.events),
        checkpoints=tuple(point for part in parts for point in part.checkpoints),
        more=False,
    )
    assert [event.seq for event in whole.events] == list(range(3, bench.log.head + 1))
    assert verify_export(msgspec.json.encode(whole), bench.log.public_key).ok


async def test_an_export_of_nothing_is_refused(bench: Bench) -> None:
    await bench.write(3)
    for request in (AuditExport(first=9), AuditExport(first=3, last=2)):
        with pytest.raises(InvalidRequest):
            await bench.order("audit.export", request)


async def test_verification_on_demand_is_told_in_the_status(bench: Bench) -> None:
    await bench.write(3)
    bench.clock.advance(60)
    verdict = await bench.order("audit.verify", Nothing())
    assert verdict.ok and bench.log.ok
    assert bench.log.verified_at == bench.clock.now()
    assert "3 events hold" in bench.log.words


# --- keys ------------------------------------------------------------------------------------------


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "keys")
    assert (tmp_path / "keys" / "audit-mac.key").stat().st_mode & 0o777 == 0o600
    again = load_keys(tmp_path / "keys")
    assert (again.mac, again.public) == (first.mac, first.public)
    assert first.mac.hex() not in repr(first) and repr(first.mac) not in repr(first)


def test_a_key_that_others_can_read_is_refused_with_words(tmp_path: Path) -> None:
    load_keys(tmp_path)
    (tmp_path / "audit-mac.key").chmod(0o640)
    with pytest.raises(StoreUnavailable, match="chmod 600"):
        load_keys(tmp_path)
    (tmp_path / "audit-mac.key").chmod(0o600)
    tmp_path.chmod(0o770)
    with pytest.raises(StoreUnavailable, match="folder 700"):
        load_keys(tmp_path)


def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    load_keys(tmp_path)
    (tmp_path / "audit-signing.key").write_bytes(b"short")
    with pytest.raises(StoreUnavailable, match="5 bytes"):
        load_keys(tmp_path)


def test_keys_that_cannot_be_made_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(StoreUnavailable, match="can't be used"):
        load_keys(tmp_path / "keys")


def test_systemd_credentials_take_the_place_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "audit-mac").write_bytes(b"m" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "creds"))
    keys = load_keys(tmp_path / "keys")
    assert keys.mac == b"m" * 32
    assert not (tmp_path / "keys" / "audit-mac.key").exists()
    assert (tmp_path / "keys" / "audit-signing.key").exists()


@pytest.mark.parametrize("what", ["a folder in its place", "its folder can't be looked at"])
def test_a_credential_that_cannot_be_read_is_named_and_no_other_key_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = tmp_path / "creds"
    if what == "a folder in its place":
        (folder / "audit-mac").mkdir(parents=True)
    else:
        # no permission is asked of root: a name that is too long is refused to everybody
        folder.mkdir()
        folder = folder / ("x" * 300)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    with pytest.raises(StoreUnavailable, match=r"creds.*/audit-mac, a systemd credential, can't be read"):
        load_keys(tmp_path / "keys")
    assert not list((tmp_path / "keys").iterdir())


# --- the reserve -------------------------------------------------------------------------------------


async def test_the_reserve_is_made_inside_the_store(tmp_path: Path) -> None:
    store = await Store.open(StoreSettings(), tmp_path, ManualClock())
    log = AuditLog(store, Live(), ManualClock(), LOUD, tmp_path, reserve_bytes=6 << 20)
    assert await log._reserve.held_bytes() < 6 << 20
    assert await log.fill_reserve()
    assert await log._reserve.held_bytes() >= 6 << 20
    assert (tmp_path / "state.db-wal").stat().st_size >= 6 << 20
    assert await log.fill_reserve()
    await store.close()


async def test_no_reserve_is_taken_from_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    store = await Store.open(StoreSettings(), tmp_path, ManualClock())
    huge = AuditLog(store, Live(), ManualClock(), LOUD, tmp_path, reserve_bytes=1 << 60)
    assert not await huge.fill_reserve()
    none = AuditLog(store, Live(), ManualClock(), LOUD, tmp_path, reserve_bytes=0)
    assert not await none.fill_reserve()
    await store.close()


def test_whether_keys_are_made_is_known_without_making_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert not are_made(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()
    load_keys(tmp_path / "keys")
    assert are_made(tmp_path / "keys")
    (tmp_path / "keys" / "audit-mac.key").rename(tmp_path / "audit-mac")
    assert not are_made(tmp_path / "keys")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert are_made(tmp_path / "keys")
