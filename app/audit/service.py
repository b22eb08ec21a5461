"""Lists audit entries, and verifies that the hash chain over them is intact."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.audit import hash_chain
from app.audit.hash_chain import Entry, Head
from app.database import sql
from app.models import AuditEntry

_BATCH: Final = 1000
_ENTRIES: Final = """
select id, at, actor, action, entity, entity_id, client_id, before, after, request_id, hash, previous_hash
from audit_entry where id > $1 order by id limit $2
"""
#: Behind nothing at all: also what was inserted before the first entry.
_START: Final = -(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """Which entries to list: those that match all that is not None; from `start` (included) to `end` (excluded)."""

    client_id: int | None = None
    entity: str | None = None
    entity_id: str | None = None
    actor: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the chain found; `broken_at` and `reason` are None where it is intact."""

    #: How many entries were found to follow each other.
    entries: int
    intact: bool
    broken_at: int | None
    reason: str | None
    #: The last of those; None where there is none. Keep it: only against it is a chain that was cut off found out.
    head: Head | None


async def list_entries(filters: AuditFilters, *, after: int | None, limit: int) -> list[AuditEntry]:
    """Return entries by id, behind `after`."""
    query = AuditEntry.filter(id__gt=after or 0)
    for name in ("client_id", "entity", "entity_id", "actor"):
        if getattr(filters, name) is not None:
            query = query.filter(**{name: getattr(filters, name)})
    if filters.start is not None:
        query = query.filter(id__gte=await _first_since(filters.start))
    if filters.end is not None:
        query = query.filter(id__lt=await _first_since(filters.end))
    return await query.order_by("id").limit(limit)


async def verify(*, after: int | None, limit: int, known: Head | None) -> Verification:
    """
    Follow the chain entry by entry and say where it breaks first.

    Args:
        after: begin behind this entry, which is taken for good.
        limit: how many entries to follow at most.
        known: an entry that the caller kept; it must still be stored unchanged.
    """
    head = await _known_good(after)
    if head is None:
        return _broken(0, after or 0, f"Entry {after} is missing.", None)
    entries = 0
    async for entry in _entries(after=_START if after is None else after, limit=limit):
        fault = hash_chain.first_fault(entry, head)
        if fault is not None:
            return _broken(entries, *fault, head)
        head = Head(id=entry.id, hash=entry.hash)
        entries += 1
    if known is not None and not await AuditEntry.exists(id=known.id, hash=known.hash):
        reason = f"Entry {known.id} does not have the hash that you kept: the chain was cut off or written anew."
        return _broken(entries, known.id, reason, head)
    return Verification(entries=entries, intact=True, broken_at=None, reason=None, head=_real(head))


async def _known_good(after: int | None) -> Head | None:
    """Return where to begin; None if there is no such entry."""
    if after is None:
        return Head()
    entry = await AuditEntry.get_or_none(id=after)
    return Head(id=entry.id, hash=entry.hash) if entry else None


async def _entries(*, after: int, limit: int) -> AsyncIterator[Entry]:
    """Yield entries by id, a batch in memory at a time."""
    while limit > 0:
        rows = await sql.rows(_ENTRIES, after, min(limit, _BATCH))
        for row in rows:
            states = {name: json.loads(row[name] or "null") for name in ("before", "after")}
            yield Entry(**(row | states))
        if len(rows) < _BATCH:
            return
        after, limit = rows[-1]["id"], limit - len(rows)


async def _first_since(moment: datetime) -> int:
    """Return the id of the first entry at or after a moment; times never go back from one entry to the next."""
    entry = await AuditEntry.filter(at__gte=moment).order_by("at", "id").first()
    return entry.id if entry else 2**63 - 1


def _broken(entries: int, where: int, reason: str, head: Head | None) -> Verification:
    return Verification(entries=entries, intact=False, broken_at=where, reason=reason, head=head and _real(head))


def _real(head: Head) -> Head | None:
    """Return the head unless it stands before the first entry."""
    return head if head.id else None
