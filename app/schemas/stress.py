"""Stress ladders on the wire."""

from decimal import Decimal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.schemas.base import NumberOut, Out
from app.schemas.policy import PolicyOut

_SHOCK = r"(-?0(\.[0-9]{1,4})?|[1-9](\.[0-9]{1,4})?|10(\.0{1,4})?)"
#: At most 101 fractions above -1 and up to 10, four decimals, between commas.
SHOCKS_PATTERN = rf"^{_SHOCK}(,{_SHOCK}){{0,100}}$"

_POLICY: JsonDict = {"id": "flat", "version": "1"}


def parse_shocks(text: str) -> list[Decimal]:
    """Return the shocks in a text that fits `SHOCKS_PATTERN`."""
    return [Decimal(shock) for shock in text.split(",")]


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
