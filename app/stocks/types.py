"""Prices as the room passes them around: the feed, what is stored and waits, and what the gate says of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.providers.types import PriceProvider, Quote, Refusal, ShareSplit
from app.stocks.doubt import Doubt, DoubtReason


@dataclass(frozen=True, slots=True)
class PriceFeed:
    """A source, and what its prices are judged and converted by."""

    provider: PriceProvider
    #: Account currency, whose FX rates travel with the prices that need them.
    base_currency: str
    #: Largest change from the stored price that is used at once, a fraction of it; more for a leveraged fund.
    jump_limit: Decimal = Decimal("0.3")
    #: Open market after which an ordinary jump is believed, in seconds.
    jump_doubt_seconds: float = 900
    #: How long a source may give no price, or 0, before the stored one counts as stale, in seconds.
    no_price_seconds: float = 180


@dataclass(frozen=True, slots=True)
class SourceExchange:
    """An exchange as a source names it; `code` is None where it is not known."""

    source: str
    code: str | None


@dataclass(frozen=True, slots=True)
class PendingPrice:
    """A price that waits: a jump for a second answer, anything else for the desk."""

    price: Decimal
    market_time: datetime
    fetched_at: datetime  # of the latest answer that gave it
    since: datetime  # fetched_at of the first
    reason: DoubtReason = DoubtReason.JUMP
    #: Where it is not the stored price's.
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPrice:
    """What is stored of a symbol."""

    price: Decimal
    currency: str
    market_time: datetime
    source: str
    pending: PendingPrice | None = None
    name: str | None = None
    kind: str | None = None
    previous_close: Decimal | None = None
    doubt: Doubt | None = None
    leverage: Decimal = Decimal(1)
    #: Whether a holder has a call that was asked: no jump ends one on the same day by time alone.
    has_calls: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The quote becomes the stored price.

    `splits` come with it, and are to be applied to the holders; `doubt` is what is left to doubt about it.
    """

    splits: tuple[ShareSplit, ...] = ()
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class OnHold:
    """
    The quote is not used yet; `pending` is to be kept instead of what waited before.

    `actions` are what the source calls splits and the desk has to decide; `doubt` is that about the stored price.
    """

    pending: PendingPrice
    doubt: Doubt | None = None
    actions: tuple[ShareSplit, ...] = ()


Decision = Accepted | OnHold | Refusal


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The gate's decisions on a batch of quotes, a symbol each."""

    used: Sequence[Quote]
    #: To be applied in the transaction that stores `used`.
    splits: Sequence[ShareSplit]
    #: By symbol, what waits for a second answer.
    held: Mapping[str, PendingPrice]
    #: By symbol, why its quote is not used, or not yet.
    refused: Mapping[str, Refusal]
    #: Not decided: the source has to be asked for splits since that moment first.
    suspects: Mapping[Quote, datetime]
    #: Symbols for which something waited that is settled now.
    released: Sequence[str]
    #: Symbols whose price was confirmed far from the one before, and no split explains it yet.
    jumped: Sequence[str]
    #: By symbol, the doubt about its stored price from now on, where that changes; None ends it.
    doubts: Mapping[str, Doubt | None] = field(default_factory=dict)
    #: What waits for the desk.
    actions: Sequence[ShareSplit] = ()
