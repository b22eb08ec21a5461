"""The durable events of the stream, `state` and `margin_call`: written in the transaction that they report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from tortoise import connections

from app.models import Event
from app.services.journal import LOCK

#: Kinds that are stored; `price` and `margin` are live figures, never stored.
DurableKind = Literal["state", "margin_call"]

#: Ids are given behind the lock that the journal takes, so their order is the order of commits.
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
    """Store events in this order, by one statement; like `journal.record`, among the last steps of a transaction."""
    if events:
        columns = [
            [event.kind for event in events],
            [event.client_id for event in events],
            [event.symbol for event in events],
            [json.dumps(event.data) for event in events],
        ]
        await connections.get("default").execute_query(_PUBLISH, [LOCK, *columns])


async def prune(*, days: int = 30) -> None:
    """Delete events that are older than the stream promises to keep."""
    await Event.filter(at__lt=datetime.now(UTC) - timedelta(days=days)).delete()
