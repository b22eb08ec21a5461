"""What the desk decides about corporate actions: apply a ratio, now or on a day, or leave units as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import structlog
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.core.errors import ConflictError, Fault, InvalidInputError, NotFoundError
from app.core.share_symbols import share_symbol
from app.corporate_actions import held_price, service
from app.corporate_actions.service import Applied
from app.database import sql
from app.models import CorporateAction
from app.providers.types import ShareSplit

_NEW_YORK: Final = ZoneInfo("America/New_York")
#: Who said it, where no price source did.
_BY_THE_DESK: Final = "risk desk"
#: Why a price waits for a decision.
_SPLIT: Final = "split"
#: When what is scheduled for a day runs, in New York.
_RUNS_AT: Final = time(4)
_LIST: Final = """
select a.*, (select count(*) from position p where p.symbol = a.symbol) as clients from corporate_action a
where a.id > $1 and ($2::text is null or a.state = $2) and ($3::text is null or a.symbol = $3) order by a.id limit $4
"""
_DUE: Final = "select id from corporate_action where state = 'scheduled' and effective_on <= $1 order by id limit 100"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the desk decides, and why."""

    reason: str
    ratio: tuple[Decimal, Decimal] | None = None
    effective_on: date | None = None


async def list_actions(*, state: str | None, symbol: str | None, after: int | None, limit: int) -> list[dict[str, Any]]:
    """Return corporate actions by id, with `clients`, the number of holders now."""
    return [_shown(row) for row in await sql.rows(_LIST, after or 0, state, symbol, limit)]


async def find_action(action_id: int) -> dict[str, Any]:
    """
    Return one corporate action, with `clients`.

    Raises:
        NotFoundError: there is none of this id.
    """
    rows = await sql.rows(_LIST, action_id - 1, None, None, 1)
    if not rows or rows[0]["id"] != action_id:
        raise NotFoundError(f"No corporate action {action_id}.")
    return _shown(rows[0])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    ratio = None if row["ratio_new"] is None else [row["ratio_new"], row["ratio_old"]]
    return {name: value for name, value in row.items() if not name.startswith("ratio_")} | {"ratio": ratio}


async def add_action(
    symbol: str, kind: str, *, ratio: Sequence[Decimal] | None, ex_date: date, caller: Caller
) -> dict[str, Any]:
    """
    Store what the desk knows of; it waits for a decision like what a source says.

    Raises:
        ConflictError: one of this symbol, kind and day is stored already.
    """
    symbol = share_symbol(symbol)
    new, old = ratio or (None, None)
    async with in_transaction():
        if await CorporateAction.exists(symbol=symbol, kind=kind, ex_date=ex_date):
            raise ConflictError(f"A {kind} of {symbol} on {ex_date} is stored already.")
        action = await CorporateAction.create(
            symbol=symbol,
            kind=kind,
            ratio_new=new,
            ratio_old=old,
            ex_date=ex_date,
            state="pending",
            source=_BY_THE_DESK,
        )
        await _record(_change("create", action, before=None), actor=caller.username)
    return await find_action(action.id)


async def apply_action(action_id: int, decision: Decision, *, caller: Caller) -> dict[str, Any]:
    """
    Apply a pending action to every holder, or schedule it for a later day.

    Raises:
        NotFoundError: there is no such action.
        ConflictError: it was decided already, or a holder's position would leave its bounds.
        InvalidInputError: it has no ratio and none is given.
    """
    async with in_transaction():
        action = await _locked(action_id, {"pending", "scheduled"})
        before = _audited(action)
        if decision.ratio is not None:
            action.ratio_new, action.ratio_old = decision.ratio
        if action.ratio_new is None:
            fault = Fault(where=("body", "ratio"), what="is needed: the action has none")
            raise InvalidInputError(f"Corporate action {action_id} has no ratio; give one.", faults=[fault])
        action.effective_on = decision.effective_on or datetime.now(_NEW_YORK).date()
        action.state = "scheduled" if _starts_later(action.effective_on) else "applied"
        await _decide(action, decision.reason, caller.username)
        done = await _apply(action) if action.state == "applied" else None
        await _record(_change("apply", action, before=before), done, actor=caller.username)
    return await find_action(action_id)


async def dismiss_action(action_id: int, reason: str, *, caller: Caller) -> dict[str, Any]:
    """
    Leave units as they are; a price that waited for this becomes the stored one.

    Raises:
        NotFoundError: there is no such action.
        ConflictError: it was decided already.
    """
    async with in_transaction():
        action = await _locked(action_id, {"pending", "scheduled"})
        before = _audited(action)
        action.state = "dismissed"
        await _decide(action, reason, caller.username)
        await held_price.settle(action.symbol, reason=_SPLIT)
        await _record(_change("dismiss", action, before=before), actor=caller.username)
    return await find_action(action_id)


async def run_due() -> int:
    """
    Apply what is scheduled for today or before, once each; return how many.

    One that cannot be applied goes back to the desk as pending, and says why in the log; the others are not held up.
    """
    now = datetime.now(_NEW_YORK)
    today = now.date() if now.time() >= _RUNS_AT else now.date() - timedelta(days=1)
    return sum([await _run(row["id"]) for row in await sql.rows(_DUE, today)])


async def _run(action_id: int) -> bool:
    """Apply a scheduled action; return whether that was done."""
    try:
        return await _move(action_id, "apply", to="applied")
    except ConflictError as error:
        _log.error("corporate action cannot be applied; it waits for the desk", id=action_id, error=str(error))
        await _move(action_id, "unschedule", to="pending")
        return False


async def _move(action_id: int, verb: str, *, to: Literal["applied", "pending"]) -> bool:
    """
    Take a scheduled action to its next state, in a transaction; return False where another process did so.

    Raises:
        ConflictError: a holder's position would leave its bounds.
    """
    async with in_transaction():
        action = await CorporateAction.select_for_update().get(id=action_id)
        if action.state != "scheduled":
            return False
        before, action.state = _audited(action), to
        await action.save(update_fields=["state"])
        done = await _apply(action) if to == "applied" else None
        await _record(_change(verb, action, before=before), done, actor=recorder.SYSTEM)
    return True


def _starts_later(day: date) -> bool:
    return datetime.combine(day, _RUNS_AT, _NEW_YORK) > datetime.now(_NEW_YORK)


async def _locked(action_id: int, states: set[str]) -> CorporateAction:
    action = await CorporateAction.select_for_update().get_or_none(id=action_id)
    if action is None:
        raise NotFoundError(f"No corporate action {action_id}.")
    if action.state not in states:
        raise ConflictError(f"Corporate action {action_id} is {action.state} already.")
    return action


async def _decide(action: CorporateAction, reason: str, actor: str) -> None:
    """Store who decided, when and why."""
    action.decided_at, action.decided_by, action.reason = datetime.now(UTC), actor, reason
    await action.save()


async def _apply(action: CorporateAction) -> Applied | None:
    """
    Let the price that waited be the stored one, and give every holder new units for old ones.

    In this order, in which prices are stored as well, so that neither waits for the other.
    """
    assert action.ratio_new is not None, "an action that is applied has a ratio"
    assert action.ratio_old is not None, "and both of its terms"
    effective = datetime.combine(action.ex_date, time(), _NEW_YORK)
    await held_price.settle(action.symbol, reason=_SPLIT)
    return await service.apply(ShareSplit(action.symbol, effective, action.ex_date, action.ratio_new, action.ratio_old))


async def _record(change: Change, done: Applied | None = None, *, actor: str) -> None:
    """Put a decision on record, with what it did to holders; last in the transaction."""
    changes, holders = ([change], []) if done is None else ([change, done.change], list(done.holders))
    touches = Touches(client_ids=holders, symbols=[str(change.entity_id)])
    await recorder.record(*changes, actor=actor, touches=touches)


def _change(verb: str, action: CorporateAction, *, before: dict[str, Any] | None) -> Change:
    return Change(action=verb, entity="instrument", entity_id=action.symbol, before=before, after=_audited(action))


def _audited(action: CorporateAction) -> dict[str, Any]:
    """Return what an auditor sees of a corporate action."""
    shown = ("id", "kind", "ratio_new", "ratio_old", "ex_date", "effective_on", "state", "reason")
    return {name: getattr(action, name) for name in shown}
