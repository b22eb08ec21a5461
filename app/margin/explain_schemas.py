"""
Explanations and simulations: the one tree of an explanation, as it is computed, stored and sent.

A field whose engine figure has the same name says by its type in which unit the engine counts it; `explain` fills it.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Annotated, Final, Literal, get_args

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.config import JsonDict

from app.core.symbols import SYMBOL_INPUT_PATTERN, SYMBOL_SCHEMA
from app.margin.schemas import PolicyOut
from app.policies.form import Policy
from app.web.fields import In, MoneyIn, NumberOut, Out, PriceIn, QuantityIn, QuantityOut, TimestampOut

#: From the strongest evidence to the weakest.
Basis = Literal["live", "delayed", "close", "estimate", "stale"]
_STRENGTH: Final[tuple[Basis, ...]] = get_args(Basis)


class Unit(Enum):
    """What the engine counts a figure in."""

    CENT = auto()
    PRICE = auto()
    QUANTITY = auto()
    RATE = auto()
    FRACTION = auto()


MoneyOut = Annotated[NumberOut, Unit.CENT]
PriceOut = Annotated[NumberOut, Unit.PRICE]
RateOut = Annotated[NumberOut, Unit.RATE]
FractionOut = Annotated[NumberOut, Unit.FRACTION]
UnitsOut = Annotated[QuantityOut, Unit.QUANTITY]


def weakest(bases: Iterable[Basis]) -> Basis:
    """Return the weakest of some bases; `live` without any, where no price is doubtful."""
    return max(bases, key=_STRENGTH.index, default="live")


#: 100 shares at 200 make 20,000; a quarter of it is 5,000; a loan of 12,000 leaves 8,000, and the call begins where
#: 0.75 x value = 12,000, at 16,000.
EXPLANATION: JsonDict = {
    "timestamp": "2026-01-30T15:00:12Z",
    "prices_as_of": "2026-01-30T15:00:00Z",
    "clientId": 1,
    "policy": {"id": "flat", "version": "1"},
    "positions": [
        {
            "symbol": "AAPL",
            "quantity": 100,
            "price": 200.0,
            "currency": "USD",
            "fx": 1.0,
            "basis": "live",
            "age_seconds": 12,
            "market_value": 20000.0,
            "rules": [
                {
                    "id": "flat-long",
                    "layer": "house",
                    "rate": 0.25,
                    "amount": 5000.0,
                    "source": "README: maintenance requirement, 25 % of market value",
                }
            ],
            "exchange_requirement": None,
            "house_requirement": 5000.0,
            "margin_requirement": 5000.0,
            "trigger_down": 160.0,
            "trigger_up": None,
        }
    ],
    "portfolio_value": 20000.0,
    "long_market_value": 20000.0,
    "short_market_value": 0.0,
    "loan_amount": 12000.0,
    "net_equity": 8000.0,
    "exchange_requirement": None,
    "house_requirement": 5000.0,
    "margin_requirement": 5000.0,
    "margin_excess": 3000.0,
    "margin_shortfall": 0.0,
    "margin_call_triggered": False,
    "cushion": 0.15,
    "cures": {"cash": 0.0, "securities": 0.0, "sale": 0.0},
    "distance": {"drop": 0.2, "rise": None, "drop_value": 16000.0, "rise_value": None},
    "reg_t": {
        "requirement": 10000.0,
        "excess": -2000.0,
        "restricted": True,
        "sma_floor": 0.0,
        "buying_power": 0.0,
    },
    "interest": None,
}


class RuleOut(Out):
    """What a rule adds to what a layer asks; the lines of a layer add up to its rate and its requirement."""

    id: str
    layer: Literal["exchange", "house"]
    rate: RateOut = Field(description="Fraction of value that this rule adds.")
    amount: MoneyOut = Field(description="What it adds; more than rate x value where an amount a share binds.")
    source: str


class PositionExplainedOut(Out):
    """A position: its value, what asks what of it, and where its price alone opens or ends a call."""

    symbol: str
    quantity: UnitsOut
    price: PriceOut = Field(description="In `currency`.")
    currency: str
    fx: PriceOut = Field(description="Account currency per unit of `currency`.")
    basis: Basis = Field(description="What the price is worth as evidence; the weaker of price and rate.")
    age_seconds: int = Field(description="Since the market made the price.")
    market_value: MoneyOut
    rules: list[RuleOut]
    exchange_requirement: NumberOut | None = Field(description="The regulator's; null: it asks nothing.")
    house_requirement: NumberOut | None = Field(description="The firm's; null: it asks nothing.")
    margin_requirement: MoneyOut = Field(description="The greater of the two.")
    trigger_down: PriceOut | None = Field(description="Price below today's where a call opens, or ends; null: none.")
    trigger_up: PriceOut | None = Field(description="Price above today's where a call opens, or ends; null: none.")


class CuresOut(Out):
    """What would end the call; 0 where there is none."""

    cash: MoneyOut = Field(description="Cash to deposit.")
    securities: MoneyOut | None = Field(description="Market value of fully paid marginable stock to bring.")
    sale: MoneyOut | None = Field(description="Market value to sell (shorts: to buy back), most relief first.")


class DistanceOut(Out):
    """The nearest boundary each way when all prices move together."""

    drop: FractionOut | None = Field(description="Fall as a fraction, in (0, 1]; null: none.")
    rise: FractionOut | None = Field(description="Rise as a fraction, in (0, 10]; null: none.")
    drop_value: MoneyOut | None = Field(description="Portfolio value there.")
    rise_value: MoneyOut | None = Field(description="Portfolio value there.")


class RegTOut(Out):
    """Initial margin under Reg T, 12 CFR 220.12."""

    requirement: MoneyOut = Field(description="50 % of long + abs(short) market value.")
    excess: MoneyOut = Field(description="net_equity - requirement.")
    restricted: bool = Field(description="excess < 0; no call.")
    sma_floor: MoneyOut = Field(description="max(0, excess).")
    buying_power: MoneyOut = Field(description="2 x sma_floor.")


class InterestOut(Out):
    """Interest on the debit."""

    annual_rate: RateOut
    daily: MoneyOut = Field(description="rate / 360 x max(0, loan + abs(short market value)).")


class ExplanationOut(Out):
    """A client's margin with what every figure is made of."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [EXPLANATION]})

    timestamp: TimestampOut = Field(description="When this was computed.")
    prices_as_of: TimestampOut | None = Field(description="When the oldest of the prices was made; null: no positions.")
    client_id: int = Field(serialization_alias="clientId")
    policy: PolicyOut
    positions: list[PositionExplainedOut]
    portfolio_value: MoneyOut
    long_market_value: MoneyOut
    short_market_value: MoneyOut
    loan_amount: MoneyOut
    net_equity: MoneyOut
    exchange_requirement: MoneyOut | None
    house_requirement: MoneyOut | None
    margin_requirement: MoneyOut
    margin_excess: MoneyOut
    margin_shortfall: MoneyOut
    margin_call_triggered: bool
    cushion: FractionOut | None = Field(description="Excess as a fraction of gross value; null where that is 0.")
    cures: CuresOut
    distance: DistanceOut
    reg_t: RegTOut
    interest: InterestOut | None = Field(description="Null unless RISK_INTEREST_RATE is set.")

    @property
    def price_basis(self) -> Basis:
        """The weakest basis among the positions."""
        return weakest(position.basis for position in self.positions)


class TradeIfIn(In):
    """A trade that is not made."""

    symbol: Annotated[str, Field(pattern=SYMBOL_INPUT_PATTERN), WithJsonSchema(SYMBOL_SCHEMA)]
    quantity: QuantityIn = Field(description="Units; > 0 buys, < 0 sells.")
    price: PriceIn | None = Field(default=None, description="In the stock's currency; null = the current one.")


class PriceIfIn(In):
    """A price that is not there."""

    symbol: Annotated[str, Field(pattern=SYMBOL_INPUT_PATTERN), WithJsonSchema(SYMBOL_SCHEMA)]
    price: PriceIn = Field(description="In the stock's currency.")


def _kind(value: object) -> str:
    return "name" if isinstance(value, str) else "form"


PolicyIn = Annotated[
    Annotated[Literal["flat", "finra_4210"], Tag("name")] | Annotated[Policy, Tag("form")], Discriminator(_kind)
]

_SIMULATION: JsonDict = {
    "trades": [{"symbol": "AAPL", "quantity": -25}],
    "cash": 1000.0,
    "prices": [{"symbol": "AAPL", "price": 160.0}],
    "policy": "finra_4210",
}


class SimulationIn(In):
    """A what-if: trades first, then the deposit, then the prices; all optional."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIMULATION]})

    trades: list[TradeIfIn] = Field(default_factory=list, max_length=500)
    cash: MoneyIn | None = Field(default=None, description="> 0 is a deposit, < 0 a withdrawal.")
    prices: list[PriceIfIn] = Field(default_factory=list, max_length=500)
    policy: PolicyIn | None = Field(default=None, description="A built-in policy's name, or a policy spelt out.")


class SimulationOut(Out):
    """The client's margin as it is, and as it would be."""

    before: ExplanationOut
    after: ExplanationOut
    call_opens: bool = Field(examples=[False], description="A call that is not there before is there after.")
    call_closes: bool = Field(examples=[False], description="A call that is there before is not there after.")
