"""The whole book as columns, and parts of it: what PostgreSQL stores, in the engine's integers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.book.types import CLIENT_RATE, KNOWN_COLUMNS, KNOWN_JOINS, LOAN, QUANTITY, USD_RATE, Holdings
from app.database.bulk_read import copy_bigints, snapshot
from app.database.sql import Connection, Row
from app.engine.book import Book, Instruments, Prices
from app.stocks.held_symbols import HELD

_NAMED: Final = "with held as (select unnest($2::text[]) as symbol)"
#: $1 account currency. Price and instrument of the symbols in `held`.
_KNOWN: Final = f"""
select h.symbol,
       hashtextextended(h.symbol, 0) as hash,
       {KNOWN_COLUMNS.format(base="$1")}
from held h
{KNOWN_JOINS.format(symbol="h.symbol")}
order by h.symbol
"""  # noqa: S608 - fragments of ours, no input
_USD_RATE: Final = f"select {USD_RATE.format(base='$1')}"
_CLIENT: Final = f"m.client_id, {LOAN.format('m')} as loan, {CLIENT_RATE.format('m')} as rate"
CLIENTS: Final = f"select {_CLIENT} from margin m order by client_id"  # noqa: S608 - fragments of ours, no input
POSITIONS: Final = f"select client_id, hashtextextended(symbol, 0), {QUANTITY.format('p')} from position p"  # noqa: S608 - fragments of ours, no input
_SOME_CLIENTS: Final = f"""
select {_CLIENT}, p.symbol, {QUANTITY.format("p")} as quantity
from margin m left join position p on p.client_id = m.client_id
where m.client_id = any($1::bigint[])
order by m.client_id, p.symbol
"""  # noqa: S608 - fragments of ours, no input


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTable:
    """S symbols with price and instrument, as columns."""

    symbols: tuple[str, ...]
    prices: Prices
    instruments: Instruments


@dataclass(frozen=True, slots=True, eq=False)
class ReadClients:
    """Clients as they were read, a row a position; one that does not exist (any more) has none."""

    rows: Sequence[Row]

    @property
    def symbols(self) -> set[str]:
        """What they hold."""
        return {row["symbol"] for row in self.rows if row["symbol"] is not None}

    def over(self, symbols: tuple[str, ...]) -> Book:
        """
        Return them as a book over symbols, which must have all that they hold.

        Raises:
            KeyError: a symbol that is missing.
        """
        index = index_of(symbols)
        held = [row for row in self.rows if row["symbol"] is not None]
        first = [row for row, before in zip(self.rows, [None, *self.rows], strict=False) if _is_new(row, before)]
        ids = np.array([row["client_id"] for row in first], np.int64)
        holders = np.array([row["client_id"] for row in held], np.int64)
        return Book(
            client_ids=ids,
            offsets=np.append(np.searchsorted(holders, ids), len(held)).astype(np.int64),
            symbol_index=np.array([index[row["symbol"]] for row in held], np.int32),
            quantity=np.array([row["quantity"] for row in held], np.int64),
            loan=np.array([row["loan"] for row in first], np.int64),
            client_rate=np.array([row["rate"] for row in first], np.int64),
            symbols=symbols,
        )


async def load_book(*, base_currency: str) -> Holdings:
    """Return every client with its positions, at one moment of the database; see `read_book`."""
    async with snapshot() as connection:
        return await read_book(connection, base_currency=base_currency)


async def read_book(connection: Connection, *, base_currency: str) -> Holdings:
    """
    Return every client with its positions, as a snapshot sees them; clients by id, symbols by name.

    Cost: O(P) on the server and here; memory beyond the columns is a piece of the stream.
    """
    rows = await connection.fetch(HELD + _KNOWN, base_currency)
    table = await _table(connection, rows, base_currency=base_currency)
    clients, loan, rate = await copy_bigints(connection, CLIENTS, columns=3)
    holders, hashes, quantity = await copy_bigints(connection, POSITIONS, columns=3)
    if not bool(np.all(holders[1:] >= holders[:-1])):  # rows mostly lie by client already
        order = np.argsort(holders, kind="stable")
        holders, hashes, quantity = holders[order], hashes[order], quantity[order]
    book = Book(
        client_ids=clients,
        offsets=np.append(np.searchsorted(holders, clients), len(holders)).astype(np.int64),
        symbol_index=_index_of(hashes, np.array([row["hash"] for row in rows], np.int64)),
        quantity=quantity,
        loan=loan,
        client_rate=rate,
        symbols=table.symbols,
    )
    return Holdings(book, table.prices, table.instruments)


async def read_symbols(connection: Connection, symbols: Collection[str], *, base_currency: str) -> SymbolTable:
    """Return what a snapshot knows of some symbols, by name."""
    rows = await connection.fetch(_NAMED + _KNOWN, base_currency, list(symbols))
    return await _table(connection, rows, base_currency=base_currency)


async def read_clients(connection: Connection, client_ids: Collection[int]) -> ReadClients:
    """Return what a snapshot knows of some clients. One Python object per row: for some, not for all."""
    return ReadClients(await connection.fetch(_SOME_CLIENTS, list(client_ids)))


@lru_cache(maxsize=1)
def index_of(symbols: tuple[str, ...]) -> Mapping[str, int]:
    """Return where each symbol is; a book has the same ones for a long time."""
    return {symbol: index for index, symbol in enumerate(symbols)}


async def _table(connection: Connection, rows: Sequence[Row], *, base_currency: str) -> SymbolTable:
    usd_rate = await connection.fetchval(_USD_RATE, base_currency)
    return SymbolTable(
        symbols=tuple(row["symbol"] for row in rows),
        prices=Prices(price=np.array([row["price"] or 0 for row in rows], np.int64), usd_rate=usd_rate or 0),
        instruments=Instruments(
            leverage=np.array([row["leverage"] for row in rows], np.int64),
            marginable=np.array([row["marginable"] for row in rows], np.bool_),
            house_rate=np.array([row["house_rate"] for row in rows], np.int64),
            is_stock=np.array([row["is_stock"] for row in rows], np.bool_),
        ),
    )


def _is_new(row: Row, before: Row | None) -> bool:
    return before is None or row["client_id"] != before["client_id"]


def _index_of(hashes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the index of each hash among the known ones, which are those of the book's symbols."""
    order = np.argsort(known)
    ranked = known[order]
    assert bool(np.all(ranked[1:] > ranked[:-1])), "two symbols have one 64-bit hash"
    found = np.searchsorted(ranked, hashes)
    assert bool(np.all(ranked[found] == hashes)), "a position's symbol is among those that are held"
    return order[found].astype(np.int32)
