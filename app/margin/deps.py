"""What routes ask of margin: the shocks, the policy, the settings, the changes of a simulation."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Query, Request

from app.core.symbols import SYMBOL_INPUT_PATTERN
from app.margin.explain import MarginSettings
from app.margin.explain_schemas import SimulationIn
from app.margin.schemas import SHOCKS_PATTERN, parse_shocks
from app.margin.service import MarginLoader
from app.margin.simulate import Changes, SimulatedTrade
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


async def get_margin_loader(request: Request) -> MarginLoader:
    """Return where this process's requests wait for margin."""
    loader: MarginLoader = request.app.state.margin_loader
    return loader


async def get_policy(request: Request) -> ActivePolicy:
    """Return the configured margin policy."""
    policy: ActivePolicy = request.app.state.policy
    return policy


MarginLoaderDep = Annotated[MarginLoader, Depends(get_margin_loader)]
PolicyDep = Annotated[ActivePolicy, Depends(get_policy)]


async def get_margin_settings(request: Request) -> MarginSettings:
    """Return what explanations depend on."""
    settings: MarginSettings = request.app.state.call_settings.margin
    return settings


MarginSettingsDep = Annotated[MarginSettings, Depends(get_margin_settings)]


async def get_changes(body: SimulationIn) -> Changes:
    """Return what a simulation changes."""
    form = builtin_policy(body.policy) if isinstance(body.policy, str) else body.policy
    return Changes(
        trades=[SimulatedTrade(trade.symbol, trade.quantity, trade.price) for trade in body.trades],
        cash=body.cash or Decimal(0),
        prices={price.symbol: price.price for price in body.prices},
        policy=None if form is None else ActivePolicy.of(form),
    )


ChangesDep = Annotated[Changes, Depends(get_changes)]
