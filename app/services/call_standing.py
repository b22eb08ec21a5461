"""What is stored of calls and states, for a monitor that takes over."""

from dataclasses import dataclass
from typing import Final

from tortoise import connections

from app.models import CallType
from app.services import client_states
from app.services.ranking import State

_OPEN: Final = """
select client_id, type, (outstanding * 100)::bigint as cents, state = 'unconfirmed' as is_watched
from margin_call where closed_at is null
union all
select client_id, type, 0, true from margin_call m
where set_aside is not null and id = (select max(id) from margin_call where client_id = m.client_id and type = m.type)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """States of clients that are not simply ok, cents of open cases, and clients to look at at every change."""

    states: dict[int, State]
    outstanding: dict[tuple[int, CallType], int]
    watched: set[int]


async def stored() -> Stored:
    """Return what the monitor before left behind."""
    rows = await connections.get("default").execute_query_dict(_OPEN)
    return Stored(
        states=await client_states.published(),
        outstanding={(row["client_id"], CallType(row["type"])): row["cents"] for row in rows if row["cents"]},
        watched={row["client_id"] for row in rows if row["is_watched"]},
    )
