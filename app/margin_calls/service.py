"""Margin calls as the desk and the clients read them: one call, the daily record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from app.auth.types import Caller
from app.database import sql
from app.margin_calls.business_days import NEW_YORK
from app.margin_calls.desk_actions import call_not_found
from app.margin_calls.store import find_call
from app.margin_calls.types import MONITOR, Call, Clock
from app.models import CallState, CallType, MarginCallEvent, Role
from app.policies.active import PolicyName

_YEAR: Final = timedelta(days=365)
#: No call can be of a day outside of these, which every library can still count with.
_FIRST_DAY: Final = date(1900, 1, 1)
_LAST_DAY: Final = date(9000, 1, 1)
_LIQUIDATIONS: Final = """
select count(*) as count from margin_call
where client_id = $1 and closed_at > $2 and 'sale' = any(string_to_array(manner, ','))
"""
#: Calls that were open for a moment of the day: $1 its start, $2 its end. The state is that of the day's end.
#: `m.id + 0` keeps the planner from walking along the ids, of which most are of other days.
_DAY: Final = """
select m.id, m.client_id, coalesce(c.name, '') as name, m.type, m.amount, e.amount as outstanding, e.to_state as state,
       m.opened_at, m.due_at, case when m.state = 'met' then m.closed_at end as met_at, m.manner,
       m.policy_id, m.policy_version
from margin_call m
left join client c on c.id = m.client_id
cross join lateral (
    select amount, to_state from margin_call_event where call_id = m.id and at < $2 order by id desc limit 1
) e
where m.opened_at < $2 and (m.closed_at is null or m.closed_at >= $1) and m.id > $3
order by m.id + 0 limit $4
"""


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
    call = await find_call(call_id)
    if call is None or (caller.role is Role.CLIENT and caller.client_id != call.client_id):
        raise call_not_found(call_id)
    stored = await sql.one("select snapshot from margin_call where id = $1", call_id)
    history = await MarginCallEvent.filter(call_id=call_id).order_by("id")
    since = await clock() - _YEAR
    counted = await sql.one(_LIQUIDATIONS, call.client_id, since)
    hidden = caller.role is Role.CLIENT
    return CallDetail(
        call=call,
        snapshot=json.loads(stored["snapshot"]),
        history=[_entry(event, is_hidden=hidden and event.actor != MONITOR) for event in history],
        liquidations_12_months=counted["count"],
    )


async def daily_record(day: date, *, after: int | None, limit: int) -> list[RecordedCall]:
    """Return every call that was open at some moment of a day in New York, by id, behind `after`."""
    if not _FIRST_DAY < day < _LAST_DAY:
        return []
    start = datetime.combine(day, time(), NEW_YORK)
    end = datetime.combine(day + timedelta(days=1), time(), NEW_YORK)
    rows = await sql.rows(_DAY, start, end, after or 0, limit)
    return [_recorded(day, row) for row in rows]


def _entry(event: MarginCallEvent, *, is_hidden: bool) -> HistoryEntry:
    note = None if is_hidden else event.note
    return HistoryEntry(event.at, event.from_state, event.to_state, event.actor, event.amount, note)


def _recorded(day: date, row: dict[str, Any]) -> RecordedCall:
    policy = PolicyName(row.pop("policy_id"), row.pop("policy_version"))
    kind, state = CallType(row.pop("type")), CallState(row.pop("state"))
    return RecordedCall(date=day, type=kind, state=state, policy=policy, **row)


#: What may be asked for; `open` is every state that is not closed.
StateFilter = Literal["unconfirmed", "open", "partially_met", "extended", "past_due", "met", "cancelled"]
_COLUMNS: Final = ", ".join(f"m.{field.name}" for field in fields(Call))
#: How many calls to look at before the index on times is.
_NEAR: Final = 2_000
#: $1 the last id of the page before, $2 the size of a page; `m.id + 0` keeps the planner from walking along the ids.
_BY_TIME: Final = """
with near as materialized (
    select m.id from (select * from margin_call where id > $1 order by id limit {near}) m
    where {condition} order by m.id limit $2
), far as (
    select m.id from margin_call m
    where (select count(*) from near) < $2 and {condition} order by m.id + 0 limit $2
)
select {columns} from margin_call m
where m.id in (select id from near where (select count(*) from near) = $2 union all select id from far) order by m.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which calls to list: those that match all that is not None; opened from (included) to (excluded)."""

    client_id: int | None = None
    state: StateFilter | None = None
    type: Literal["house", "exchange"] | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


async def list_calls(filters: Filters, *, caller: Caller, after: int | None, limit: int) -> list[Call]:
    """
    Return the calls that the caller may see, by id, behind `after`.

    Raises:
        NotFoundError: the filter names a client that the caller may not see.
    """
    client_id = filters.client_id
    if client_id is not None:
        caller.check_client(client_id)
    elif caller.role is Role.CLIENT:
        client_id = caller.client_id
    conditions, values = _conditions(filters, client_id)
    is_by_time = client_id is None and (filters.opened_from is not None or filters.opened_to is not None)
    query = (_by_time if is_by_time else _in_order)(conditions)
    rows = await sql.rows(query, after or 0, limit, *values)
    return [Call.of(row) for row in rows]


def _conditions(filters: Filters, client_id: int | None) -> tuple[str, list[Any]]:
    """Return what is asked for and nothing else, so that one plan is right for every value; values from $3 on."""
    wanted = {
        "m.client_id =": client_id,
        "m.state =": None if filters.state == "open" else filters.state,
        "m.type =": filters.type,
        "m.opened_at >=": filters.opened_from,
        "m.opened_at <": filters.opened_to,
    }
    given = {comparison: value for comparison, value in wanted.items() if value is not None}
    conditions = ["m.id > $1", *(f"{comparison} ${number}" for number, comparison in enumerate(given, start=3))]
    if filters.state == "open":
        conditions.append("m.closed_at is null")
    return " and ".join(conditions), list(given.values())


def _in_order(condition: str) -> str:
    return f"select {_COLUMNS} from margin_call m where {condition} order by m.id limit $2"  # noqa: S608 - ours


def _by_time(condition: str) -> str:
    return _BY_TIME.format(near=_NEAR, condition=condition, columns=_COLUMNS)
