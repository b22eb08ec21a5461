"""A client's holdings as columns of the engine, and the SQL that scales what is stored to its integers."""

from dataclasses import dataclass
from typing import Final

from app.engine.book import Book, Instruments, Prices
from app.instruments.kinds import NO_LOAN_VALUE, NOT_HELD, sql_list

#: The loan of a row of `margin` in cents, the client's own rate in 1e-4 (-1 = none), and the quantity of a row of
#: `position` in millionths; the format's argument is the name of the row.
LOAN: Final = "({0}.loan * 100)::bigint"
CLIENT_RATE: Final = "coalesce(({0}.margin_requirement * 10000)::bigint, -1)"
QUANTITY: Final = "({0}.quantity * 1000000)::bigint"
#: What kind a symbol is of: the instrument's word, else the price's; nothing known is a share.
_KIND: Final = "coalesce(i.quote_type, d.quote_type, 'EQUITY')"
#: Whether a symbol, of instrument `i` and price `d`, is of a kind that may be held, has loan value, and is a stock.
MAY_BE_HELD: Final = f"{_KIND} not in ({sql_list(NOT_HELD)})"
MARGINABLE: Final = f"coalesce(i.marginable, true) and {_KIND} not in ({sql_list(NO_LOAN_VALUE)})"
IS_STOCK: Final = f"{_KIND} = 'EQUITY'"
#: What is known of a symbol, in the engine's integers, where `base` is the parameter with the account currency: price
#: in account currency (null = not known) and instrument. Only a price in another currency looks for its FX rate.
KNOWN_COLUMNS: Final = f"""
       case when not {MAY_BE_HELD} then null
            when d.currency = {{base}} then (d.current_price * 100000000)::bigint
            else (select case when d.current_price * r.current_price < 1e10
                              then (round(d.current_price * r.current_price, 8) * 100000000)::bigint end
                  from market_data r where r.symbol = d.currency || {{base}} || '=X')
       end as price,
       coalesce((i.leverage * 10000)::bigint, 10000) as leverage,
       {MARGINABLE} as marginable,
       coalesce((i.house_rate * 10000)::bigint, -1) as house_rate,
       {IS_STOCK} as is_stock
""".strip()  # noqa: S608 - fragments of ours, no input
#: Where `KNOWN_COLUMNS` come from, for a column `symbol`. `offset 0` makes the planner look symbols up by the index:
#: for one client's positions that is sooner done than the hash table that it would build of every symbol.
KNOWN_JOINS: Final = """
left join lateral (select * from market_data where symbol = {symbol} offset 0) d on true
left join lateral (select * from instrument where symbol = {symbol} offset 0) i on true
""".strip()
#: Account currency per dollar in 1e-8; null = not known.
USD_RATE: Final = """
case when {base} = 'USD' then 100000000
     else (select (current_price * 100000000)::bigint from market_data where symbol = 'USD' || {base} || '=X')
end
""".strip()


@dataclass(frozen=True, slots=True)
class Holdings:
    """A book with the prices and instruments that belong to it."""

    book: Book
    prices: Prices
    instruments: Instruments

    def unpriced(self, row: int = 0) -> list[str]:
        """Return the symbols without a price that a client holds, in order."""
        held = self.book.symbol_index[self.book.offsets[row] : self.book.offsets[row + 1]]
        return sorted(self.book.symbols[index] for index in held[self.prices.price[held] == 0])
