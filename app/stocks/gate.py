"""
Decides what becomes the stored price: pure, a whole batch at a time.

A quote that jumps away from the stored price waits; a later answer near it confirms it. So one wrong answer opens no
call, and a real crash is used one poll later. What waits is kept beside the stored price (`MarketData.pending_*`), so
that it outlives a restart and any worker may see the second answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from app.providers.registry import spec_of
from app.providers.types import Quote, Refusal, ShareSplit
from app.stocks.types import Accepted, Decision, OnHold, PendingPrice, StoredPrice, Verdicts

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
    jump_limit: Decimal,
) -> Verdicts:
    """
    Return what to do with quotes of different symbols.

    Args:
        quotes: what a source said.
        stored: what is stored, by symbol.
        splits: what the source said of splits, by symbol; a suspect that is not among them comes back undecided.
        jump_limit: largest change from the stored price that is used at once, a fraction of it.
    """
    suspects: dict[Quote, datetime] = {}
    decisions: dict[Quote, Decision] = {}
    for quote in quotes:
        known = stored.get(quote.symbol)
        if known is not None and quote.symbol not in splits and may_be_split(quote, known, jump_limit=jump_limit):
            suspects[quote] = known.market_time
        else:
            answer = splits.get(quote.symbol, ())
            decisions[quote] = judge_one(quote, known, splits=answer, jump_limit=jump_limit)
    used = {quote: decision for quote, decision in decisions.items() if isinstance(decision, Accepted)}
    settled = {quote: known for quote in used if (known := stored.get(quote.symbol)) and known.pending}
    return Verdicts(
        used=list(used),
        splits=[split for decision in used.values() for split in decision.splits],
        held={quote.symbol: decision.pending for quote, decision in decisions.items() if isinstance(decision, OnHold)},
        refused={quote.symbol: reason for quote, decision in decisions.items() if (reason := _reason(decision))},
        suspects=suspects,
        released=[quote.symbol for quote in settled],
        jumped=[
            quote.symbol
            for quote, known in settled.items()
            if not used[quote].splits and is_jump(quote.price, known.price, jump_limit=jump_limit)
        ],
    )


def _reason(decision: Decision) -> Refusal | None:
    """Return why a quote is not used, None if it is."""
    if isinstance(decision, Refusal):
        return decision
    return Refusal.JUMP if isinstance(decision, OnHold) else None


def judge_one(
    quote: Quote, known: StoredPrice | None, *, splits: Sequence[ShareSplit] | None, jump_limit: Decimal
) -> Decision:
    """
    Return what to do with a quote.

    Args:
        quote: what a source said.
        known: what is stored of its symbol, None if nothing is.
        splits: of the symbol since the stored price, not applied yet; None where the source could not be asked.
        jump_limit: largest change from the stored price that is used at once, a fraction of it.
    """
    refusal = _refusal(quote, known)
    if refusal is not None:
        return refusal
    if known is None or not _comparable(quote, known):
        return Accepted()
    due = _explaining(quote, known, splits) if splits else ()
    reference = known.price / _factor(due) if due else known.price
    jumps = is_jump(quote.price, reference, jump_limit=jump_limit)
    if not jumps and not (splits is None and _previous_close_differs(quote, known)):
        return Accepted(due)
    return _second_answer(quote, known, due, ask_again=jumps and splits is None, jump_limit=jump_limit)


def may_be_split(quote: Quote, known: StoredPrice | None, *, jump_limit: Decimal) -> bool:
    """Return whether the source should be asked for splits before `judge_one`: a jump, or another close than we saw."""
    if known is None or _refusal(quote, known) is not None or not _comparable(quote, known):
        return False
    return is_jump(quote.price, known.price, jump_limit=jump_limit) or _previous_close_differs(quote, known)


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
    if quote.currency != known.currency:
        return Refusal.CURRENCY
    return Refusal.OLDER if quote.market_time < known.market_time else None


def _counts_as_first(quote: Quote, known: StoredPrice) -> bool:
    """Return whether the quote counts as a first one: the stored price is a placeholder's or another source's."""
    stored, given = spec_of(known.source), spec_of(quote.source)
    if stored.replaces == "never":
        return True
    return stored.name != given.name and stored.replaces != "always" and given.replaces != "never"


def _comparable(quote: Quote, known: StoredPrice) -> bool:
    """Return whether both prices are one market's, so that a jump between them says something."""
    return quote.source == known.source and spec_of(quote.source).prices_are != "estimate"


def _previous_close_differs(quote: Quote, known: StoredPrice) -> bool:
    """Return whether a new session began and its previous close, which sources adjust for splits, is not ours."""
    if quote.previous_close is None or _day(quote.market_time, quote) <= _day(known.market_time, quote):
        return False
    return is_jump(quote.previous_close, known.price, jump_limit=_CLOSE_TOLERANCE)


def _day(moment: datetime, quote: Quote) -> str:
    try:
        zone = ZoneInfo(quote.exchange_timezone or "UTC")
    except (ValueError, OSError):  # no zone of that name, ZoneInfoNotFoundError among them
        return moment.astimezone(UTC).date().isoformat()
    return moment.astimezone(zone).date().isoformat()


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
    adjusted = price / _factor(due)
    return due if any(_ratio(sign, adjusted) < _ratio(sign, price) for sign in signs) else ()


def _factor(splits: Iterable[ShareSplit]) -> Decimal:
    """Return how many shares one share became."""
    factor = Decimal(1)
    for split in splits:
        factor *= split.numerator / split.denominator
    return factor


def _ratio(price: Decimal, other: Decimal) -> Decimal:
    """Return how many times one price is the other, at least 1."""
    return max(price / other, other / price)


def _second_answer(
    quote: Quote, known: StoredPrice, due: tuple[ShareSplit, ...], *, ask_again: bool, jump_limit: Decimal
) -> Accepted | OnHold:
    """Accept a quote that needs a second answer if the pending price confirms it, else say what is pending now."""
    pending = known.pending
    fresh = PendingPrice(quote.price, quote.market_time, fetched_at=quote.fetched_at, since=quote.fetched_at)
    if pending is None:
        return OnHold(fresh)
    if quote.fetched_at <= pending.fetched_at:
        return OnHold(pending)  # the same answer again, from a cache or overtaken
    if quote.market_time < pending.market_time or is_jump(quote.price, pending.price, jump_limit=jump_limit):
        return OnHold(fresh)
    if ask_again and quote.fetched_at - pending.since < SPLIT_PATIENCE:
        return OnHold(replace(fresh, since=pending.since))
    return Accepted(due)
