"""
What the monitor does about calls: it opens, follows and closes cases, so that they say what the book says.

Every decision is made in a transaction in which the client is locked, from its account as it is stored at that moment.
So it may be made twice, or by two processes at once, and is still made once; and a snapshot reproduces its amount.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from tortoise.transactions import in_transaction

from app.book import ranking
from app.book.ranking import State
from app.database import sql
from app.engine.margin import margin_report
from app.engine.units import MONEY_SCALE, unscaled
from app.margin.account import Account, columns, load_accounts
from app.margin.explain import explain_account
from app.margin_calls import client_states
from app.margin_calls import manner as manner_service
from app.margin_calls import store as case_record
from app.margin_calls import transitions as life
from app.margin_calls.manner import ACTS, Manner
from app.margin_calls.shortfalls import shortfalls
from app.margin_calls.store import last_audit_id, latest_cases, lock_clients
from app.margin_calls.types import MONITOR, CallTerms, Case, Due, Evidence, Step
from app.models import CallState, CallType

#: Cases that one transaction handles at most when their day is over.
_MOST_DUE: Final = 200
_DUE: Final = """
select client_id from margin_call
where state in ('open', 'partially_met', 'extended') and due_at < $1 order by due_at limit $2
"""
#: $1 clients, $2 types, $3 shortfalls; returns the clients of open cases whose relief somebody may have brought.
_OUTSTANDING: Final = """
with moved as (
    update margin_call m set outstanding = q.outstanding, updated_at = now()
    from unnest($1::bigint[], $2::text[], $3::numeric[]) as q(client_id, type, outstanding)
    where m.client_id = q.client_id and m.type = q.type and m.closed_at is null and m.outstanding <> q.outstanding
    returning m.client_id, m.state, m.amount, m.outstanding, m.audit_id
)
select distinct client_id from moved
where state = 'open' and outstanding < amount and exists (
    select from audit_entry a
    where a.client_id = moved.client_id and a.id > moved.audit_id and a.entity in ('client', 'position')
)
"""
_NO_LONGER_SHORT: Final = "At fresh prices there is no shortfall; the call was never confirmed."


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Where a client stood when it was looked at."""

    state: State
    #: Cents by type of call, 0 = none; None where the client is incomplete.
    shortfalls: Mapping[CallType, int] | None
    #: A case is unconfirmed or set aside: look again whenever anything changes.
    is_watched: bool


class _What(Enum):
    """What there is to do about a shortfall, or its end."""

    OPEN = auto()
    CONTINUE = auto()
    RECHECK = auto()
    CLOSE = auto()
    FOLLOW = auto()


#: Those that are decided on an explanation.
_SEEN: Final = frozenset({_What.OPEN, _What.CONTINUE, _What.RECHECK})


@dataclass(frozen=True, slots=True)
class _Matter:
    """One type of call of one client that needs something done."""

    what: _What
    account: Account
    type: CallType
    case: Case | None
    shortfall: Decimal

    @property
    def standing(self) -> Case:
        """The case that there must be."""
        assert self.case is not None, "only what there is can be continued, followed or closed"
        return self.case


async def review(client_ids: Sequence[int], *, terms: CallTerms) -> dict[int, Reviewed]:
    """
    Bring the cases and states of some clients up to date, in one transaction; return where those that exist stand.

    Cost: some statements, and for each case that opens an explanation, about a millisecond. An incomplete client's
    cases stay as they are.
    """
    async with in_transaction():
        existing = await lock_clients(client_ids)
        cases = await latest_cases(existing)
        accounts = await load_accounts(existing, base_currency=terms.terms.base_currency)
        found = {client_id: _look(account, cases, terms) for client_id, account in accounts.items()}
        due = await terms.due()
        matters = [
            _Matter(what, accounts[client_id], kind, case, unscaled(short, MONEY_SCALE))
            for client_id, seen in found.items()
            for kind, short in (seen.shortfalls or {}).items()
            if (what := _what(case := cases.get((client_id, kind)), short, now=due.now)) is not None
        ]
        steps = await _steps(matters, due=due, terms=terms)
        moved = await client_states.move({client_id: seen.state for client_id, seen in found.items()}, now=due.now)
        await _follow([matter for matter in matters if matter.what in {_What.FOLLOW, _What.RECHECK}])
        steps = await case_record.record(steps, further=moved)
    for step in steps:
        cases[step.after.client_id, step.after.type] = step.after
    return {client_id: _watched(client_id, seen, cases) for client_id, seen in found.items()}


async def follow(outstanding: Mapping[tuple[int, CallType], int]) -> list[int]:
    """
    Store the shortfall (cents) that cases have now; return the clients to review, since somebody may have relieved one.

    For cases that stay open: a change of what is outstanding is no step in their life.
    """
    if not outstanding:
        return []
    parameters = [
        [client_id for client_id, _ in outstanding],
        [kind.value for _, kind in outstanding],
        [unscaled(cents, MONEY_SCALE) for cents in outstanding.values()],
    ]
    rows = await sql.rows(_OUTSTANDING, *parameters)
    return [row["client_id"] for row in rows]


async def pass_due(*, terms: CallTerms) -> int:
    """Move cases whose day is over to `past_due`, some in one transaction; return how many."""
    now = await terms.clock()
    rows = await sql.rows(_DUE, now, _MOST_DUE)
    if not rows:
        return 0
    async with in_transaction():
        cases = await latest_cases(await lock_clients(sorted({row["client_id"] for row in rows})))
        overdue = [case for case in cases.values() if case.state in _RUNNING and case.due_at < now]
        steps = [life.past_due(case, now=now) for case in overdue]
        await case_record.record(steps)
    return len(steps)


_RUNNING: Final = frozenset({CallState.OPEN, CallState.PARTIALLY_MET, CallState.EXTENDED})


def _look(account: Account, cases: Mapping[tuple[int, CallType], Case], terms: CallTerms) -> Reviewed:
    """Return where an account stands now."""
    book, prices, _, instruments = columns(account)
    report = margin_report(book, prices, instruments, terms.terms.policy.rules, threads=1)
    state = ranking.state_of(ranking.states(report, warning_cushion=terms.warning_cushion)[0])
    short = {kind: int(column[0]) for kind, column in shortfalls(report).items()} if report.complete[0] else None
    return _watched(account.client_id, Reviewed(state, short, is_watched=False), cases)


def _watched(client_id: int, seen: Reviewed, cases: Mapping[tuple[int, CallType], Case]) -> Reviewed:
    own = [case for kind in CallType if (case := cases.get((client_id, kind))) is not None]
    return replace(seen, is_watched=any(_is_watched(case) for case in own))


def _is_watched(case: Case) -> bool:
    return case.state is CallState.UNCONFIRMED or (case.is_closed and case.set_aside is not None)


def _what(case: Case | None, shortfall: int, *, now: datetime) -> _What | None:
    """Return what is to be done about a shortfall (cents) of the type of `case`, the last one of its client."""
    if case is None or case.is_closed:
        return _what_without(case, unscaled(shortfall, MONEY_SCALE), now=now) if shortfall else None
    if not shortfall:
        return _What.CLOSE
    if case.state is CallState.UNCONFIRMED:
        return _What.RECHECK
    return _What.FOLLOW


def _what_without(case: Case | None, shortfall: Decimal, *, now: datetime) -> _What | None:
    """Return what is to be done about a shortfall where no case is open."""
    if case is not None and case.set_aside == shortfall:
        return None
    return _What.CONTINUE if case is not None and case.was_met_on_day_of(now) else _What.OPEN


async def _steps(matters: Sequence[_Matter], *, due: Due, terms: CallTerms) -> list[Step]:
    """Return the steps that these matters need."""
    asked = {matter.standing.id: (matter.standing, matter.account) for matter in matters if _asks_for_manner(matter)}
    rules, base_currency = terms.terms.policy.rules, terms.terms.base_currency
    brought = await manner_service.manners(asked, rules=rules, base_currency=base_currency)
    audit_id = await last_audit_id() if any(matter.what in _SEEN for matter in matters) else 0
    steps = [await _step(matter, brought, audit_id, due=due, terms=terms) for matter in matters]
    return [step for step in steps if step is not None]


def _asks_for_manner(matter: _Matter) -> bool:
    if matter.what is _What.CLOSE:
        return True
    return matter.what is _What.FOLLOW and matter.standing.state is CallState.OPEN and _is_eased(matter)


def _is_eased(matter: _Matter) -> bool:
    return matter.shortfall < matter.standing.amount


async def _step(
    matter: _Matter, brought: Mapping[int, Sequence[Manner]], audit_id: int, *, due: Due, terms: CallTerms
) -> Step | None:
    """Return the step that a matter needs, None where only the outstanding amount moves."""
    if matter.what is _What.CLOSE:
        return _closed(matter.standing, brought[matter.standing.id], now=due.now)
    if matter.what is _What.FOLLOW:
        acts = ACTS.intersection(brought.get(matter.standing.id, ()))
        return life.partially_met(matter.standing, matter.shortfall, now=due.now) if acts else None
    await asyncio.sleep(0)  # an explanation takes milliseconds: others have their turn between two
    seen = Evidence(await explain_account(matter.account, terms=terms.terms), audit_id)
    if matter.what is _What.OPEN:
        return life.opened(matter.account.client_id, matter.type, matter.shortfall, seen, due=due)
    if matter.what is _What.CONTINUE:
        return life.continued(matter.standing, matter.shortfall, is_stale=seen.is_stale, now=due.now)
    still = seen.is_stale
    return None if still else life.confirmed(matter.standing, matter.shortfall, seen, due=due, actor=MONITOR)


def _closed(case: Case, manners: Sequence[Manner], *, now: datetime) -> Step:
    """Return how a case ends; what was never confirmed and went away with the price was no call."""
    if case.state is CallState.UNCONFIRMED and not (ACTS | {Manner.RULE_CHANGE}).intersection(manners):
        return life.cancelled(case, now=now, actor=MONITOR, note=_NO_LONGER_SHORT)
    return life.met(case, ",".join(manners) or Manner.APPRECIATION, now=now)


async def _follow(matters: Sequence[_Matter]) -> None:
    """Store what is outstanding where that is all that changes, before a step says otherwise."""
    await follow({(matter.account.client_id, matter.type): int(matter.shortfall * MONEY_SCALE) for matter in matters})
