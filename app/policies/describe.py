"""Which rules of a policy gave a position's requirement: from the engine's codes back to ids and sources."""

from dataclasses import dataclass
from typing import Literal

from app.engine.explain import LayerLine, PositionExplanation
from app.engine.rules import SHORT_CAP
from app.engine.symbol_terms import (
    BY_CLIENT_RATE,
    BY_CONCENTRATION,
    BY_LEVERAGE,
    BY_NOT_MARGINABLE,
    BY_OWN_RATE,
    BY_STEP,
    CONC_SHIFT,
    STEP_SHIFT,
)
from app.engine.units import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE, convert, divide, scaled
from app.policies.form import Additive, Exchange, House, Long, LongStep, Policy, Rule, Short, ShortStep

STEP_MASK = 0xFF
LayerName = Literal["exchange", "house"]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """
    What one rule adds to what a layer asks of a position.

    The lines of a layer add up to its rate (1e-4) and to its requirement (cents). A rule that sets a rate in place of
    others stands alone; one that raises a rate stands behind what it raises. An amount may exceed rate x value: then
    an amount a share binds.
    """

    id: str
    layer: LayerName
    rate: int
    amount: int
    source: str


def rule_lines(policy: Policy, position: PositionExplanation, *, usd_rate: int) -> tuple[RuleLine, ...]:
    """Return the rules behind a position's requirement, the exchange's first; `usd_rate` as in `Prices`."""
    lines: list[RuleLine] = []
    if position.exchange and policy.exchange:
        lines += _layer("exchange", policy.exchange, position, position.exchange, usd_rate)
    if position.house and policy.house:
        lines += _layer("house", policy.house, position, position.house, usd_rate)
    return tuple(lines)


def _layer(
    name: LayerName, form: Exchange, position: PositionExplanation, line: LayerLine, usd_rate: int
) -> list[RuleLine]:
    stages, floor = _stages(form, position, line), _floor(form, position, line, usd_rate)
    lines, rate_before, amount_before = [], 0, 0
    for rule, rate in stages:
        last = rule is stages[-1][0]
        rate_now = line.rate if last else rate
        share = max(divide(abs(position.market_value) * rate, RATE_SCALE), floor)
        amount = line.requirement if last else min(share, line.requirement)
        lines.append(RuleLine(rule.id, name, rate_now - rate_before, amount - amount_before, rule.source))
        rate_before, amount_before = rate_now, amount
    return lines


def _stages(form: Exchange, position: PositionExplanation, line: LayerLine) -> list[tuple[Rule, int]]:
    """Return the rules that made the rate, in the order in which they apply, each with the rate after it."""
    if line.code & BY_CLIENT_RATE:
        assert isinstance(form, House)
        assert form.client_rate, "the code says so"
        return [(form.client_rate, line.rate)]
    stages = _before_concentration(form, position, line.code)
    if line.code & BY_CONCENTRATION:
        assert isinstance(form, House)
        assert form.concentration, "the code says so"
        steps = form.concentration.long if position.quantity > 0 else form.concentration.short
        step = (steps[line.code >> CONC_SHIFT & STEP_MASK], line.rate)
        return [*stages, step] if isinstance(form.concentration, Additive) else [step]
    return stages


def _before_concentration(form: Exchange, position: PositionExplanation, code: int) -> list[tuple[Rule, int]]:
    cap = RATE_SCALE if position.quantity > 0 else SHORT_CAP
    if code & BY_NOT_MARGINABLE:
        assert form.not_marginable, "the code says so"
        return [(form.not_marginable, scaled(form.not_marginable.rate, RATE_SCALE))]
    if code & BY_OWN_RATE:
        rule, rate = _own(form, position)
        return [(rule, min(rate, cap))]
    base = _base(form, position, code)
    rate = scaled(base.rate, RATE_SCALE)
    if not code & BY_LEVERAGE:
        return [(base, rate)]
    assert form.leverage, "the code says so"
    return [(base, min(rate, cap)), (form.leverage, min(divide(rate * abs(position.leverage), RATE_SCALE), cap))]


def _base(form: Exchange, position: PositionExplanation, code: int) -> Long | LongStep | Short | ShortStep:
    side = form.long if position.quantity > 0 else form.short
    assert side, "the code says so"
    return side.low_priced[code >> STEP_SHIFT & STEP_MASK] if code & BY_STEP else side


def _own(form: Exchange, position: PositionExplanation) -> tuple[Rule, int]:
    """Return the rule of the rate that is the symbol's own: the policy's, unless the desk's is greater."""
    assert isinstance(form, House), "only the house has such rates"
    named = form.symbols.get(position.symbol)
    own = -1 if named is None else scaled(named.long if position.quantity > 0 else named.short, RATE_SCALE)
    desk = position.instrument_rate if form.own_rates and position.instrument_rate is not None else -1
    rule = named if own >= desk else form.own_rates
    assert rule, "the code says so"
    return rule, max(own, desk)


def _floor(form: Exchange, position: PositionExplanation, line: LayerLine, usd_rate: int) -> int:
    """Return what the amount a share asks, in cents; 0 where the base rule has none, or another rule stands for it."""
    if line.code & (BY_CLIENT_RATE | BY_NOT_MARGINABLE | BY_OWN_RATE):
        return 0
    per_share = getattr(_base(form, position, line.code), "per_share", None)
    if per_share is None:
        return 0
    cents = QUANTITY_SCALE * PRICE_SCALE // MONEY_SCALE
    return divide(abs(position.quantity) * convert(scaled(per_share, PRICE_SCALE), usd_rate), cents)
