"""The book on the wire."""

import math

from pydantic import ConfigDict, Field

from app.schemas.base import NumberOut, Out, TimestampOut
from app.schemas.policy import PolicyOut

#: Rank value and client id of a page's last row.
CURSOR_PATTERN = r"^(inf|-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?)~[0-9]{1,18}$"


def write_cursor(key: float, client_id: int) -> str:
    """Return the cursor behind a row."""
    return f"{key!r}~{client_id}".replace("e+", "e")


def read_cursor(text: str) -> tuple[float, int]:
    """Return the rank value and the client in a text that fits `CURSOR_PATTERN`."""
    key, _, client_id = text.partition("~")
    return (math.inf if key == "inf" else float(key)), int(client_id)


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
