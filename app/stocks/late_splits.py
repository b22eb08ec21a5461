"""
Splits that the source reports later than the prices that follow them.

A jump that nothing explains is used on its second answer. Where it was a split that the source had not reported yet,
holders have old units at the new price, which may be short of margin by mistake. So such a jump is remembered, and the
source is asked again for some days; what explains it then is applied to its holders of then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.corporate_actions import service as corporate_actions_service
from app.database import sql
from app.providers.types import PriceProvider, ShareSplit
from app.stocks import doubt_store, gate

_JUMPED: Final = """
select symbol, current_price, jumped_from, jumped_at from market_data
where jumped_at > now() - interval '10 days' order by jumped_at desc limit $1
"""
_LOCKED: Final = """
update market_data set jumped_from = null, jumped_at = null where symbol = $1 and jumped_at = $2 returning symbol
"""


async def apply_late(*, provider: PriceProvider) -> list[str]:
    """Apply the splits that explain a remembered jump by now; return their symbols. Cost: a request for each jump."""
    jumps = await sql.rows(_JUMPED, corporate_actions_service.MOST_ASKED)
    if not jumps:
        return []
    answers = await corporate_actions_service.ask(
        {jump["symbol"]: jump["jumped_at"] for jump in jumps}, provider=provider
    )
    due = [(jump, _explaining(answers[jump["symbol"]] or (), jump)) for jump in jumps]
    return [jump["symbol"] for jump, splits in due if splits and await _apply(splits, jump)]


def _explaining(splits: Sequence[ShareSplit], jump: Mapping[str, Any]) -> tuple[ShareSplit, ...]:
    return gate.explaining(
        splits,
        after=jump["jumped_at"],
        until=datetime.now(UTC),
        price=jump["jumped_from"],
        signs=[jump["current_price"]],
    )


async def _apply(splits: tuple[ShareSplit, ...], jump: Mapping[str, Any]) -> bool:
    """Apply the splits of a jump; return False where another process has done so, or it cannot be done."""
    async with in_transaction():
        mine = await sql.rows(_LOCKED, jump["symbol"], jump["jumped_at"])
        if not mine:
            return False
        outcome = await corporate_actions_service.apply_all(splits)
        if outcome.changes:
            await doubt_store.write_doubts({jump["symbol"]: None})  # the split explains it
            await recorder.record(*outcome.changes, actor=recorder.SYSTEM, touches=outcome.touches)
    return bool(outcome.changes)
