"""Hand-written stand-ins for what lies outside the service."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from app.core.errors import ProviderError
from app.providers.types import Quote, QuoteBatch


class Rollback(Exception):  # noqa: N818 - a signal, not an error
    """Ends a test's transaction without a trace."""


class FakeProvider:
    """A price source whose prices a test sets; unknown symbols have none."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.quotes: dict[str, Quote] = {}
        self.asked: list[tuple[str, ...]] = []
        self.down = False
        #: Prices to answer with the next time alone.
        self.once: dict[str, Decimal] = {}

    def give(self, symbol: str, price: str, *, currency: str = "USD", at: datetime | None = None) -> None:
        """Answer with this price from now on."""
        now = datetime.now(UTC)
        self.quotes[symbol] = Quote(
            symbol=symbol,
            price=Decimal(price),
            currency=currency,
            market_time=at or now,
            fetched_at=now,
            source="yahoo",
            quote_type="EQUITY",
            exchange="NMS",
        )

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        self.asked.append(tuple(symbols))
        if self.down:
            raise ProviderError("The price source is down.", retry_after=7)
        now = datetime.now(UTC)
        quotes = {symbol: replace(self.quotes[symbol], fetched_at=now) for symbol in symbols if symbol in self.quotes}
        wrong = {
            symbol: replace(quotes[symbol], price=self.once.pop(symbol)) for symbol in quotes if symbol in self.once
        }
        return QuoteBatch(quotes | wrong, frozenset())

    async def aclose(self) -> None:
        """Nothing to let go of."""
