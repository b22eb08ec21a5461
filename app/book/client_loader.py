"""Books from the database: what the engine reads, gathered by one statement, so that it is one consistent moment."""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.book.types import CLIENT_RATE, KNOWN_COLUMNS, KNOWN_JOINS, LOAN, QUANTITY, USD_RATE, Holdings
from app.database import sql
from app.database.sql import Connection, Row
from app.engine.book import Book, Instruments, Prices

#: $1 clients, $2 account currency. One row: the columns of clients, by id, and those of their positions, by client, as
#: the bytes of one column after the other, since a Python object for each figure costs more than the figure.
#: 0 = no price. The sub-select keeps the planner from planning again for each number of clients.
_CLIENTS: Final = f"""
with asked as materialized (
    select m.client_id, {LOAN.format("m")} as loan, {CLIENT_RATE.format("m")} as client_rate
    from unnest((select $1::bigint[])) as wanted(id) join margin m on m.client_id = wanted.id
    order by m.client_id
)
select (
           select string_agg(int8send(client_id), '') || string_agg(int8send(loan), '')
                  || string_agg(int8send(client_rate), '')
           from asked
       ) as clients, h.positions, h.symbols, {USD_RATE.format(base="$2")} as usd_rate
from (
    select string_agg(int8send(client_id), '') || string_agg(int8send(quantity), '')
           || string_agg(int8send(coalesce(price, 0)), '') || string_agg(int8send(leverage), '')
           || string_agg(int8send(marginable::int), '') || string_agg(int8send(house_rate), '')
           || string_agg(int8send(is_stock::int), '') as positions,
           array_agg(symbol) as symbols
    from (
        select a.client_id, p.symbol, {QUANTITY.format("p")} as quantity,
               {KNOWN_COLUMNS.format(base="$2")}
        from asked a join position p on p.client_id = a.client_id
        {KNOWN_JOINS.format(symbol="p.symbol")}
        order by a.client_id
    ) held
) h
"""  # noqa: S608 - fragments of ours, no input
_CLIENT_COLUMNS: Final = 3
_POSITION_COLUMNS: Final = 7


async def load_client(client_id: int, *, base_currency: str) -> Holdings | None:
    """Return a book of one client; None where there is no such client."""
    async with sql.acquire() as connection:
        holdings = await load_clients(connection, [client_id], base_currency=base_currency)
    return holdings if len(holdings.book.client_ids) else None


async def load_clients(connection: Connection, client_ids: Collection[int], *, base_currency: str) -> Holdings:
    """
    Return a book of some clients, by one statement; a client that does not exist is left out.

    Clients by id. Each position has a symbol of its own, so a name occurs as often as clients hold it.

    Args:
        connection: asyncpg's.
        client_ids: each once.
        base_currency: the account currency.
    """
    return _holdings(await connection.fetchrow(_CLIENTS, client_ids, base_currency))


def _holdings(row: Row) -> Holdings:
    """Return clients and positions as a book."""
    client_ids, loan, client_rate = _columns(row["clients"], _CLIENT_COLUMNS)
    holders, quantity, price, leverage, marginable, house_rate, is_stock = _columns(row["positions"], _POSITION_COLUMNS)
    offsets = np.empty(len(client_ids) + 1, np.int64)
    offsets[:-1], offsets[-1] = np.searchsorted(holders, client_ids), len(holders)
    book = Book(
        client_ids=client_ids,
        offsets=offsets,
        symbol_index=np.arange(len(holders), dtype=np.int32),
        quantity=quantity,
        loan=loan,
        client_rate=client_rate,
        symbols=tuple(row["symbols"] or ()),
    )
    instruments = Instruments(leverage, marginable != 0, house_rate, is_stock != 0)
    return Holdings(book, Prices(price=price, usd_rate=row["usd_rate"] or 0), instruments)


def _columns(data: bytes | None, count: int) -> NDArray[np.int64]:
    """Return columns of bigints from their bytes, one after the other; None = no rows."""
    return np.frombuffer(data or b"", ">i8").astype(np.int64).reshape(count, -1)
