"""
A policy's requirements as pure numbers, and their packed form that the kernels read.

Rates, shares and leverage are counted in 1e-4; dollar amounts a share in 1e-8 of a US dollar. Names, versions and
sources of rules are the policy's affair.
"""

import itertools
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Final

import numpy as np

from app.engine.arrays import Int64, UInt8
from app.engine.units import PRICE_SCALE, RATE_SCALE, convert, divide

MAX_STEPS: Final = 8
"""Steps that one side of a layer, or of a concentration rule, may have."""
SIDE_RATE_LIMIT: Final = 3 * RATE_SCALE
"""The largest rate of a rule."""
SHORT_CAP: Final = 18 * RATE_SCALE
"""No short position asks more than 18 x its value, however leveraged: value x rate stays within 64 bits."""

# Columns of a packed side of a layer; the steps follow, MAX_STEPS of each kind.
RATE, FLOOR, CAP, LEVERAGE, NOT_MARGINABLE, OWN_RATES, COUNT, STEPS = range(8)
SIDE_WIDTH: Final = STEPS + 3 * MAX_STEPS
OUT_OF_REACH: Final = RATE_SCALE + 1
"""A share that no position has: where there is no step."""
# Columns of a packed side of a concentration rule: shares of the steps, then a 0 for "no step" and their rates.
STYLE, DEBIT, STOCKS_ONLY, TOP, CONC_STEPS = range(5)
CONC_RATES: Final = CONC_STEPS + MAX_STEPS
CONC_WIDTH: Final = CONC_RATES + 1 + MAX_STEPS


class ClientRateEffect(IntEnum):
    """What a client's own rate means in a layer."""

    IGNORED = 0
    REPLACES = 1
    """It replaces every requirement of the layer, for longs and shorts."""
    AT_LEAST = 2
    """The layer asks at least that share of every long position."""


class Style(IntEnum):
    """How concentration raises a rate."""

    NONE = 0
    ADDITIVE = 1
    """Points are added where the share is above a step."""
    GREATER_OF = 2
    """The rate is at least the step's where the share is at or above it."""


@dataclass(frozen=True, slots=True)
class RateStep:
    """The rate and the amount a share of a price below (or, `inclusive`, at) `bound` dollars."""

    bound: int
    rate: int
    per_share: int = 0
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """The greater of `rate` x value and `per_share` dollars x quantity; the first step that holds replaces both."""

    rate: int
    per_share: int = 0
    steps: tuple[RateStep, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.steps) <= MAX_STEPS, "too many steps"
        assert all(0 <= rate <= SIDE_RATE_LIMIT for rate in (self.rate, *(step.rate for step in self.steps)))
        bounds = [2 * step.bound + step.inclusive for step in self.steps]
        assert all(low < high for low, high in itertools.pairwise(bounds)), "steps rise"


@dataclass(frozen=True, slots=True)
class Layer:
    """
    What the regulator or the firm asks of each position; None = it asks nothing of that side.

    Attributes:
        leverage: whether the rate of a leveraged fund is multiplied by its factor (longs: at most 100 %).
        not_marginable: least rate of a long position that may not be bought on credit; None = no such rule.
        own_rates: whether the desk's rate of an instrument replaces the base rate, leverage included.
        client_rate: what the client's own rate does.
    """

    long: Side | None = None
    short: Side | None = None
    leverage: bool = False
    not_marginable: int | None = None
    own_rates: bool = False
    client_rate: ClientRateEffect = ClientRateEffect.IGNORED


@dataclass(frozen=True, slots=True)
class ShareStep:
    """From this share of the long (or short) portfolio on: points to add, or a least rate."""

    share: int
    rate: int


@dataclass(frozen=True, slots=True)
class Concentration:
    """
    What the house layer asks more of a large share of the long or of the short portfolio.

    `minimum_debit` is in US cents: below that loan there is no add-on; None = at any loan.
    """

    style: Style
    long: tuple[ShareStep, ...] = ()
    short: tuple[ShareStep, ...] = ()
    minimum_debit: int | None = None
    stocks_only: bool = False

    def __post_init__(self) -> None:
        for steps in (self.long, self.short):
            assert len(steps) <= MAX_STEPS, "too many steps"
            assert all(0 <= step.rate <= RATE_SCALE for step in steps), "a step's rate is at most 1"
            shares = [step.share for step in steps]
            assert all(low < high for low, high in itertools.pairwise(shares)), "steps rise"
            rates = [step.rate for step in steps]
            assert rates == sorted(rates), "a larger share asks no less"


@dataclass(frozen=True, slots=True)
class RateOverride:
    """The rates that the house asks of one symbol in place of its base rates, leverage included."""

    symbol: str
    long: int
    short: int


@dataclass(frozen=True, slots=True, eq=False)
class PackedRules:
    """
    Rules in account currency, for the kernels.

    Attributes:
        layers: (2, 2, SIDE_WIDTH) exchange and house, long and short.
        concentration: (2, CONC_WIDTH) long and short.
        numbers: the flat rate, what a client's own rate does, and whether exchange and house ask something of everyone.
        steps_at: (2, RATE_SCALE + 1) long and short: how many concentration steps are at or below a share in 1e-4.
        in_dollars: whether a rule is stated in US dollars, and so needs their rate.
    """

    layers: Int64
    concentration: Int64
    numbers: Int64
    steps_at: UInt8
    in_dollars: bool


@dataclass(frozen=True, slots=True)
class MarginRules:
    """
    What a policy asks in two layers; a position owes the greater of the two.

    Concentration and the client's own rate belong to the house layer; concentration adds to its base rates.
    """

    exchange: Layer | None = None
    house: Layer | None = None
    concentration: Concentration | None = None
    symbol_rates: tuple[RateOverride, ...] = ()
    at_par: PackedRules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.exchange is None or self.exchange.client_rate is ClientRateEffect.IGNORED
        object.__setattr__(self, "at_par", _pack(self, PRICE_SCALE, _steps_at(self.concentration)))

    @property
    def in_dollars(self) -> bool:
        """Whether a rule is stated in US dollars, and so needs their rate."""
        debit = self.concentration is not None and self.concentration.minimum_debit is not None
        sides = [side for layer in (self.exchange, self.house) if layer for side in (layer.long, layer.short) if side]
        return debit or any(side.per_share or side.steps for side in sides)

    @property
    def flat_rate(self) -> int:
        """The one rate of a policy that asks the same share of every position, whatever it is; -1 = there is none."""
        others = (getattr(self, rule.name) for rule in fields(self) if rule.compare and rule.name != "house")
        if self.house is None or any(others):
            return -1
        side = self.house.long
        if side is None or side.per_share or side.steps or side != self.house.short:
            return -1
        plain = Layer(long=side, short=side, client_rate=ClientRateEffect.REPLACES)
        return side.rate if self.house == plain else -1

    def packed(self, usd_rate: int) -> PackedRules:
        """Return the rules at this rate of account currency per US dollar in 1e-8."""
        return self.at_par if usd_rate == PRICE_SCALE else _pack(self, usd_rate, self.at_par.steps_at)


def _pack(rules: MarginRules, usd_rate: int, steps_at: UInt8) -> PackedRules:
    layers = np.zeros((2, 2, SIDE_WIDTH), np.int64)
    for row, layer in zip(layers, (rules.exchange or Layer(), rules.house or Layer()), strict=True):
        _pack_side(row[0], layer, layer.long, usd_rate)
        _pack_side(row[1], layer, layer.short, usd_rate)
        row[0, CAP], row[1, CAP] = RATE_SCALE, SHORT_CAP
        row[1, NOT_MARGINABLE] = -1
    layers[1, :, OWN_RATES] |= bool(rules.symbol_rates)
    house = rules.house or Layer()
    asks_house = house.long is not None or house.short is not None
    numbers = np.array([rules.flat_rate, house.client_rate, rules.exchange is not None, asks_house], np.int64)
    concentration = _pack_concentration(rules.concentration, usd_rate)
    return PackedRules(layers, concentration, numbers, steps_at, rules.in_dollars)


def _pack_side(row: Int64, layer: Layer, side: Side | None, usd_rate: int) -> None:
    row[RATE] = -1 if side is None else side.rate
    row[LEVERAGE] = layer.leverage
    row[NOT_MARGINABLE] = -1 if layer.not_marginable is None else layer.not_marginable
    row[OWN_RATES] = layer.own_rates
    if side is None:
        return
    row[FLOOR] = convert(side.per_share, usd_rate)
    row[COUNT] = len(side.steps)
    for k, step in enumerate(side.steps):
        columns = (convert(step.bound, usd_rate) + step.inclusive, step.rate, convert(step.per_share, usd_rate))
        row[[STEPS + k, STEPS + MAX_STEPS + k, STEPS + 2 * MAX_STEPS + k]] = columns


def _pack_concentration(rule: Concentration | None, usd_rate: int) -> Int64:
    packed = np.zeros((2, CONC_WIDTH), np.int64)
    if rule is None:
        return packed
    debit = np.iinfo(np.int64).min if rule.minimum_debit is None else divide(rule.minimum_debit * usd_rate, PRICE_SCALE)
    for row, steps, top in zip(packed, (rule.long, rule.short), (RATE_SCALE, SHORT_CAP), strict=True):
        row[: TOP + 1] = (rule.style, debit, rule.stocks_only, top)
        row[CONC_STEPS:CONC_RATES] = OUT_OF_REACH
        row[CONC_STEPS : CONC_STEPS + len(steps)] = [step.share for step in steps]
        row[CONC_RATES + 1 : CONC_RATES + 1 + len(steps)] = [step.rate for step in steps]
    return packed


def _steps_at(rule: Concentration | None) -> UInt8:
    sides = (rule.long, rule.short) if rule else ((), ())
    shares = np.arange(RATE_SCALE + 1)
    held = [np.searchsorted([step.share for step in steps], shares, side="right") for steps in sides]
    return np.array(held, np.uint8)
