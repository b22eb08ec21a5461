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
from app.margin_calls import store as case_record
from app.margin_calls import transitions as life
from app.margin_calls.shortfalls import shortfalls
from app.margin_calls.store import evidence, find_case, lock_clients
from app.margin_calls.types import CallTerms, Case, Step
from app.models import CallState

Restriction = Literal["close_only"]


@dataclass(frozen=True, slots=True)
class Remark:
    """What the desk says with an act: a text, and the client's restriction from now on where it names one."""

    text: str
    #: {} leaves the restriction as it is; {"restriction": None} lifts it.
    changes: Mapping[Literal["restriction"], Restriction | None]

    def on(self, case: Case) -> Case:
        """Return the case with the restriction that is named."""
        return replace(case, restriction=self.changes["restriction"]) if self.changes else case


#: States in which a call is asked for, so that its due date means something.
_ASKED: Final = frozenset({CallState.OPEN, CallState.PARTIALLY_MET, CallState.EXTENDED, CallState.PAST_DUE})


async def confirm(case_id: int, remark: Remark, *, caller: Caller, terms: CallTerms) -> Case:
    """
    Make an unconfirmed case a call: for the shortfall of this moment, due from today.

    Raises:
        NotFoundError: there is no such case.
        ConflictError: it is not unconfirmed, or nothing is short now.
        MissingPricesError: a price that it needs is not known.
    """
    async with in_transaction():
        case = await _locked(case_id)
        if case.state is not CallState.UNCONFIRMED:
            raise ConflictError(f"Margin call {case_id} is {case.state}; only an unconfirmed one can be confirmed.")
        account = await load_account(case.client_id, base_currency=terms.terms.base_currency)
        assert account is not None, "a locked client exists"
        seen = await evidence(account, terms=terms)
        short = _shortfall(account, case, terms)
        if not short:
            raise ConflictError(f"Client {case.client_id} is not short at the stored prices; cancel the call instead.")
        step = life.confirmed(case, short, seen, due=await terms.due(), actor=caller.username, note=remark.text)
        return await _recorded(replace(step, after=remark.on(step.after)))


async def extend(case_id: int, due_at: datetime, remark: Remark, *, caller: Caller, terms: CallTerms) -> Case:
    """
    Give a call more time.

    Raises:
        NotFoundError: there is no such case.
        ConflictError: it is closed or unconfirmed, or due later already.
        InvalidInputError: the new time is past.
    """
    async with in_transaction():
        case = await _locked(case_id)
        now = await terms.clock()
        if case.state not in _ASKED:
            raise ConflictError(f"Margin call {case_id} is {case.state}; it cannot be extended.")
        if due_at <= now:
            fault = Fault(where=("body", "due_at"), what="lies in the past")
            raise InvalidInputError(f"A call cannot be extended to {due_at:%Y-%m-%d %H:%M}Z.", faults=[fault])
        if due_at <= case.due_at:
            raise ConflictError(f"Margin call {case_id} is due at {case.due_at:%Y-%m-%dT%H:%M:%SZ} already.")
        after = replace(remark.on(case), state=CallState.EXTENDED, due_at=due_at)
        return await _recorded(_step(case, after, "extend", remark, caller=caller, now=now))


async def cancel(case_id: int, remark: Remark, *, caller: Caller, terms: CallTerms) -> Case:
    """
    Close a case that should not have been opened; the same shortfall to the cent opens no other.

    Raises:
        NotFoundError: there is no such case.
        ConflictError: it is closed.
    """
    async with in_transaction():
        case = await _locked(case_id)
        if case.is_closed:
            raise ConflictError(f"Margin call {case_id} is {case.state} already.")
        account = await load_account(case.client_id, base_currency=terms.terms.base_currency)
        aside = case.outstanding if account is None else _shortfall(account, case, terms) or case.outstanding
        now = await terms.clock()
        step = life.cancelled(case, now=now, actor=caller.username, note=remark.text, set_aside=aside)
        return await _recorded(replace(step, after=remark.on(step.after)))


async def add_note(case_id: int, remark: Remark, *, caller: Caller, terms: CallTerms) -> Case:
    """
    Write something down in a case, open or closed.

    Raises:
        NotFoundError: there is no such case.
    """
    async with in_transaction():
        case = await _locked(case_id)
        now = await terms.clock()
        return await _recorded(_step(case, remark.on(case), "note", remark, caller=caller, now=now))


def no_case(case_id: int) -> NotFoundError:
    """Return the error for a case that does not exist, or that the caller may not see."""
    return NotFoundError(f"No margin call {case_id}.")


async def _locked(case_id: int) -> Case:
    """Return a case whose client is locked: nobody else acts on it until the transaction ends."""
    found = await find_case(case_id)
    if found is not None and await lock_clients([found.client_id]):
        found = await find_case(case_id)
    if found is None:
        raise no_case(case_id)
    return found


def _shortfall(account: Account, case: Case, terms: CallTerms) -> Decimal:
    """Return the shortfall of the case's type now."""
    book, prices, _, instruments = columns(account)
    report = margin_report(book, prices, instruments, terms.terms.policy.rules, threads=1)
    return unscaled(int(shortfalls(report)[case.type][0]), MONEY_SCALE)


def _step(case: Case, after: Case, action: str, remark: Remark, *, caller: Caller, now: datetime) -> Step:
    return Step(before=case, after=after, action=action, actor=caller.username, at=now, note=remark.text)


async def _recorded(step: Step) -> Case:
    return (await case_record.record([step]))[0].after
