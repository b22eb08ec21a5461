"""A margin call as the services pass it around, and the steps of its life."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from app.models import CallState, CallType
from app.services.business_days import close_after, day_of
from app.services.chain import Plain, plain
from app.services.explain import Explanation, Terms
from app.services.prices import newest_replayed

__all__ = [
    "MONITOR",
    "STALE",
    "CallState",
    "CallTerms",
    "CallType",
    "Case",
    "Clock",
    "Due",
    "Evidence",
    "Step",
    "cancelled",
    "confirmed",
    "continued",
    "met",
    "opened",
    "partially_met",
    "past_due",
    "replay_clock",
    "wall_clock",
]

#: Who acts when nobody does.
MONITOR: Final = "monitor"
#: The weakest basis on which the monitor opens a call by itself.
STALE: Final = "stale"

Clock: TypeAlias = Callable[[], Awaitable[datetime]]


async def wall_clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


async def replay_clock() -> datetime:
    """Return the newest time that a replay has reached, so that cases live in its days; the time before it began."""
    return await newest_replayed() or datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What calls depend on beside the account."""

    terms: Terms
    warning_cushion: float
    #: Business days until a call is due, by type.
    days: Mapping[CallType, int]
    #: The time by which cases are opened, due and closed: the wall clock, or a replay's.
    clock: Clock

    async def due(self) -> "Due":
        """Return the time, and when a call of this moment is due."""
        now = await self.clock()
        return Due(now, {kind: await close_after(now, days=days) for kind, days in self.days.items()})


@dataclass(frozen=True, slots=True)
class Due:
    """A moment, and when a call of that moment is due, by type."""

    now: datetime
    at: Mapping[CallType, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row of `MarginCall`, without its snapshot; `id` 0 = not stored yet."""

    id: int
    client_id: int
    type: CallType
    state: CallState
    amount: Decimal
    outstanding: Decimal
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None
    manner: str | None
    restriction: str | None
    policy_id: str
    policy_version: str
    price_basis: str
    audit_id: int
    set_aside: Decimal | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Case":
        """Return a row of the table as a case."""
        values = {field.name: row[field.name] for field in fields(cls)}
        return cls(**values | {"type": CallType(row["type"]), "state": CallState(row["state"])})

    @property
    def is_closed(self) -> bool:
        """Whether nothing is asked any more."""
        return self.closed_at is not None

    def was_met_on_day_of(self, now: datetime) -> bool:
        """Return whether it was met on this day in New York, so that a new shortfall continues it."""
        return self.state is CallState.MET and self.closed_at is not None and day_of(self.closed_at) == day_of(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step in the life of a case: from `before` (None: it opens) to `after`."""

    before: Case | None
    after: Case
    #: open, reopen, confirm, partially_meet, meet, cancel, extend, pass_due, note.
    action: str
    actor: str
    at: datetime
    note: str | None = None
    #: What reproduces `after.amount`, where that was set by this step.
    snapshot: Plain = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a shortfall was seen on: the explanation, and the last audit entry of that moment."""

    explanation: Explanation
    audit_id: int

    @property
    def basis(self) -> str:
        """The weakest basis among the prices."""
        return self.explanation.price_basis

    @property
    def snapshot(self) -> Plain:
        """The explanation as it is stored; figures are exact strings."""
        return plain(asdict(self.explanation))

    @property
    def is_stale(self) -> bool:
        """Whether the desk has to look at it first."""
        return self.basis == STALE


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
