"""What clients hold: read, set, delete, and change by trades."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final, TypedDict

from tortoise import connections
from tortoise.transactions import in_transaction

from app.errors import Fault, InvalidInputError, MissingPricesError, NotFoundError
from app.models import MarketData, Position
from app.providers.base import PriceProvider
from app.services import journal
from app.services import prices as prices_service
from app.services.access import Caller, no_client
from app.services.clients import lock_client
from app.services.expected import Check, anything
from app.services.journal import Change, Touches
from app.services.shared_reads import SharedReads
from app.symbols import fx_symbol, is_fx_symbol, normalise_symbol

#: An account's gross value stays below this, so that every figure fits whole cents in 64 bits.
GROSS_VALUE_LIMIT: Final = Decimal(10) ** 12
_LARGEST: Final = Decimal(10) ** 12
#: What a JSON number carries unchanged.
_EXACT: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_CENT: Final = Decimal("0.01")
_PRICE_STEP: Final = Decimal("0.00000001")


#: $1 clients. The sub-select keeps the planner from planning anew for each number of them.
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


#: Where the requests of a process for positions wait.
PositionReads = SharedReads[int, list[PositionRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A purchase (`quantity` > 0) or sale (< 0) at a price in the stock's currency."""

    symbol: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Booked:
    """What a trade left behind: the position (None where it was closed) and the loan."""

    position: PositionRecord | None
    loan: Decimal


async def list_positions(client_id: int, *, caller: Caller, reads: PositionReads) -> list[PositionRecord]:
    """
    Return a client's positions by symbol.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
    """
    caller.check_client(client_id)
    return await reads.read(client_id)


async def load_positions(
    connection: Any,  # noqa: ANN401 - asyncpg's
    client_ids: Collection[int],
) -> Mapping[int, list[PositionRecord] | Exception]:
    """Return the positions of each client by symbol, by one statement; an error for one that does not exist."""
    found: defaultdict[int, list[PositionRecord]] = defaultdict(list)
    for client_id, symbol, quantity, cost_basis in await connection.fetch(_POSITIONS, client_ids):
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
    held = _record(await Position.get_or_none(client_id=client_id, symbol=symbol))
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
    symbol = _stock_symbol(position["symbol"])
    position = PositionRecord(symbol=symbol, quantity=position["quantity"], cost_basis=position["cost_basis"])
    async with in_transaction():
        await lock_client(client_id)
        held = _record(await Position.get_or_none(client_id=client_id, symbol=symbol))
        check(held)
        await _set(client_id, position)
        await _check_gross_value(client_id, base_currency=base_currency)
        change = Change(
            action="update" if held else "create",
            entity="position",
            entity_id=symbol,
            client_id=client_id,
            before=held,
            after=position,
        )
        await journal.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))
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
        held = _record(await Position.get_or_none(client_id=client_id, symbol=symbol))
        if held is None:
            raise _not_held(client_id, symbol)
        check(held)
        await Position.filter(client_id=client_id, symbol=symbol).delete()
        change = Change(action="delete", entity="position", entity_id=symbol, client_id=client_id, before=held)
        await journal.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))


async def book_trade(
    client_id: int, trade: Trade, *, provider: PriceProvider, base_currency: str, caller: Caller
) -> Booked:
    """
    Book a trade: position, average cost and loan in one transaction.

    The loan grows by quantity x price x fx, rounded to the cent, half away from zero. A stock that was never priced is
    asked for first: its currency must be known.

    Raises:
        InvalidInputError: the symbol is no stock's, or a figure would leave its bounds.
        NotFoundError: there is no such client.
        MissingPricesError: the stock's currency or its FX rate is not known.
    """
    symbol = _stock_symbol(trade.symbol)
    await ensure_priced(symbol, provider=provider, base_currency=base_currency)
    async with in_transaction():
        margin = await lock_client(client_id)
        fx = await _fx_of(symbol, base_currency=base_currency)
        held = await Position.get_or_none(client_id=client_id, symbol=symbol)
        before = {"position": _record(held), "loan": margin.loan}
        position = _after_trade(held, symbol=symbol, quantity=trade.quantity, price=trade.price)
        if position is None:
            await Position.filter(client_id=client_id, symbol=symbol).delete()
        else:
            await _set(client_id, position)
        margin.loan += (trade.quantity * trade.price * fx).quantize(_CENT, ROUND_HALF_UP)
        _check_bound("loan", margin.loan)
        await margin.save(update_fields=["loan", "timestamp"])
        await _check_gross_value(client_id, base_currency=base_currency)
        booked = {"quantity": trade.quantity, "price": trade.price, "fx": fx}
        change = Change(
            action="trade",
            entity="position",
            entity_id=symbol,
            client_id=client_id,
            before=before,
            after={"position": position, "loan": margin.loan, "trade": booked},
        )
        await journal.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))
    return Booked(position=position, loan=margin.loan)


def _stock_symbol(text: str) -> str:
    """Return the normalised symbol of something that can be held."""
    symbol = normalise_symbol(text)
    if is_fx_symbol(symbol):
        raise InvalidInputError(f"{symbol} is a currency pair, not a stock.")
    return symbol


def _after_trade(held: Position | None, *, symbol: str, quantity: Decimal, price: Decimal) -> PositionRecord | None:
    """Return the position after a trade: more of it averages the cost, less keeps it, through zero starts anew."""
    old = held.quantity if held else Decimal(0)
    new = old + quantity
    _check_bound("quantity", new)
    if new == 0:
        return None
    cost = price
    if held and (old > 0) == (quantity > 0):
        cost = _rounded_cost((old * held.cost_basis + quantity * price) / new)
    elif held and (old > 0) == (new > 0):
        cost = held.cost_basis
    return PositionRecord(symbol=symbol, quantity=new, cost_basis=cost)


def _rounded_cost(cost: Decimal) -> Decimal:
    """Return an average cost as the table and a JSON number carry it."""
    return _EXACT.plus(cost).quantize(_PRICE_STEP, ROUND_HALF_UP)


def _check_bound(name: str, value: Decimal) -> None:
    """Refuse a result that its column, or a JSON number, does not carry."""
    if abs(value) >= _LARGEST or len(value.normalize().as_tuple().digits) > _EXACT.prec:
        raise InvalidInputError(
            f"The {name} would become {value}, which is out of bounds.",
            faults=[Fault(where=("body", "quantity"), what=f"leads to a {name} that is out of bounds")],
        )


def _not_held(client_id: int, symbol: str) -> NotFoundError:
    return NotFoundError(f"Client {client_id} holds no {symbol}.")


def _record(held: Position | None) -> PositionRecord | None:
    """Return what is known of a position."""
    if held is None:
        return None
    return PositionRecord(symbol=held.symbol, quantity=held.quantity, cost_basis=held.cost_basis)


async def _set(client_id: int, position: PositionRecord) -> None:
    """Insert or update a position."""
    await connections.get("default").execute_query(
        "insert into position (client_id, symbol, quantity, cost_basis, updated_at) values ($1, $2, $3, $4, now())"
        " on conflict (client_id, symbol) do update"
        " set quantity = excluded.quantity, cost_basis = excluded.cost_basis, updated_at = excluded.updated_at",
        [client_id, position["symbol"], position["quantity"], position["cost_basis"]],
    )


async def _check_gross_value(client_id: int, *, base_currency: str) -> None:
    """Refuse an account whose priced positions are worth more than the arithmetic carries."""
    rows = await connections.get("default").execute_query_dict(
        "select coalesce(sum(abs(p.quantity) * d.current_price"
        " * case when d.currency = $2 then 1 else fx.current_price end), 0) as gross"
        " from position p join market_data d on d.symbol = p.symbol"
        " left join market_data fx on fx.symbol = d.currency || $2::text || '=X' and d.currency <> $2"
        " where p.client_id = $1",
        [client_id, base_currency],
    )
    if rows[0]["gross"] >= GROSS_VALUE_LIMIT:
        raise InvalidInputError(
            f"The account's gross value would reach {GROSS_VALUE_LIMIT:,}, the most that is supported.",
            faults=[Fault(where=("body", "quantity"), what="makes the account too large")],
        )


async def ensure_priced(symbol: str, *, provider: PriceProvider, base_currency: str) -> None:
    """
    Ask the source for a stock that was never priced.

    Raises:
        InvalidInputError: the symbol is no stock's.
        NotFoundError: the source does not know it.
        UnavailableError: the source cannot be asked.
    """
    symbol = _stock_symbol(symbol)
    if not await MarketData.exists(symbol=symbol):
        await prices_service.fetch_price(symbol, provider=provider, base_currency=base_currency)


async def _fx_of(symbol: str, *, base_currency: str) -> Decimal:
    """Return the value of one unit of the stock's currency in account currency."""
    stock = await MarketData.get(symbol=symbol)
    if stock.currency == base_currency:
        return Decimal(1)
    pair = fx_symbol(stock.currency, base_currency)
    rate = await MarketData.get_or_none(symbol=pair)
    if rate is None:
        raise missing_prices([pair])
    return rate.current_price


def missing_prices(symbols: Sequence[str]) -> MissingPricesError:
    """Return the error for figures that need prices which are not known."""
    return MissingPricesError(f"No price is known for {', '.join(symbols)}.", symbols=symbols)
