"""The transitions of a margin call: pure, from the stored call and the evidence to the next state."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.margin_calls.types import MONITOR, Call, CallEvidence, Due, Transition
from app.models import CallState, CallType


def open_call(  # noqa: PLR0913 - what a call is made of
    client_id: int,
    kind: CallType,
    shortfall: Decimal,
    evidence: CallEvidence,
    *,
    due: Due,
    is_confirmed: bool,
    doubt: Mapping[str, Any] | None,
) -> Transition:
    """Return the step that opens a call: `unconfirmed` where only prices in doubt say that something is short."""
    policy = evidence.explanation.policy
    call = Call(
        id=0,
        client_id=client_id,
        type=kind,
        state=CallState.OPEN if is_confirmed else CallState.UNCONFIRMED,
        amount=shortfall,
        outstanding=shortfall,
        opened_at=due.now,
        due_at=due.at[kind],
        closed_at=None,
        manner=None,
        restriction=None,
        policy_id=policy.id,
        policy_version=policy.version,
        price_basis=evidence.basis,
        audit_id=evidence.audit_id,
        set_aside=None,
        doubt=doubt,
    )
    return Transition(before=None, after=call, action="open", actor=MONITOR, at=due.now, snapshot=evidence.snapshot)


def confirm(  # noqa: PLR0913 - what a confirmation is made of
    call: Call,
    shortfall: Decimal,
    evidence: CallEvidence,
    *,
    due: Due,
    actor: str,
    note: str | None = None,
    doubt: Mapping[str, Any] | None = None,
) -> Transition:
    """Return the step that confirms a call: for today's shortfall, due from today."""
    policy = evidence.explanation.policy
    after = replace(
        call,
        state=CallState.OPEN,
        amount=shortfall,
        outstanding=shortfall,
        due_at=due.at[call.type],
        policy_id=policy.id,
        policy_version=policy.version,
        price_basis=evidence.basis,
        audit_id=evidence.audit_id,
        doubt=doubt,
    )
    return Transition(
        before=call, after=after, action="confirm", actor=actor, at=due.now, note=note, snapshot=evidence.snapshot
    )


def reopen(
    call: Call, shortfall: Decimal, *, is_confirmed: bool, doubt: Mapping[str, Any] | None, now: datetime
) -> Transition:
    """Return the step that takes a call up again on the day on which it was met, or its doubt cleared."""
    state = CallState.OPEN if is_confirmed else CallState.UNCONFIRMED
    after = replace(call, state=state, outstanding=shortfall, closed_at=None, manner=None, doubt=doubt)
    return Transition(before=call, after=after, action="reopen", actor=MONITOR, at=now)


def meet(call: Call, manner: str, *, now: datetime) -> Transition:
    """Return the step that closes a call, because nothing is short any more."""
    after = replace(call, state=CallState.MET, outstanding=Decimal(0), closed_at=now, manner=manner, doubt=None)
    return Transition(before=call, after=after, action="meet", actor=MONITOR, at=now)


def cancel(
    call: Call,
    *,
    now: datetime,
    actor: str,
    note: str,
    set_aside: Decimal | None = None,
    manner: str | None = None,
) -> Transition:
    """Return the step that closes a call which should not have been opened."""
    after = replace(
        call,
        state=CallState.CANCELLED,
        outstanding=Decimal(0),
        closed_at=now,
        set_aside=set_aside,
        manner=manner,
        doubt=None,
    )
    return Transition(before=call, after=after, action="cancel", actor=actor, at=now, note=note)


def partially_meet(call: Call, outstanding: Decimal, *, now: datetime) -> Transition:
    """Return the step of a call of which the client met a part."""
    after = replace(call, state=CallState.PARTIALLY_MET, outstanding=outstanding)
    return Transition(before=call, after=after, action="partially_meet", actor=MONITOR, at=now)


def pass_due(call: Call, *, now: datetime) -> Transition:
    """Return the step of a call whose day is over."""
    after = replace(call, state=CallState.PAST_DUE)
    return Transition(before=call, after=after, action="pass_due", actor=MONITOR, at=now)
