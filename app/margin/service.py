"""Margin of a client: a row of the report on a book, or why there is none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from app.auth.types import Caller, no_client
from app.book.client_loader import load_clients
from app.book.types import Holdings
from app.core.errors import AppError, ConflictError, MissingPricesError
from app.core.symbols import fx_symbol
from app.database.batch_loader import BatchLoader
from app.database.sql import Connection
from app.engine.exact import COMPLETE
from app.engine.margin import MarginReport, margin_report
from app.engine.rules import MarginRules

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


def status_of(holdings: Holdings, report: MarginReport, row: int, *, base_currency: str) -> MarginStatus:
    """
    Return the margin of one client of a book.

    Raises:
        MissingPricesError: a position has no price, or its currency no rate; `symbols` names them.
        ConflictError: the account is too large for exact figures.
    """
    client_id = int(holdings.book.client_ids[row])
    if report.status[row] != COMPLETE:
        raise incomplete(client_id, holdings, row, base_currency=base_currency)
    shortfall = report.margin_shortfall[row]
    return MarginStatus(
        timestamp=datetime.now(UTC),
        client_id=client_id,
        portfolio_value=money(report.portfolio_value[row]),
        loan_amount=money(holdings.book.loan[row]),
        net_equity=money(report.net_equity[row]),
        margin_requirement=money(report.margin_requirement[row]),
        margin_shortfall=money(shortfall),
        margin_call_triggered=bool(shortfall > 0),
    )


def incomplete(client_id: int, holdings: Holdings, row: int = 0, *, base_currency: str) -> ConflictError:
    """Return why the margin of a client of a book cannot be given."""
    if symbols := holdings.unpriced(row):
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


class MarginLoader:
    """Where the requests of this process wait for margin."""

    def __init__(self, *, rules: MarginRules, base_currency: str, seconds: float) -> None:
        """Keep what every answer depends on; a statement that takes longer than `seconds` fails."""
        self._rules = rules
        self._base_currency = base_currency
        self._loader = BatchLoader(self._load, seconds=seconds)

    async def status(self, client_id: int, *, caller: Caller) -> MarginStatus:
        """
        Return a client's margin at the stored prices.

        Raises:
            NotFoundError: there is no such client, or the caller may not see it.
            MissingPricesError: a position has no price, or its currency no rate; `symbols` names them.
            ConflictError: the account is too large for exact figures.
        """
        caller.check_client(client_id)
        return await self._loader.load(client_id)

    async def _load(self, connection: Connection, ids: Collection[int]) -> Mapping[int, MarginStatus | Exception]:
        """Return the margin of each client, or why there is none."""
        holdings = await load_clients(connection, ids, base_currency=self._base_currency)
        report = margin_report(holdings.book, holdings.prices, holdings.instruments, self._rules)
        answers: dict[int, MarginStatus | Exception] = {client_id: no_client(client_id) for client_id in ids}
        for row, client_id in enumerate(holdings.book.client_ids.tolist()):
            try:
                answers[client_id] = status_of(holdings, report, row, base_currency=self._base_currency)
            except AppError as error:
                answers[client_id] = error
        return answers
