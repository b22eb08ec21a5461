"""What is in doubt about stored prices, as rows: written and counted."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.database import sql
from app.providers.types import Refusal
from app.stocks.doubt import STALE_SHARE, Doubt, DoubtReason
from app.stocks.types import PriceFeed

#: Nulls end a doubt. Who holds the symbol is reviewed by the leader, which looks for other doubts than before.
_DOUBT: Final = """
update market_data m set doubt_reason = q.reason, doubt_low = q.low, doubt_high = q.high, doubt_since = q.since,
    doubt_undoubted = q.undoubted, doubt_answers = q.answers, doubt_no_split = q.no_split
from unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[], $6::numeric[], $7::int[],
            $8::boolean[]) as q(symbol, reason, low, high, since, undoubted, answers, no_split)
where m.symbol = q.symbol
"""
#: $1 symbols, $2 seconds. Returns those without a price for long enough, whose stored price nothing else puts in doubt.
_COUNT_ABSENT: Final = """
update market_data set absent_count = absent_count + 1, absent_since = coalesce(absent_since, clock_timestamp())
where symbol = any($1::text[])
returning case when absent_count >= 3 and (doubt_reason is null or doubt_reason = 'stale')
                    and absent_since <= clock_timestamp() - make_interval(secs => $2) then symbol end as symbol,
          current_price, absent_since
"""


def doubt_of(row: Mapping[str, Any]) -> Doubt | None:
    """Return the doubt in a row of `market_data`, None where there is none."""
    if row["doubt_reason"] is None:
        return None
    return Doubt(
        DoubtReason(row["doubt_reason"]),
        row["doubt_low"],
        row["doubt_high"],
        row["doubt_since"],
        row["doubt_undoubted"],
        answers=row["doubt_answers"],
        no_split=row["doubt_no_split"],
    )


async def write_doubts(doubts: Mapping[str, Doubt | None]) -> None:
    """Store what there is to doubt about the prices of some symbols; None = nothing."""
    none = (None, None, None, None, None, 0, False)
    rows = [
        (symbol, *none)
        if doubt is None
        else (
            symbol,
            doubt.reason.value,
            doubt.low,
            doubt.high,
            doubt.since,
            doubt.undoubted,
            doubt.answers,
            doubt.no_split,
        )
        for symbol, doubt in doubts.items()
    ]
    await sql.run(_DOUBT, *(list(column) for column in zip(*rows, strict=True)))


async def count_absent(symbols: Collection[str], *, refused: Mapping[str, Refusal], feed: PriceFeed) -> None:
    """
    Count answers without a usable price; from the third on, over long enough, the stored price is stale at once.

    A price of 0, said as often, may be true: then the range goes down to 0.
    """
    if not symbols:
        return
    async with in_transaction():
        rows = await sql.rows(_COUNT_ABSENT, list(symbols), feed.no_price_seconds)
        doubts = {
            row["symbol"]: _stale(row, is_zero=refused.get(row["symbol"]) is Refusal.ZERO)
            for row in rows
            if row["symbol"]
        }
        if doubts:
            await write_doubts(doubts)


def _stale(row: Mapping[str, Any], *, is_zero: bool) -> Doubt:
    """Return the doubt about a price that its source does not give any more."""
    price = row["current_price"]
    low, high = (Decimal(0), price) if is_zero else (price * (1 - STALE_SHARE), price * (1 + STALE_SHARE))
    return Doubt(DoubtReason.STALE, low, high, row["absent_since"], price)
