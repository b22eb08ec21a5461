"""
Decides what becomes the stored price: pure, a whole batch at a time.

A quote that jumps away from the stored price waits; a later answer near it confirms it. So one wrong answer opens no
call, and a real crash is used one poll later. What waits is kept beside the stored price (`MarketData.pending_*`), so
that it outlives a restart and any worker may see the second answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from app.corporate_actions.ratios import is_price_of_split, is_split_ratio
from app.providers.registry import spec_of
from app.providers.types import Quote, Refusal, ShareSplit
from app.stocks.doubt import DoubtReason, held_reason
from app.stocks.held_back import day_of, doubt_left, doubt_of_jump, factor_of, held, limit, listing, listing_of
from app.stocks.types import Accepted, Decision, OnHold, PendingPrice, PriceFeed, StoredPrice, Verdicts

#: How long a jump waits for the source to say whether it is a split, where that cannot be asked.
SPLIT_PATIENCE: Final = timedelta(minutes=5)
#: A source may write an overnight split into its prices before the session from which it counts (a long weekend).
_ANNOUNCED: Final = timedelta(days=4)
#: The closing auction may differ this much from the last price that we saw of a session, as a fraction.
_CLOSE_TOLERANCE: Final = Decimal("0.02")


def judge(
    quotes: Sequence[Quote],
    stored: Mapping[str, StoredPrice],
    *,
    splits: Mapping[str, Sequence[ShareSplit] | None],
    limits: PriceFeed,
) -> Verdicts:
    """
    Return what to do with quotes of different symbols.

    Args:
        quotes: what a source said.
        stored: what is stored, by symbol.
        splits: what the source said of splits, by symbol; a suspect that is not among them comes back undecided.
        limits: of jumps, and how long they are doubted.
    """
    suspects: dict[Quote, datetime] = {}
    decisions: dict[Quote, Decision] = {}
    for quote in quotes:
        known = stored.get(quote.symbol)
        if known is not None and quote.symbol not in splits and may_be_split(quote, known, limits=limits):
            suspects[quote] = known.market_time
        else:
            answer = splits.get(quote.symbol, ())
            decisions[quote] = judge_one(quote, known, splits=answer, limits=limits)
    used = {quote: decision for quote, decision in decisions.items() if isinstance(decision, Accepted)}
    waiting = {quote: decision for quote, decision in decisions.items() if isinstance(decision, OnHold)}
    settled = {quote: known for quote in used if (known := stored.get(quote.symbol)) and known.pending}
    return Verdicts(
        used=list(used),
        splits=[split for decision in used.values() for split in decision.splits],
        held={quote.symbol: decision.pending for quote, decision in waiting.items()},
        refused={quote.symbol: reason for quote, decision in decisions.items() if (reason := _reason(decision))},
        suspects=suspects,
        released=[quote.symbol for quote in settled],
        jumped=[
            quote.symbol
            for quote, known in settled.items()
            if not used[quote].splits and is_jump(quote.price, known.price, jump_limit=limits.jump_limit)
        ],
        doubts={
            quote.symbol: decision.doubt
            for quote, decision in decisions.items()
            if isinstance(decision, Accepted | OnHold)
            and (known := stored.get(quote.symbol)) is not None
            and decision.doubt != known.doubt
        },
        actions=[action for decision in waiting.values() for action in decision.actions],
    )


def _reason(decision: Decision) -> Refusal | None:
    """Return why a quote is not used, None if it is."""
    if isinstance(decision, OnHold):
        return Refusal(decision.pending.reason.value)
    return decision if isinstance(decision, Refusal) else None


def judge_one(
    quote: Quote, known: StoredPrice | None, *, splits: Sequence[ShareSplit] | None, limits: PriceFeed
) -> Decision:
    """
    Return what to do with a quote.

    Args:
        quote: what a source said.
        known: what is stored of its symbol, None if nothing is.
        splits: of the symbol since the stored price, not applied yet; None where the source could not be asked.
        limits: of jumps, and how long they are doubted.
    """
    refusal = _refusal(quote, known)
    if refusal is not None:
        return refusal
    if known is None or not _comparable(quote, known):
        return Accepted()
    return _compared(quote, known, splits, limits)


def _compared(
    quote: Quote, known: StoredPrice, splits: Sequence[ShareSplit] | None, limits: PriceFeed
) -> Accepted | OnHold:
    """Return what to do with a quote beside the stored price, both of a market."""
    due = _explaining(quote, known, splits) if splits else ()
    jump_limit = limit(quote, known, limits)
    jumps = is_jump(quote.price, known.price / factor_of(due) if due else known.price, jump_limit=jump_limit)
    reason = _held_reason(quote, known, due, jumps=jumps)
    if reason is not None:
        return held(quote, known, reason, actions=due)
    if not jumps and not (splits is None and _previous_close_differs(quote, known)):
        return Accepted(due, None if due else doubt_left(quote, known, limits))
    second = _second_answer(quote, known, due, ask_again=jumps and splits is None, limits=limits)
    if isinstance(second, Accepted) and jumps:
        return Accepted(due, doubt_of_jump(quote, known, factor=factor_of(due), no_split=splits is not None))
    return second


def _held_reason(quote: Quote, known: StoredPrice, due: Sequence[ShareSplit], *, jumps: bool) -> DoubtReason | None:
    """Return why a quote waits for the desk; None where it does not."""
    is_pending = known.doubt is not None and known.doubt.reason is DoubtReason.SPLIT
    if is_pending or (due and not _are_believed(due, quote, known)):
        return DoubtReason.SPLIT
    return None if due else held_reason(listing_of(known), listing(quote), is_jump=jumps)


def may_be_split(quote: Quote, known: StoredPrice | None, *, limits: PriceFeed) -> bool:
    """Return whether the source should be asked for splits before `judge_one`: a jump, or another close than we saw."""
    if known is None or _refusal(quote, known) is not None or not _comparable(quote, known):
        return False
    return is_jump(quote.price, known.price, jump_limit=limits.jump_limit) or _previous_close_differs(quote, known)


def _are_believed(due: Sequence[ShareSplit], quote: Quote, known: StoredPrice) -> bool:
    """Return whether every split has a ratio that companies use, and the price moved as they together move it."""
    if not all(is_split_ratio(split.numerator, split.denominator) for split in due):
        return False
    after = quote.previous_close if _previous_close_differs(quote, known) and quote.previous_close else quote.price
    return is_price_of_split(known.price, after, new=factor_of(due), old=Decimal(1))


def is_jump(price: Decimal, reference: Decimal, *, jump_limit: Decimal) -> bool:
    """Return whether a price lies beyond the limit; exactly at it does not."""
    return abs(price - reference) > jump_limit * reference


def _refusal(quote: Quote, known: StoredPrice | None) -> Refusal | None:
    """Return why a quote can never be used, None if it may be."""
    if not quote.price.is_finite():
        return Refusal.NOT_FINITE
    if quote.price <= 0:
        return Refusal.NEGATIVE if quote.price < 0 else Refusal.ZERO
    if known is None or spec_of(quote.source).replaces == "always" or _counts_as_first(quote, known):
        return None
    if quote.currency != known.currency and not _comparable(quote, known):
        return Refusal.CURRENCY
    return Refusal.OLDER if quote.market_time < known.market_time else None


def _counts_as_first(quote: Quote, known: StoredPrice) -> bool:
    """Return whether the quote counts as a first one: the stored price is a placeholder's or another source's."""
    stored, given = spec_of(known.source), spec_of(quote.source)
    if stored.replaces == "never":
        return True
    return stored.name != given.name and stored.replaces != "always" and given.replaces != "never"


def _comparable(quote: Quote, known: StoredPrice) -> bool:
    """Return whether both prices are a market's, so that a jump between them says something, whoever gave them."""
    given, stored = spec_of(quote.source), spec_of(known.source)
    return "estimate" not in {given.prices_are, stored.prices_are} and given.clock == stored.clock


def _previous_close_differs(quote: Quote, known: StoredPrice) -> bool:
    """Return whether a new session began and its previous close, which sources adjust for splits, is not ours."""
    if quote.previous_close is None or day_of(quote.market_time, quote) <= day_of(known.market_time, quote):
        return False
    return is_jump(quote.previous_close, known.price, jump_limit=_CLOSE_TOLERANCE)


def _explaining(quote: Quote, known: StoredPrice, splits: Sequence[ShareSplit]) -> tuple[ShareSplit, ...]:
    """
    Return the splits between both prices, if the quote is nearer to the stored price with them than without.

    Its previous close says it as well, and for a small split more clearly: the day's move is not in it.
    """
    signs = [quote.price]
    if quote.previous_close is not None and _previous_close_differs(quote, known):
        signs.append(quote.previous_close)
    return explaining(splits, after=known.market_time, until=quote.fetched_at, price=known.price, signs=signs)


def explaining(
    splits: Sequence[ShareSplit], *, after: datetime, until: datetime, price: Decimal, signs: Sequence[Decimal]
) -> tuple[ShareSplit, ...]:
    """Return the splits of a time, if one of the later prices `signs` is nearer to `price` with them than without."""
    due = tuple(split for split in splits if after < split.effective <= until + _ANNOUNCED)
    adjusted = price / factor_of(due)
    return due if any(_ratio(sign, adjusted) < _ratio(sign, price) for sign in signs) else ()


def _ratio(price: Decimal, other: Decimal) -> Decimal:
    """Return how many times one price is the other, at least 1."""
    return max(price / other, other / price)


def _second_answer(
    quote: Quote, known: StoredPrice, due: tuple[ShareSplit, ...], *, ask_again: bool, limits: PriceFeed
) -> Accepted | OnHold:
    """Accept a quote that needs a second answer if the pending price confirms it, else say what is pending now."""
    pending = known.pending if known.pending is not None and known.pending.reason is DoubtReason.JUMP else None
    jump_limit = limit(quote, known, limits)
    fresh = PendingPrice(quote.price, quote.market_time, fetched_at=quote.fetched_at, since=quote.fetched_at)
    if pending is None:
        return OnHold(fresh, known.doubt)
    if quote.fetched_at <= pending.fetched_at:
        return OnHold(pending, known.doubt)  # the same answer again, from a cache or overtaken
    if quote.market_time < pending.market_time or is_jump(quote.price, pending.price, jump_limit=jump_limit):
        return OnHold(fresh, known.doubt)
    if ask_again and quote.fetched_at - pending.since < SPLIT_PATIENCE:
        return OnHold(replace(fresh, since=pending.since), known.doubt)
    return Accepted(due)
