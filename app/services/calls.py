"""Margin calls as the desk and the clients read them: one case, the daily record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from tortoise import connections

from app.models import CallState, CallType, MarginCallEvent, Role
from app.policies.active import PolicyName
from app.services.access import Caller
from app.services.business_days import NEW_YORK
from app.services.call_desk import no_case
from app.services.case import MONITOR, Case, Clock
from app.services.case_read import find_case

_YEAR: Final = timedelta(days=365)
#: No case can be of a day outside of these, which every library can still count with.
_FIRST_DAY: Final = date(1900, 1, 1)
_LAST_DAY: Final = date(9000, 1, 1)
_LIQUIDATIONS: Final = """
select count(*) as count from margin_call
where client_id = $1 and closed_at > $2 and 'sale' = any(string_to_array(manner, ','))
"""
#: Cases that were open for a moment of the day: $1 its start, $2 its end. The state is that of the day's end.
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
    """One step of a case; `amount` is what was outstanding after it."""

    at: datetime
    from_state: str | None
    to_state: str
    actor: str
    amount: Decimal
    note: str | None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with everything that belongs to it."""

    case: Case
    snapshot: dict[str, Any]
    history: Sequence[HistoryEntry]
    #: The client's cases of the last twelve months that a sale met.
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


async def get_call(case_id: int, *, caller: Caller, clock: Clock) -> CaseFile:
    """
    Return one case with snapshot and history; a client does not read the desk's notes.

    Raises:
        NotFoundError: there is no such case, or the caller may not see it.
    """
    case = await find_case(case_id)
    if case is None or (caller.role is Role.CLIENT and caller.client_id != case.client_id):
        raise no_case(case_id)
    connection = connections.get("default")
    stored = await connection.execute_query_dict("select snapshot from margin_call where id = $1", [case_id])
    history = await MarginCallEvent.filter(call_id=case_id).order_by("id")
    since = await clock() - _YEAR
    counted = await connection.execute_query_dict(_LIQUIDATIONS, [case.client_id, since])
    hidden = caller.role is Role.CLIENT
    return CaseFile(
        case=case,
        snapshot=json.loads(stored[0]["snapshot"]),
        history=[_entry(event, is_hidden=hidden and event.actor != MONITOR) for event in history],
        liquidations_12_months=counted[0]["count"],
    )


async def daily_record(day: date, *, after: int | None, limit: int) -> list[RecordedCall]:
    """Return every case that was open at some moment of a day in New York, by id, behind `after`."""
    if not _FIRST_DAY < day < _LAST_DAY:
        return []
    start = datetime.combine(day, time(), NEW_YORK)
    end = datetime.combine(day + timedelta(days=1), time(), NEW_YORK)
    rows = await connections.get("default").execute_query_dict(_DAY, [start, end, after or 0, limit])
    return [_recorded(day, row) for row in rows]


def _entry(event: MarginCallEvent, *, is_hidden: bool) -> HistoryEntry:
    note = None if is_hidden else event.note
    return HistoryEntry(event.at, event.from_state, event.to_state, event.actor, event.amount, note)


def _recorded(day: date, row: dict[str, Any]) -> RecordedCall:
    policy = PolicyName(row.pop("policy_id"), row.pop("policy_version"))
    kind, state = CallType(row.pop("type")), CallState(row.pop("state"))
    return RecordedCall(date=day, type=kind, state=state, policy=policy, **row)
