"""Positions and trades."""

from fastapi import APIRouter, Response, status

from app.routers.deps import CallerDep, ClientId, ProviderDep, SettingsDep, StaffDep, Symbol
from app.routers.errors import problems
from app.schemas.position import PositionIn, PositionOut, PositionsOut, TradeIn, TradeOut
from app.services import positions as positions_service
from app.services.positions import Trade

router = APIRouter(prefix="/positions", tags=["positions"])


@router.get(
    "/{clientId}",
    operation_id="list_positions",
    summary="Get what a client holds",
    responses=problems(401, 404, 422, 503),
)
async def list_positions(client_id: ClientId, caller: CallerDep) -> PositionsOut:
    """Return a client's positions, by symbol."""
    rows = await positions_service.list_positions(client_id, caller=caller)
    return PositionsOut(client_id=client_id, positions=[PositionOut(**row) for row in rows])


@router.put(
    "/{clientId}/{symbol}",
    operation_id="put_position",
    summary="Set a position",
    responses={
        201: {"model": PositionOut, "description": "The position is new."},
        **problems(401, 403, 404, 413, 422, 503),
    },
)
async def put_position(
    client_id: ClientId,
    symbol: Symbol,
    body: PositionIn,
    response: Response,
    caller: StaffDep,
    settings: SettingsDep,
) -> PositionOut:
    """Set quantity and cost; the loan stays as it is. For a trade, which moves the loan, use `trades`."""
    position, created = await positions_service.put_position(
        client_id,
        symbol,
        quantity=body.quantity,
        cost_basis=body.cost_basis,
        base_currency=settings.base_currency,
        caller=caller,
    )
    response.status_code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
    return PositionOut(**position)


@router.delete(
    "/{clientId}/{symbol}",
    operation_id="delete_position",
    summary="Delete a position",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete_position(client_id: ClientId, symbol: Symbol, caller: StaffDep) -> None:
    """Delete a position; the loan stays as it is."""
    await positions_service.delete_position(client_id, symbol, caller=caller)


@router.post(
    "/{clientId}/trades",
    operation_id="create_trade",
    summary="Book a trade",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
async def create_trade(
    client_id: ClientId, body: TradeIn, caller: StaffDep, provider: ProviderDep, settings: SettingsDep
) -> TradeOut:
    """Change quantity, average cost and loan together: loan += quantity x price x fx."""
    booked = await positions_service.book_trade(
        client_id,
        Trade(symbol=body.symbol, quantity=body.quantity, price=body.price),
        provider=provider,
        base_currency=settings.base_currency,
        caller=caller,
    )
    position = PositionOut(**booked.position) if booked.position else None
    return TradeOut(client_id=client_id, position=position, loan=booked.loan)
