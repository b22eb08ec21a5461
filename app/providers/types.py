"""What every source of market data gives: quotes, behind one Protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Quote:
    """
    One symbol's price as its source gave it.

    `price` > 0 in `currency`, at most 8 decimals and 15 significant digits, so that its JSON number is exact;
    `currency` is ISO 4217: prices in hundredths (`GBp`, `ZAc`, `ILA`) are already converted. Times are UTC.
    """

    symbol: str
    price: Decimal
    currency: str
    market_time: datetime  # when the market made the price
    fetched_at: datetime
    source: str  # "yahoo", "replay", "sample", "desk"
    name: str | None = None
    quote_type: str | None = None  # EQUITY, ETF, CURRENCY, ...
    market_state: str | None = None  # REGULAR, PRE, POST, CLOSED, ...
    exchange: str | None = None  # the source's code, such as NMS
    exchange_timezone: str | None = None  # an IANA name
    previous_close: Decimal | None = None


class Refusal(StrEnum):
    """Why a price that a source gave is not used."""

    ZERO = "zero"
    NEGATIVE = "negative"
    NOT_FINITE = "not_finite"
    CURRENCY = "currency"  # another than the stored price's
    OLDER = "older"  # than the stored price
    SPLIT = "split"  # comes with a split that cannot be applied; see the log
    JUMP = "jump"  # far from the stored price; waits for a second answer


@dataclass(frozen=True, slots=True)
class Split:
    """`numerator` new shares for `denominator` old ones, both > 0; prices are those of new shares from `effective`."""

    symbol: str
    effective: datetime  # UTC; the start of the session, or of the day where the source knows no better
    ex_date: date  # the day of `effective` where the stock is listed
    numerator: Decimal
    denominator: Decimal


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """
    The answer to one question about many symbols.

    A symbol that is neither in `quotes` nor in `failed` was asked about and has no usable price: it is unknown, or
    its price is missing, not finite or not positive.
    """

    quotes: Mapping[str, Quote]
    failed: frozenset[str]  # could not be asked about now; later may succeed
    refused: Mapping[str, Refusal] = field(default_factory=dict)  # why a price that was given is not usable


class PriceProvider(Protocol):
    """A source of prices."""

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        """
        Return the latest quotes of normalised symbols (see `app.symbols`).

        Raises:
            ProviderError: nothing could be fetched at all; `retry_after` says when to come again.
        """

    async def aclose(self) -> None:
        """Give up what is under way and let go of threads and connections."""


@runtime_checkable
class SplitSource(PriceProvider, Protocol):
    """A source of prices that also knows of stock splits."""

    async def splits(self, symbol: str, *, since: datetime) -> Sequence[Split]:
        """
        Return the splits of a symbol that became effective after `since`, oldest first.

        Raises:
            ProviderError: they could not be asked for.
        """


@runtime_checkable
class Caching(Protocol):
    """A price source that keeps its answers for a while."""

    def forget(self, symbols: Sequence[str]) -> None:
        """Ask anew for these symbols next time."""
