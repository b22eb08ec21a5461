"""The steps in the life of a margin call: pure, from what is stored and what was seen to what comes next."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from app.margin_calls.types import MONITOR, Case, Due, Evidence, Step
from app.models import CallState, CallType


def opened(client_id: int, kind: CallType, shortfall: Decimal, seen: Evidence, *, due: Due) -> Step:
    """Return the step that opens a case: `unconfirmed` on a stale basis."""
    policy = seen.explanation.policy
    case = Case(
        id=0,
        client_id=client_id,
        type=kind,
        state=CallState.UNCONFIRMED if seen.is_stale else CallState.OPEN,
        amount=shortfall,
        outstanding=shortfall,
        opened_at=due.now,
        due_at=due.at[kind],
        closed_at=None,
        manner=None,
        restriction=None,
        policy_id=policy.id,
        policy_version=policy.version,
        price_basis=seen.basis,
        audit_id=seen.audit_id,
        set_aside=None,
    )
    return Step(before=None, after=case, action="open", actor=MONITOR, at=due.now, snapshot=seen.snapshot)


def confirmed(case: Case, shortfall: Decimal, seen: Evidence, *, due: Due, actor: str, note: str | None = None) -> Step:
    """Return the step that makes a case a call: for today's shortfall, due from today."""
    policy = seen.explanation.policy
    after = replace(
        case,
        state=CallState.OPEN,
        amount=shortfall,
        outstanding=shortfall,
        due_at=due.at[case.type],
        policy_id=policy.id,
        policy_version=policy.version,
        price_basis=seen.basis,
        audit_id=seen.audit_id,
    )
    return Step(before=case, after=after, action="confirm", actor=actor, at=due.now, note=note, snapshot=seen.snapshot)


def continued(case: Case, shortfall: Decimal, *, is_stale: bool, now: datetime) -> Step:
    """Return the step that takes a case up again on the day on which it was met."""
    state = CallState.UNCONFIRMED if is_stale else CallState.OPEN
    after = replace(case, state=state, outstanding=shortfall, closed_at=None, manner=None)
    return Step(before=case, after=after, action="reopen", actor=MONITOR, at=now)


def met(case: Case, manner: str, *, now: datetime) -> Step:
    """Return the step that closes a case, because nothing is short any more."""
    after = replace(case, state=CallState.MET, outstanding=Decimal(0), closed_at=now, manner=manner)
    return Step(before=case, after=after, action="meet", actor=MONITOR, at=now)


def cancelled(case: Case, *, now: datetime, actor: str, note: str, set_aside: Decimal | None = None) -> Step:
    """Return the step that closes a case which should not have been opened."""
    after = replace(case, state=CallState.CANCELLED, outstanding=Decimal(0), closed_at=now, set_aside=set_aside)
    return Step(before=case, after=after, action="cancel", actor=actor, at=now, note=note)


def partially_met(case: Case, outstanding: Decimal, *, now: datetime) -> Step:
    """Return the step of a case of which the client met a part."""
    after = replace(case, state=CallState.PARTIALLY_MET, outstanding=outstanding)
    return Step(before=case, after=after, action="partially_meet", actor=MONITOR, at=now)


def past_due(case: Case, *, now: datetime) -> Step:
    """Return the step of a case whose day is over."""
    after = replace(case, state=CallState.PAST_DUE)
    return Step(before=case, after=after, action="pass_due", actor=MONITOR, at=now)
