"""Margin calls as the desk and the clients read them: the list, one call, the daily record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from app.auth.types import Caller
from app.margin_calls import store
from app.margin_calls.business_days import NEW_YORK
from app.margin_calls.desk_actions import call_not_found
from app.margin_calls.types import MONITOR, Call, CallFilters, Clock
from app.models import CallState, CallType, MarginCallEvent, Role
from app.policies.active import PolicyName

_YEAR: Final = timedelta(days=365)
#: No call can be of a day outside of these, which every library can still count with.
_FIRST_DAY: Final = date(1900, 1, 1)
_LAST_DAY: Final = date(9000, 1, 1)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of a call; `amount` is what was outstanding after it."""

    at: datetime
    from_state: str | None
    to_state: str
    actor: str
    amount: Decimal
    note: str | None


@dataclass(frozen=True, slots=True)
class CallDetail:
    """A call with everything that belongs to it."""

    call: Call
    snapshot: dict[str, Any]
    history: Sequence[HistoryEntry]
    #: The client's calls of the last twelve months that a sale met.
    liquidations_12_months: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A line of the daily record: what was required of an account, and when and in what manner it was met."""

    date: date
    id: int
    client_id: int
    name: str
    type: CallType
    amount: Decimal
    #: At the end of that day, as far as its steps tell.
    outstanding: Decimal
    state: CallState
    opened_at: datetime
    due_at: datetime
    met_at: datetime | None
    manner: str | None
    policy: PolicyName


async def get_call(call_id: int, *, caller: Caller, clock: Clock) -> CallDetail:
    """
    Return one call with snapshot and history; a client does not read the desk's notes.

    Raises:
        NotFoundError: there is no such call, or the caller may not see it.
    """
    call = await store.find_call(call_id)
    if call is None or (caller.role is Role.CLIENT and caller.client_id != call.client_id):
        raise call_not_found(call_id)
    history = await MarginCallEvent.filter(call_id=call_id).order_by("id")
    hidden = caller.role is Role.CLIENT
    return CallDetail(
        call=call,
        snapshot=await store.find_snapshot(call_id),
        history=[_entry(event, is_hidden=hidden and event.actor != MONITOR) for event in history],
        liquidations_12_months=await store.count_liquidations(call.client_id, since=await clock() - _YEAR),
    )


async def daily_record(day: date, *, after: int | None, limit: int) -> list[RecordedCall]:
    """Return every call that was open at some moment of a day in New York, by id, behind `after`."""
    if not _FIRST_DAY < day < _LAST_DAY:
        return []
    start = datetime.combine(day, time(), NEW_YORK)
    end = datetime.combine(day + timedelta(days=1), time(), NEW_YORK)
    rows = await store.calls_of_day(start, end, after=after or 0, limit=limit)
    return [_recorded(day, row) for row in rows]


def _entry(event: MarginCallEvent, *, is_hidden: bool) -> HistoryEntry:
    note = None if is_hidden else event.note
    return HistoryEntry(event.at, event.from_state, event.to_state, event.actor, event.amount, note)


def _recorded(day: date, row: dict[str, Any]) -> RecordedCall:
    policy = PolicyName(row.pop("policy_id"), row.pop("policy_version"))
    kind, state = CallType(row.pop("type")), CallState(row.pop("state"))
    return RecordedCall(date=day, type=kind, state=state, policy=policy, **row)


async def list_calls(filters: CallFilters, *, caller: Caller, after: int | None, limit: int) -> list[Call]:
    """
    Return the calls that the caller may see, by id, behind `after`.

    Raises:
        NotFoundError: the filter names a client that the caller may not see.
    """
    client_id = filters.client_id
    if client_id is not None:
        caller.check_client(client_id)
    elif caller.role is Role.CLIENT:
        filters = replace(filters, client_id=caller.client_id)
    return await store.list_calls(filters, after=after or 0, limit=limit)
