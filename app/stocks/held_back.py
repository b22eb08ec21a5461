"""What becomes of a quote that is held back, and of the doubt about the price that stays: pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.core.symbols import is_fx_symbol
from app.providers.registry import spec_of
from app.providers.types import Quote, ShareSplit
from app.stocks.doubt import (
    Doubt,
    DoubtReason,
    Listing,
    after_answer,
    begun,
    begun_by_split,
    is_near,
    is_ordinary_gap,
    limit_of,
)
from app.stocks.types import OnHold, PendingPrice, PriceFeed, StoredPrice


def held(quote: Quote, known: StoredPrice, reason: DoubtReason, *, actions: tuple[ShareSplit, ...] = ()) -> OnHold:
    """
    Return that a quote waits for the desk; the stored price is in doubt from its second answer on.

    So one wrong answer opens no case.
    """
    before = known.pending if known.pending is not None and known.pending.reason is reason else None
    if before is not None and quote.fetched_at <= before.fetched_at:
        return OnHold(before, known.doubt, actions)  # the same answer again, from a cache or overtaken
    pending = PendingPrice(
        quote.price,
        quote.market_time,
        fetched_at=quote.fetched_at,
        since=quote.fetched_at if before is None else before.since,
        reason=reason,
        currency=None if quote.currency == known.currency else quote.currency,
    )
    if before is None and known.doubt is None:
        return OnHold(pending, None, actions)
    return OnHold(pending, _doubt_while_held(quote, known, reason, actions), actions)


def _doubt_while_held(quote: Quote, known: StoredPrice, reason: DoubtReason, actions: Sequence[ShareSplit]) -> Doubt:
    """Return the doubt about the stored price beside one that waits, with what was in doubt before."""
    if actions:
        doubt = begun_by_split(
            stored=known.price, price=quote.price, new=factor_of(actions), old=Decimal(1), since=quote.market_time
        )
    else:
        doubt = begun(reason, stored=known.price, price=quote.price, since=quote.market_time)
    if known.doubt is None:
        return doubt
    widened = doubt.widened(known.doubt.low).widened(known.doubt.high)
    return replace(widened, since=known.doubt.since, undoubted=known.doubt.undoubted)


def doubt_left(quote: Quote, known: StoredPrice, limits: PriceFeed) -> Doubt | None:
    """Return what is left of a doubt after an answer near the stored price: that about a jump may be."""
    doubt = known.doubt
    if doubt is None or doubt.reason is not DoubtReason.JUMP:
        return None
    if quote.market_time <= known.market_time:
        return doubt  # nothing new
    left = after_answer(
        doubt,
        quote.price,
        market_time=quote.market_time,
        limit=limit(quote, known, limits),
        seconds=limits.jump_doubt_seconds,
    )
    is_back = is_near(quote.price, doubt.undoubted, limit(quote, known, limits))
    if (
        left is None
        and not is_back
        and known.has_calls
        and day_of(quote.market_time, quote) <= day_of(doubt.since, quote)
    ):
        return doubt
    return left


def doubt_of_jump(quote: Quote, known: StoredPrice, *, factor: Decimal, no_split: bool) -> Doubt | None:
    """
    Return the doubt about a jump that was confirmed; None where it starts at the close that we saw.

    `factor` is how many shares a stored one became by the splits that come with the quote.
    """
    if spec_of(quote.source).prices_are == "close":
        return None  # recorded closes are what they are
    is_new_day = day_of(quote.market_time, quote) > day_of(known.market_time, quote)
    our_close = known.price if is_new_day else known.previous_close
    before, our_close = known.price / factor, our_close / factor if our_close else None
    if known.doubt is None and is_ordinary_gap(
        quote.price, stored=before, our_close=our_close, their_close=quote.previous_close
    ):
        return None
    undoubted = known.doubt.undoubted / factor if known.doubt else before
    doubt = begun(DoubtReason.JUMP, stored=undoubted, price=quote.price, since=quote.market_time)
    if known.doubt is not None:
        doubt = doubt.widened(known.doubt.low / factor).widened(known.doubt.high / factor)
    return replace(doubt, no_split=no_split)


def limit(quote: Quote, known: StoredPrice, limits: PriceFeed) -> Decimal:
    """Return the largest change of a symbol that is used at once, a fraction of its stored price."""
    return limit_of(limits.jump_limit, leverage=known.leverage, is_fx=is_fx_symbol(quote.symbol))


def listing(quote: Quote) -> Listing:
    """Return what a quote says of whose price it is."""
    return Listing(quote.price, quote.currency, quote.market_time, quote.name, quote.quote_type)


def listing_of(known: StoredPrice) -> Listing:
    """Return what is stored of whose price it is."""
    return Listing(known.price, known.currency, known.market_time, known.name, known.kind)


def factor_of(splits: Iterable[ShareSplit]) -> Decimal:
    """Return how many shares one share became."""
    factor = Decimal(1)
    for split in splits:
        factor *= split.numerator / split.denominator
    return factor


def day_of(moment: datetime, quote: Quote) -> str:
    """Return the day of a moment where the symbol is listed; UTC where that is not known."""
    try:
        zone = ZoneInfo(quote.exchange_timezone or "UTC")
    except (ValueError, OSError):  # no zone of that name, ZoneInfoNotFoundError among them
        return moment.astimezone(UTC).date().isoformat()
    return moment.astimezone(zone).date().isoformat()
