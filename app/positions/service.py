"""What clients hold: read, set, delete."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final, TypedDict

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller, no_client
from app.clients.service import lock_client
from app.core.errors import Fault, InvalidInputError, NotFoundError
from app.core.preconditions import Check, anything
from app.core.share_symbols import share_symbol
from app.core.symbols import normalise_symbol
from app.database import sql
from app.database.batch_loader import BatchLoader
from app.database.sql import Connection
from app.instruments.kinds import check_may_be_held
from app.models import Position

#: An account's gross value stays below this, so that every figure fits whole cents in 64 bits.
GROSS_VALUE_LIMIT: Final = Decimal(10) ** 12
#: Gross value of the rows {held} that have a price, over `GROSS_VALUE_JOINS`; {base} is the account currency.
GROSS_VALUE: Final = (
    "sum(abs({held}.quantity) * d.current_price * case when d.currency = {base} then 1 else fx.current_price end)"
)
GROSS_VALUE_JOINS: Final = """
join market_data d on d.symbol = {held}.symbol
left join market_data fx on fx.symbol = d.currency || {base} || '=X' and d.currency <> {base}
""".strip()
_GROSS_VALUE: Final = f"""
select coalesce({GROSS_VALUE.format(held="p", base="$2::text")}, 0) as gross
from position p {GROSS_VALUE_JOINS.format(held="p", base="$2::text")}
where p.client_id = $1
"""  # noqa: S608 - fragments of ours, no input

#: $1 clients. The sub-select keeps the planner from planning again for each number of them.
_POSITIONS: Final = """
select c.id, p.symbol, p.quantity, p.cost_basis
from unnest((select $1::bigint[])) as wanted(id)
join client c on c.id = wanted.id
left join position p on p.client_id = c.id
order by c.id, p.symbol
"""


class PositionRecord(TypedDict):
    """A holding: units (negative = short) and the average price paid, in the stock's currency."""

    symbol: str
    quantity: Decimal
    cost_basis: Decimal


#: Batches the requests of a process for positions.
PositionLoader = BatchLoader[int, list[PositionRecord]]


async def list_positions(client_id: int, *, caller: Caller, loader: PositionLoader) -> list[PositionRecord]:
    """
    Return a client's positions by symbol.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
    """
    caller.check_client(client_id)
    return await loader.load(client_id)


async def load_positions(
    connection: Connection,
    client_ids: Collection[int],
) -> Mapping[int, list[PositionRecord] | Exception]:
    """Return the positions of each client by symbol, by one statement; an error for one that does not exist."""
    found: defaultdict[int, list[PositionRecord]] = defaultdict(list)
    for row in await connection.fetch(_POSITIONS, client_ids):
        client_id, symbol, quantity, cost_basis = row.values()
        held = found[client_id]
        if symbol is not None:
            held.append(PositionRecord(symbol=symbol, quantity=quantity, cost_basis=cost_basis))
    return {client_id: found[client_id] if client_id in found else no_client(client_id) for client_id in client_ids}


async def get_position(client_id: int, symbol: str, *, caller: Caller) -> PositionRecord:
    """
    Return one position of a client.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: there is no such client, or the caller may not see it, or it has no such position.
    """
    caller.check_client(client_id)
    symbol = normalise_symbol(symbol)
    held = record_of(await Position.get_or_none(client_id=client_id, symbol=symbol))
    if held is None:
        raise _not_held(client_id, symbol)
    return held


async def put_position(
    client_id: int,
    position: PositionRecord,
    *,
    base_currency: str,
    caller: Caller,
    check: Check[PositionRecord] = anything,
) -> tuple[PositionRecord, bool]:
    """
    Set a position; return it, and whether it is new.

    Raises:
        InvalidInputError: its symbol is no stock's, or the account would become too large.
        NotFoundError: there is no such client.
        PreconditionError: what it holds of it is not what `check` expects.
    """
    symbol = share_symbol(position["symbol"])
    position = PositionRecord(symbol=symbol, quantity=position["quantity"], cost_basis=position["cost_basis"])
    async with in_transaction():
        await lock_client(client_id)
        held = record_of(await Position.get_or_none(client_id=client_id, symbol=symbol))
        check(held)
        await set_position(client_id, position)
        await check_gross_value(client_id, base_currency=base_currency)
        change = Change(
            action="update" if held else "create",
            entity="position",
            entity_id=symbol,
            client_id=client_id,
            before=held,
            after=position,
        )
        await recorder.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))
    return position, held is None


async def delete_position(
    client_id: int, symbol: str, *, caller: Caller, check: Check[PositionRecord] = anything
) -> None:
    """
    Delete a position.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: there is no such client, or it has no such position.
        PreconditionError: the position is not what `check` expects.
    """
    symbol = normalise_symbol(symbol)
    async with in_transaction():
        await lock_client(client_id)
        held = record_of(await Position.get_or_none(client_id=client_id, symbol=symbol))
        if held is None:
            raise _not_held(client_id, symbol)
        check(held)
        await Position.filter(client_id=client_id, symbol=symbol).delete()
        change = Change(action="delete", entity="position", entity_id=symbol, client_id=client_id, before=held)
        await recorder.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))


def _not_held(client_id: int, symbol: str) -> NotFoundError:
    return NotFoundError(f"Client {client_id} holds no {symbol}.")


def record_of(held: Position | None) -> PositionRecord | None:
    """Return what is known of a position."""
    if held is None:
        return None
    return PositionRecord(symbol=held.symbol, quantity=held.quantity, cost_basis=held.cost_basis)


async def set_position(client_id: int, position: PositionRecord) -> None:
    """
    Insert or update a position.

    Raises:
        InvalidInputError: its symbol is of a kind that cannot be held, or not short.
    """
    await check_may_be_held(position["symbol"], position["quantity"])
    await sql.run(
        "insert into position (client_id, symbol, quantity, cost_basis, updated_at) values ($1, $2, $3, $4, now())"
        " on conflict (client_id, symbol) do update"
        " set quantity = excluded.quantity, cost_basis = excluded.cost_basis, updated_at = excluded.updated_at",
        client_id,
        position["symbol"],
        position["quantity"],
        position["cost_basis"],
    )


async def check_gross_value(client_id: int, *, base_currency: str) -> None:
    """Refuse an account whose priced positions are worth more than the arithmetic carries."""
    account = await sql.one(_GROSS_VALUE, client_id, base_currency)
    if account["gross"] >= GROSS_VALUE_LIMIT:
        raise InvalidInputError(
            f"The account's gross value would reach {GROSS_VALUE_LIMIT:,}, the most that is supported.",
            faults=[Fault(where=("body", "quantity"), what="makes the account too large")],
        )
