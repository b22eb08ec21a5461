"""The book: totals, counts by state, and clients ranked by urgency."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from tortoise import connections

from app.engine.distance import Distances
from app.policies.active import PolicyName
from app.services import ranking
from app.services.margin import money
from app.services.ranking import Cursor, Sort, State
from app.services.valued import Valued


@dataclass(frozen=True, slots=True)
class BookItem:
    """One client of the book; figures are None where it is incomplete."""

    client_id: int
    name: str
    state: State
    portfolio_value: Decimal | None
    loan_amount: Decimal
    net_equity: Decimal | None
    margin_requirement: Decimal | None
    margin_shortfall: Decimal | None
    cushion: float | None
    drop: float | None
    rise: float | None


@dataclass(frozen=True, slots=True)
class BookSummary:
    """Counts over all clients, sums over the complete ones, and one page of clients."""

    timestamp: datetime
    policy: PolicyName
    clients: int
    calls: int
    warnings: int
    incomplete: int
    portfolio_value: Decimal
    loan_amount: Decimal
    net_equity: Decimal
    margin_requirement: Decimal
    margin_shortfall: Decimal
    items: list[BookItem]
    #: Behind the last item; None where it is the last page.
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which clients to show."""

    sort: Sort = Sort.SHORTFALL
    state: State | None = None
    after: Cursor | None = None
    limit: int = 100


async def summarise(valued: Valued, page: Page) -> BookSummary:
    """Return totals and one page; names and distances are computed for the clients of the page alone."""
    found = await asyncio.to_thread(_find, valued, page)
    report, book = valued.report, valued.holdings.book
    names = await _names([int(book.client_ids[row]) for row in found.rows])
    return BookSummary(
        timestamp=datetime.now(UTC),
        policy=valued.policy,
        clients=len(book.client_ids),
        calls=int(np.count_nonzero(valued.states == ranking.CODES[State.CALL])),
        warnings=int(np.count_nonzero(valued.states == ranking.CODES[State.WARNING])),
        incomplete=int(np.count_nonzero(valued.states == ranking.CODES[State.INCOMPLETE])),
        portfolio_value=money(report.portfolio_value.sum(where=report.complete)),
        loan_amount=money(book.loan.sum(where=report.complete)),
        net_equity=money(report.net_equity.sum(where=report.complete)),
        margin_requirement=money(report.margin_requirement.sum(where=report.complete)),
        margin_shortfall=money(report.margin_shortfall.sum(where=report.complete)),
        items=[
            _item(valued, int(row), names, drop=_known(drop), rise=_known(rise))
            for row, drop, rise in zip(found.rows, found.near.drop, found.near.rise, strict=True)
        ],
        next=found.next,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows of a page, how near each is to its boundaries, and where the next page begins."""

    rows: NDArray[np.int64]
    near: Distances
    next: Cursor | None


def _find(valued: Valued, page: Page) -> _Found:
    """Return the clients of a page. CPU-bound."""
    ids, keys = valued.holdings.book.client_ids, _keys(valued, page.sort)
    wanted = np.ones(len(keys), np.bool_) if page.state is None else valued.states == ranking.CODES[page.state]
    rows = ranking.page(keys, ids, wanted, after=page.after, limit=page.limit)
    further = Cursor(float(keys[rows[-1]]), int(ids[rows[-1]])) if len(rows) == page.limit else None
    return _Found(rows, valued.distances_of(rows), further)


def _keys(valued: Valued, sort: Sort) -> NDArray[np.float64]:
    """Return (C,) what the clients are ranked by, the most urgent smallest; infinite where it is not known."""
    match sort:
        case Sort.SHORTFALL:
            keys = -valued.report.margin_shortfall.astype(np.float64)
        case Sort.CUSHION:
            keys = ranking.cushions(valued.report)
        case Sort.DISTANCE:
            keys = np.fmin(valued.distances.drop, valued.distances.rise)
    return np.where(valued.report.complete & ~np.isnan(keys), keys, np.inf)


def _item(valued: Valued, row: int, names: dict[int, str], *, drop: float | None, rise: float | None) -> BookItem:
    report, book = valued.report, valued.holdings.book
    complete = bool(report.complete[row])
    client_id = int(book.client_ids[row])
    gross = int(report.long_market_value[row] - report.short_market_value[row])
    return BookItem(
        client_id=client_id,
        name=names.get(client_id, ""),
        state=list(State)[valued.states[row]],
        portfolio_value=money(report.portfolio_value[row]) if complete else None,
        loan_amount=money(book.loan[row]),
        net_equity=money(report.net_equity[row]) if complete else None,
        margin_requirement=money(report.margin_requirement[row]) if complete else None,
        margin_shortfall=money(report.margin_shortfall[row]) if complete else None,
        cushion=round(int(report.margin_excess[row]) / gross, 8) if complete and gross else None,
        drop=drop,
        rise=rise,
    )


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


async def _names(client_ids: list[int]) -> dict[int, str]:
    """Return the names of some clients."""
    rows = await connections.get("default").execute_query_dict(
        "select id, name from client where id = any($1::bigint[])", [client_ids]
    )
    return {row["id"]: row["name"] for row in rows}
