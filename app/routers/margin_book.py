"""Margin of the whole book."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.routers.deps import BookDep, PolicyDep, ShockedSymbol, Shocks, StaffDep, link_next
from app.routers.errors import problems
from app.schemas.margin_book import CURSOR_PATTERN, BookOut, read_cursor, write_cursor
from app.schemas.stress import BookStressOut
from app.services import margin_book as book_service
from app.services import stress as stress_service
from app.services.margin_book import Page
from app.services.ranking import Cursor, Sort, State

router = APIRouter(prefix="/margin", tags=["margin"])


def get_page(
    sort: Annotated[
        Sort, Query(description="Rank by shortfall, cushion or distance, most urgent first.")
    ] = Sort.SHORTFALL,
    state: Annotated[State | None, Query(description="Only clients in this state.")] = None,
    after: Annotated[
        str | None, Query(pattern=CURSOR_PATTERN, description="Cursor of the page before; follow `Link`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most clients to return.")] = 100,
) -> Page:
    """Return which clients are asked for."""
    return Page(sort=sort, state=state, after=None if after is None else Cursor(*read_cursor(after)), limit=limit)


@router.get("", operation_id="get_margin_book", summary="Get the book", responses=problems(401, 403, 422, 503))
async def get_margin_book(
    request: Request,
    response: Response,
    page: Annotated[Page, Depends(get_page)],
    _: StaffDep,
    book: BookDep,
) -> BookOut:
    """Return totals, counts by state, and clients ranked by urgency."""
    summary = await book_service.summarise(book, page)
    if summary.next is not None:
        link_next(request, response, after=write_cursor(summary.next.key, summary.next.client_id))
    return BookOut.model_validate(summary)


@router.get(
    "/stress", operation_id="stress_book", summary="Stress the book", responses=problems(401, 403, 404, 422, 503)
)
async def stress_book(
    _: StaffDep, book: BookDep, policy: PolicyDep, shocks: Shocks, symbol: ShockedSymbol = None
) -> BookStressOut:
    """Return calls, shortfall and unsecured loss at each shock; `symbol` moves that price alone."""
    valued = await book.current()
    ladder = await asyncio.to_thread(stress_service.stress_book, valued.holdings, shocks, symbol=symbol, policy=policy)
    return BookStressOut.model_validate(ladder)
