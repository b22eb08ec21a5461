"""From a policy to the numbers that the engine computes with."""

from decimal import Decimal

from app.engine import rules as engine
from app.engine.units import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, scaled
from app.policies.form import AddedPoints, Additive, Exchange, GreaterOf, House, LeastRate, Long, Policy, Short


def margin_rules(policy: Policy) -> engine.MarginRules:
    """Return the policy's numbers; dollar amounts stay dollars, the engine converts them."""
    house = policy.house
    return engine.MarginRules(
        exchange=_layer(policy.exchange) if policy.exchange else None,
        house=_layer(house) if house else None,
        concentration=_concentration(house.concentration) if house and house.concentration else None,
        symbol_rates=tuple(
            engine.RateOverride(symbol, _rate(rule.long), _rate(rule.short))
            for symbol, rule in (house.symbols if house else {}).items()
        ),
    )


def _layer(form: Exchange) -> engine.Layer:
    client_rate = form.client_rate.effect.upper() if isinstance(form, House) and form.client_rate else "IGNORED"
    return engine.Layer(
        long=_side(form.long) if form.long else None,
        short=_side(form.short) if form.short else None,
        leverage=form.leverage is not None,
        not_marginable=_rate(form.not_marginable.rate) if form.not_marginable else None,
        own_rates=isinstance(form, House) and form.own_rates is not None,
        client_rate=engine.ClientRateEffect[client_rate],
    )


def _side(form: Long | Short) -> engine.Side:
    steps = (
        engine.RateStep(
            bound=_dollars(step.bound),
            rate=_rate(step.rate),
            per_share=_dollars(getattr(step, "per_share", None)),
            inclusive=step.up_to is not None,
        )
        for step in form.low_priced
    )
    return engine.Side(_rate(form.rate), _dollars(getattr(form, "per_share", None)), tuple(steps))


def _concentration(form: Additive | GreaterOf) -> engine.Concentration:
    return engine.Concentration(
        style=engine.Style[form.style.upper()],
        long=tuple(map(_share_step, form.long)),
        short=tuple(map(_share_step, form.short)),
        minimum_debit=None if form.minimum_debit is None else scaled(form.minimum_debit, MONEY_SCALE),
        stocks_only=form.stocks_only,
    )


def _share_step(step: AddedPoints | LeastRate) -> engine.ShareStep:
    if isinstance(step, AddedPoints):
        return engine.ShareStep(_rate(step.above), _rate(step.add))
    return engine.ShareStep(_rate(step.at_least), _rate(step.rate))


def _rate(value: Decimal) -> int:
    return scaled(value, RATE_SCALE)


def _dollars(value: Decimal | None) -> int:
    return 0 if value is None else scaled(value, PRICE_SCALE)
