"""Alerts, silences, waiting times and queued notes as rows of the store.

A row that can't be read (another version wrote it, a disk garbled it) is named in the log and left out: it keeps neither the engine from its
start nor a channel from its other messages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import RowMapping, Table, Update, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.engine.alerts.book import Held, Outgoing
from guardian_tui.engine.alerts.memory import Phase, Timer
from guardian_tui.engine.alerts.messages import Note
from guardian_tui.engine.store import tables
from guardian_tui.engine.store.database import Tx
from guardian_tui.protocol.alerts import Alert, Silence

log = logging.getLogger(__name__)
T = TypeVar("T")

alerts, alert_state, silences, outbox = tables.alerts, tables.alert_state, tables.silences, tables.outbox


class StoredAlert(msgspec.Struct):
    """``alerts.body``."""

    alert: Alert
    told: tuple[str, ...] = ()
    owed: bool = False
    paged: bool = False


class StoredTimer(msgspec.Struct):
    """A waiting time in ``alert_state.body``."""

    level: int
    phase: Phase
    seconds: float
    began_at: float
    seen_at: float


class StoredState(msgspec.Struct, omit_defaults=True):
    """``alert_state.body``: of a host (rule and instance empty) when it was first seen; of a check what
    waits, and whether its flag was unset.
    """

    timers: tuple[StoredTimer, ...] = ()
    unset: bool = False
    first_seen: float = 0.0


_alert_decoder = msgspec.json.Decoder(StoredAlert)
_state_decoder = msgspec.json.Decoder(StoredState)
_silence_decoder = msgspec.json.Decoder(Silence)
_note_decoder = msgspec.json.Decoder(Note)


def as_text(value: msgspec.Struct) -> str:
    """A struct as JSON text."""
    return msgspec.json.encode(value).decode()


def _read(decoder: msgspec.json.Decoder[T], body: str, what: str) -> T | None:
    """What a row holds; None if it can't be read."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        log.error("%s can't be read from the store and is left out: %s", what, error)
        return None


async def write_alerts(tx: Tx, held: Sequence[Held]) -> None:
    """Insert or replace alerts."""
    rows = [
        {
            "id": entry.alert.id,
            "rule": entry.alert.rule,
            "host_id": entry.alert.host_id,
            "instance": entry.alert.instance,
            "state": entry.alert.state,
            "since": entry.alert.since,
            "resolved_at": entry.alert.resolved_at,
            "body": _body(entry),
        }
        for entry in held
    ]
    if rows:
        statement = _insert(tx, alerts)
        newer = {name: statement.excluded[name] for name in ("state", "resolved_at", "body")}
        await tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=newer), rows)


def _insert(tx: Tx, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that may say what happens to rows that are there already.

    A commit can succeed and its answer be lost: what is written again must find its own rows.
    """
    return (postgresql.insert if tx.conn.dialect.name == "postgresql" else sqlite.insert)(table)


def _body(held: Held) -> str:
    return as_text(StoredAlert(held.alert, held.told, held.owed, held.paged))


async def read_firing(conn: AsyncConnection) -> list[Held]:
    """Alerts that were firing when the engine ended."""
    rows = await conn.execute(select(alerts.c.id, alerts.c.body).where(alerts.c.state == "firing"))
    return [held for row in rows if (held := _held(row.id, row.body)) is not None]


async def read_alert(conn: AsyncConnection, alert_id: str) -> Held | None:
    """One alert, however old."""
    body = (await conn.execute(select(alerts.c.body).where(alerts.c.id == alert_id))).scalar()
    return None if body is None else _held(alert_id, body)


async def read_resolved(conn: AsyncConnection, limit: int, offset: int) -> list[Alert | None]:
    """A page of ended alerts, the one that ended last first; None for one that can't be read."""
    statement = (
        select(alerts.c.id, alerts.c.body)
        .where(alerts.c.state == "resolved")
        .order_by(alerts.c.resolved_at.desc(), alerts.c.id)
        .limit(limit)
        .offset(offset)
    )
    found = [_held(row.id, row.body) for row in await conn.execute(statement)]
    return [held.alert if held is not None else None for held in found]


def _held(alert_id: str, body: str) -> Held | None:
    stored = _read(_alert_decoder, body, f"the alert {alert_id}")
    return None if stored is None else Held(stored.alert, stored.told, stored.owed, stored.paged)


async def remove_old(tx: Tx, alerts_before: float, notes_before: float) -> None:
    """Remove ended alerts, sent notes and ended silences that are older than this."""
    await tx.execute(delete(alerts).where(alerts.c.state == "resolved", alerts.c.resolved_at < alerts_before))
    await tx.execute(delete(outbox).where(outbox.c.state != "waiting", outbox.c.created_at < notes_before))
    await tx.execute(delete(silences).where(silences.c.until < notes_before))


# waiting times

StateKey = tuple[str, str, str]
"""(host id, rule, instance)."""


async def read_state(conn: AsyncConnection) -> dict[StateKey, StoredState]:
    """What waits, by check."""
    rows = await conn.execute(select(alert_state))
    found = {}
    for row in rows:
        state = _read(_state_decoder, row.body, f"the waiting time of {row.rule} on the host {row.host_id}")
        if state is not None:
            found[(row.host_id, row.rule, row.instance)] = state
    return found


async def write_state(tx: Tx, changes: Mapping[StateKey, str | None]) -> None:
    """Write (or with None remove) rows of waiting times."""
    here = alert_state.c
    keys = [{"k_host": host, "k_rule": rule, "k_instance": instance} for host, rule, instance in changes]
    if keys:
        same = (
            (here.host_id == bindparam("k_host"))
            & (here.rule == bindparam("k_rule"))
            & (here.instance == bindparam("k_instance"))
        )
        await tx.execute(delete(alert_state).where(same), keys)
    rows = [
        {"host_id": key[0], "rule": key[1], "instance": key[2], "body": body}
        for key, body in changes.items()
        if body is not None
    ]
    if rows:
        await tx.execute(insert(alert_state), rows)


def stored_timers(timers: Iterable[Timer]) -> tuple[StoredTimer, ...]:
    """Waiting times of one check as they are stored."""
    return tuple(
        StoredTimer(timer.level, timer.phase, timer.seconds, timer.began_at, timer.seen_at)
        for timer in timers
    )


# silences


async def read_silences(conn: AsyncConnection, now: float) -> list[Silence]:
    """Silences that hold."""
    rows = await conn.execute(select(silences.c.id, silences.c.body).where(silences.c.until > now))
    found = [_read(_silence_decoder, row.body, f"the silence {row.id}") for row in rows]
    return [silence for silence in found if silence is not None]


async def add_silence(tx: Tx, silence: Silence) -> None:
    """Keep a silence."""
    await tx.execute(insert(silences).values(id=silence.id, until=silence.until, body=as_text(silence)))


async def end_silence(tx: Tx, silence: Silence, now: float) -> None:
    """End a silence."""
    ended = Silence(**{**{name: getattr(silence, name) for name in silence.__struct_fields__}, "until": now})
    await tx.execute(
        update(silences).where(silences.c.id == silence.id).values(until=now, body=as_text(ended))
    )


# the outbox


class QueuedNote(msgspec.Struct, frozen=True):
    """A note that waits in the outbox."""

    id: str
    note: Note
    created_at: float
    attempts: int
    message_key: str


async def queue_notes(tx: Tx, notes: Sequence[Outgoing], now: float) -> None:
    """Put notes into the outbox; those that are there already stay as they are."""
    rows = [
        {
            "id": entry.id,
            "dedup_key": entry.id,
            "channel": entry.channel,
            "alert_id": entry.note.alert.id,
            "payload": as_text(entry.note),
            "created_at": now,
            "next_try_at": now,
        }
        for entry in notes
    ]
    if rows:
        await tx.execute(_insert(tx, outbox).on_conflict_do_nothing(), rows)


def _queued(rows: Iterable[RowMapping]) -> tuple[list[QueuedNote], list[str]]:
    """Notes, and the ids of those that can't be read."""
    found: list[QueuedNote] = []
    unreadable: list[str] = []
    for row in rows:
        note = _read(_note_decoder, row["payload"], f"the note {row['id']}")
        if note is None:
            unreadable.append(row["id"])
        else:
            found.append(QueuedNote(row["id"], note, row["created_at"], row["attempts"], row["message_key"]))
    return found, unreadable


async def read_waiting(conn: AsyncConnection, channel: str, limit: int) -> tuple[list[QueuedNote], list[str]]:
    """The notes of the channel's next message: those that were grouped already, or the oldest that were
    not; and the ids of notes before them that can't be read.
    """
    waiting = (
        select(outbox)
        .where(outbox.c.channel == channel, outbox.c.state == "waiting")
        .order_by(outbox.c.id)
        .limit(limit)
    )
    grouped, unreadable = _queued((await conn.execute(waiting.where(outbox.c.message_key != ""))).mappings())
    if grouped or unreadable:
        return [note for note in grouped if note.message_key == grouped[0].message_key], unreadable
    return _queued((await conn.execute(waiting)).mappings())


async def group_notes(tx: Tx, ids: Sequence[str], message_key: str) -> None:
    """These notes go out together, under this key, whatever happens."""
    await tx.execute(_where_ids(ids).values(message_key=message_key))


async def close_notes(tx: Tx, ids: Sequence[str], state: str, error: str) -> None:
    """These notes were sent or given up."""
    await tx.execute(_where_ids(ids).values(state=state, last_error=error, attempts=outbox.c.attempts + 1))


async def postpone_notes(tx: Tx, ids: Sequence[str], next_try_at: float, error: str) -> None:
    """These notes are tried again."""
    await tx.execute(
        _where_ids(ids).values(next_try_at=next_try_at, last_error=error, attempts=outbox.c.attempts + 1)
    )


def _where_ids(ids: Sequence[str]) -> Update:
    return update(outbox).where(outbox.c.id.in_(ids))


async def count_waiting(conn: AsyncConnection) -> dict[str, int]:
    """How many notes wait, by channel."""
    statement = (
        select(outbox.c.channel, func.count()).where(outbox.c.state == "waiting").group_by(outbox.c.channel)
    )
    return {row[0]: row[1] for row in await conn.execute(statement)}


async def give_up_orphans(tx: Tx, channels: Iterable[str]) -> None:
    """Notes for channels that the settings no longer have are given up."""
    words = "the settings have no such channel"
    await tx.execute(
        update(outbox)
        .where(outbox.c.state == "waiting", outbox.c.channel.not_in(list(channels)))
        .values(state="given_up", last_error=words)
    )
