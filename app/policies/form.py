"""The form of a policy: what a file or a request may say. Dollars are US dollars, rates and shares are fractions."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from app.engine.rules import MAX_STEPS


def _exact(value: object) -> object:
    """Return a number as the decimal that was written; leave anything else to be refused."""
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number(bounds: object) -> BeforeValidator:
    """Return what reads a number, and states its bounds in the JSON schema."""
    return BeforeValidator(_exact, json_schema_input_type=Annotated[float, bounds])


LongRate = Annotated[Decimal, _number(Field(ge=0, le=1)), Field(ge=0, le=1, decimal_places=4)]
ShortRate = Annotated[Decimal, _number(Field(ge=0, le=3)), Field(ge=0, le=3, decimal_places=4)]
Share = Annotated[Decimal, _number(Field(ge=0, lt=1)), Field(ge=0, lt=1, decimal_places=4)]
Dollars = Annotated[Decimal, _number(Field(gt=0, le=10_000)), Field(gt=0, le=10_000, decimal_places=4)]
DebitDollars = Annotated[Decimal, _number(Field(ge=0, le=10**9)), Field(ge=0, le=10**9, decimal_places=2)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Symbol = Annotated[str, StringConstraints(min_length=1, max_length=32)]
STEPS = Field(default=(), max_length=MAX_STEPS, strict=False)  # a list in TOML and in JSON


class Form(BaseModel):
    """A table of a policy: frozen, and without a key that it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Rule(Form):
    """Something that can be quoted: a name, and who says it where."""

    id: Identifier
    source: Text


class PriceStep(Rule):
    """What replaces the base rate of a side while the price is `below` (or `up_to`, inclusive) so many dollars."""

    below: Dollars | None = None
    up_to: Dollars | None = None

    @property
    def bound(self) -> Decimal:
        """The price up to which the step holds."""
        bound = self.below if self.up_to is None else self.up_to
        assert bound is not None, "the form has one of them"
        return bound

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.below is None) == (self.up_to is None):
            raise ValueError("give either 'below' or 'up_to'")
        return self


class LongStep(PriceStep):
    """A step of a long side."""

    rate: LongRate


class ShortStep(PriceStep):
    """A step of a short side: the greater of `rate` x value and `per_share` dollars a share."""

    rate: ShortRate
    per_share: Dollars | None = None


class Long(Rule):
    """What long positions ask: `rate` x value; the first step that holds replaces it."""

    rate: LongRate
    low_priced: Annotated[tuple[LongStep, ...], STEPS]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _check_price_steps(self.low_priced, [step.rate for step in self.low_priced] + [self.rate])
        return self


class Short(Rule):
    """What short positions ask: the greater of `rate` x value and `per_share` dollars a share; steps likewise."""

    rate: ShortRate
    per_share: Dollars | None = None
    low_priced: Annotated[tuple[ShortStep, ...], STEPS]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _check_price_steps(self.low_priced, [step.rate for step in self.low_priced] + [self.rate])
        return self


class NotMarginable(Rule):
    """The least rate of a long position in an instrument that may not be bought on credit."""

    rate: LongRate


class ClientRate(Rule):
    """The client's own rate `replaces` what the house asks, or is asked of its long positions `at_least`."""

    effect: Literal["replaces", "at_least"]


class SymbolRate(Rule):
    """The rates of one symbol in place of the base rates, leverage included."""

    long: LongRate
    short: ShortRate


class AddedPoints(Rule):
    """Points added to the rate of a position whose share is `above` this."""

    above: Share
    add: LongRate


class LeastRate(Rule):
    """The least rate of a position whose share is `at_least` this."""

    at_least: Share
    rate: LongRate


class Additive(Form):
    """Concentration adds points, by the share of the long (or of the short) portfolio."""

    style: Literal["additive"]
    minimum_debit: DebitDollars | None = None
    stocks_only: bool = False
    long: Annotated[tuple[AddedPoints, ...], STEPS]
    short: Annotated[tuple[AddedPoints, ...], STEPS]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for steps in (self.long, self.short):
            _check_share_steps([step.above for step in steps], [step.add for step in steps])
        return self


class GreaterOf(Form):
    """Concentration sets a least rate, by the share of the long (or of the short) portfolio."""

    style: Literal["greater_of"]
    minimum_debit: DebitDollars | None = None
    stocks_only: bool = False
    long: Annotated[tuple[LeastRate, ...], STEPS]
    short: Annotated[tuple[LeastRate, ...], STEPS]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for steps in (self.long, self.short):
            _check_share_steps([step.at_least for step in steps], [step.rate for step in steps])
        return self


class Exchange(Form):
    """What the regulator asks. A side that is left out asks nothing; so does `leverage`."""

    long: Long | None = None
    short: Short | None = None
    leverage: Rule | None = None
    not_marginable: NotMarginable | None = None


class House(Exchange):
    """What the firm asks besides; `own_rates` lets the desk's rates of instruments count."""

    own_rates: Rule | None = None
    client_rate: ClientRate | None = None
    concentration: Annotated[Additive | GreaterOf, Field(discriminator="style")] | None = None
    symbols: Annotated[dict[Symbol, SymbolRate], Field(max_length=10_000)] = {}

    @model_validator(mode="after")
    def _has_base(self) -> Self:
        if self.concentration and (
            (self.concentration.long and not self.long) or (self.concentration.short and not self.short)
        ):
            raise ValueError("concentration raises the rate of a side, so that side needs one")
        return self


class Policy(Form):
    """A margin policy: a position owes the greater of what the exchange and the house ask for it."""

    id: Identifier
    version: Identifier
    title: Text
    exchange: Exchange | None = None
    house: House | None = None

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        ids = [rule.id for rule in rules_in(self)]
        if not ids:
            raise ValueError("a policy asks something: give 'exchange' or 'house' a rule")
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"a rule's id is its own, but these stand twice: {', '.join(twice)}")
        return self


def rules_in(form: object) -> Iterator[Rule]:
    """Yield every rule of a policy, in the order of the form."""
    if isinstance(form, Rule):
        yield form
    if isinstance(form, Form):
        form = [getattr(form, name) for name in type(form).model_fields]
    elif isinstance(form, dict):
        form = list(form.values())
    if isinstance(form, list | tuple):
        for part in form:
            yield from rules_in(part)


def _check_price_steps(steps: tuple[PriceStep, ...], rates: list[Decimal]) -> None:
    bounds = [(step.bound, step.up_to is not None) for step in steps]
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError("the steps of 'low_priced' stand in rising order of price")
    if any(low < high for low, high in pairwise(rates)):
        raise ValueError("a lower price asks no lower rate: the rates of 'low_priced' fall, down to the base rate")


def _check_share_steps(shares: list[Decimal], rates: list[Decimal]) -> None:
    if any(low >= high for low, high in pairwise(shares)):
        raise ValueError("the steps stand in rising order of share")
    if any(low > high for low, high in pairwise(rates)):
        raise ValueError("a larger share asks no lower rate")
