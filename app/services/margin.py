"""Margin of clients: gather a book, let the engine decide, hand out rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from app.engine.margin import margin_report
from app.engine.rules import MarginRules
from app.errors import ConflictError, MissingPricesError
from app.services.access import Caller, no_client
from app.services.book import Holdings, load_client
from app.symbols import fx_symbol

_CENTS: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class MarginStatus:
    """A client's margin; money in account currency, `margin_shortfall` > 0 is a call."""

    timestamp: datetime
    client_id: int
    portfolio_value: Decimal
    loan_amount: Decimal
    net_equity: Decimal
    margin_requirement: Decimal
    margin_shortfall: Decimal
    margin_call_triggered: bool


async def margin_status(client_id: int, *, caller: Caller, rules: MarginRules, base_currency: str) -> MarginStatus:
    """
    Return a client's margin at the stored prices.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
        MissingPricesError: a position has no price, or its currency no rate; `symbols` names them.
        ConflictError: the account is too large for exact figures.
    """
    caller.check_client(client_id)
    holdings = await load_client(client_id, base_currency=base_currency)
    if holdings is None:
        raise no_client(client_id)
    report = margin_report(holdings.book, holdings.prices, holdings.instruments, rules)
    if not report.complete[0]:
        raise incomplete(client_id, holdings, base_currency=base_currency)
    return MarginStatus(
        timestamp=datetime.now(UTC),
        client_id=client_id,
        portfolio_value=money(report.portfolio_value[0]),
        loan_amount=money(holdings.book.loan[0]),
        net_equity=money(report.net_equity[0]),
        margin_requirement=money(report.margin_requirement[0]),
        margin_shortfall=money(report.margin_shortfall[0]),
        margin_call_triggered=bool(report.margin_shortfall[0] > 0),
    )


def incomplete(client_id: int, holdings: Holdings, *, base_currency: str) -> ConflictError:
    """Return why a client's margin cannot be given."""
    if symbols := holdings.unpriced():
        return missing_prices(client_id, symbols)
    if not holdings.prices.usd_rate:
        return missing_prices(client_id, [fx_symbol("USD", base_currency)])
    return ConflictError(f"Client {client_id} is too large for exact figures: its gross value reaches 1e12.")


def missing_prices(client_id: int, symbols: Sequence[str]) -> MissingPricesError:
    """Return the error for a client whose margin needs prices that are not known."""
    return MissingPricesError(
        f"Client {client_id} needs prices that are not known: {', '.join(symbols)}.", symbols=symbols
    )


def money(cents: int) -> Decimal:
    """Return whole cents as an amount."""
    return int(cents) * _CENTS
