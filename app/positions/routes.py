"""Positions and trades."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status

from app.auth.deps import CallerDep, StaffDep
from app.idempotency.decorator import idempotent
from app.positions import service as positions_service
from app.positions import trades as trades_service
from app.positions.schemas import PositionIn, PositionOut, PositionsOut, TradeIn, TradeOut
from app.positions.service import PositionLoader, PositionRecord
from app.positions.trades import Trade
from app.stocks.deps import FeedDep
from app.web.deps import ClientId, SettingsDep, Symbol
from app.web.etags import TAG, ConditionalGetDep, PreconditionDep, PreconditionOrNewDep, tagged
from app.web.problems import problems


async def get_position_loader(request: Request) -> PositionLoader:
    """Return where this process's requests wait for positions."""
    loader: PositionLoader = request.app.state.position_loader
    return loader


PositionLoaderDep = Annotated[PositionLoader, Depends(get_position_loader)]
router = APIRouter(prefix="/positions", tags=["positions"])


@router.get(
    "/{clientId}",
    operation_id="list_positions",
    summary="Get what a client holds",
    response_model=PositionsOut,
    responses=tagged(200, unchanged=True) | problems(401, 404, 422, 503),
)
async def list_positions(
    client_id: ClientId, caller: CallerDep, conditional: ConditionalGetDep, loader: PositionLoaderDep
) -> Response:
    """Return a client's positions, by symbol."""
    rows = await positions_service.list_positions(client_id, caller=caller, loader=loader)
    return conditional.answer(PositionsOut(client_id=client_id, positions=[_position(row) for row in rows]))


@router.get(
    "/{clientId}/{symbol}",
    operation_id="get_position",
    summary="Get a position",
    response_model=PositionOut,
    responses=tagged(200, unchanged=True) | problems(401, 404, 422, 503),
)
async def get_position(
    client_id: ClientId, symbol: Symbol, caller: CallerDep, conditional: ConditionalGetDep
) -> Response:
    """Return one position of a client."""
    return conditional.answer(_position(await positions_service.get_position(client_id, symbol, caller=caller)))


@router.put(
    "/{clientId}/{symbol}",
    operation_id="put_position",
    summary="Set a position",
    response_model=PositionOut,
    responses={
        **tagged(200),
        201: {"model": PositionOut, "description": "The position is new.", "headers": TAG},
        **problems(401, 403, 404, 412, 413, 422, 503),
    },
)
async def put_position(
    client_id: ClientId,
    symbol: Symbol,
    body: PositionIn,
    caller: StaffDep,
    settings: SettingsDep,
    precondition: PreconditionOrNewDep,
) -> Response:
    """Set quantity and cost; the loan stays as it is. For a trade, which moves the loan, use `trades`."""
    position, is_new = await positions_service.put_position(
        client_id,
        PositionRecord(symbol=symbol, quantity=body.quantity, cost_basis=body.cost_basis),
        base_currency=settings.base_currency,
        caller=caller,
        check=precondition.check(_position),
    )
    return precondition.answer(_position(position), status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


@router.delete(
    "/{clientId}/{symbol}",
    operation_id="delete_position",
    summary="Delete a position",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 412, 422, 503),
)
async def delete_position(client_id: ClientId, symbol: Symbol, caller: StaffDep, precondition: PreconditionDep) -> None:
    """Delete a position; the loan stays as it is."""
    await positions_service.delete_position(client_id, symbol, caller=caller, check=precondition.check(_position))


async def get_trade(body: TradeIn, _: StaffDep, feed: FeedDep) -> Trade:
    """Return the trade, of a stock whose price is known: the source is asked here, before any transaction."""
    await trades_service.ensure_priced(body.symbol, feed=feed)
    return Trade(symbol=body.symbol, quantity=body.quantity, price=body.price)


@router.post(
    "/{clientId}/trades",
    operation_id="create_trade",
    summary="Book a trade",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def create_trade(
    client_id: ClientId,
    trade: Annotated[Trade, Depends(get_trade)],
    caller: StaffDep,
    feed: FeedDep,
) -> TradeOut:
    """Change quantity, average cost and loan together: loan += quantity x price x fx."""
    booked = await trades_service.book_trade(client_id, trade, feed=feed, caller=caller)
    position = _position(booked.position) if booked.position else None
    return TradeOut(client_id=client_id, position=position, loan=booked.loan)


def _position(record: PositionRecord) -> PositionOut:
    return PositionOut(**record)
