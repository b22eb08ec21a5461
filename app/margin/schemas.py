"""Margin on the wire: of a client, of the book page by page, and under stress."""

import math
from decimal import Decimal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.web.fields import NumberOut, Out, TimestampOut

_POLICY: JsonDict = {"id": "flat", "version": "1"}


class PolicyOut(Out):
    """A policy's name and version."""

    id: str
    version: str


class MarginOut(Out):
    """A client's margin at the stored prices; money in account currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "timestamp": "2026-01-31T14:30:00Z",
                    "clientId": 1,
                    "portfolio_value": 20000.0,
                    "loan_amount": 10000.0,
                    "net_equity": 10000.0,
                    "margin_requirement": 5000.0,
                    "margin_shortfall": 0.0,
                    "margin_call_triggered": False,
                }
            ]
        },
        populate_by_name=True,
    )

    timestamp: TimestampOut = Field(description="When this was computed.")
    client_id: int = Field(serialization_alias="clientId")
    portfolio_value: NumberOut = Field(description="Long minus short market value.")
    loan_amount: NumberOut = Field(description="Debit balance; negative = cash credit.")
    net_equity: NumberOut = Field(description="portfolio_value - loan_amount.")
    margin_requirement: NumberOut = Field(description="What the policy asks the client to hold.")
    margin_shortfall: NumberOut = Field(description="max(0, margin_requirement - net_equity).")
    margin_call_triggered: bool = Field(description="margin_shortfall > 0; equality is no call.")


class BookItemOut(Out):
    """One client of the book; figures are null where it is incomplete."""

    model_config = ConfigDict(populate_by_name=True)

    client_id: int = Field(serialization_alias="clientId")
    name: str
    state: str = Field(description="call, warning, ok or incomplete.")
    portfolio_value: NumberOut | None
    loan_amount: NumberOut
    net_equity: NumberOut | None
    margin_requirement: NumberOut | None
    margin_shortfall: NumberOut | None
    cushion: float | None = Field(description="Excess as a fraction of gross value; null where that is 0.")
    drop: float | None = Field(description="Fall of all prices, as a fraction, to the nearest boundary; null: none.")
    rise: float | None = Field(description="Rise of all prices, as a fraction, to the nearest boundary; null: none.")


class BookOut(Out):
    """Counts over all clients, sums over the complete ones, and one page of clients, the most urgent first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "timestamp": "2026-01-31T14:30:00Z",
                    "policy": {"id": "flat", "version": "1"},
                    "clients": 2,
                    "calls": 1,
                    "warnings": 0,
                    "incomplete": 0,
                    "portfolio_value": 120000.0,
                    "loan_amount": 90000.0,
                    "net_equity": 30000.0,
                    "margin_requirement": 30000.0,
                    "margin_shortfall": 5000.0,
                    "items": [
                        {
                            "clientId": 1,
                            "name": "Ada Lovelace",
                            "state": "call",
                            "portfolio_value": 100000.0,
                            "loan_amount": 80000.0,
                            "net_equity": 20000.0,
                            "margin_requirement": 25000.0,
                            "margin_shortfall": 5000.0,
                            "cushion": -0.05,
                            "drop": None,
                            "rise": 0.06666667,
                        }
                    ],
                }
            ]
        }
    )

    timestamp: TimestampOut = Field(description="When this was computed.")
    policy: PolicyOut
    clients: int
    calls: int
    warnings: int = Field(description="Clients without a call whose cushion is at most RISK_WARNING_CUSHION.")
    incomplete: int = Field(description="Clients with an unpriced position; in no sum. `state=incomplete` lists them.")
    portfolio_value: NumberOut
    loan_amount: NumberOut
    net_equity: NumberOut
    margin_requirement: NumberOut
    margin_shortfall: NumberOut
    items: list[BookItemOut]


#: Rank value and client id of a page's last row.
CURSOR_PATTERN = r"^(inf|-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?)~[0-9]{1,18}$"


def write_cursor(key: float, client_id: int) -> str:
    """Return the cursor behind a row."""
    return f"{key!r}~{client_id}".replace("e+", "e")


def read_cursor(text: str) -> tuple[float, int]:
    """Return the rank value and the client in a text that fits `CURSOR_PATTERN`."""
    key, _, client_id = text.partition("~")
    return (math.inf if key == "inf" else float(key)), int(client_id)


class ClientRungOut(Out):
    """A client at one shock."""

    shock: NumberOut = Field(description="Fraction of today's prices; -0.2 = a fall of 20 %.")
    portfolio_value: NumberOut
    net_equity: NumberOut
    margin_requirement: NumberOut
    margin_shortfall: NumberOut
    unsecured_loss: NumberOut = Field(description="max(0, -net_equity): what selling everything leaves unpaid.")
    margin_call_triggered: bool


class ClientStressOut(Out):
    """A client's ladder, shocks ascending."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "policy": _POLICY,
                    "rungs": [
                        {
                            "shock": -0.4,
                            "portfolio_value": 12000.0,
                            "net_equity": 2000.0,
                            "margin_requirement": 3000.0,
                            "margin_shortfall": 1000.0,
                            "unsecured_loss": 0.0,
                            "margin_call_triggered": True,
                        }
                    ],
                }
            ]
        }
    )

    policy: PolicyOut
    rungs: list[ClientRungOut]


class BookRungOut(Out):
    """All clients at one shock."""

    shock: NumberOut = Field(description="Fraction of today's prices; -0.2 = a fall of 20 %.")
    calls: int = Field(description="Clients with a shortfall.")
    margin_shortfall: NumberOut = Field(description="Sum over complete clients.")
    unsecured_loss: NumberOut = Field(description="Sum over complete clients of max(0, -net_equity).")
    incomplete: int = Field(description="Clients with an unpriced position; in no sum.")


class BookStressOut(Out):
    """The book's ladder, shocks ascending."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "policy": _POLICY,
                    "rungs": [
                        {
                            "shock": -0.2,
                            "calls": 3,
                            "margin_shortfall": 12500.5,
                            "unsecured_loss": 0.0,
                            "incomplete": 0,
                        }
                    ],
                }
            ]
        }
    )

    policy: PolicyOut
    rungs: list[BookRungOut]


_SHOCK = r"(-?0(\.[0-9]{1,4})?|[1-9](\.[0-9]{1,4})?|10(\.0{1,4})?)"
#: At most 101 fractions above -1 and up to 10, four decimals, between commas.
SHOCKS_PATTERN = rf"^{_SHOCK}(,{_SHOCK}){{0,100}}$"


def parse_shocks(text: str) -> list[Decimal]:
    """Return the shocks in a text that fits `SHOCKS_PATTERN`."""
    return [Decimal(shock) for shock in text.split(",")]
