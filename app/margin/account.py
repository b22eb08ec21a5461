"""Accounts in full, by one statement: positions, quotes, FX rates and instruments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np

from app.book.types import CLIENT_RATE, IS_STOCK, LOAN, MARGINABLE, MAY_BE_HELD, QUANTITY, USD_RATE
from app.database import sql
from app.engine.book import Book, Instruments, Prices
from app.engine.quotes import Quotes
from app.engine.units import PRICE_LIMIT, PRICE_SCALE, convert
from app.stocks.basis import PriceProvenance
from app.stocks.doubt import DoubtReason

#: $1 clients, $2 account currency, $3 further symbols. Integers as the engine counts them; null = not known.
_ACCOUNT: Final = f"""
select c.id as client_id,
       {LOAN.format("m")} as loan,
       {CLIENT_RATE.format("m")} as client_rate,
       {USD_RATE.format(base="$2")} as usd_rate,
       s.symbol,
       coalesce({QUANTITY.format("p")}, 0) as quantity,
       case when {MAY_BE_HELD} then (d.current_price * 100000000)::bigint end as price,
       d.currency, d.source, d."timestamp" as market_time, d.exchange,
       case when d.currency = $2 then 100000000 else (r.current_price * 100000000)::bigint end as fx,
       r.source as fx_source, r."timestamp" as fx_time, r.exchange as fx_exchange,
       (p.cost_basis * 100000000)::bigint as cost,
       d.doubt_reason, (d.doubt_low * 100000000)::bigint as doubt_low, (d.doubt_high * 100000000)::bigint as doubt_high,
       r.doubt_reason as fx_doubt_reason, (r.doubt_low * 100000000)::bigint as fx_doubt_low,
       (r.doubt_high * 100000000)::bigint as fx_doubt_high,
       coalesce((i.leverage * 10000)::bigint, 10000) as leverage,
       {MARGINABLE} as marginable,
       coalesce((i.house_rate * 10000)::bigint, -1) as house_rate,
       {IS_STOCK} as is_stock
from client c
join margin m on m.client_id = c.id
left join lateral (
    select symbol from position where client_id = c.id union select unnest($3::text[])
) s on true
left join position p on p.client_id = c.id and p.symbol = s.symbol
left join market_data d on d.symbol = s.symbol
left join market_data r on r.symbol = d.currency || $2 || '=X' and d.currency <> $2
left join instrument i on i.symbol = s.symbol
where c.id = any($1::bigint[])
order by c.id, s.symbol
"""  # noqa: S608 - fragments of ours, no input


@dataclass(frozen=True, slots=True)
class DoubtfulRange:
    """Between what a price, or a rate, lies, in 1e-8, and why that is in doubt."""

    reason: DoubtReason
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class PositionLine:
    """
    A symbol of the account; `quantity` 0 where it is only asked about.

    Quantity in millionths; `price` (in `currency`) and `fx` (to account currency) in 1e-8, None = not known; rates and
    leverage in 1e-4, -1 = none.
    """

    symbol: str
    quantity: int
    price: int | None
    currency: str | None
    fx: int | None
    quote: PriceProvenance | None
    rate: PriceProvenance | None
    leverage: int
    marginable: bool
    house_rate: int
    is_stock: bool
    #: Paid per unit in `currency`, 1e-8.
    cost: int | None = None
    doubt: DoubtfulRange | None = None
    rate_doubt: DoubtfulRange | None = None

    @property
    def account_price(self) -> int:
        """Price x fx in 1e-8, rounded half up; 0 = not known, or beyond what the engine counts."""
        if self.price is None or self.fx is None:
            return 0
        price = convert(self.price, self.fx)
        return price if price < PRICE_LIMIT else 0


@dataclass(frozen=True, slots=True)
class Account:
    """A client's loan in cents, own rate in 1e-4 (-1 = none), dollars' rate in 1e-8 (0 = not known), and lines."""

    client_id: int
    loan: int
    client_rate: int
    usd_rate: int
    lines: tuple[PositionLine, ...]

    @property
    def held(self) -> list[PositionLine]:
        """The lines that are positions, by symbol."""
        return [line for line in self.lines if line.quantity]

    def unpriced(self) -> list[str]:
        """Return the held symbols without a price."""
        return [line.symbol for line in self.held if not line.account_price]


async def load_account(client_id: int, *, base_currency: str, further: Sequence[str] = ()) -> Account | None:
    """Return a client's account with lines for `further` symbols too; None where there is no such client."""
    return (await load_accounts([client_id], base_currency=base_currency, further=further)).get(client_id)


async def load_accounts(
    client_ids: Sequence[int], *, base_currency: str, further: Sequence[str] = ()
) -> dict[int, Account]:
    """Return the accounts of those clients that exist, by id, as `load_account` does; one statement for all."""
    parameters = [list(client_ids), base_currency, list(further)]
    rows = await sql.rows(_ACCOUNT, *parameters)
    return {client_id: _account(list(group)) for client_id, group in groupby(rows, itemgetter("client_id"))}


def columns(account: Account) -> tuple[Book, Prices, Quotes, Instruments]:
    """Return the account as a book of one client; symbols are its positions', in order."""
    held = account.held
    book = Book(
        client_ids=np.array([account.client_id], np.int64),
        offsets=np.array([0, len(held)], np.int64),
        symbol_index=np.arange(len(held), dtype=np.int32),
        quantity=np.array([line.quantity for line in held], np.int64),
        loan=np.array([account.loan], np.int64),
        client_rate=np.array([account.client_rate], np.int64),
        symbols=tuple(line.symbol for line in held),
    )
    quotes = Quotes(
        price=np.array([line.price or 0 for line in held], np.int64),
        fx=np.array([line.fx or PRICE_SCALE for line in held], np.int64),
    )
    instruments = Instruments(
        leverage=np.array([line.leverage for line in held], np.int64),
        marginable=np.array([line.marginable for line in held], np.bool_),
        house_rate=np.array([line.house_rate for line in held], np.int64),
        is_stock=np.array([line.is_stock for line in held], np.bool_),
    )
    prices = Prices(np.array([line.account_price for line in held], np.int64), account.usd_rate)
    return book, prices, quotes, instruments


def _account(rows: Sequence[Mapping[str, Any]]) -> Account:
    """Return one client's rows as its account."""
    first = rows[0]
    lines = tuple(_line(row) for row in rows if row["symbol"] is not None)
    return Account(first["client_id"], first["loan"], first["client_rate"], first["usd_rate"] or 0, lines)


def _line(row: Mapping[str, Any]) -> PositionLine:
    return PositionLine(
        symbol=row["symbol"],
        quantity=row["quantity"],
        price=row["price"],
        currency=row["currency"],
        fx=row["fx"],
        quote=_evidence(row["source"], row["market_time"], row["exchange"]),
        rate=_evidence(row["fx_source"], row["fx_time"], row["fx_exchange"]),
        leverage=row["leverage"],
        marginable=row["marginable"],
        house_rate=row["house_rate"],
        is_stock=row["is_stock"],
        cost=row["cost"],
        doubt=_doubt(row["doubt_reason"], row["doubt_low"], row["doubt_high"]),
        rate_doubt=_doubt(row["fx_doubt_reason"], row["fx_doubt_low"], row["fx_doubt_high"]),
    )


def _doubt(reason: str | None, low: int, high: int) -> DoubtfulRange | None:
    return None if reason is None else DoubtfulRange(DoubtReason(reason), low, high)


def _evidence(source: str | None, market_time: datetime | None, exchange: str | None) -> PriceProvenance | None:
    return None if source is None or market_time is None else PriceProvenance(source, market_time, exchange)
