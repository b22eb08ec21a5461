"""Explanations: an account and the engine's account of it, in amounts, prices and rules that can be quoted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_type_hints

from app.auth.types import Caller, no_client
from app.core.errors import ConflictError
from app.core.symbols import fx_symbol
from app.engine import explain as engine
from app.engine.units import PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE, unscaled
from app.margin.account import Account, PositionLine, columns, load_account
from app.margin.explain_schemas import Basis, ExplanationOut, PositionExplainedOut, RuleOut, Unit, weakest
from app.margin.schemas import PolicyOut
from app.margin.service import missing_prices, money
from app.policies import describe
from app.policies.active import ActivePolicy
from app.stocks import basis as basis_service
from app.stocks.doubt import DoubtReason
from app.web.fields import Out

#: Positions. More take so long (500: 10 to 90 ms) that a thread explains them, while the process serves others.
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class MarginSettings:
    """What explanations depend on beside the account."""

    policy: ActivePolicy
    base_currency: str
    stale_seconds: int
    #: Per year; None shows no interest.
    interest_rate: Decimal | None


async def explain_client(client_id: int, *, caller: Caller, settings: MarginSettings) -> ExplanationOut:
    """
    Explain a client's margin at the stored prices.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
        MissingPricesError: a position has no price.
        ConflictError: the account is too large for exact figures.
    """
    caller.check_client(client_id)
    account = await load_account(client_id, base_currency=settings.base_currency)
    if account is None:
        raise no_client(client_id)
    return await explain_account(account, settings=settings)


async def explain_account(account: Account, *, settings: MarginSettings) -> ExplanationOut:
    """
    Explain an account, stored or supposed.

    Raises:
        MissingPricesError, ConflictError: as `explain_client`.
    """
    if symbols := account.unpriced():
        raise missing_prices(account.client_id, symbols)
    now = datetime.now(UTC)
    bases = await _bases(account.held, now=now, stale_seconds=settings.stale_seconds)
    book, prices, quotes, instruments = columns(account)
    rate = None if settings.interest_rate is None else int(settings.interest_rate * RATE_SCALE)
    try:
        explain = partial(engine.explain, book, prices, quotes, instruments, settings.policy.rules, interest_rate=rate)
        explained = await asyncio.to_thread(explain) if len(account.held) > _AT_ONCE else explain()
    except engine.IncompleteError as error:
        if not account.usd_rate:
            raise missing_prices(account.client_id, [fx_symbol("USD", settings.base_currency)]) from error
        raise ConflictError(f"Client {account.client_id} is too large for exact figures.") from error
    return _explanation(explained, account, bases, settings.policy, now)


async def stale_symbols(account: Account, *, settings: MarginSettings) -> list[str]:
    """Return the held symbols whose price, or rate, is stale now."""
    priced = [line for line in account.held if line.account_price]
    bases = await _bases(priced, now=datetime.now(UTC), stale_seconds=settings.stale_seconds)
    return [line.symbol for line, basis in zip(priced, bases, strict=True) if basis == "stale"]


async def _bases(held: Sequence[PositionLine], *, now: datetime, stale_seconds: int) -> list[Basis]:
    """Return the basis of each position: the weaker of its price's and its rate's."""
    evidence = [[part for part in (line.quote, line.rate) if part is not None] for line in held]
    flat = [part for parts in evidence for part in parts]
    found = iter(await basis_service.bases(flat, now=now, stale_seconds=stale_seconds))
    bases = [weakest(_priced(next(found)) for _ in parts) for parts in evidence]
    return ["stale" if _is_stale(line) else basis for line, basis in zip(held, bases, strict=True)]


def _is_stale(line: PositionLine) -> bool:
    """Return whether the source does not give the price, or the rate, any more, however old it is."""
    return any(doubt is not None and doubt.reason is DoubtReason.STALE for doubt in (line.doubt, line.rate_doubt))


def _priced(basis: basis_service.Basis) -> Basis:
    assert basis != "unpriced", "an explained position has a price"
    return basis


def _explanation(
    explained: engine.Explanation, account: Account, bases: Sequence[Basis], policy: ActivePolicy, now: datetime
) -> ExplanationOut:
    lines = zip(explained.positions, account.held, bases, strict=True)
    made = [part.market_time for line in account.held for part in (line.quote, line.rate) if part is not None]
    return _converted(
        ExplanationOut,
        explained,
        timestamp=now,
        prices_as_of=min(made, default=None),
        policy=PolicyOut(id=policy.name.id, version=policy.name.version),
        positions=[
            _position(position, line, basis, describe.rule_lines(policy.form, position, usd_rate=account.usd_rate), now)
            for position, line, basis in lines
        ],
    )


def _position(
    position: engine.PositionExplanation,
    line: PositionLine,
    basis: Basis,
    rules: Sequence[describe.RuleLine],
    now: datetime,
) -> PositionExplainedOut:
    assert line.quote is not None, "an explained position has a price"
    return _converted(
        PositionExplainedOut,
        position,
        currency=line.currency,
        basis=basis,
        age_seconds=max(0, int((now - line.quote.market_time).total_seconds())),
        rules=[_converted(RuleOut, rule) for rule in rules],
        exchange_requirement=money(position.exchange.requirement) if position.exchange else None,
        house_requirement=money(position.house.requirement) if position.house else None,
    )


Model = TypeVar("Model", bound=Out)


def _converted(model: type[Model], figures: object, **given: object) -> Model:
    """Return a part of the tree: what is `given`, and the engine's figures of the same names as the other fields."""
    for name, convert in _converters(model):
        if name not in given:
            figure = getattr(figures, name)
            given[name] = figure if convert is None or figure is None else convert(figure)
    return model(**given)


@cache
def _converters(model: type[Out]) -> tuple[tuple[str, Callable[[Any], object] | None], ...]:
    """Return how each field of a part comes from the engine's figure of its name; None = as it is."""
    return tuple((name, _converter(hint)) for name, hint in get_type_hints(model, include_extras=True).items())


def _converter(hint: object) -> Callable[[Any], object] | None:
    """Return how a figure becomes a field of this type: by its unit, or as a part of the tree."""
    of = next((member for member in get_args(hint) if NoneType in get_args(hint)), hint)
    for mark in getattr(of, "__metadata__", ()):
        if isinstance(mark, Unit):
            return _CONVERT[mark]
    return partial(_converted, of) if isinstance(of, type) and issubclass(of, Out) else None


#: A fraction has the 8 decimals in which it is shown.
_CONVERT: Final[Mapping[Unit, Callable[[Any], Decimal]]] = {
    Unit.CENT: money,
    Unit.PRICE: partial(unscaled, scale=PRICE_SCALE),
    Unit.QUANTITY: partial(unscaled, scale=QUANTITY_SCALE),
    Unit.RATE: partial(unscaled, scale=RATE_SCALE),
    Unit.FRACTION: lambda fraction: round(Decimal(fraction), 8),
}
