"""Margin calls on the wire."""

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from app.margin.explain_schemas import EXPLANATION, ExplanationOut
from app.margin.schemas import PolicyOut
from app.stocks.doubt import DoubtReason
from app.web.fields import In, NumberOut, Out, TimestampIn, TimestampOut

Type = Literal["house", "exchange"]
State = Literal["unconfirmed", "open", "partially_met", "extended", "past_due", "met", "cancelled"]
CallBasis = Literal["live", "delayed", "close", "estimate", "stale", "unpriced"]
Restriction = Literal["close_only"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]

_CALL: JsonDict = {
    "id": 1,
    "clientId": 3,
    "type": "house",
    "state": "open",
    "amount": 1700.0,
    "outstanding": 1700.0,
    "opened_at": "2026-01-30T15:30:00Z",
    "due_at": "2026-02-06T21:00:00Z",
    "closed_at": None,
    "manner": None,
    "restriction": None,
    "policy": {"id": "flat", "version": "1"},
    "price_basis": "live",
    "unconfirmed_reasons": [],
    "doubt": None,
}
_OPENED: JsonDict = {
    "at": "2026-01-30T15:30:00Z",
    "from_state": None,
    "to_state": "open",
    "actor": "monitor",
    "amount": 1700.0,
    "note": None,
}
_MANNER = "deposit, securities, sale, appreciation, rule_change; several between commas, the most effective first."


class DoubtOut(Out):
    """What is in doubt about the prices of a client, and the shortfall at their best and at their worst."""

    reasons: list[DoubtReason]
    symbols: list[str]
    since: TimestampOut
    best: NumberOut
    worst: NumberOut


class MarginCallOut(Out):
    """A margin call; money in account currency."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [_CALL]})

    id: int
    client_id: int = Field(serialization_alias="clientId")
    type: Type = Field(description="Whose requirement is not met.")
    state: State = Field(
        description="`unconfirmed`: only prices in doubt say that something is short. `met` and `cancelled` are closed."
    )
    amount: NumberOut = Field(description="Shortfall when the call opened, or was confirmed.")
    outstanding: NumberOut = Field(description="Shortfall now, perhaps more than `amount`; 0 when closed.")
    opened_at: TimestampOut
    due_at: TimestampOut = Field(description="Close of the business day in New York on which it is due.")
    closed_at: TimestampOut | None
    manner: str | None = Field(description=f"How it was met: {_MANNER}")
    restriction: Restriction | None = Field(description="What the client may still do; null: everything.")
    policy: PolicyOut
    price_basis: CallBasis = Field(description="The weakest basis among the prices that opened it.")
    unconfirmed_reasons: list[DoubtReason] = Field(
        description="Why an `unconfirmed` call waits: what is in doubt about prices; else empty."
    )
    doubt: DoubtOut | None = Field(description="What is in doubt about prices behind it now; null: nothing.")


class HistoryOut(Out):
    """One step of a call."""

    at: TimestampOut
    from_state: State | None
    to_state: State
    actor: str = Field(description="A user's name, or `monitor`.")
    amount: NumberOut = Field(description="Outstanding after it.")
    note: str | None = Field(description="Reason or note; a client does not see the desk's.")


class CaseOut(MarginCallOut):
    """A margin call with what opened it and everything that happened to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                _CALL | {"snapshot": EXPLANATION, "history": [_OPENED], "liquidations_12_months": 0},
            ]
        }
    )

    snapshot: ExplanationOut = Field(description="The explanation that reproduces `amount` to the cent.")
    history: list[HistoryOut]
    liquidations_12_months: int = Field(description="The client's calls of the last twelve months met by a sale.")


_REASON: JsonDict = {"reason": "The client wires the money on Monday."}


class ReasonIn(In):
    """Why the desk does it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REASON]})

    reason: Text
    restriction: Restriction | None = Field(default=None, description="From now on; null lifts it, absent keeps it.")


class ExtensionIn(ReasonIn):
    """More time."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REASON | {"due_at": "2099-01-30T21:00:00Z"}]})

    due_at: TimestampIn = Field(description="The new due date; later than now and than the present one.")


class NoteIn(In):
    """Something to remember."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "Called; no answer.", "restriction": "close_only"}]}
    )

    note: Text
    restriction: Restriction | None = Field(default=None, description="From now on; null lifts it, absent keeps it.")


_RECORD: JsonDict = {
    "date": "2026-01-30",
    "id": 1,
    "clientId": 3,
    "name": "Cleo",
    "type": "house",
    "amount": 1700.0,
    "outstanding": 1700.0,
    "state": "open",
    "opened_at": "2026-01-30T15:30:00Z",
    "due_at": "2026-02-06T21:00:00Z",
    "met_at": "2026-02-03T16:12:00Z",
    "manner": "deposit",
    "policy": {"id": "flat", "version": "1"},
}


class DailyRecordOut(Out):
    """A line of the daily record of FINRA 4220: what was required of an account, when and how it was met."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [_RECORD]})

    date: date
    id: int
    client_id: int = Field(serialization_alias="clientId")
    name: str
    type: Type
    amount: NumberOut = Field(description="Required by the call.")
    outstanding: NumberOut = Field(description="After its last step of that day.")
    state: State = Field(description="At the end of that day.")
    opened_at: TimestampOut
    due_at: TimestampOut
    met_at: TimestampOut | None = Field(description="When it was met, on that day or later; null: not yet.")
    manner: str | None = Field(description=f"In what manner: {_MANNER}")
    policy: PolicyOut
