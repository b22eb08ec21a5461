"""Margin."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.auth.deps import CallerDep, StaffDep
from app.book.deps import BookDep
from app.book.ranking import Cursor, Sort, State
from app.margin import book_summary as book_service
from app.margin import explain as explain_service
from app.margin import simulate as simulate_service
from app.margin import stress as stress_service
from app.margin.book_summary import Page
from app.margin.deps import ChangesDep, MarginLoaderDep, MarginSettingsDep, PolicyDep, ShockedSymbol, Shocks
from app.margin.explain_schemas import ExplanationOut, SimulationOut
from app.margin.schemas import (
    CURSOR_PATTERN,
    BookOut,
    BookStressOut,
    ClientStressOut,
    MarginOut,
    read_cursor,
    write_cursor,
)
from app.web.deps import ClientId, SettingsDep, link_next
from app.web.problems import problems

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


@router.get(
    "/{clientId}",
    operation_id="get_margin",
    summary="Get a client's margin",
    responses=problems(401, 404, 409, 422, 503),
)
async def get_margin(client_id: ClientId, caller: CallerDep, loader: MarginLoaderDep) -> MarginOut:
    """Return value, equity, requirement and shortfall at the stored prices; 409 where a price is missing."""
    return MarginOut.model_validate(await loader.status(client_id, caller=caller))


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
async def explain_margin(client_id: ClientId, caller: CallerDep, settings: MarginSettingsDep) -> ExplanationOut:
    """Return every figure with what it is made of: positions, rules with sources, cures, distance to a call."""
    return await explain_service.explain_client(client_id, caller=caller, settings=settings)


@router.post(
    "/{clientId}/simulate",
    operation_id="simulate_margin",
    summary="What if?",
    responses=problems(401, 404, 409, 413, 422, 503),
)
async def simulate_margin(
    client_id: ClientId, changes: ChangesDep, caller: CallerDep, settings: MarginSettingsDep
) -> SimulationOut:
    """Return the client's margin before and after trades, cash, other prices or another policy; nothing is stored."""
    return await simulate_service.simulate(client_id, changes, caller=caller, settings=settings)
