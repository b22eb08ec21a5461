"""Clients on the wire."""

from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from app.web.fields import In, MoneyIn, NumberOut, Out, RateIn, TimestampOut, no_default

_EXAMPLE: JsonDict = {"name": "Ada Lovelace", "loan": 10000.0, "margin_requirement": 0.3}

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]


class ClientIn(In):
    """A new client."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    loan: MoneyIn = Field(
        default=Decimal(0), json_schema_extra={"default": 0}, description="Debit balance; negative = cash credit."
    )
    margin_requirement: RateIn | None = Field(default=None, description="Own maintenance rate; null = the policy's.")


class ClientPatchIn(In):
    """Changes to a client; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"loan": 12500.0, "margin_requirement": 0.4}]})

    name: Name = Field(default="", json_schema_extra=no_default)
    loan: MoneyIn = Field(
        default=Decimal(0), json_schema_extra=no_default, description="Debit balance; negative = cash credit."
    )
    margin_requirement: RateIn | None = Field(
        default=None, json_schema_extra=no_default, description="Own maintenance rate; null = the policy's."
    )


class ClientOut(Out):
    """A client with what it owes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": 1, "created_at": "2026-01-31T09:30:00Z", **_EXAMPLE}]}
    )

    id: int
    name: str
    loan: NumberOut = Field(description="Debit balance in account currency; negative = cash credit.")
    margin_requirement: NumberOut | None = Field(description="Own maintenance rate; null = the policy's.")
    created_at: TimestampOut
