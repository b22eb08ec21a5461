"""Instruments."""

from fastapi import APIRouter, Request, Response, status

from app.routers.deps import AfterSymbol, CallerDep, Limit, StaffDep, Symbol, link_next
from app.routers.errors import problems
from app.schemas.instrument import InstrumentIn, InstrumentOut
from app.services import instruments as instruments_service

router = APIRouter(prefix="/instruments", tags=["instruments"])


@router.get("", operation_id="list_instruments", summary="List instruments", responses=problems(401, 422, 503))
async def list_instruments(
    request: Request, response: Response, _: CallerDep, after: AfterSymbol = None, limit: Limit = 100
) -> list[InstrumentOut]:
    """Return what is known of every instrument, by symbol."""
    rows = await instruments_service.list_instruments(after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].symbol)
    return [InstrumentOut.model_validate(row) for row in rows]


@router.get(
    "/{symbol}", operation_id="get_instrument", summary="Get an instrument", responses=problems(401, 404, 422, 503)
)
async def get_instrument(symbol: Symbol, _: CallerDep) -> InstrumentOut:
    """Return what is known of one instrument."""
    return InstrumentOut.model_validate(await instruments_service.get_instrument(symbol))


@router.put(
    "/{symbol}",
    operation_id="put_instrument",
    summary="Set leverage, marginability and own rate",
    responses={
        201: {"model": InstrumentOut, "description": "Nothing was known of it before."},
        **problems(401, 403, 413, 422, 503),
    },
)
async def put_instrument(symbol: Symbol, body: InstrumentIn, response: Response, caller: StaffDep) -> InstrumentOut:
    """Set what the desk keeps; name, currency and type come from the price source."""
    instrument, created = await instruments_service.put_instrument(
        symbol, leverage=body.leverage, marginable=body.marginable, house_rate=body.house_rate, caller=caller
    )
    response.status_code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
    return InstrumentOut.model_validate(instrument)
