"""Clients with their loan and own rate: a `Client` row and its `Margin` row, always written together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller, no_client
from app.core.errors import ConflictError
from app.core.preconditions import Check, anything
from app.database import sql
from app.models import Client, ClientState, Margin, MarginCall, Position, Role, User

_SELECT: Final = """
select c.id, c.name, m.loan, m.margin_requirement, c.created_at
from client c join margin m on m.client_id = c.id
"""
#: $3 the beginning of a name; U+10FFFF sorts after every name that begins so. `client_by_name` is its index.
_FIND: Final = f"""
with place as (
    select lower(c.name) as name, c.id from client c where c.id = $1 {{whose}}
    union all select lower($3), 0 limit 1
)
{_SELECT}
where lower(c.name) collate "C" >= lower($3) and lower(c.name) collate "C" < lower($3) || U&'\\+10FFFF'
  and (lower(c.name) collate "C", c.id) > ((select name from place), (select id from place)) {{whose}}
order by lower(c.name) collate "C", c.id limit $2
"""  # noqa: S608 - text of ours


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """
    A client as its desk sees it.

    `loan` in account currency, negative = cash credit; `margin_requirement` the client's own maintenance rate, or None.
    """

    id: int
    name: str
    loan: Decimal
    margin_requirement: Decimal | None
    created_at: datetime


async def find_clients(name: str, *, caller: Caller, after: int | None, limit: int) -> list[ClientRecord]:
    """
    Return the clients that the caller may see whose name begins so, in any case; by name, behind the client `after`.

    Behind one that was deleted meanwhile the list begins again, so that nothing is missed.
    """
    whose, values = ("and c.id = $4", [caller.client_id]) if caller.role is Role.CLIENT else ("", [])
    query = _FIND.format(whose=whose)
    rows = await sql.rows(query, after or 0, limit, name, *values)
    return [ClientRecord(**row) for row in rows]


async def list_clients(*, caller: Caller, after: int | None, limit: int) -> list[ClientRecord]:
    """Return the clients that the caller may see, by id, behind `after`."""
    whose, values = ("and c.id = $3", [caller.client_id]) if caller.role is Role.CLIENT else ("", [])
    query = f"{_SELECT} where c.id > $1 {whose} order by c.id limit $2"
    rows = await sql.rows(query, after or 0, limit, *values)
    return [ClientRecord(**row) for row in rows]


async def get_client(client_id: int, *, caller: Caller) -> ClientRecord:
    """
    Return one client.

    Raises:
        NotFoundError: there is none, or the caller may not see it.
    """
    caller.check_client(client_id)
    row = await sql.first(f"{_SELECT} where c.id = $1", client_id)
    if row is None:
        raise no_client(client_id)
    return ClientRecord(**row)


async def create_client(
    *, name: str, loan: Decimal, margin_requirement: Decimal | None, caller: Caller
) -> ClientRecord:
    """Store a new client and return it."""
    async with in_transaction():
        client = await Client.create(name=name)
        await Margin.create(client=client, loan=loan, margin_requirement=margin_requirement)
        created = ClientRecord(client.id, name, loan, margin_requirement, client.created_at)
        await recorder.record(_change(None, created), actor=caller.username, touches=Touches(client_ids=[client.id]))
    return created


async def update_client(
    client_id: int, changes: Mapping[str, Any], *, caller: Caller, check: Check[ClientRecord] = anything
) -> ClientRecord:
    """
    Set the fields in `changes` (`name`, `loan`, `margin_requirement`) and return the client.

    Raises:
        NotFoundError: there is no such client.
        PreconditionError: it is not what `check` expects.
    """
    async with in_transaction():
        margin = await lock_client(client_id)
        before = await get_client(client_id, caller=caller)
        check(before)
        if "name" in changes:
            await Client.filter(id=client_id).update(name=changes["name"])
        owed = {key: changes[key] for key in ("loan", "margin_requirement") if key in changes}
        if owed:
            await margin.update_from_dict(owed).save(update_fields=[*owed, "timestamp"])
        after = await get_client(client_id, caller=caller)
        await recorder.record(_change(before, after), actor=caller.username, touches=Touches(client_ids=[client_id]))
        return after


async def delete_client(client_id: int, *, caller: Caller, check: Check[ClientRecord] = anything) -> None:
    """
    Delete a client that holds nothing and owes nothing; logins bound to it are deactivated.

    Raises:
        NotFoundError: there is no such client.
        PreconditionError: it is not what `check` expects.
        ConflictError: it has positions, a loan or credit, or ever had a margin call.
    """
    async with in_transaction():
        margin = await lock_client(client_id)
        before = await get_client(client_id, caller=caller)
        check(before)
        if await Position.exists(client_id=client_id):
            raise ConflictError(f"Client {client_id} holds positions; close them first.")
        if margin.loan:
            raise ConflictError(f"Client {client_id} has a balance of {margin.loan}; settle it first.")
        if await MarginCall.exists(client_id=client_id):
            raise ConflictError(f"Client {client_id} has margin calls on record; it cannot be deleted.")
        logins = await User.filter(client_id=client_id, is_active=True).order_by("id").select_for_update()
        await User.filter(id__in=[login.id for login in logins]).update(is_active=False)
        await ClientState.filter(client_id=client_id).delete()
        await Client.filter(id=client_id).delete()
        changes = [_change(before, None), *map(_deactivation, logins)]
        await recorder.record(*changes, actor=caller.username, touches=Touches(client_ids=[client_id]))


async def lock_client(client_id: int) -> Margin:
    """
    Return the client's margin row, locked until the transaction ends: one writer per client at a time.

    Raises:
        NotFoundError: there is no such client.
    """
    margin = await Margin.filter(client_id=client_id).select_for_update().first()
    if margin is None:
        raise no_client(client_id)
    return margin


def _change(before: ClientRecord | None, after: ClientRecord | None) -> Change:
    """Return the change from one state of a client to another; None = there was or is none."""
    client = after or before
    assert client is not None, "something changed"
    action = "update" if before and after else "create" if after else "delete"
    return Change(
        action=action,
        entity="client",
        entity_id=client.id,
        client_id=client.id,
        before=_audited(before),
        after=_audited(after),
    )


def _audited(client: ClientRecord | None) -> dict[str, Any] | None:
    """Return what an auditor sees of a client."""
    if client is None:
        return None
    return {"name": client.name, "loan": client.loan, "margin_requirement": client.margin_requirement}


def _deactivation(login: User) -> Change:
    """Return the change of a login whose client is deleted."""
    return Change(
        action="update",
        entity="user",
        entity_id=login.id,
        client_id=login.client_id,
        before={"is_active": True},
        after={"is_active": False},
    )
