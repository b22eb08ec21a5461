"""Prices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic_core import to_json

from app.auth.deps import CallerDep, StaffDep
from app.database.batch_loader import BatchLoader
from app.database.sql import Connection
from app.idempotency.decorator import idempotent
from app.stocks import basis
from app.stocks import service as stocks_service
from app.stocks.deps import FeedDep
from app.stocks.schemas import AcceptIn, PricePointOut, RefreshOut, StockOut
from app.stocks.service import Window
from app.web.deps import AfterSymbol, Limit, SettingsDep, Symbol, link_next
from app.web.etags import ConditionalGetDep, tagged
from app.web.fields import TimestampIn
from app.web.problems import problems

router = APIRouter(prefix="/stocks", tags=["stocks"])

_ORIGIN_HEADERS = {
    "X-Price-Origin": {
        "description": "`provider`: just asked; `stored`: the source could not answer, or its answer is refused "
        "or waits for a second one, as a price far from the stored one does.",
        "schema": {"type": "string", "enum": ["provider", "stored"]},
    },
    "X-Price-Basis": {
        "description": "What the price is worth as evidence.",
        "schema": {"type": "string", "enum": ["live", "delayed", "close", "estimate", "stale"]},
    },
}


@dataclass(frozen=True, slots=True)
class StockPage:
    """Stored prices as they are sent; `last` is the last symbol where there may be more, else None."""

    body: bytes
    last: str | None


#: Where the requests of a process for stored prices wait: by the symbol to begin behind, and the most rows.
StockPageLoader = BatchLoader[tuple[str | None, int], StockPage]


async def load_pages(
    connection: Connection,
    keys: Collection[tuple[str | None, int]],
) -> Mapping[tuple[str | None, int], StockPage]:
    """Return each page, rendered once for all who wait for it."""
    pages = {}
    for after, limit in keys:
        rows = await stocks_service.list_prices(connection, after=after, limit=limit)
        body = to_json([StockOut.model_validate(dict(row)) for row in rows])
        pages[after, limit] = StockPage(body, rows[-1]["symbol"] if len(rows) == limit else None)
    return pages


async def get_stock_page_loader(request: Request) -> StockPageLoader:
    """Return where this process's requests wait for stored prices."""
    loader: StockPageLoader = request.app.state.stock_page_loader
    return loader


StockPageLoaderDep = Annotated[StockPageLoader, Depends(get_stock_page_loader)]


async def get_window(
    start: Annotated[TimestampIn | None, Query(alias="from", description="Prices made at or after this time.")] = None,
    end: Annotated[TimestampIn | None, Query(alias="to", description="Prices made before this time.")] = None,
    after: Annotated[TimestampIn | None, Query(description="The last timestamp of the page before.")] = None,
) -> Window:
    """Return which part of a history is asked for."""
    return Window(start=start, end=end, after=after)


@router.get(
    "",
    operation_id="list_stocks",
    summary="List stored prices",
    response_model=list[StockOut],
    responses=tagged(200, unchanged=True) | problems(401, 422, 503),
)
async def list_stocks(
    request: Request,
    _: CallerDep,
    conditional: ConditionalGetDep,
    loader: StockPageLoaderDep,
    after: AfterSymbol = None,
    limit: Limit = 1000,
) -> Response:
    """Return the stored price of every stock, by symbol."""
    page = await loader.load((after, limit))
    answer = conditional.answer_body(page.body)
    if page.last is not None:
        link_next(request, answer, after=page.last)
    return answer


@router.post(
    "/refresh",
    operation_id="refresh_stocks",
    summary="Refresh every held symbol",
    responses=problems(401, 403, 503),
)
async def refresh_stocks(_: StaffDep, feed: FeedDep) -> RefreshOut:
    """
    Ask the price source for every symbol that a client holds, and for the FX rates they need.

    It takes no `Idempotency-Key`: sent again, it asks again, which does no harm.
    """
    refreshed = await stocks_service.refresh_held(feed)
    return RefreshOut.model_validate(refreshed)


@router.get(
    "/{symbol}",
    operation_id="get_stock",
    summary="Get the price of a stock, now",
    responses={200: {"headers": _ORIGIN_HEADERS}, **problems(401, 404, 422, 503)},
)
async def get_stock(symbol: Symbol, response: Response, _: CallerDep, feed: FeedDep, settings: SettingsDep) -> StockOut:
    """Ask the price source, store what it says and return it; the stored price where it cannot answer."""
    price, origin = await stocks_service.fetch_price(symbol, feed=feed)
    response.headers["X-Price-Origin"] = origin
    response.headers["X-Price-Basis"] = await basis.basis_now(price, stale_seconds=settings.price_stale_seconds)
    return StockOut.model_validate(price)


@router.delete(
    "/{symbol}",
    operation_id="forget_stock",
    summary="Forget the stored price of a stock",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def forget_stock(symbol: Symbol, caller: StaffDep) -> None:
    """
    Take the source's next answer as the first one, in whatever currency and however far from the last.

    For a stored price that is wrong, and for a listing that changed its currency, whose prices are refused otherwise.
    Until that answer comes, who holds it has no margin; the history stays.
    """
    await stocks_service.forget_price(symbol, caller=caller)


@router.post(
    "/{symbol}/accept",
    operation_id="accept_stock",
    summary="Believe a price that is held back",
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
@idempotent
async def accept_stock(symbol: Symbol, body: AcceptIn, caller: StaffDep) -> StockOut:
    """
    Use the price that waits, in its own currency, and end the doubt about the stored one.

    For what is never believed by being repeated: another unit, currency or security; and for a jump that is in doubt.
    """
    return StockOut.model_validate(await stocks_service.accept_price(symbol, reason=body.reason, caller=caller))


@router.get(
    "/{symbol}/history",
    operation_id="get_stock_history",
    summary="Get the stored prices of a stock",
    responses=problems(401, 404, 422, 503),
)
async def get_stock_history(
    symbol: Symbol,
    request: Request,
    response: Response,
    _: CallerDep,
    window: Annotated[Window, Depends(get_window)],
    limit: Limit = 1000,
) -> list[PricePointOut]:
    """Return every stored price in the window, oldest first."""
    rows = await stocks_service.price_history(symbol, window=window, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=_iso(rows[-1].timestamp))
    return [PricePointOut.model_validate(row) for row in rows]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
