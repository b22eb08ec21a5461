"""The published state of clients, one event each time that it changes: the `state` events of the stream."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tortoise.transactions import in_transaction

from app.book.ranking import State
from app.database import sql
from app.events import outbox
from app.events.outbox import NewEvent

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


async def move(states: Mapping[int, State], *, now: datetime) -> list[NewEvent]:
    """
    Store the states of some clients, and return the events of those that moved; clients that do not exist are left out.

    Call in the transaction that publishes the events.
    """
    if not states:
        return []
    parameters = [list(states), [state.value for state in states.values()], now]
    rows = await sql.rows(_MOVE, *parameters)
    return [
        NewEvent(
            kind="state", client_id=row["client_id"], data={"state": row["state"], "from_state": row["from_state"]}
        )
        for row in rows
    ]


async def publish(states: Mapping[int, State], *, now: datetime) -> None:
    """Store the states of some clients and publish those that moved, in one transaction."""
    async with in_transaction():
        await outbox.publish_all(await move(states, now=now))


async def published() -> dict[int, State]:
    """Return what the stream last said of every client that is not simply `ok`."""
    rows = await sql.rows("select client_id, state from client_state where state <> 'ok'")
    return {row["client_id"]: State(row["state"]) for row in rows}
