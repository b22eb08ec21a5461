"""Margin."""

from fastapi import APIRouter

from app.routers.deps import (
    CallerDep,
    ChangesDep,
    ClientId,
    MarginReadsDep,
    PolicyDep,
    SettingsDep,
    ShockedSymbol,
    Shocks,
    TermsDep,
)
from app.routers.errors import problems
from app.schemas.explain import ExplanationOut, SimulationOut
from app.schemas.margin import MarginOut
from app.schemas.stress import ClientStressOut
from app.services import explain as explain_service
from app.services import simulate as simulate_service
from app.services import stress as stress_service

router = APIRouter(prefix="/margin", tags=["margin"])


@router.get(
    "/{clientId}",
    operation_id="get_margin",
    summary="Get a client's margin",
    responses=problems(401, 404, 409, 422, 503),
)
async def get_margin(client_id: ClientId, caller: CallerDep, reads: MarginReadsDep) -> MarginOut:
    """Return value, equity, requirement and shortfall at the stored prices; 409 where a price is missing."""
    return MarginOut.model_validate(await reads.status(client_id, caller=caller))


@router.get(
    "/{clientId}/stress",
    operation_id="stress_client",
    summary="Stress a client",
    responses=problems(401, 404, 409, 422, 503),
)
async def stress_client(
    client_id: ClientId,
    caller: CallerDep,
    policy: PolicyDep,
    settings: SettingsDep,
    shocks: Shocks,
    symbol: ShockedSymbol = None,
) -> ClientStressOut:
    """Return value, requirement, shortfall and unsecured loss at each shock; `symbol` moves that price alone."""
    ladder = await stress_service.stress_client(
        client_id, shocks, symbol=symbol, caller=caller, policy=policy, base_currency=settings.base_currency
    )
    return ClientStressOut.model_validate(ladder)


@router.get(
    "/{clientId}/explain",
    operation_id="explain_margin",
    summary="Explain a client's margin",
    responses=problems(401, 404, 409, 422, 503),
)
async def explain_margin(client_id: ClientId, caller: CallerDep, terms: TermsDep) -> ExplanationOut:
    """Return every figure with what it is made of: positions, rules with sources, cures, distance to a call."""
    return ExplanationOut.model_validate(await explain_service.explain_client(client_id, caller=caller, terms=terms))


@router.post(
    "/{clientId}/simulate",
    operation_id="simulate_margin",
    summary="What if?",
    responses=problems(401, 404, 409, 413, 422, 503),
)
async def simulate_margin(
    client_id: ClientId, changes: ChangesDep, caller: CallerDep, terms: TermsDep
) -> SimulationOut:
    """Return the client's margin before and after trades, cash, other prices or another policy; nothing is stored."""
    simulation = await simulate_service.simulate(client_id, changes, caller=caller, terms=terms)
    return SimulationOut.model_validate(simulation)
