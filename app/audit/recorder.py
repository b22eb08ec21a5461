"""
Appends changes to the hash chain of the audit trail, and what they touch to the change feed of the resident book.

Recording takes one lock for the whole service until the transaction ends, so that the order of ids is the order of
commits. Therefore it is the last step of a transaction: whatever else needs a lock comes before it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from app.audit import hash_chain
from app.database import sql
from app.models import BookChange

#: Held from the first entry or event of a transaction to its end; `audit_append` in the database takes the same one.
LOCK: Final = 1785689458  # "jour"
#: Actor of what the service does by itself.
SYSTEM: Final = "system"

#: $1 bodies of entries, $2 and $3 what to say in book_change, $4 whether to. The join runs both parts. A change is
#: kept from now on, not from when its transaction began: that may be long ago, and followers are to see it.
_RECORD: Final = """
with entries as materialized (
    select audit_append($1::text[])
), change as (
    insert into book_change (xid, at, client_ids, symbols)
    select pg_current_xact_id()::text::bigint, clock_timestamp(), $2::jsonb, $3::jsonb where $4
    returning id
)
select case when change.id is not null then pg_notify('book', '') end from entries left join change on true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One change to one record, or a bulk change: then `entity_id` is None and `after` a `hash_chain.digest` of its rows.

    `before` and `after` are what an auditor should see, None where there was or is nothing; never a password or hash.
    """

    #: create, update, delete, trade, split and so on.
    action: str
    #: client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery.
    entity: str
    #: The record's id or symbol.
    entity_id: int | str | None
    client_id: int | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touches:
    """Which clients and symbols of the book a transaction changed; None = all of them."""

    client_ids: Collection[int] | None = ()
    symbols: Collection[str] | None = ()

    def __bool__(self) -> bool:
        """Return whether it touches the book at all."""
        return self.client_ids is None or self.symbols is None or bool(self.client_ids or self.symbols)


NOTHING: Final = Touches()
EVERYTHING: Final = Touches(client_ids=None, symbols=None)


async def record(*changes: Change, actor: str, touches: Touches = NOTHING) -> None:
    """
    Append changes to the hash chain and what they touch to `book_change`; call last in the transaction.

    An update that leaves everything as it was is no change. The request's id comes from the log context.

    Args:
        changes: in order; one statement for all.
        actor: a user's name, `monitor` or `system`.
        touches: resident books are notified when the transaction commits.
    """
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    bodies = hash_chain.bodies([_members(change, actor=actor, request_id=request_id) for change in changes])
    if bodies:
        parameters = [bodies, _array(touches.client_ids), _array(touches.symbols), bool(touches)]
        await sql.run(_RECORD, *parameters)


async def prune_book_changes(*, hours: float = 1) -> None:
    """Delete changes older than this; a resident book that is further behind loads everything again."""
    await BookChange.filter(at__lt=datetime.now(UTC) - timedelta(hours=hours)).delete()


def _members(change: Change, *, actor: str, request_id: str | None) -> list[object]:
    """Return what the entry's hash covers of a change; the database puts the other members in front."""
    entity_id = None if change.entity_id is None else str(change.entity_id)
    return [actor, change.action, change.entity, entity_id, change.client_id, change.before, change.after, request_id]


def _array(values: Collection[int] | Collection[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values))
