"""Which of a policy's rules gave a position its rate: from the engine's code to rules that can be quoted."""

from collections.abc import Iterator

from app.engine import terms
from app.engine.units import RATE_SCALE
from app.policies.form import Exchange, House, Policy, Rule


def exchange_rules(policy: Policy, code: int, *, is_long: bool) -> tuple[Rule, ...]:
    """Return the rules of the exchange layer behind `PositionReport.exchange_code`, in the order they were applied."""
    return tuple(_base_rules(policy.exchange, code, is_long=is_long)) if policy.exchange else ()


def house_rules(policy: Policy, code: int, *, is_long: bool, symbol: str, desk_rate: int) -> tuple[Rule, ...]:
    """Return the rules behind `PositionReport.house_code`; `desk_rate` is the instrument's own, in 1e-4, or -1."""
    house = policy.house
    if house is None:
        return ()
    if code & terms.BY_CLIENT_RATE:
        return (house.client_rate,) if house.client_rate else ()
    rules = list(_base_rules(house, code, is_long=is_long))
    if code & terms.BY_OWN_RATE and (own := _own_rate_rule(house, symbol, desk_rate, is_long=is_long)):
        rules.append(own)
    if code & terms.BY_CONCENTRATION and house.concentration:
        steps = house.concentration.long if is_long else house.concentration.short
        rules.append(steps[code >> terms.CONC_SHIFT & 0xFF])
    return tuple(rules)


def _base_rules(layer: Exchange, code: int, *, is_long: bool) -> Iterator[Rule]:
    side = layer.long if is_long else layer.short
    if side and code & terms.BY_BASE:
        yield side
    if side and code & terms.BY_STEP:
        yield side.low_priced[code >> terms.STEP_SHIFT & 0xFF]
    if layer.leverage and code & terms.BY_LEVERAGE:
        yield layer.leverage
    if layer.not_marginable and code & terms.BY_NOT_MARGINABLE:
        yield layer.not_marginable


def _own_rate_rule(house: House, symbol: str, desk_rate: int, *, is_long: bool) -> Rule | None:
    """Return the policy's rule for the symbol, or, where it asks less, the one that lets the desk's rates count."""
    named = house.symbols.get(symbol)
    if named is None:
        return house.own_rates
    rate = named.long if is_long else named.short
    return house.own_rates if house.own_rates and desk_rate > rate * RATE_SCALE else named
