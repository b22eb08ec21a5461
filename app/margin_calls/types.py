"""A margin call as files of the room pass it around, with its transitions, evidence and settings."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from app.audit.hash_chain import Plain, plain
from app.margin.explain import MarginSettings
from app.margin.explain_schemas import ExplanationOut
from app.margin_calls.business_days import close_after, day_of
from app.models import CallState, CallType

#: The actor of what no user does.
MONITOR: Final = "monitor"
#: The basis of what has no price.
UNPRICED: Final = "unpriced"
Clock: TypeAlias = Callable[[], Awaitable[datetime]]


async def wall_clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What calls depend on beside the account."""

    margin: MarginSettings
    warning_cushion: float
    #: Business days until a call is due, by type.
    days: Mapping[CallType, int]
    #: The time by which calls are opened, due and closed: the wall clock, or a replay's.
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
class Call:
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
    #: Why prices behind it are in doubt: `reasons`, `symbols`, `since`, `best` and `worst` shortfall; None = none is.
    doubt: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Call":
        """Return a row of the table as a call."""
        values = {field.name: row[field.name] for field in fields(cls)}
        doubt = None if row["doubt"] is None else json.loads(row["doubt"])
        return cls(**values | {"type": CallType(row["type"]), "state": CallState(row["state"]), "doubt": doubt})

    @property
    def unconfirmed_reasons(self) -> list[str]:
        """Why it waits for the desk, where it does."""
        is_waiting = self.state is CallState.UNCONFIRMED and self.doubt is not None
        return list(self.doubt["reasons"]) if is_waiting and self.doubt else []

    @property
    def is_closed(self) -> bool:
        """Whether nothing is asked any more."""
        return self.closed_at is not None

    def was_met_on_day_of(self, now: datetime) -> bool:
        """Return whether it was met on this day in New York, so that a new shortfall continues it."""
        return self.state is CallState.MET and self.closed_at is not None and day_of(self.closed_at) == day_of(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step in the life of a call: from `before` (None: it opens) to `after`."""

    before: Call | None
    after: Call
    #: open, reopen, confirm, partially_meet, meet, cancel, extend, pass_due, note.
    action: str
    actor: str
    at: datetime
    note: str | None = None
    #: What reproduces `after.amount`, where that was set by this step.
    snapshot: Plain = None


@dataclass(frozen=True, slots=True)
class CallEvidence:
    """What a shortfall rests on: the explanation, and the last audit entry of that moment."""

    explanation: ExplanationOut
    audit_id: int
    #: Whether a position without a price is left out of the explanation.
    is_partial: bool = False

    @property
    def basis(self) -> str:
        """The weakest basis among the prices."""
        return UNPRICED if self.is_partial else self.explanation.price_basis

    @property
    def snapshot(self) -> Plain:
        """The explanation as it is stored; figures are exact strings."""
        return plain(self.explanation.model_dump())


#: What may be asked for; `open` is every state that is not closed.
StateFilter = Literal["unconfirmed", "open", "partially_met", "extended", "past_due", "met", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilters:
    """Which calls to list: those that match all that is not None; opened from (included) to (excluded)."""

    client_id: int | None = None
    state: StateFilter | None = None
    type: Literal["house", "exchange"] | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None
