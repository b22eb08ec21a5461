"""Stress: requirement, shortfall and loss at shocked prices, for a client and for the book, on the same arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, TypeVar

from app.auth.types import Caller, no_client
from app.book.client_loader import load_client
from app.book.types import Holdings
from app.core.errors import NotFoundError
from app.core.symbols import normalise_symbol
from app.engine import stress as engine
from app.engine.stress import book_ladder, ladder, unsecured_loss
from app.margin.service import incomplete, money
from app.policies.active import ActivePolicy, PolicyName

SHOCK_SCALE: Final = 10_000
DEFAULT_SHOCKS: Final = tuple(Decimal(tenths) / 10 for tenths in range(-5, 6))


@dataclass(frozen=True, slots=True)
class ClientRung:
    """A client at one shock, a fraction of today's prices; money in account currency."""

    shock: Decimal
    portfolio_value: Decimal
    net_equity: Decimal
    margin_requirement: Decimal
    margin_shortfall: Decimal
    #: What selling everything would leave unpaid.
    unsecured_loss: Decimal
    margin_call_triggered: bool


@dataclass(frozen=True, slots=True)
class BookStressRung:
    """All clients at one shock; incomplete clients are counted and in no sum."""

    shock: Decimal
    calls: int
    margin_shortfall: Decimal
    unsecured_loss: Decimal
    incomplete: int


Rung = TypeVar("Rung")


@dataclass(frozen=True, slots=True)
class Ladder(Generic[Rung]):
    """Rungs under a policy, shocks ascending."""

    policy: PolicyName
    rungs: list[Rung]


async def stress_client(
    client_id: int,
    shocks: Sequence[Decimal],
    *,
    symbol: str | None,
    caller: Caller,
    policy: ActivePolicy,
    base_currency: str,
) -> Ladder[ClientRung]:
    """
    Return a client's ladder, shocks ascending; `symbol` moves that price alone.

    Raises:
        NotFoundError: no such client for this caller, or it does not hold `symbol`.
        MissingPricesError: a position has no price.
    """
    caller.check_client(client_id)
    holdings = await load_client(client_id, base_currency=base_currency)
    if holdings is None:
        raise no_client(client_id)
    index = None if symbol is None else _index_of(symbol, holdings)
    inputs = (holdings.book, holdings.prices, holdings.instruments, policy.rules)
    rungs = list(ladder(*inputs, _steps(shocks), symbol=index))
    if not all(rung.report.complete[0] for rung in rungs):
        raise incomplete(client_id, holdings, base_currency=base_currency)
    return Ladder(policy.name, [_client_rung(rung) for rung in rungs])


def stress_book(
    holdings: Holdings, shocks: Sequence[Decimal], *, symbol: str | None, policy: ActivePolicy
) -> Ladder[BookStressRung]:
    """
    Return the ladder of a whole book, shocks ascending. CPU-bound: one revaluation a shock.

    Raises:
        NotFoundError: no client holds `symbol`.
    """
    index = None if symbol is None else _index_of(symbol, holdings)
    inputs = (holdings.book, holdings.prices, holdings.instruments, policy.rules)
    return Ladder(policy.name, [_book_rung(rung) for rung in book_ladder(*inputs, _steps(shocks), symbol=index)])


def _steps(shocks: Sequence[Decimal]) -> list[int]:
    """Return shocks in the engine's 1e-4, ascending, each once."""
    return sorted({int(shock * SHOCK_SCALE) for shock in shocks})


def _index_of(symbol: str, holdings: Holdings) -> int:
    """Return where a symbol stands in the book."""
    symbol = normalise_symbol(symbol)
    try:
        return holdings.book.symbols.index(symbol)
    except ValueError as error:
        raise NotFoundError(f"Nobody in question holds {symbol}.") from error


def _client_rung(rung: engine.Rung) -> ClientRung:
    report = rung.report
    return ClientRung(
        shock=_shock(rung.shock),
        portfolio_value=money(report.portfolio_value[0]),
        net_equity=money(report.net_equity[0]),
        margin_requirement=money(report.margin_requirement[0]),
        margin_shortfall=money(report.margin_shortfall[0]),
        unsecured_loss=money(unsecured_loss(report)[0]),
        margin_call_triggered=bool(report.margin_shortfall[0] > 0),
    )


def _book_rung(rung: engine.BookRung) -> BookStressRung:
    return BookStressRung(
        shock=_shock(rung.shock),
        calls=rung.calls,
        margin_shortfall=money(rung.margin_shortfall),
        unsecured_loss=money(rung.unsecured_loss),
        incomplete=rung.incomplete,
    )


def _shock(steps: int) -> Decimal:
    return Decimal(steps) / SHOCK_SCALE
