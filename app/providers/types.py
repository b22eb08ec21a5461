"""What every source of market data gives (quotes, behind one Protocol), and what the registry knows of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Protocol, runtime_checkable


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
    source: str  # the name of its `ProviderSpec`
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
    SPLIT = "split"  # comes with a split that cannot be applied, or that the desk has to decide
    UNIT = "unit"  # a hundred times the stored price, or a hundredth
    IDENTITY = "identity"  # of another security, by its name or kind
    JUMP = "jump"  # far from the stored price; waits for a second answer


@dataclass(frozen=True, slots=True)
class ShareSplit:
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
        Return the latest quotes of normalised symbols (see `app.core.symbols`).

        Raises:
            ProviderError: nothing could be fetched at all; `retry_after` says when to come again.
        """

    async def aclose(self) -> None:
        """Give up what is under way and let go of threads and connections."""


@runtime_checkable
class SplitSource(PriceProvider, Protocol):
    """A source of prices that also knows of stock splits."""

    async def splits(self, symbol: str, *, since: datetime) -> Sequence[ShareSplit]:
        """
        Return the splits of a symbol that became effective after `since`, oldest first.

        Raises:
            ProviderError: they could not be asked for.
        """


@runtime_checkable
class Caching(Protocol):
    """A price source that keeps its answers for a while."""

    def forget(self, symbols: Sequence[str]) -> None:
        """Drop the cached answers for these symbols."""


#: `market`: as a market made them just now; `close`: a day's close by definition; `estimate`: made by no market.
PricesAre = Literal["market", "close", "estimate"]
#: `wall`: market times are of today; `replayed`: they are days of a record, which is the clock of what uses them.
Clock = Literal["wall", "replayed"]
#: Which stored prices a source's prices replace: older ones of its own and all of another source, all, or none.
Replaces = Literal["older", "always", "never"]


class Capability(StrEnum):
    """What a source can give."""

    QUOTES = "quotes"
    FX = "fx"  # quotes of currency pairs such as EURUSD=X
    SPLITS = "splits"
    STREAMING = "streaming"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a source may need to be built."""

    #: The service's settings; a source with some of its own narrows them to its settings class.
    settings: object
    #: How long an answer may be kept.
    ttl_seconds: float
    #: Account currency.
    base_currency: str
    #: Where relative paths in settings begin.
    root: Path
    #: Returns the newest stored market time of a source's prices, None if there is none.
    newest_stored: Callable[[str], Awaitable[datetime | None]]


_NO_CALENDARS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """
    What the service knows of a source of prices without building it.

    `name` is what `RISK_PRICE_PROVIDER` says and what is stored with each price. A spec without `build` stands for
    prices that are stored, but cannot be asked for.
    """

    name: str
    #: Returns the source; imports what it needs then, not before. Raises StartupError on settings that cannot be used.
    build: Callable[[SourceContext], PriceProvider] | None = None
    prices_are: PricesAre = "market"
    #: By the source's code of an exchange, the name of its calendar in `exchange_calendars`. An exchange that is not
    #: there counts as open on every weekday, so that its prices age soonest.
    calendars: Mapping[str, str] = field(default_factory=lambda: _NO_CALENDARS)
    clock: Clock = "wall"
    replaces: Replaces = "older"
    capabilities: frozenset[Capability] = frozenset({Capability.QUOTES})
    #: Imports ahead what the first answer needs; called in a thread.
    warm_up: Callable[[], object] | None = None
    #: Raises StartupError where `build` would, and opens nothing: called once before workers start.
    check: Callable[[SourceContext], object] | None = None
    #: Returns how often to ask, by the settings, where the source's clock says so; None = as often as is set for all.
    poll_seconds: Callable[[SourceContext], float] | None = None
