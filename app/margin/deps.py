"""What routes ask of margin: the shocks, the policy, the settings, the changes of a simulation."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Query, Request

from app.core.symbols import SYMBOL_INPUT_PATTERN
from app.margin.explain import Terms
from app.margin.explain_schemas import SimulationIn
from app.margin.schemas import SHOCKS_PATTERN, parse_shocks
from app.margin.service import MarginReads
from app.margin.simulate import Changes, Trade
from app.margin.stress import DEFAULT_SHOCKS
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy

ShockedSymbol = Annotated[
    str | None,
    Query(alias="symbol", max_length=32, pattern=SYMBOL_INPUT_PATTERN, description="Move this symbol's price alone."),
]


async def get_shocks(
    shocks: Annotated[
        str | None,
        Query(
            pattern=SHOCKS_PATTERN,
            description="Fractions between commas, each above -1; default -0.5 to 0.5 by 0.1.",
            examples=["-0.2,-0.1"],
        ),
    ] = None,
) -> Sequence[Decimal]:
    """Return the shocks that are asked for."""
    return DEFAULT_SHOCKS if shocks is None else parse_shocks(shocks)


Shocks = Annotated[Sequence[Decimal], Depends(get_shocks)]


async def get_margin_reads(request: Request) -> MarginReads:
    """Return where this process's requests wait for margin."""
    reads: MarginReads = request.app.state.margin_reads
    return reads


async def get_policy(request: Request) -> ActivePolicy:
    """Return the configured margin policy."""
    policy: ActivePolicy = request.app.state.policy
    return policy


MarginReadsDep = Annotated[MarginReads, Depends(get_margin_reads)]
PolicyDep = Annotated[ActivePolicy, Depends(get_policy)]


async def get_terms(request: Request) -> Terms:
    """Return what explanations depend on."""
    terms: Terms = request.app.state.call_terms.terms
    return terms


TermsDep = Annotated[Terms, Depends(get_terms)]


async def get_changes(body: SimulationIn) -> Changes:
    """Return what a simulation changes."""
    form = builtin_policy(body.policy) if isinstance(body.policy, str) else body.policy
    return Changes(
        trades=[Trade(trade.symbol, trade.quantity, trade.price) for trade in body.trades],
        cash=body.cash or Decimal(0),
        prices={price.symbol: price.price for price in body.prices},
        policy=None if form is None else ActivePolicy.of(form),
    )


ChangesDep = Annotated[Changes, Depends(get_changes)]
