"""Hot samples of several hosts in one row, in place of a row for each."""

import zlib
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "m0002"
down_revision = "m0001"
branch_labels = None
depends_on = None

PARTS, BITS, HOUR, CLOSED = 32, 62, 3600.0, -1
AT_ONCE = 5000
"""Samples that are moved at once."""

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _create_hot() -> sa.Table:
    return op.create_table(
        "hot",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("vals", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hot")),
    )


def _rows(samples: list[Any]) -> list[dict[str, Any]]:  # Any: columns of rows
    groups: dict[tuple[int, float], list[Any]] = {}
    for _, host_id, period, at, layout, vals in samples:
        key = zlib.crc32(host_id.encode()) % PARTS, at // HOUR
        groups.setdefault(key, []).append((host_id, period, at, layout, vals))
    rows = []
    for (part, _), group in groups.items():
        hosts = 0
        for host_id in {sample[0] for sample in group}:
            hosts |= 1 << zlib.crc32(host_id.encode()) // PARTS % BITS
        times = [sample[2] for sample in group]
        data = msgspec.msgpack.encode(group)
        rows.append({"part": part, "first": min(times), "last": max(times), "hosts": hosts, "data": data})
    return rows


def upgrade() -> None:
    """Create the table, and move what is open."""
    waves = op.create_table(
        "waves",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("first", sa.Float(), nullable=False),
        sa.Column("last", sa.Float(), nullable=False),
        sa.Column("hosts", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waves")),
    )
    conn, after, number = op.get_bind(), -1, 1
    marks: dict[str, list[tuple[int, float]]] = {}
    for id, host_id, at in conn.execute(
        sa.text("SELECT id, host_id, at FROM hot WHERE period = :closed"), {"closed": CLOSED}
    ):
        marks.setdefault(host_id, []).append((id, at))
    query = sa.text(
        "SELECT id, host_id, period, at, layout, vals FROM hot WHERE id > :after AND period <> :closed ORDER BY id LIMIT :most"
    )
    while samples := conn.execute(query, {"after": after, "closed": CLOSED, "most": AT_ONCE}).all():
        after = samples[-1].id
        # what lies before a mark of its host is in a chunk already
        still_open = [
            (*row[:5], bytes(row.vals))
            for row in samples
            if not any(row.id < id and row.at < before for id, before in marks.get(row.host_id, ()))
        ]
        rows = [{"id": number + place, **row} for place, row in enumerate(_rows(still_open))]
        number += len(rows)
        if rows:
            conn.execute(sa.insert(waves), rows)
    op.drop_table("hot")


def downgrade() -> None:
    """A row for each sample again."""
    hot = _create_hot()
    conn, number = op.get_bind(), 1
    closed: dict[int, list[tuple[int, float]]] = {}
    marks = sa.text("SELECT id, part, first FROM waves WHERE hosts = 0")
    for id, part, before in conn.execute(marks):
        closed.setdefault(part, []).append((id, before))
    query = sa.text("SELECT id, part, first, data FROM waves WHERE hosts <> 0 ORDER BY id")
    for id, part, first, data in conn.execute(query).all():
        if any(id < mark and first < before for mark, before in closed.get(part, ())):
            continue
        rows = [
            {
                "id": number + place,
                "host_id": host_id,
                "period": period,
                "at": at,
                "layout": layout,
                "vals": vals,
            }
            for place, (host_id, period, at, layout, vals) in enumerate(
                msgspec.msgpack.decode(bytes(data), type=list[tuple[str, int, float, str, bytes]])
            )
        ]
        number += len(rows)
        conn.execute(sa.insert(hot), rows)
    op.drop_table("waves")
