"""What ends the wait of a price that is held back: the desk believed it, or decided the action that it waited for."""

from typing import Final

from app.database import sql

#: $1 symbol, $2 the reason for which the price waits or is in doubt; null = any. What waits becomes the stored price,
#: in its own currency; where nothing waits, the stored one stays. Every doubt about it ends.
_SETTLE: Final = """
with settled as (
    update market_data set current_price = coalesce(pending_price, current_price),
        currency = coalesce(pending_currency, currency), "timestamp" = coalesce(pending_time, "timestamp"),
        fetched_at = coalesce(pending_fetched_at, fetched_at), pending_price = null, pending_time = null,
        pending_fetched_at = null, pending_since = null, pending_reason = null, pending_currency = null,
        doubt_reason = null, doubt_low = null, doubt_high = null, doubt_since = null, doubt_undoubted = null,
        doubt_answers = 0, doubt_no_split = false, absent_count = 0, absent_since = null
    where symbol = $1 and ($2::text is null or pending_reason = $2 or doubt_reason = $2)
    returning symbol, current_price, currency, "timestamp", source
)
insert into price_history (symbol, price, currency, "timestamp", source)
select symbol, current_price, currency, "timestamp", source from settled on conflict (symbol, "timestamp") do nothing
"""


async def settle(symbol: str, *, reason: str | None = None) -> None:
    """
    Let the price that waits be the stored one, and end every doubt about it; call in a transaction.

    Args:
        symbol: in the form in which it is stored; nothing happens where it has no price.
        reason: only where this is why the price waits or is in doubt; None = whatever it is.
    """
    await sql.run(_SETTLE, symbol, reason)
