"""The change feed of the book: what was committed since a watermark, read from the rows of `book_change`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.database.sql import Connection, Row

#: Changes that a follower with the horizon $1 may not have (null: those that a follower which loads everything now may
#: find again), each with the horizon of this poll; one row where there are none.
_POLL: Final = """
select now.horizon, c.id, c.xid, c.client_ids, c.symbols
from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon) as now
left join book_change c on c.xid >= coalesce($1, now.horizon)
"""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a follower has read: of transactions from `horizon` on, the changes `applied`; of those before, all."""

    horizon: int
    applied: frozenset[int]


@dataclass(frozen=True, slots=True)
class Changed:
    """Clients and symbols that changed; None = all."""

    clients: frozenset[int] | None
    symbols: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Poll:
    """The new watermark, and what changed since the one before; None = nothing."""

    watermark: Watermark
    changed: Changed | None


async def poll(connection: Connection, watermark: Watermark | None) -> Poll:
    """
    Return what was committed since a watermark, None = the follower has nothing yet; one statement.

    A change whose transaction was still running at one poll is found by a later one, because each poll reads from the
    oldest transaction on that was running at the one before.
    """
    rows = await connection.fetch(_POLL, watermark and watermark.horizon)
    horizon = rows[0]["horizon"]
    changes = [row for row in rows if row["id"] is not None]
    new = [row for row in changes if watermark is None or row["id"] not in watermark.applied]
    applied = frozenset(row["id"] for row in changes if row["xid"] >= horizon)
    return Poll(Watermark(horizon, applied), _changed(new) if new else None)


def _changed(rows: Sequence[Row]) -> Changed:
    """Return the union of some changes."""
    clients = [_decoded(row["client_ids"]) for row in rows]
    symbols = [_decoded(row["symbols"]) for row in rows]
    return Changed(_union(clients), _union(symbols))


def _union(parts: Sequence[list[Any] | None]) -> frozenset[Any] | None:
    return None if None in parts else frozenset(value for part in parts if part is not None for value in part)


def _decoded(array: str | None) -> list[Any] | None:
    """Return a jsonb array as asyncpg gives it."""
    return None if array is None else list(json.loads(array))
