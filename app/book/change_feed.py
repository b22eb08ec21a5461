"""What was committed of the book that a follower does not have, told by the rows of `book_change`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.database.sql import Connection

#: Changes that a follower with the horizon $1 may not have (null: those that one who loads everything now may see
#: again), each with the horizon of this look; one row where there are none.
_LOOK: Final = """
select now.horizon, c.id, c.xid, c.client_ids, c.symbols
from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon) as now
left join book_change c on c.xid >= coalesce($1, now.horizon)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw: of the transactions from `horizon` on, the changes `applied`; of those before, all."""

    horizon: int
    applied: frozenset[int]


@dataclass(frozen=True, slots=True)
class Touched:
    """What changes touch; None = everything."""

    clients: frozenset[int] | None
    symbols: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see, and of it what the follower did not have; None = it had everything."""

    seen: Seen
    news: Touched | None


async def look(connection: Connection, seen: Seen | None) -> Look:
    """
    Return what was committed since the follower saw what it has seen, None = nothing yet; one statement.

    A change whose transaction was still running at one look is found at a later one, because everything from the
    oldest running transaction on is looked at again.
    """
    rows = await connection.fetch(_LOOK, seen and seen.horizon)
    horizon = rows[0]["horizon"]
    changes = [row for row in rows if row["id"] is not None]
    new = [row for row in changes if seen is None or row["id"] not in seen.applied]
    applied = frozenset(row["id"] for row in changes if row["xid"] >= horizon)
    return Look(Seen(horizon, applied), _touched(new) if new else None)


def _touched(rows: Sequence[Mapping[str, Any]]) -> Touched:
    """Return what these changes touch together."""
    clients = [_decoded(row["client_ids"]) for row in rows]
    symbols = [_decoded(row["symbols"]) for row in rows]
    return Touched(_union(clients), _union(symbols))


def _union(parts: Sequence[list[Any] | None]) -> frozenset[Any] | None:
    return None if None in parts else frozenset(value for part in parts if part is not None for value in part)


def _decoded(array: str | None) -> list[Any] | None:
    """Return a jsonb array as asyncpg gives it."""
    return None if array is None else list(json.loads(array))
