"""The durable events of the stream, `state` and `margin_call`: written in the transaction that they report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from app.audit.recorder import LOCK
from app.database import sql
from app.events.types import DURABLE, Filter, StreamEvent
from app.models import Event

#: How long an event can be asked for again.
KEPT_DAYS: Final = 30

#: Margin calls at most that a stream begins with which cannot begin where it should.
MOST_CALLS: Final = 1_000

_OPEN_CALLS: Final = """
select json_build_object('id', id, 'clientId', client_id, 'type', type, 'state', state, 'amount', amount,
                         'outstanding', outstanding) as call
from margin_call where closed_at is null and ($1::bigint is null or client_id = $1) order by id limit $2
"""

#: Kinds that are stored; `price` and `margin` are live figures, never stored.
DurableKind = Literal["state", "margin_call"]

#: Ids are given behind the lock that the recorder takes, so their order is the order of commits.
_PUBLISH: Final = """
with locked as materialized (
    select pg_advisory_xact_lock($1)
), stored as (
    insert into event (at, kind, client_id, symbol, data)
    select clock_timestamp(), item.kind, item.client_id, item.symbol, item.data
    from locked
    cross join unnest($2::text[], $3::bigint[], $4::text[], $5::jsonb[])
        with ordinality as item(kind, client_id, symbol, data, place)
    order by item.place
    returning id
)
select pg_notify('event', '') from stored limit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event before it has an id; `data` is the body on the wire, JSON throughout."""

    kind: DurableKind
    client_id: int | None = None
    symbol: str | None = None
    data: Mapping[str, Any]


async def publish(kind: DurableKind, client_id: int | None, symbol: str | None, data: Mapping[str, Any]) -> None:
    """Store one event in the caller's transaction; its subscribers are woken when that commits."""
    await publish_all([NewEvent(kind=kind, client_id=client_id, symbol=symbol, data=data)])


async def publish_all(events: list[NewEvent]) -> None:
    """Store events in this order, by one statement; like `recorder.record`, among the last steps of a transaction."""
    if events:
        columns = [
            [event.kind for event in events],
            [event.client_id for event in events],
            [event.symbol for event in events],
            [json.dumps(event.data) for event in events],
        ]
        await sql.run(_PUBLISH, LOCK, *columns)


@dataclass(frozen=True, slots=True)
class Retained:
    """Ids of the oldest and the newest event that are stored; both 0 where none ever was."""

    oldest: int
    newest: int

    def covers(self, after: int) -> bool:
        """
        Return whether every event behind the id `after` is still stored.

        Not where some may have been deleted, nor for an id that this database has not given (yet).
        """
        return max(self.oldest - 1, 0) <= after <= self.newest


async def retained() -> Retained:
    """Return which events are stored now."""
    query = "select coalesce(min(id), 0) as oldest, coalesce(max(id), 0) as newest from event"
    return Retained(**await sql.one(query))


async def read_after(
    after: int, *, upto: int | None = None, wanted: Filter | None = None, limit: int
) -> list[StreamEvent]:
    """
    Return the first `limit` durable events behind the id `after`, in order; `upto` is the last id to read.

    Ids are given in the order of commits, so what comes back later never has an id below what came back now.
    """
    query = Event.filter(id__gt=after)
    if upto is not None:
        query = query.filter(id__lte=upto)
    if wanted is not None:
        query = query.filter(kind__in=list(wanted.kinds & DURABLE))
        query = query if wanted.client_id is None else query.filter(client_id=wanted.client_id)
    return [
        StreamEvent(id=row.id, at=row.at, kind=row.kind, client_id=row.client_id, symbol=row.symbol, data=row.data)
        for row in await query.order_by("id").limit(limit)
    ]


async def open_calls(*, client_id: int | None) -> list[dict[str, Any]]:
    """Return the margin calls that are not closed, as JSON, at most MOST_CALLS; of one client, or of all (None)."""
    rows = await sql.rows(_OPEN_CALLS, client_id, MOST_CALLS)
    return [json.loads(row["call"]) for row in rows]


async def prune(*, days: int = KEPT_DAYS) -> None:
    """Delete events that are older than the stream promises to keep; the newest stays, and says how far ids went."""
    newest = (await retained()).newest
    await Event.filter(at__lt=datetime.now(UTC) - timedelta(days=days), id__lt=newest).delete()
