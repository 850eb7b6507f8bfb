"""Runs of runbooks in the store: documents they are pinned to, journals, output."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from guardian_tui.engine.runbooks import journal
from guardian_tui.engine.runbooks.documents.model import Document
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import (
    runbook_documents,
    runbook_journal,
    runbook_output,
    runbook_runs,
)
from guardian_tui.protocol.runbooks import RunbookMatch, RunbookPiece, RunbookRun
from guardian_tui.text import safe

log = logging.getLogger(__name__)

LINE_LIMIT = 400
"""Characters of a line that was found."""


async def pin(tx: Tx, document: Document, now: float) -> None:
    """Keep a document for as long as a run is pinned to it; one that is kept stays as it is."""
    make = sqlite.insert if tx.conn.dialect.name == "sqlite" else postgresql.insert
    body = msgspec.json.encode(document).decode()
    await tx.execute(
        make(runbook_documents).on_conflict_do_nothing(index_elements=["hash"]),
        {"hash": document.hash, "runbook": document.id, "body": body, "created_at": now},
    )


async def pinned(store: Store, digest: str) -> Document | None:
    """The document with this hash."""
    async with store.read() as conn:
        body = (
            await conn.execute(select(runbook_documents.c.body).where(runbook_documents.c.hash == digest))
        ).scalar()
    return msgspec.json.decode(body, type=Document) if body else None


async def put_run(tx: Tx, row: RunbookRun, *, new: bool) -> None:
    """Write a run's line; one that has a transcript is settled."""
    values = {
        "state": row.state, "verdict": row.verdict, "ended_at": row.ended_at, "settled": int(bool(row.transcript)),
        "row": msgspec.json.encode(row).decode(),
    }  # fmt: skip
    if new:
        own = {"id": row.id, "runbook": row.runbook, "hash": row.hash, "started_at": row.started_at}
        await tx.execute(insert(runbook_runs), {**own, **values})
    else:
        await tx.execute(update(runbook_runs).where(runbook_runs.c.id == row.id).values(**values))


async def append(tx: Tx, run_id: str, first: int, entries: Sequence[AnyEntry]) -> None:
    """Add entries to a journal; whoever was faster makes it fail."""
    await tx.execute(
        insert(runbook_journal),
        [
            {"run_id": run_id, "seq": first + n, "at": entry.at, "body": journal.encode(entry)}
            for n, entry in enumerate(entries)
        ],
    )


async def entries_of(store: Store, run_id: str) -> list[AnyEntry]:
    """The journal of a run, in order."""
    query = (
        select(runbook_journal.c.body)
        .where(runbook_journal.c.run_id == run_id)
        .order_by(runbook_journal.c.seq)
    )
    async with store.read() as conn:
        return [journal.decode(row.body) for row in await conn.execute(query)]


class _Named(msgspec.Struct):
    """Of an entry no more than hosts by id, with their names; few entries have any."""

    names: dict[str, str] = {}


async def names_of(store: Store, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Run → the hosts that it began on or acted on since, by id, with the names that they had."""
    found: dict[str, dict[str, str]] = {run_id: {} for run_id in run_ids}
    table = runbook_journal.c
    query = select(table.run_id, table.body).where(
        table.run_id.in_(run_ids), or_(table.seq == 0, table.body.like('%"names":{"%'))
    )
    async with store.read() as conn:
        for row in await conn.execute(query):
            found[row.run_id] |= msgspec.json.decode(row.body, type=_Named).names
    return found


async def unfinished(store: Store) -> list[RunbookRun]:
    """Runs that have not ended, or of which something is left to be done; the oldest first."""
    return await _runs(
        store, select(runbook_runs.c.row).where(runbook_runs.c.settled == 0).order_by(runbook_runs.c.started_at)
    )  # fmt: skip


async def runs(
    store: Store, *, runbook: str = "", active: bool = False, limit: int = 200
) -> list[RunbookRun]:
    """Runs, the newest first."""
    query = select(runbook_runs.c.row).order_by(runbook_runs.c.started_at.desc()).limit(limit)
    if runbook:
        query = query.where(runbook_runs.c.runbook == runbook)
    if active:
        query = query.where(runbook_runs.c.state != "ended")
    return await _runs(store, query)


async def run_named(store: Store, run_id: str) -> RunbookRun | None:
    """A run by its id."""
    found = await _runs(store, select(runbook_runs.c.row).where(runbook_runs.c.id == run_id))
    return found[0] if found else None


async def newest(store: Store) -> list[RunbookRun]:
    """The newest run of each runbook."""
    latest = (
        select(runbook_runs.c.runbook, func.max(runbook_runs.c.started_at).label("at"))
        .group_by(runbook_runs.c.runbook)
        .subquery()
    )
    query = select(runbook_runs.c.row).join(
        latest, (runbook_runs.c.runbook == latest.c.runbook) & (runbook_runs.c.started_at == latest.c.at)
    )
    return await _runs(store, query)


async def _runs(store: Store, query: object) -> list[RunbookRun]:
    async with store.read() as conn:
        rows = (await conn.execute(query)).all()  # type: ignore[call-overload]  # a select of one column
    found = []
    for row in rows:
        try:
            found.append(msgspec.json.decode(row.row, type=RunbookRun))
        except msgspec.DecodeError as error:
            log.warning("a run of a runbook can't be read from the store: %s", error)
    return found


# --- output -------------------------------------------------------------------------------------------


async def put_output(tx: Tx, run_id: str, pieces: Sequence[RunbookPiece]) -> None:
    """Write pieces of output."""
    await tx.execute(
        insert(runbook_output),
        [{"run_id": run_id, **msgspec.structs.asdict(piece)} for piece in pieces],
    )


async def last_number(store: Store, run_id: str) -> int:
    """The number of the newest piece of a run's output."""
    query = select(func.max(runbook_output.c.number)).where(runbook_output.c.run_id == run_id)
    async with store.read() as conn:
        return int((await conn.execute(query)).scalar() or 0)


async def output(
    store: Store, run_id: str, *, step: str = "", host: str = "", after: int = 0, limit: int = 500
) -> list[RunbookPiece]:
    """Pieces of output in order; of one step, of one host."""
    table = runbook_output.c
    query = select(runbook_output).where(table.run_id == run_id, table.number > after)
    if step:
        query = query.where(table.step == step)
    if host:
        query = query.where(table.host == host)
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(table.number).limit(limit))).all()
    return [
        RunbookPiece(
            number=row.number, at=row.at, step=row.step, attempt=row.attempt, host=row.host, stream=row.stream, text=row.text
        )
        for row in rows
    ]  # fmt: skip


async def place_of(store: Store, run_id: str) -> tuple[float, str] | None:
    """Where a run stands among the others, by time."""
    query = select(runbook_runs.c.started_at).where(runbook_runs.c.id == run_id)
    async with store.read() as conn:
        at = (await conn.execute(query)).scalar()
    return None if at is None else (at, run_id)


async def older_runs(store: Store, place: tuple[float, str] | None, limit: int) -> list[tuple[str, float]]:
    """Runs that are older than a place, with when they began, the newest first."""
    async with store.read() as conn:
        return [(row.id, row.started_at) for row in await conn.execute(older(place, limit))]


def older(place: tuple[float, str] | None, limit: int) -> Select[Any]:  # Any: rows of columns
    """What finds runs that are older than a place."""
    table = runbook_runs.c
    query = select(table.id, table.started_at).order_by(table.started_at.desc(), table.id.desc()).limit(limit)
    if place is None:
        return query
    at, run_id = place
    # the first comparison is what an index can be asked for
    return query.where(table.started_at <= at, or_(table.started_at < at, table.id < run_id))


async def matches(
    store: Store, run_ids: Sequence[str], text: str, limit: int
) -> tuple[dict[str, list[RunbookMatch]], bool]:
    """Run → lines of its output and entries of its journal that hold some words, the newest first; and whether there may be more of them."""
    written, entered = matching(run_ids, text, limit)
    async with store.read() as conn:
        pieces, entries = (await conn.execute(written)).all(), (await conn.execute(entered)).all()
        books = select(runbook_runs.c.id, runbook_runs.c.runbook).where(runbook_runs.c.id.in_(run_ids))
        runbooks = {row.id: row.runbook for row in await conn.execute(books)}
    found: dict[str, list[RunbookMatch]] = {run_id: [] for run_id in run_ids}
    for row in pieces:
        found[row.run_id].append(
            RunbookMatch(
                run=row.run_id, runbook=runbooks[row.run_id], step=row.step, host=row.host, at=row.at, line=line_with(row.text, text)
            )
        )  # fmt: skip
    for row in entries:
        fields: Mapping[str, object] = msgspec.json.decode(row.body)
        line = next((words for words in _texts(fields) if text.lower() in words.lower()), "")
        if line:
            # what only stands in the form of an entry is no match
            step = str(fields.get("step", ""))
            found[row.run_id].append(
                RunbookMatch(
                    run=row.run_id, runbook=runbooks[row.run_id], step=step, host="", at=row.at, line=line_with(line, text)
                )
            )  # fmt: skip
    for some in found.values():
        some.sort(key=lambda match: match.at, reverse=True)
    return found, max(len(pieces), len(entries)) >= limit


def matching(
    run_ids: Sequence[str], text: str, limit: int
) -> tuple[Select[Any], Select[Any]]:  # Any: rows of columns
    """What finds words in the output and in the journals of some runs."""
    like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    written, entered = runbook_output.c, runbook_journal.c
    return (
        select(written.run_id, written.step, written.host, written.at, written.text)
        .where(written.run_id.in_(run_ids), written.text.ilike(like, escape="\\"))
        .order_by(written.at.desc()).limit(limit),
        select(entered.run_id, entered.at, entered.body)
        .where(entered.run_id.in_(run_ids), entered.body.ilike(like, escape="\\"))
        .order_by(entered.at.desc()).limit(limit),
    )  # fmt: skip


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return []


def line_with(text: str, words: str) -> str:
    """The line of a text in which some words stand, harmless."""
    lines = text.splitlines()
    return next((safe(line, LINE_LIMIT) for line in lines if words.lower() in line.lower()), "")


async def forget(tx: Tx, before: float) -> None:
    """Remove runs that ended before a time, and documents that no run is pinned to."""
    old = (
        select(runbook_runs.c.id)
        .where(runbook_runs.c.ended_at.is_not(None), runbook_runs.c.ended_at < before)
        .scalar_subquery()
    )
    for table in (runbook_output, runbook_journal):
        await tx.execute(delete(table).where(table.c.run_id.in_(old)))
    await tx.execute(
        delete(runbook_runs).where(runbook_runs.c.ended_at.is_not(None), runbook_runs.c.ended_at < before)
    )
    used = select(runbook_runs.c.hash)
    await tx.execute(delete(runbook_documents).where(runbook_documents.c.hash.not_in(used)))
