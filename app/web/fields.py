"""What all wire formats share: strict input, exact numbers, UTC timestamps, problem documents."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.config import JsonDict

#: A JSON number carries this many digits to every client and back unchanged (IEEE 754 double).
EXACT_DIGITS = 15
#: The largest id that a JSON number carries exactly.
LARGEST_ID = 2**53 - 1


class In(BaseModel):
    """A request body: an unknown field is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Out(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


def _from_json_number(value: object) -> object:
    """Take a JSON number by its text, so that 0.1 is 0.1; refuse everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports ValueError
    return Decimal(repr(value)) if isinstance(value, float) else value


def _exact(value: Decimal) -> Decimal:
    """Refuse what a JSON number cannot carry back unchanged."""
    digits = value.normalize().as_tuple()
    if len(digits.digits) > EXACT_DIGITS:
        raise ValueError(f"has more than {EXACT_DIGITS} significant digits")
    return value


def _not_zero(value: Decimal) -> Decimal:
    """Refuse a position or a trade of nothing."""
    if not value:
        raise ValueError("must not be 0")
    return value


def json_number(**schema: JsonValue) -> WithJsonSchema:
    """Return the JSON schema of a number within bounds."""
    return WithJsonSchema({"type": "number"} | schema)


def no_default(schema: JsonDict) -> None:
    """Leave the default out of the document, where absence means "as it is" (`json_schema_extra=no_default`)."""
    schema.pop("default", None)


#: Marks a decimal that arrives as a JSON number and goes back as the same one.
EXACT = (BeforeValidator(_from_json_number), AfterValidator(_exact))
_TRILLION = Decimal(10) ** 12
_PRICE_LIMIT = Decimal(10) ** 10
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

#: Units of a stock, at most 6 decimals; negative = short; never 0.
QuantityIn = Annotated[
    Decimal,
    *EXACT,
    Field(gt=-_TRILLION, lt=_TRILLION, decimal_places=6, allow_inf_nan=False),
    AfterValidator(_not_zero),
    json_number(
        anyOf=[{"exclusiveMinimum": 0, "exclusiveMaximum": 1e12}, {"exclusiveMinimum": -1e12, "exclusiveMaximum": 0}]
    ),
]
#: Price of one unit, at most 8 decimals.
PriceIn = Annotated[
    Decimal,
    *EXACT,
    Field(gt=0, lt=_PRICE_LIMIT, decimal_places=8, allow_inf_nan=False),
    json_number(exclusiveMinimum=0, exclusiveMaximum=1e10),
]
#: Price once paid for one unit; a gift has cost 0.
CostIn = Annotated[
    Decimal,
    *EXACT,
    Field(ge=0, lt=_PRICE_LIMIT, decimal_places=8, allow_inf_nan=False),
    json_number(minimum=0, exclusiveMaximum=1e10),
]
#: Account currency, whole cents; negative = cash credit.
MoneyIn = Annotated[
    Decimal,
    *EXACT,
    Field(gt=-_TRILLION, lt=_TRILLION, decimal_places=2, allow_inf_nan=False),
    json_number(exclusiveMinimum=-1e12, exclusiveMaximum=1e12),
]
#: A client's own maintenance rate, a fraction of value.
RateIn = Annotated[
    Decimal,
    *EXACT,
    Field(gt=0, le=1, decimal_places=4, allow_inf_nan=False),
    json_number(exclusiveMinimum=0, maximum=1),
]


def _number(value: Decimal | float) -> float:
    """Return the double nearest to an exact figure; its shortest text is the figure's own up to 15 digits."""
    return float(value) + 0.0  # never -0.0


def _whole_as_integer(value: Decimal | float) -> int | float:
    """Return a whole quantity as an integer, as a trader writes it."""
    return int(value) if value == int(value) else float(value)


#: Money, prices and rates on the way out: numbers in JSON, exact decimals in Python (`model_dump()`).
NumberOut = Annotated[
    Decimal, PlainSerializer(_number, return_type=float, when_used="json"), WithJsonSchema({"type": "number"})
]
#: Units held on the way out: 100, not 100.0.
QuantityOut = Annotated[
    Decimal,
    PlainSerializer(_whole_as_integer, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]


def _utc(value: datetime) -> datetime:
    """Refuse a timestamp without a zone; return it in UTC."""
    if value.tzinfo is None:
        raise ValueError("needs a time zone, for example 2026-01-31T00:00:00Z")
    return value.astimezone(UTC)


def _from_iso_text(value: object) -> object:
    """Refuse a bare number, which would count as seconds since 1970."""
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        raise ValueError("must be an ISO 8601 timestamp, for example 2026-01-31T00:00:00Z")
    return value


#: ISO 8601 with a zone.
TimestampIn = Annotated[datetime, BeforeValidator(_from_iso_text), AfterValidator(_utc)]


def _from_iso_day(value: object) -> object:
    """Refuse a bare number, which would count as seconds since 1970."""
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        raise ValueError("must be a day as ISO 8601 writes it, for example 2026-01-31")
    return value


#: A day, as ISO 8601 writes it.
DateIn = Annotated[date, BeforeValidator(_from_iso_day)]
#: UTC, ISO 8601, `Z`.
TimestampOut = datetime


class FaultOut(Out):
    """One thing wrong with a request."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `path`, then the field.")
    msg: str = Field(description="What is wrong there.")


class ProblemOut(Out):
    """An error, as RFC 9457 writes it (`application/problem+json`)."""

    type: str = Field(description="Stable name of this kind of problem.", examples=["urn:problem:not-found"])
    title: str = Field(description="The kind in words.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What is wrong this time.", examples=["No client 7."])
    request_id: str | None = Field(default=None, description="Find this request in the logs by it.")
    symbols: list[str] | None = Field(default=None, description="The symbols that have no price.")
    errors: list[FaultOut] | None = Field(default=None, description="Each fault of a malformed request.")
