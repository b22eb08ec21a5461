"""The whole book as columns: binary COPY from PostgreSQL, read by numpy, no Python object per row."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tortoise import connections
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.transactions import in_transaction

from app.engine.book import Book, Instruments, Prices
from app.services.book import Holdings

_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
#: Rows are read off the wire in pieces of about this size.
_PIECE_BYTES: Final = 8 << 20

#: $1 account currency. Every held symbol, found by stepping through the index, with what is known of it.
_SYMBOLS: Final = """
with recursive held as (
    select min(symbol) as symbol from position
    union all
    select (select min(p.symbol) from position p where p.symbol > held.symbol) from held where held.symbol is not null
)
select h.symbol,
       hashtextextended(h.symbol, 0) as hash,
       case when d.current_price * f.fx < 1e10 then (round(d.current_price * f.fx, 8) * 100000000)::bigint end as price,
       coalesce((i.leverage * 10000)::bigint, 10000) as leverage,
       coalesce(i.marginable, true) as marginable,
       coalesce((i.house_rate * 10000)::bigint, -1) as house_rate,
       coalesce(i.quote_type, d.quote_type, 'EQUITY') = 'EQUITY' as is_stock
from held h
left join market_data d on d.symbol = h.symbol
left join market_data r on r.symbol = d.currency || $1 || '=X' and d.currency <> $1
left join lateral (select case when d.currency = $1 then 1 else r.current_price end as fx) f on true
left join instrument i on i.symbol = h.symbol
where h.symbol is not null
order by h.symbol
"""
_USD_RATE: Final = """
select case when $1 = 'USD' then 100000000
            else (select (current_price * 100000000)::bigint from market_data where symbol = 'USD' || $1 || '=X')
       end as usd_rate
"""
_CLIENTS: Final = """
select client_id, (loan * 100)::bigint, coalesce((margin_requirement * 10000)::bigint, -1)
from margin order by client_id
"""
_POSITIONS: Final = "select client_id, hashtextextended(symbol, 0), (quantity * 1000000)::bigint from position"


async def load_book(*, base_currency: str) -> Holdings:
    """
    Return every client with its positions, at one moment of the database; clients by id, symbols by name.

    Cost: O(P) on the server and here; memory beyond the columns is a piece of the stream.
    """
    async with _snapshot() as connection:
        rows = await connection.fetch(_SYMBOLS, base_currency)
        usd_rate = await connection.fetchval(_USD_RATE, base_currency)
        clients, loan, rate = await _copy(connection, _CLIENTS, columns=3)
        holders, hashes, quantity = await _copy(connection, _POSITIONS, columns=3)
    holders, hashes, quantity = _by_client(holders, hashes, quantity)
    book = Book(
        client_ids=clients,
        offsets=np.append(np.searchsorted(holders, clients), len(holders)).astype(np.int64),
        symbol_index=_index_of(hashes, rows),
        quantity=quantity,
        loan=loan,
        client_rate=rate,
        symbols=tuple(row["symbol"] for row in rows),
    )
    prices = Prices(price=np.array([row["price"] or 0 for row in rows], np.int64), usd_rate=usd_rate or 0)
    return Holdings(book, prices, _instruments(rows))


@asynccontextmanager
async def _snapshot() -> AsyncIterator[Any]:
    """Give asyncpg's connection in a read-only transaction that sees one moment; inside a transaction, that one."""
    nested = isinstance(connections.get("default"), TransactionalDBClient)
    async with in_transaction() as transaction:
        connection = transaction._connection  # noqa: SLF001 - COPY is asyncpg's alone
        if not nested:
            await connection.execute("set transaction isolation level repeatable read, read only")
            await connection.execute("set local statement_timeout = 0")
        yield connection


async def _copy(connection: Any, query: str, *, columns: int) -> list[NDArray[np.int64]]:  # noqa: ANN401 - untyped asyncpg
    """Return the columns of a query whose rows are non-null bigints."""
    reader = _Reader(columns)
    await connection.copy_from_query(query, output=reader.feed, format="binary")
    return reader.columns()


class _Reader:
    """Turns a binary COPY stream of non-null bigints into columns."""

    def __init__(self, columns: int) -> None:
        fields = [("count", ">i2")] + [(f"{kind}{n}", size) for n in range(columns) for kind, size in _FIELD]
        self._row = np.dtype(fields)
        self._names = [f"value{n}" for n in range(columns)]
        self._pieces: list[list[NDArray[np.int64]]] = [[] for _ in range(columns)]
        self._rest = bytearray()
        self._skip = _HEADER_BYTES

    async def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._rest += data
        if len(self._rest) >= _PIECE_BYTES:
            self._read()

    def columns(self) -> list[NDArray[np.int64]]:
        """Return what the whole stream held."""
        self._read()
        assert self._rest == b"\xff\xff", "a COPY stream ends with its trailer"
        columns = []
        for pieces in self._pieces:
            columns.append(np.concatenate(pieces) if pieces else np.empty(0, np.int64))
            pieces.clear()
        return columns

    def _read(self) -> None:
        """Move whole rows from the bytes to the columns; the last bytes may be the trailer."""
        rows = (len(self._rest) - self._skip - _TRAILER_BYTES) // self._row.itemsize
        end = self._skip + rows * self._row.itemsize
        table = np.frombuffer(bytes(self._rest[self._skip : end]), self._row)
        for pieces, name in zip(self._pieces, self._names, strict=True):
            pieces.append(table[name].astype(np.int64))
        del self._rest[:end]
        self._skip = 0


#: In binary COPY each field is its length and its value.
_FIELD: Final = (("length", ">i4"), ("value", ">i8"))


def _by_client(
    holders: NDArray[np.int64], hashes: NDArray[np.int64], quantity: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns grouped by client; rows mostly lie in that order already."""
    if bool(np.all(holders[1:] >= holders[:-1])):
        return holders, hashes, quantity
    order = np.argsort(holders, kind="stable")
    return holders[order], hashes[order], quantity[order]


def _index_of(hashes: NDArray[np.int64], rows: Sequence[Mapping[str, Any]]) -> NDArray[np.int32]:
    """Return the index among `rows` of the symbol behind each hash."""
    known = np.array([row["hash"] for row in rows], np.int64)
    order = np.argsort(known)
    ranked = known[order]
    assert bool(np.all(ranked[1:] > ranked[:-1])), "two symbols have one 64-bit hash"
    found = np.searchsorted(ranked, hashes)
    assert bool(np.all(ranked[found] == hashes)), "a position's symbol is among those that are held"
    return order[found].astype(np.int32)


def _instruments(rows: Sequence[Mapping[str, Any]]) -> Instruments:
    """Return what is known of the symbols, as columns."""
    return Instruments(
        leverage=np.array([row["leverage"] for row in rows], np.int64),
        marginable=np.array([row["marginable"] for row in rows], np.bool_),
        house_rate=np.array([row["house_rate"] for row in rows], np.int64),
        is_stock=np.array([row["is_stock"] for row in rows], np.bool_),
    )
