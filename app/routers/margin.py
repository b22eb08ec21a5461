"""Margin."""

from fastapi import APIRouter

from app.routers.deps import CallerDep, ClientId, PolicyDep, SettingsDep, ShockedSymbol, Shocks
from app.routers.errors import problems
from app.schemas.margin import MarginOut
from app.schemas.stress import ClientStressOut
from app.services import margin as margin_service
from app.services import stress as stress_service

router = APIRouter(prefix="/margin", tags=["margin"])


@router.get(
    "/{clientId}",
    operation_id="get_margin",
    summary="Get a client's margin",
    responses=problems(401, 404, 409, 422, 503),
)
async def get_margin(client_id: ClientId, caller: CallerDep, policy: PolicyDep, settings: SettingsDep) -> MarginOut:
    """Return value, equity, requirement and shortfall at the stored prices; 409 where a price is missing."""
    status = await margin_service.margin_status(
        client_id, caller=caller, rules=policy.rules, base_currency=settings.base_currency
    )
    return MarginOut.model_validate(status)


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
