"""Instruments on the wire."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StrictBool
from pydantic.config import JsonDict

from app.web.fields import EXACT, In, NumberOut, Out, json_number

_DESK: JsonDict = {"leverage": 3.0, "marginable": True, "house_rate": 0.9}


def _factor(value: Decimal) -> Decimal:
    """Refuse a factor that no fund has."""
    if abs(value) < 1:
        raise ValueError("must be 1 or more, or -1 or less for an inverse fund")
    return value


Leverage = Annotated[
    Decimal,
    *EXACT,
    Field(ge=-10, le=10, decimal_places=4, allow_inf_nan=False),
    AfterValidator(_factor),
    json_number(anyOf=[{"minimum": 1, "maximum": 10}, {"minimum": -10, "maximum": -1}]),
]
HouseRate = Annotated[
    Decimal,
    *EXACT,
    Field(gt=0, le=3, decimal_places=4, allow_inf_nan=False),
    json_number(exclusiveMinimum=0, maximum=3),
]


class InstrumentIn(In):
    """What the desk keeps of an instrument; the rest comes from the price source."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DESK]})

    leverage: Leverage = Field(
        default=Decimal(1),
        json_schema_extra={"default": 1},
        description="Factor of a leveraged fund; -2 = inverse 2x; 1 = none.",
    )
    marginable: StrictBool = Field(default=True, description="False: cannot be bought on credit.")
    house_rate: HouseRate | None = Field(default=None, description="The firm's own rate for it; null = the policy's.")


class InstrumentOut(Out):
    """What is known of an instrument beside its price."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"symbol": "TQQQ", "name": "ProShares UltraPro QQQ", "currency": "USD", "quote_type": "ETF", **_DESK}
            ]
        }
    )

    symbol: str
    name: str | None
    currency: str | None = Field(description="ISO 4217.")
    quote_type: str | None = Field(description="EQUITY, ETF and so on, in the price source's words.")
    leverage: NumberOut
    marginable: bool
    house_rate: NumberOut | None
