"""Books from the database: what the engine reads, gathered by one statement, so that it is one consistent moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from tortoise import connections

from app.engine.book import Book, Instruments, Prices

#: What is known of a symbol, in the engine's integers: price in account currency (null = not known) and instrument.
KNOWN_COLUMNS: Final = """
       case when d.current_price * f.fx < 1e10 then (round(d.current_price * f.fx, 8) * 100000000)::bigint end as price,
       coalesce((i.leverage * 10000)::bigint, 10000) as leverage,
       coalesce(i.marginable, true) as marginable,
       coalesce((i.house_rate * 10000)::bigint, -1) as house_rate,
       coalesce(i.quote_type, d.quote_type, 'EQUITY') = 'EQUITY' as is_stock
""".strip()
#: Where `KNOWN_COLUMNS` come from, for a column `symbol` and the parameter `base` with the account currency.
KNOWN_JOINS: Final = """
left join market_data d on d.symbol = {symbol}
left join market_data r on r.symbol = d.currency || {base} || '=X' and d.currency <> {base}
left join lateral (select case when d.currency = {base} then 1 else r.current_price end as fx) f on true
left join instrument i on i.symbol = {symbol}
""".strip()
#: Account currency per dollar in 1e-8; null = not known.
USD_RATE: Final = """
case when {base} = 'USD' then 100000000
     else (select (current_price * 100000000)::bigint from market_data where symbol = 'USD' || {base} || '=X')
end
""".strip()
#: $1 client, $2 account currency. Figures arrive as the engine's integers; null = not known.
_ONE_CLIENT: Final = f"""
select c.id as client_id,
       (m.loan * 100)::bigint as loan,
       coalesce((m.margin_requirement * 10000)::bigint, -1) as client_rate,
       p.symbol,
       (p.quantity * 1000000)::bigint as quantity,
       {KNOWN_COLUMNS},
       {USD_RATE.format(base="$2")} as usd_rate
from client c
join margin m on m.client_id = c.id
left join position p on p.client_id = c.id
{KNOWN_JOINS.format(symbol="p.symbol", base="$2")}
where c.id = $1
order by p.symbol
"""  # noqa: S608 - fragments of ours, no input


@dataclass(frozen=True, slots=True)
class Holdings:
    """A book with the prices and instruments that belong to it."""

    book: Book
    prices: Prices
    instruments: Instruments

    def unpriced(self) -> list[str]:
        """Return the symbols without a price, in order."""
        return [self.book.symbols[index] for index in np.flatnonzero(self.prices.price == 0)]


async def load_client(client_id: int, *, base_currency: str) -> Holdings | None:
    """Return a book of one client; None where there is no such client. Symbols are its own, in order."""
    rows = await connections.get("default").execute_query_dict(_ONE_CLIENT, [client_id, base_currency])
    return _holdings_of_one(rows) if rows else None


def _holdings_of_one(rows: Sequence[dict[str, Any]]) -> Holdings:
    """Return one client's rows as columns."""
    first = rows[0]
    held = [row for row in rows if row["symbol"] is not None]
    count = len(held)
    book = Book(
        client_ids=np.array([first["client_id"]], np.int64),
        offsets=np.array([0, count], np.int64),
        symbol_index=np.arange(count, dtype=np.int32),
        quantity=np.array([row["quantity"] for row in held], np.int64),
        loan=np.array([first["loan"]], np.int64),
        client_rate=np.array([first["client_rate"]], np.int64),
        symbols=tuple(row["symbol"] for row in held),
    )
    instruments = Instruments(
        leverage=np.array([row["leverage"] for row in held], np.int64),
        marginable=np.array([row["marginable"] for row in held], np.bool_),
        house_rate=np.array([row["house_rate"] for row in held], np.int64),
        is_stock=np.array([row["is_stock"] for row in held], np.bool_),
    )
    prices = Prices(price=np.array([row["price"] or 0 for row in held], np.int64), usd_rate=first["usd_rate"] or 0)
    return Holdings(book, prices, instruments)
