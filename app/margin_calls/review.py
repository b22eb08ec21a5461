"""
What the monitor does about calls: it opens, follows and closes calls, so that they say what the book says.

Every decision is made in a transaction in which the client is locked, from its account as it is stored at that moment.
So it may be made twice, or by two processes at once, and is still made once; and a snapshot reproduces its amount.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.book import ranking
from app.book.ranking import State
from app.engine.margin import margin_report
from app.engine.units import MONEY_SCALE, unscaled
from app.margin.account import Account, columns, load_accounts
from app.margin.explain import explain_account, stale_symbols
from app.margin_calls import manner as manner_service
from app.margin_calls import recording, store, transitions
from app.margin_calls.manner import ACTS, Manner
from app.margin_calls.shortfalls import Verdict, shortfalls, verdicts
from app.margin_calls.store import last_audit_id, latest_calls, lock_clients
from app.margin_calls.types import MONITOR, Call, CallEvidence, CallSettings, Due, Transition
from app.models import CallState, CallType

#: Calls that one transaction handles at most when their day is over.
_MOST_DUE: Final = 200
_NO_LONGER_SHORT: Final = "Nothing is short at any price in question; the call was never confirmed."
_DOUBT_CLEARED: Final = "doubt cleared"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A client's state and shortfalls at its last review."""

    state: State
    #: Cents by type of call, 0 = none; None where the client is incomplete.
    shortfalls: Mapping[CallType, int] | None
    #: A call is unconfirmed or set aside: review again whenever anything changes.
    is_watched: bool
    #: What each type of call asks, with what is in doubt; None where nothing can be said yet.
    verdicts: Mapping[CallType, Verdict] | None = None


class _Action(Enum):
    """What to do about a shortfall, or its end."""

    OPEN = auto()
    REOPEN = auto()
    CONFIRM = auto()
    DOUBT = auto()
    CLOSE = auto()
    FOLLOW = auto()


#: Those that are decided on an explanation.
_EXPLAINED: Final = frozenset({_Action.OPEN, _Action.CONFIRM})


@dataclass(frozen=True, slots=True)
class _OpenIssue:
    """One type of call of one client that needs an action."""

    action: _Action
    account: Account
    type: CallType
    call: Call | None
    verdict: Verdict

    @property
    def shortfall(self) -> Decimal:
        """What is asked, in account currency."""
        return unscaled(self.verdict.demand, MONEY_SCALE)

    @property
    def certain(self) -> Decimal:
        """What is short at every price that the account may have."""
        return unscaled(self.verdict.best, MONEY_SCALE)

    def doubt(self, now: datetime) -> Mapping[str, Any] | None:
        """Return what the call shows of the doubt about its prices."""
        before = self.call.doubt if self.call is not None else None
        return self.verdict.doubt(before["since"] if before else now.isoformat().replace("+00:00", "Z"))

    @property
    def existing(self) -> Call:
        """The call, which is there whatever the action but OPEN."""
        assert self.call is not None, "only what there is can be reopened, followed or closed"
        return self.call


async def review(
    client_ids: Sequence[int], *, settings: CallSettings, unanswered: Collection[str] = ()
) -> dict[int, Reviewed]:
    """
    Bring the calls and states of some clients up to date, in one transaction; return those that exist, as found.

    Cost: some statements, and for each call that opens an explanation, about a millisecond. The calls of a client with
    a price that is neither known nor `unanswered` (a source said often enough that it has none) stay as they are.
    """
    async with in_transaction():
        existing = await lock_clients(client_ids)
        calls = await latest_calls(existing)
        accounts = await load_accounts(existing, base_currency=settings.margin.base_currency)
        found = {client_id: await _assess(account, settings, unanswered) for client_id, account in accounts.items()}
        due = await settings.due()
        issues = [
            _OpenIssue(action, accounts[client_id], kind, call, verdict)
            for client_id, reviewed in found.items()
            for kind, verdict in (reviewed.verdicts or {}).items()
            if (action := _action_for(call := calls.get((client_id, kind)), verdict, now=due.now)) is not None
        ]
        steps = await _steps(issues, due=due, settings=settings)
        moved = await recording.move_states(
            {client_id: reviewed.state for client_id, reviewed in found.items()}, now=due.now
        )
        await _follow([issue for issue in issues if issue.action in {_Action.FOLLOW, _Action.DOUBT}], now=due.now)
        steps = await recording.record(steps, further=moved)
    for step in steps:
        calls[step.after.client_id, step.after.type] = step.after
    return {client_id: _watched(client_id, reviewed, calls) for client_id, reviewed in found.items()}


async def follow(outstanding: Mapping[tuple[int, CallType], int]) -> list[int]:
    """
    Store the shortfall (cents) that calls have now; return the clients to review, whose calls may have been relieved.

    For calls that stay open: a change of what is outstanding is no transition.
    """
    if not outstanding:
        return []
    return await store.set_outstanding({key: unscaled(cents, MONEY_SCALE) for key, cents in outstanding.items()})


async def pass_due(*, settings: CallSettings) -> int:
    """Move calls whose day is over to `past_due`, some in one transaction; return how many."""
    now = await settings.clock()
    clients = await store.overdue_clients(now, limit=_MOST_DUE)
    if not clients:
        return 0
    async with in_transaction():
        calls = await latest_calls(await lock_clients(sorted(set(clients))))
        overdue = [call for call in calls.values() if call.state in _RUNNING and call.due_at < now]
        steps = [transitions.pass_due(call, now=now) for call in overdue]
        await recording.record(steps)
    return len(steps)


_RUNNING: Final = frozenset({CallState.OPEN, CallState.PARTIALLY_MET, CallState.EXTENDED})


async def _assess(account: Account, settings: CallSettings, unanswered: Collection[str]) -> Reviewed:
    """
    Return state and shortfalls of an account at its stored prices, and what calls ask where some are in doubt.

    Age alone asks for nothing: a stale price counts only where the account is short at the stored prices.
    """
    book, prices, _, instruments = columns(account)
    rules = settings.margin.policy.rules
    report = margin_report(book, prices, instruments, rules, threads=1)
    state = ranking.state_of(ranking.states(report, warning_cushion=settings.warning_cushion)[0])
    short = {kind: int(column[0]) for kind, column in shortfalls(report).items()} if report.complete[0] else None
    stale = await stale_symbols(account, settings=settings.margin) if short is None or any(short.values()) else ()
    found = verdicts(account, short, rules, stale=stale, unanswered=unanswered)
    return Reviewed(state, short, is_watched=False, verdicts=found)


def _watched(client_id: int, reviewed: Reviewed, calls: Mapping[tuple[int, CallType], Call]) -> Reviewed:
    own = [call for kind in CallType if (call := calls.get((client_id, kind))) is not None]
    return replace(reviewed, is_watched=any(_is_watched(call) for call in own))


def _is_watched(call: Call) -> bool:
    is_doubted = call.state is CallState.UNCONFIRMED or (call.doubt is not None and not call.is_closed)
    return is_doubted or (call.is_closed and call.set_aside is not None)


def _action_for(call: Call | None, verdict: Verdict, *, now: datetime) -> _Action | None:
    """Return what is to be done about what a type of call asks; `call` is the last one of its client and type."""
    if call is None or call.is_closed:
        return _action_without_call(call, verdict, now=now) if verdict.worst else None
    if not verdict.worst:
        return _Action.CLOSE
    if call.state is CallState.UNCONFIRMED:
        return _Action.CONFIRM if verdict.best else _Action.DOUBT
    return _Action.FOLLOW if verdict.best else _Action.DOUBT


def _action_without_call(call: Call | None, verdict: Verdict, *, now: datetime) -> _Action | None:
    """Return what is to be done about a shortfall where no call is open."""
    if call is not None and call.set_aside == unscaled(verdict.demand, MONEY_SCALE):
        return None
    return _Action.REOPEN if call is not None and call.was_met_on_day_of(now) and verdict.best else _Action.OPEN


async def _steps(issues: Sequence[_OpenIssue], *, due: Due, settings: CallSettings) -> list[Transition]:
    """Return the steps that these issues need."""
    asked = {issue.existing.id: (issue.existing, issue.account) for issue in issues if _asks_for_manner(issue)}
    rules, base_currency = settings.margin.policy.rules, settings.margin.base_currency
    brought = await manner_service.manners(asked, rules=rules, base_currency=base_currency)
    audit_id = await last_audit_id() if any(issue.action in _EXPLAINED for issue in issues) else 0
    steps = [await _step(issue, brought, audit_id, due=due, settings=settings) for issue in issues]
    return [step for step in steps if step is not None]


def _asks_for_manner(issue: _OpenIssue) -> bool:
    if issue.action is _Action.CLOSE:
        return True
    return issue.action is _Action.FOLLOW and issue.existing.state is CallState.OPEN and _is_eased(issue)


def _is_eased(issue: _OpenIssue) -> bool:
    return issue.shortfall < issue.existing.amount


async def _step(
    issue: _OpenIssue, brought: Mapping[int, Sequence[Manner]], audit_id: int, *, due: Due, settings: CallSettings
) -> Transition | None:
    """Return the step that an issue needs, None where only the outstanding amount moves."""
    if issue.action is _Action.CLOSE:
        return _closed(issue.existing, brought[issue.existing.id], now=due.now)
    if issue.action is _Action.FOLLOW:
        acts = ACTS.intersection(brought.get(issue.existing.id, ()))
        return transitions.partially_meet(issue.existing, issue.shortfall, now=due.now) if acts else None
    if issue.action is _Action.DOUBT:
        return None
    doubt, is_confirmed = issue.doubt(due.now), issue.verdict.best > 0
    if issue.action is _Action.REOPEN:
        return transitions.reopen(issue.existing, issue.shortfall, is_confirmed=is_confirmed, doubt=doubt, now=due.now)
    await asyncio.sleep(0)  # an explanation takes milliseconds: other requests run between two
    evidence = await _evidence(issue, audit_id, settings)
    if issue.action is _Action.OPEN:
        return transitions.open_call(
            issue.account.client_id,
            issue.type,
            issue.shortfall,
            evidence,
            due=due,
            is_confirmed=is_confirmed,
            doubt=doubt,
        )
    return transitions.confirm(issue.existing, issue.shortfall, evidence, due=due, actor=MONITOR, doubt=doubt)


async def _evidence(issue: _OpenIssue, audit_id: int, settings: CallSettings) -> CallEvidence:
    """Return the explanation of an account, without the positions that have no price."""
    account = issue.account
    priced = tuple(line for line in account.held if line.account_price)
    is_partial = len(priced) < len(account.held)
    explanation = await explain_account(replace(account, lines=priced), settings=settings.margin)
    return CallEvidence(explanation, audit_id, is_partial)


def _closed(call: Call, manners: Sequence[Manner], *, now: datetime) -> Transition:
    """Return how a call ends; what was never confirmed and went away with the price was no call."""
    if call.state is CallState.UNCONFIRMED and not (ACTS | {Manner.RULE_CHANGE}).intersection(manners):
        return transitions.cancel(call, now=now, actor=MONITOR, note=_NO_LONGER_SHORT, manner=_DOUBT_CLEARED)
    return transitions.meet(call, ",".join(manners) or Manner.APPRECIATION, now=now)


async def _follow(issues: Sequence[_OpenIssue], *, now: datetime) -> None:
    """Store what is outstanding and in doubt where that is all that changes, before a transition overwrites it."""
    certain = [issue for issue in issues if issue.verdict.best or issue.existing.state is CallState.UNCONFIRMED]
    await follow({(issue.account.client_id, issue.type): int(issue.shortfall * MONEY_SCALE) for issue in certain})
    doubts = {issue.existing.id: issue.doubt(now) for issue in issues}
    changed = {issue.existing.id for issue in issues if issue.existing.doubt != doubts[issue.existing.id]}
    if changed:
        await store.set_doubts({call_id: doubts[call_id] for call_id in changed})
