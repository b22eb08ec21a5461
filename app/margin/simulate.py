"""What-if: the same explanation of a changed account. Nothing is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.auth.types import Caller, no_client
from app.core.errors import Fault, InvalidInputError, MissingPricesError
from app.core.share_symbols import share_symbol
from app.core.symbols import normalise_symbol
from app.engine.units import MONEY_LIMIT, MONEY_SCALE, PRICE_SCALE, QUANTITY_LIMIT, QUANTITY_SCALE, divide, scaled
from app.margin.account import Account, PositionLine, load_account
from app.margin.explain import MarginSettings, explain_account
from app.margin.explain_schemas import SimulationOut
from app.policies.active import ActivePolicy

#: What one cent is in quantity (millionths) x price (1e-8) x fx (1e-8).
_CENT: Final = QUANTITY_SCALE * PRICE_SCALE * PRICE_SCALE // MONEY_SCALE


@dataclass(frozen=True, slots=True)
class SimulatedTrade:
    """A trade that is not made; `price` in the stock's currency, None = the current one."""

    symbol: str
    quantity: Decimal
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What would change: trades, then a deposit (> 0), then prices, in the stocks' currencies."""

    trades: Sequence[SimulatedTrade] = ()
    cash: Decimal = Decimal(0)
    prices: Mapping[str, Decimal] | None = None
    policy: ActivePolicy | None = None


async def simulate(client_id: int, changes: Changes, *, caller: Caller, settings: MarginSettings) -> SimulationOut:
    """
    Return a client's margin before and after changes.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
        InvalidInputError: a symbol is none, or a figure would leave its bounds.
        MissingPricesError: something that is held or traded has no price.
        ConflictError: the account is too large for exact figures.
    """
    caller.check_client(client_id)
    changes = _normalised(changes)
    prices = changes.prices or {}
    named = {trade.symbol for trade in changes.trades} | set(prices)
    account = await load_account(client_id, base_currency=settings.base_currency, further=sorted(named))
    if account is None:
        raise no_client(client_id)
    before = await explain_account(account, settings=settings)
    supposed = _priced(_deposited(_traded(account, changes.trades), changes.cash), prices)
    after = await explain_account(supposed, settings=replace(settings, policy=changes.policy or settings.policy))
    return SimulationOut(
        before=before,
        after=after,
        call_opens=after.margin_call_triggered and not before.margin_call_triggered,
        call_closes=before.margin_call_triggered and not after.margin_call_triggered,
    )


def _normalised(changes: Changes) -> Changes:
    trades = [replace(trade, symbol=share_symbol(trade.symbol)) for trade in changes.trades]
    prices = {normalise_symbol(symbol): price for symbol, price in (changes.prices or {}).items()}
    return replace(changes, trades=trades, prices=prices)


def _traded(account: Account, trades: Sequence[SimulatedTrade]) -> Account:
    """Return the account after the trades, in their order."""
    lines = {line.symbol: line for line in account.lines}
    loan = account.loan
    for trade in trades:
        line = lines[trade.symbol]
        quantity = scaled(trade.quantity, QUANTITY_SCALE)
        loan += _paid(line, trade, quantity)
        lines[trade.symbol] = replace(line, quantity=line.quantity + quantity)
        _check(abs(line.quantity + quantity) < QUANTITY_LIMIT and abs(loan) < MONEY_LIMIT, "trades")
    return replace(account, loan=loan, lines=tuple(lines.values()))


def _paid(line: PositionLine, trade: SimulatedTrade, quantity: int) -> int:
    """Return what the loan grows by, in cents: quantity x price x fx."""
    price = line.price if trade.price is None else scaled(trade.price, PRICE_SCALE)
    if price is None or line.fx is None:
        raise MissingPricesError(f"No price is known for {line.symbol}.", symbols=[line.symbol])
    return divide(quantity * price * line.fx, _CENT)


def _deposited(account: Account, cash: Decimal) -> Account:
    """Return the account after a deposit, or a withdrawal."""
    loan = account.loan - scaled(cash, MONEY_SCALE)
    _check(abs(loan) < MONEY_LIMIT, "cash")
    return replace(account, loan=loan)


def _priced(account: Account, prices: Mapping[str, Decimal]) -> Account:
    """Return the account at other prices."""
    lines = [
        replace(line, price=scaled(prices[line.symbol], PRICE_SCALE)) if line.symbol in prices else line
        for line in account.lines
    ]
    for line in lines:
        if line.symbol in prices and line.fx is None:
            raise MissingPricesError(f"The currency of {line.symbol} is not known.", symbols=[line.symbol])
    return replace(account, lines=tuple(lines))


def _check(holds: bool, field: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        fault = Fault(where=("body", field), what="take a figure out of its bounds")
        raise InvalidInputError(f"These {field} take the loan or a quantity out of its bounds.", faults=[fault])
