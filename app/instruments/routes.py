"""Instruments."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, status

from app.auth.deps import CallerDep, StaffDep
from app.instruments import service as instruments_service
from app.instruments.schemas import InstrumentIn, InstrumentOut
from app.web.deps import AfterSymbol, Limit, Symbol, link_next
from app.web.etags import TAG, ConditionalGetDep, PreconditionOrNewDep, tagged
from app.web.problems import problems

router = APIRouter(prefix="/instruments", tags=["instruments"])


@router.get(
    "",
    operation_id="list_instruments",
    summary="List instruments",
    response_model=list[InstrumentOut],
    responses=tagged(200, unchanged=True) | problems(401, 422, 503),
)
async def list_instruments(
    request: Request,
    _: CallerDep,
    conditional: ConditionalGetDep,
    needs: Annotated[
        Literal["leverage"] | None, Query(description="Only funds whose name says a leverage that nobody has set.")
    ] = None,
    after: AfterSymbol = None,
    limit: Limit = 100,
) -> Response:
    """Return what is known of every instrument, by symbol."""
    listed = instruments_service.leveraged_by_name if needs else instruments_service.list_instruments
    rows = await listed(after=after, limit=limit)
    answer = conditional.answer([InstrumentOut.model_validate(row) for row in rows])
    if len(rows) == limit:
        link_next(request, answer, after=rows[-1].symbol)
    return answer


@router.get(
    "/{symbol}",
    operation_id="get_instrument",
    summary="Get an instrument",
    response_model=InstrumentOut,
    responses=tagged(200, unchanged=True) | problems(401, 404, 422, 503),
)
async def get_instrument(symbol: Symbol, _: CallerDep, conditional: ConditionalGetDep) -> Response:
    """Return what is known of one instrument."""
    return conditional.answer(InstrumentOut.model_validate(await instruments_service.get_instrument(symbol)))


@router.put(
    "/{symbol}",
    operation_id="put_instrument",
    summary="Set leverage, marginability and own rate",
    response_model=InstrumentOut,
    responses={
        **tagged(200),
        201: {"model": InstrumentOut, "description": "Nothing was known of it before.", "headers": TAG},
        **problems(401, 403, 412, 413, 422, 503),
    },
)
async def put_instrument(
    symbol: Symbol, body: InstrumentIn, caller: StaffDep, precondition: PreconditionOrNewDep
) -> Response:
    """Set what the desk keeps; name, currency and type come from the price source."""
    instrument, is_new = await instruments_service.put_instrument(
        symbol,
        leverage=body.leverage,
        marginable=body.marginable,
        house_rate=body.house_rate,
        caller=caller,
        check=precondition.check(InstrumentOut.model_validate),
    )
    status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return precondition.answer(InstrumentOut.model_validate(instrument), status_code)
