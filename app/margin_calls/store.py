"""The statements of margin calls and of clients' published states; no rule, no event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.book.ranking import State
from app.database import sql
from app.margin_calls.types import Call, CallFilters, Transition
from app.models import CallType

#: Columns of a call beside its id and snapshot, with their types.
_COLUMNS: Final = {
    "client_id": "bigint",
    "type": "text",
    "state": "text",
    "amount": "numeric",
    "outstanding": "numeric",
    "opened_at": "timestamptz",
    "due_at": "timestamptz",
    "closed_at": "timestamptz",
    "manner": "text",
    "restriction": "text",
    "policy_id": "text",
    "policy_version": "text",
    "price_basis": "text",
    "audit_id": "bigint",
    "set_aside": "numeric",
    "doubt": "jsonb",
}
_NAMES: Final = ", ".join(_COLUMNS)
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), start=3))
_SETS: Final = ", ".join(f"{name} = q.{name}" for name in _COLUMNS if name not in {"client_id", "type", "opened_at"})
#: $1 ids (not used), $2 snapshots, then the columns.
_INSERT: Final = f"""
insert into margin_call ({_NAMES}, snapshot, updated_at)
select {_NAMES}, snapshot, now() from unnest($1::bigint[], $2::jsonb[], {_ARRAYS}) as q(id, snapshot, {_NAMES})
returning id, client_id, type
"""  # noqa: S608 - column names of ours, no input
#: A snapshot of null leaves the one that is there.
_UPDATE: Final = f"""
update margin_call m set {_SETS}, snapshot = coalesce(q.snapshot, m.snapshot), updated_at = now()
from unnest($1::bigint[], $2::jsonb[], {_ARRAYS}) as q(id, snapshot, {_NAMES})
where m.id = q.id
"""  # noqa: S608 - likewise
_HISTORY: Final = """
insert into margin_call_event (call_id, client_id, at, from_state, to_state, actor, amount, note)
select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::numeric[],
                     $8::text[])
"""


async def write(steps: Sequence[Transition]) -> list[Transition]:
    """Store calls and their history, in their order; return the transitions with the ids of new calls."""
    await _write(_UPDATE, [step for step in steps if step.after.id])
    new = await _write(_INSERT, [step for step in steps if not step.after.id])
    ids = {(row["client_id"], CallType(row["type"])): row["id"] for row in new}
    steps = [_identified(step, ids) for step in steps]
    if steps:
        rows = [_history_row(step) for step in steps]
        await sql.run(_HISTORY, *[list(column) for column in zip(*rows, strict=True)])
    return steps


async def _write(statement: str, steps: Sequence[Transition]) -> list[dict[str, Any]]:
    if not steps:
        return []
    rows = [(step.after.id, _encoded(step), *_values(step.after)) for step in steps]
    columns = [list(column) for column in zip(*rows, strict=True)]
    written: list[dict[str, Any]] = await sql.rows(statement, *columns)
    return written


def _values(call: Call) -> list[object]:
    """Return what the columns of a call hold."""
    values = {name: getattr(call, name) for name in _COLUMNS}
    return list((values | {"doubt": None if call.doubt is None else json.dumps(call.doubt)}).values())


def _encoded(step: Transition) -> str | None:
    return None if step.snapshot is None else json.dumps(step.snapshot)


def _identified(step: Transition, ids: dict[tuple[int, CallType], int]) -> Transition:
    call = step.after
    return step if call.id else replace(step, after=replace(call, id=ids[call.client_id, call.type]))


def _history_row(step: Transition) -> tuple[object, ...]:
    call, before = step.after, step.before
    from_state = None if before is None else before.state.value
    return call.id, call.client_id, step.at, from_state, call.state.value, step.actor, call.outstanding, step.note


_CALL: Final = ", ".join(f"m.{name}" for name in ("id", *_COLUMNS))
_LATEST: Final = f"""
select {_CALL} from margin_call m
where m.id in (select max(id) from margin_call where client_id = any($1::bigint[]) group by client_id, type)
"""  # noqa: S608 - column names of ours, no input
_ONE: Final = f"select {_CALL} from margin_call m where m.id = $1"  # noqa: S608 - likewise
_LOCK: Final = "select client_id from margin where client_id = any($1::bigint[]) order by client_id for update"


async def lock_clients(client_ids: Sequence[int]) -> list[int]:
    """Lock clients, always in the same order, until the transaction ends; return those that exist."""
    rows = await sql.rows(_LOCK, list(client_ids))
    return [row["client_id"] for row in rows]


async def latest_calls(client_ids: Sequence[int]) -> dict[tuple[int, CallType], Call]:
    """Return the last call of each client and type, which alone may be open."""
    rows = await sql.rows(_LATEST, list(client_ids))
    return {(call.client_id, call.type): call for call in map(Call.of, rows)}


async def find_call(call_id: int) -> Call | None:
    """Return one call; None where there is none."""
    row = await sql.first(_ONE, call_id)
    return Call.of(row) if row else None


async def last_audit_id() -> int:
    """Return the id of the last audit entry, 0 before the first; what a locked client does comes behind it."""
    rows = await sql.rows("select coalesce(max(id), 0) as id from audit_entry")
    return int(rows[0]["id"])


async def find_snapshot(call_id: int) -> dict[str, Any]:
    """Return the explanation on which a call was opened, or confirmed."""
    row = await sql.one("select snapshot from margin_call where id = $1", call_id)
    snapshot: dict[str, Any] = json.loads(row["snapshot"])
    return snapshot


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


async def count_liquidations(client_id: int, *, since: datetime) -> int:
    """Return how many calls of a client a sale met since then."""
    return int((await sql.one(_LIQUIDATIONS, client_id, since))["count"])


async def calls_of_day(start: datetime, end: datetime, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return the rows of the daily record from `start` to `end`, by id, behind `after`."""
    rows: list[dict[str, Any]] = await sql.rows(_DAY, start, end, after, limit)
    return rows


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


async def list_calls(filters: CallFilters, *, after: int, limit: int) -> list[Call]:
    """Return the calls that match, by id, behind `after`."""
    conditions, values = _conditions(filters)
    is_by_time = filters.client_id is None and (filters.opened_from is not None or filters.opened_to is not None)
    query = (_by_time if is_by_time else _in_order)(conditions)
    return [Call.of(row) for row in await sql.rows(query, after, limit, *values)]


def _conditions(filters: CallFilters) -> tuple[str, list[Any]]:
    """Return what is asked for and nothing else, so that one plan is right for every value; values from $3 on."""
    wanted = {
        "m.client_id =": filters.client_id,
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
    return f"select {_CALL} from margin_call m where {condition} order by m.id limit $2"  # noqa: S608 - ours


def _by_time(condition: str) -> str:
    return _BY_TIME.format(near=_NEAR, condition=condition, columns=_CALL)


_DUE: Final = """
select client_id from margin_call
where state in ('open', 'partially_met', 'extended') and due_at < $1 order by due_at limit $2
"""
#: $1 clients, $2 types, $3 shortfalls; returns the clients of open calls that the client or the desk may have relieved.
_OUTSTANDING: Final = """
with moved as (
    update margin_call m set outstanding = q.outstanding, updated_at = now()
    from unnest($1::bigint[], $2::text[], $3::numeric[]) as q(client_id, type, outstanding)
    where m.client_id = q.client_id and m.type = q.type and m.closed_at is null and m.outstanding <> q.outstanding
    returning m.client_id, m.state, m.amount, m.outstanding, m.audit_id
)
select distinct client_id from moved
where state = 'open' and outstanding < amount and exists (
    select from audit_entry a
    where a.client_id = moved.client_id and a.id > moved.audit_id and a.entity in ('client', 'position')
)
"""


#: $1 calls, $2 doubts; null ends one.
_SET_DOUBTS: Final = """
update margin_call m set doubt = q.doubt, updated_at = now()
from unnest($1::bigint[], $2::jsonb[]) as q(id, doubt) where m.id = q.id and m.doubt is distinct from q.doubt
"""


async def set_doubts(doubts: Mapping[int, Mapping[str, Any] | None]) -> None:
    """Store what there is to doubt about the prices behind calls that stay as they are."""
    encoded = [None if doubt is None else json.dumps(doubt) for doubt in doubts.values()]
    await sql.run(_SET_DOUBTS, list(doubts), encoded)


async def overdue_clients(now: datetime, *, limit: int) -> list[int]:
    """Return clients whose calls are due before `now` and not yet past due, the longest due first."""
    return [row["client_id"] for row in await sql.rows(_DUE, now, limit)]


async def set_outstanding(outstanding: Mapping[tuple[int, CallType], Decimal]) -> list[int]:
    """Store what is outstanding of open calls; return the clients whose calls may have been relieved."""
    clients, kinds = [client_id for client_id, _ in outstanding], [kind.value for _, kind in outstanding]
    rows = await sql.rows(_OUTSTANDING, clients, kinds, list(outstanding.values()))
    return [row["client_id"] for row in rows]


#: A client without a row is `ok`.
_MOVE: Final = """
with new as (
    select * from unnest($1::bigint[], $2::text[]) as n(client_id, state)
), old as (
    select client_id, state from client_state where client_id = any($1::bigint[]) order by client_id for update
), moved as (
    select n.client_id, coalesce(old.state, 'ok') as from_state, n.state
    from new n join margin m on m.client_id = n.client_id left join old on old.client_id = n.client_id
    where coalesce(old.state, 'ok') <> n.state
), stored as (
    insert into client_state (client_id, state, at) select client_id, state, $3 from moved
    on conflict (client_id) do update set state = excluded.state, at = excluded.at
)
select client_id, from_state, state from moved order by client_id
"""


async def move_states(states: Mapping[int, State], *, now: datetime) -> list[dict[str, Any]]:
    """Store the states of some clients; return those that moved, with `from_state` and `state`."""
    rows: list[dict[str, Any]] = await sql.rows(_MOVE, list(states), [state.value for state in states.values()], now)
    return rows
