"""
The list of margin calls, a page at a time, as fast for a million cases as for ten.

Each filter has an index in the order of a page, all but times: cases are opened nearly in the order of their ids, which
no planner knows. So for times the next few thousand cases are looked at first, since that is where a page mostly goes
on, and the index on times only where these do not fill it.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from tortoise import connections

from app.models import Role
from app.services.access import Caller
from app.services.case import Case

#: What may be asked for; `open` is every state that is not closed.
StateFilter = Literal["unconfirmed", "open", "partially_met", "extended", "past_due", "met", "cancelled"]

_COLUMNS: Final = ", ".join(f"m.{field.name}" for field in fields(Case))
#: How many cases to look at before the index on times is.
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
    """Which cases to list: those that match all that is not None; opened from (included) to (excluded)."""

    client_id: int | None = None
    state: StateFilter | None = None
    type: Literal["house", "exchange"] | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


async def list_calls(filters: Filters, *, caller: Caller, after: int | None, limit: int) -> list[Case]:
    """
    Return the cases that the caller may see, by id, behind `after`.

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
    rows = await connections.get("default").execute_query_dict(query, [after or 0, limit, *values])
    return [Case.of(row) for row in rows]


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
