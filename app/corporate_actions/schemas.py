"""Corporate actions on the wire."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.config import JsonDict

from app.core.symbols import SYMBOL_INPUT_PATTERN, SYMBOL_SCHEMA
from app.web.fields import EXACT, DateIn, In, NumberOut, Out, TimestampOut, json_number

ActionKind = Literal["split", "spin_off", "merger", "dividend", "rename", "instrument", "other"]
ActionState = Literal["pending", "scheduled", "applied", "dismissed"]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]
#: Shares in whole numbers, or with up to 6 decimals.
Term = Annotated[
    Decimal,
    *EXACT,
    Field(gt=0, le=1_000_000, decimal_places=6, allow_inf_nan=False),
    json_number(exclusiveMinimum=0, maximum=1_000_000),
]
Ratio = Annotated[list[Term], Field(min_length=2, max_length=2, description="New units for old ones: [2, 1].")]

_ACTION: JsonDict = {
    "id": 1,
    "symbol": "AAPL",
    "kind": "split",
    "ratio": [4.0, 1.0],
    "amount": None,
    "to_symbol": None,
    "ex_date": "2026-01-30",
    "effective_on": None,
    "state": "pending",
    "source": "source",
    "clients": 2,
    "created_at": "2026-01-30T15:30:00Z",
    "decided_at": None,
    "decided_by": None,
    "reason": None,
}


class CorporateActionOut(Out):
    """What happened to a security, or is said to have, and what became of it here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ACTION]})

    id: int
    symbol: str
    kind: ActionKind
    ratio: list[NumberOut] | None = Field(description="New units for old ones, in the terms of the source.")
    amount: NumberOut | None = Field(description="Cash per unit.")
    to_symbol: str | None
    ex_date: date
    effective_on: date | None = Field(description="Day from which it counts here.")
    state: ActionState
    source: str = Field(description="`source`, the price source; or `risk desk`.")
    clients: int = Field(description="Clients that hold the symbol now.")
    created_at: TimestampOut
    decided_at: TimestampOut | None
    decided_by: str | None
    reason: str | None


class CorporateActionIn(In):
    """What the desk knows of and the source does not say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"symbol": "AAPL", "kind": "split", "ratio": [4, 1], "ex_date": "2026-01-30"}]}
    )

    symbol: Annotated[str, Field(pattern=SYMBOL_INPUT_PATTERN), WithJsonSchema(SYMBOL_SCHEMA)]
    kind: ActionKind
    ratio: Ratio | None = None
    ex_date: DateIn


class ApplyIn(In):
    """How the desk applies it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The transfer agent's notice says 4 for 1."}]})

    ratio: Ratio | None = Field(default=None, description="In place of the one that is stored.")
    effective_on: DateIn | None = Field(default=None, description="A later day: it runs at 04:00 New York of it.")
    reason: Reason


class DismissIn(In):
    """Why nothing is done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "A spin-off: units stay as they are."}]})

    reason: Reason
