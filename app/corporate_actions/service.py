"""
Stock splits: asked from the source, applied to every holder once.

A split multiplies quantity and divides cost. Quantities keep 6 decimals, rounded half away from zero: shares are held
in fractions here, so no cash is booked in lieu; where a custodian pays some, the desk books it as the trade it is. A
position of which nothing is left is deleted. Stored prices of the past stay as the market made them; the `split` table
says what separates them from today's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from tortoise.transactions import in_transaction

from app.audit import hash_chain
from app.audit.recorder import Change, Touches
from app.core.errors import ConflictError, ProviderError
from app.database import sql
from app.models import CorporateAction
from app.models import Split as SplitRow
from app.providers.types import PriceProvider, ShareSplit, SplitSource

#: Symbols about which the source is asked at a time; each may cost it a request.
MOST_ASKED: Final = 20

#: Every change of a position holds its client's margin row: no half-done trade may write back old units.
_LOCK_HOLDERS: Final = """
select m.client_id from margin m
where m.client_id in (select p.client_id from position p where p.symbol = $1)
order by m.client_id for update
"""
#: $1 symbol, $2 from when positions are in new units, $3 new shares for $4 old ones. At most 15 digits: exact JSON.
_APPLY: Final = """
with old as (
    select id, client_id, quantity, cost_basis, quantity * $3::numeric / $4 as new_quantity,
           cost_basis * $4::numeric / $3 as new_cost
    from position where symbol = $1 and updated_at < $2
), new as (
    select id, client_id, quantity, cost_basis,
           round(new_quantity, least(6, 15 - length(trunc(abs(new_quantity))::text))) as new_quantity,
           round(new_cost, least(8, 15 - length(trunc(new_cost)::text))) as new_cost
    from old
), gone as (
    delete from position p using new where p.id = new.id and new.new_quantity = 0
), kept as (
    update position p set quantity = new.new_quantity, cost_basis = new.new_cost, updated_at = now()
    from new where p.id = new.id and new.new_quantity <> 0
)
select client_id, quantity, cost_basis, new_quantity, new_cost from new order by client_id
"""
_ADD: Final = """
insert into split (symbol, ex_date, effective, numerator, denominator, applied_at) values ($1, $2, $3, $4, $5, now())
on conflict (symbol, ex_date) do nothing returning id
"""
#: Holders who would have more units, or a higher cost, than can be stored.
_BEYOND: Final = """
select client_id from position
where symbol = $1 and updated_at < $2
    and (abs(quantity) * $3::numeric / $4 >= 1e12 or cost_basis * $4::numeric / $3 >= 1e10)
order by client_id limit 10
"""
_AFTER: Final = "select count(*) as count from position where symbol = $1 and updated_at >= $2"

#: Waits for the desk; whatever was decided about it before stands.
_ADD_PENDING: Final = """
insert into corporate_action (symbol, kind, ratio_new, ratio_old, ex_date, state, source, created_at)
select symbol, 'split', numerator, denominator, ex_date, 'pending', 'source', now()
from unnest($1::text[], $2::numeric[], $3::numeric[], $4::date[]) as q(symbol, numerator, denominator, ex_date)
on conflict (symbol, kind, ex_date) do nothing
"""

_log = structlog.get_logger(__name__)


async def ask(
    since: Mapping[str, datetime], *, provider: PriceProvider | None
) -> dict[str, Sequence[ShareSplit] | None]:
    """
    Return the splits of each symbol since its stored price that were not applied yet, oldest first.

    None: the source could not be asked now, or too many symbols are in question at once. A source that knows of no
    splits says that there were none.

    Args:
        since: symbols in question, with the market time of their stored price.
        provider: the source; None = there is none to ask.
    """
    if not isinstance(provider, SplitSource):
        return dict.fromkeys(since, ())
    answers: dict[str, Sequence[ShareSplit] | None] = dict.fromkeys(since)
    for symbol in list(answers)[:MOST_ASKED]:
        try:
            answers[symbol] = await _not_applied(await provider.splits(symbol, since=since[symbol]))
        except ProviderError as error:
            _log.warning("splits cannot be asked for", symbol=symbol, error=str(error))
            break
    return answers


@dataclass(frozen=True, slots=True)
class Applied:
    """The change that a split made, for `recorder.record` at the end of the transaction, and its holders."""

    change: Change
    holders: Sequence[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Changes to record last in the transaction, and the symbols whose splits could not be applied."""

    changes: Sequence[Change]
    touches: Touches
    failed: frozenset[str]


async def apply_all(splits: Iterable[ShareSplit]) -> Outcome:
    """
    Apply splits, oldest first for each symbol; return what that did, and the symbols where it cannot be done.

    Call in a transaction, and record the outcome at its end. A symbol whose split cannot be applied stays as it was,
    and says so in the log; the others are not held up.
    """
    by_symbol: dict[str, list[ShareSplit]] = {}
    for split in splits:
        by_symbol.setdefault(split.symbol, []).append(split)
    applied: list[Applied] = []
    failed: set[str] = set()
    for symbol, due in by_symbol.items():
        try:
            async with in_transaction():  # a savepoint
                applied += [done for split in due if (done := await apply(split)) is not None]
        except ConflictError as error:
            failed.add(symbol)
            _log.error("split cannot be applied; the symbol's price stays as it is", symbol=symbol, error=str(error))
    touches = Touches(
        client_ids=[holder for done in applied for holder in done.holders],
        symbols=[str(done.change.entity_id) for done in applied],
    )
    return Outcome([done.change for done in applied], touches, frozenset(failed))


async def apply(split: ShareSplit) -> Applied | None:
    """
    Adjust quantity and cost of every position of the split's symbol; None if that was done before.

    Call in a transaction. Positions last set after the split became effective are in new shares already and stay as
    they are; the audit entry says how many. Cost: O(holders), whose clients stay locked until the transaction ends.

    Raises:
        ConflictError: a holder's position would leave the bounds of what can be stored.
    """
    values = [split.symbol, split.ex_date, split.effective, split.numerator, split.denominator]
    if not await sql.rows(_ADD, *values):
        return None
    await sql.rows(_LOCK_HOLDERS, split.symbol)
    terms = [split.symbol, split.effective, split.numerator, split.denominator]
    ratio = f"{split.numerator.normalize():f}:{split.denominator.normalize():f}"
    beyond = [row["client_id"] for row in await sql.rows(_BEYOND, *terms)]
    if beyond:
        raise ConflictError(f"{ratio} takes the position of these clients out of bounds: {beyond}.")
    late = await sql.one(_AFTER, split.symbol, split.effective)
    rows = await sql.rows(_APPLY, *terms)
    _log.warning("split applied", symbol=split.symbol, ratio=ratio, positions=len(rows), left_alone=late["count"])
    after = {"ratio": ratio, "effective": split.effective, "left_alone": late["count"]} | hash_chain.digest(rows)
    change = Change(action="split", entity="instrument", entity_id=split.symbol, after=after)
    return Applied(change, holders=[row["client_id"] for row in rows])


async def add_pending(splits: Sequence[ShareSplit]) -> None:
    """Store what a source calls splits and the desk has to decide; what is there already stays as it is."""
    if not splits:
        return
    rows = [(s.symbol, s.numerator, s.denominator, s.ex_date) for s in splits]
    await sql.run(_ADD_PENDING, *(list(column) for column in zip(*rows, strict=True)))


def is_applicable(split: ShareSplit) -> bool:
    """Return whether a split's ratio can be applied and stored."""
    largest = Decimal(10**6)
    return 0 < split.numerator <= largest and 0 < split.denominator <= largest


async def _not_applied(splits: Sequence[ShareSplit]) -> Sequence[ShareSplit]:
    """Return those that no transaction has applied."""
    if not splits:
        return ()
    days = [split.ex_date for split in splits]
    symbol = splits[0].symbol
    applied = await SplitRow.filter(symbol=symbol, ex_date__in=days).values_list("ex_date", flat=True)
    dismissed = await CorporateAction.filter(symbol=symbol, ex_date__in=days, state="dismissed").values_list(
        "ex_date", flat=True
    )
    decided = {*applied, *dismissed}
    return [split for split in splits if split.ex_date not in decided and is_applicable(split)]
