"""What the desk does about a call: confirm, extend, cancel, write a note. Each with who, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from tortoise.transactions import in_transaction

from app.auth.types import Caller
from app.core.errors import ConflictError, Fault, InvalidInputError, NotFoundError
from app.engine.margin import margin_report
from app.engine.units import MONEY_SCALE, unscaled
from app.margin.account import Account, columns, load_account
from app.margin.explain import explain_account
from app.margin_calls import recording, transitions
from app.margin_calls.shortfalls import shortfalls
from app.margin_calls.store import find_call, last_audit_id, lock_clients
from app.margin_calls.types import Call, CallEvidence, CallSettings, Transition
from app.models import CallState

Restriction = Literal["close_only"]


@dataclass(frozen=True, slots=True)
class Remark:
    """What the desk says with an act: a text, and the client's restriction from now on where it names one."""

    text: str
    #: {} leaves the restriction as it is; {"restriction": None} lifts it.
    changes: Mapping[Literal["restriction"], Restriction | None]

    def on(self, call: Call) -> Call:
        """Return the call with the restriction that is named."""
        return replace(call, restriction=self.changes["restriction"]) if self.changes else call


#: States in which a call is asked for, so that its due date means something.
_ASKED: Final = frozenset({CallState.OPEN, CallState.PARTIALLY_MET, CallState.EXTENDED, CallState.PAST_DUE})


async def confirm(call_id: int, remark: Remark, *, caller: Caller, settings: CallSettings) -> Call:
    """
    Confirm an unconfirmed call: for the shortfall of this moment, due from today.

    Raises:
        NotFoundError: there is no such call.
        ConflictError: it is not unconfirmed, or nothing is short now.
        MissingPricesError: a price that it needs is not known.
    """
    async with in_transaction():
        call = await _locked(call_id)
        if call.state is not CallState.UNCONFIRMED:
            raise ConflictError(f"Margin call {call_id} is {call.state}; only an unconfirmed one can be confirmed.")
        account = await load_account(call.client_id, base_currency=settings.margin.base_currency)
        assert account is not None, "a locked client exists"
        evidence = await _evidence(account, settings=settings)
        short = _shortfall(account, call, settings)
        if not short:
            raise ConflictError(f"Client {call.client_id} is not short at the stored prices; cancel the call instead.")
        due = await settings.due()
        step = transitions.confirm(call, short, evidence, due=due, actor=caller.username, note=remark.text)
        return await _recorded(replace(step, after=remark.on(step.after)))


async def extend(call_id: int, due_at: datetime, remark: Remark, *, caller: Caller, settings: CallSettings) -> Call:
    """
    Give a call more time.

    Raises:
        NotFoundError: there is no such call.
        ConflictError: it is closed or unconfirmed, or due later already.
        InvalidInputError: the new time is past.
    """
    async with in_transaction():
        call = await _locked(call_id)
        now = await settings.clock()
        if call.state not in _ASKED:
            raise ConflictError(f"Margin call {call_id} is {call.state}; it cannot be extended.")
        if due_at <= now:
            fault = Fault(where=("body", "due_at"), what="lies in the past")
            raise InvalidInputError(f"A call cannot be extended to {due_at:%Y-%m-%d %H:%M}Z.", faults=[fault])
        if due_at <= call.due_at:
            raise ConflictError(f"Margin call {call_id} is due at {call.due_at:%Y-%m-%dT%H:%M:%SZ} already.")
        after = replace(remark.on(call), state=CallState.EXTENDED, due_at=due_at)
        return await _recorded(_step(call, after, "extend", remark, caller=caller, now=now))


async def cancel(call_id: int, remark: Remark, *, caller: Caller, settings: CallSettings) -> Call:
    """
    Close a call that should not have been opened; the same shortfall to the cent opens no other.

    Raises:
        NotFoundError: there is no such call.
        ConflictError: it is closed.
    """
    async with in_transaction():
        call = await _locked(call_id)
        if call.is_closed:
            raise ConflictError(f"Margin call {call_id} is {call.state} already.")
        account = await load_account(call.client_id, base_currency=settings.margin.base_currency)
        aside = call.outstanding if account is None else _shortfall(account, call, settings) or call.outstanding
        now = await settings.clock()
        step = transitions.cancel(call, now=now, actor=caller.username, note=remark.text, set_aside=aside)
        return await _recorded(replace(step, after=remark.on(step.after)))


async def add_note(call_id: int, remark: Remark, *, caller: Caller, settings: CallSettings) -> Call:
    """
    Write a note on a call, open or closed.

    Raises:
        NotFoundError: there is no such call.
    """
    async with in_transaction():
        call = await _locked(call_id)
        now = await settings.clock()
        return await _recorded(_step(call, remark.on(call), "note", remark, caller=caller, now=now))


def call_not_found(call_id: int) -> NotFoundError:
    """Return the error for a call that does not exist, or that the caller may not see."""
    return NotFoundError(f"No margin call {call_id}.")


async def _locked(call_id: int) -> Call:
    """Return a call whose client is locked: no other session acts on it until the transaction ends."""
    found = await find_call(call_id)
    if found is not None and await lock_clients([found.client_id]):
        found = await find_call(call_id)
    if found is None:
        raise call_not_found(call_id)
    return found


def _shortfall(account: Account, call: Call, settings: CallSettings) -> Decimal:
    """Return the shortfall of the call's type now."""
    book, prices, _, instruments = columns(account)
    report = margin_report(book, prices, instruments, settings.margin.policy.rules, threads=1)
    return unscaled(int(shortfalls(report)[call.type][0]), MONEY_SCALE)


def _step(call: Call, after: Call, action: str, remark: Remark, *, caller: Caller, now: datetime) -> Transition:
    return Transition(before=call, after=after, action=action, actor=caller.username, at=now, note=remark.text)


async def _recorded(step: Transition) -> Call:
    return (await recording.record([step]))[0].after


async def _evidence(account: Account, *, settings: CallSettings) -> CallEvidence:
    """
    Explain an account whose client is locked.

    Raises:
        MissingPricesError, ConflictError: it has no figures.
    """
    return CallEvidence(await explain_account(account, settings=settings.margin), audit_id=await last_audit_id())
