"""Trades: position, average cost and loan change together."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.clients.service import lock_client
from app.core.errors import Fault, InvalidInputError, MissingPricesError
from app.core.share_symbols import share_symbol
from app.core.symbols import fx_symbol
from app.models import MarketData, Position
from app.positions.service import PositionRecord, check_gross_value, record_of, set_position
from app.stocks import service as stocks_service
from app.stocks.types import PriceFeed

_LARGEST: Final = Decimal(10) ** 12
#: What a JSON number carries unchanged.
_EXACT: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_CENT: Final = Decimal("0.01")
_PRICE_STEP: Final = Decimal("0.00000001")


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


async def book_trade(client_id: int, trade: Trade, *, feed: PriceFeed, caller: Caller) -> Booked:
    """
    Book a trade: position, average cost and loan in one transaction.

    The loan grows by quantity x price x fx, rounded to the cent, half away from zero. A stock that was never priced is
    asked for first: its currency must be known.

    Raises:
        InvalidInputError: the symbol is no stock's, or a figure would leave its bounds.
        NotFoundError: there is no such client.
        MissingPricesError: the stock's currency or its FX rate is not known.
    """
    symbol = share_symbol(trade.symbol)
    await ensure_priced(symbol, feed=feed)
    async with in_transaction():
        margin = await lock_client(client_id)
        fx = await _fx_of(symbol, base_currency=feed.base_currency)
        held = await Position.get_or_none(client_id=client_id, symbol=symbol)
        before = {"position": record_of(held), "loan": margin.loan}
        position = _after_trade(held, symbol=symbol, quantity=trade.quantity, price=trade.price)
        if position is None:
            await Position.filter(client_id=client_id, symbol=symbol).delete()
        else:
            await set_position(client_id, position)
        margin.loan += (trade.quantity * trade.price * fx).quantize(_CENT, ROUND_HALF_UP)
        _check_bound("loan", margin.loan)
        await margin.save(update_fields=["loan", "timestamp"])
        await check_gross_value(client_id, base_currency=feed.base_currency)
        booked = {"quantity": trade.quantity, "price": trade.price, "fx": fx}
        change = Change(
            action="trade",
            entity="position",
            entity_id=symbol,
            client_id=client_id,
            before=before,
            after={"position": position, "loan": margin.loan, "trade": booked},
        )
        await recorder.record(change, actor=caller.username, touches=Touches(client_ids=[client_id]))
    return Booked(position=position, loan=margin.loan)


def _after_trade(held: Position | None, *, symbol: str, quantity: Decimal, price: Decimal) -> PositionRecord | None:
    """Return the position after a trade: more of it averages the cost, less keeps it, through zero starts a new one."""
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


async def ensure_priced(symbol: str, *, feed: PriceFeed) -> None:
    """
    Ask the source for a stock that was never priced.

    Raises:
        InvalidInputError: the symbol is no stock's.
        NotFoundError: the source does not know it.
        UnavailableError: the source cannot be asked.
    """
    symbol = share_symbol(symbol)
    if not await MarketData.exists(symbol=symbol):
        await stocks_service.fetch_price(symbol, feed=feed)


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
