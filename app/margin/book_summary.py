"""The book: totals, counts by state, and clients ranked by urgency."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from app.book import ranking
from app.book.ranking import Cursor, Ranked, Sort, State
from app.book.valuation import BookSource, BookValuation
from app.database import sql
from app.engine.exact import COMPLETE
from app.margin.service import money
from app.policies.active import PolicyName


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


async def summarise(book: BookSource, page: Page) -> BookSummary:
    """
    Return totals and one page; names and distances are computed for the clients of the page alone.

    The book is released before names are read, so that the next one can be made in its memory.
    """
    summary = await asyncio.to_thread(_summary, await book.current(), page)
    names = await _names([item.client_id for item in summary.items])
    return replace(summary, items=[replace(item, name=names.get(item.client_id, "")) for item in summary.items])


def _summary(valued: BookValuation, page: Page) -> BookSummary:
    """Return totals and one page, without names. CPU-bound."""
    totals, found = valued.totals, _ranked(valued, page)
    near = valued.distances_of(found.rows)
    items = [
        _item(valued, row, drop=_known(drop), rise=_known(rise))
        for row, drop, rise in zip(found.rows.tolist(), near.drop, near.rise, strict=True)
    ]
    return BookSummary(
        timestamp=datetime.now(UTC),
        policy=valued.policy,
        clients=len(valued.states),
        calls=totals.calls,
        warnings=totals.warnings,
        incomplete=totals.incomplete,
        portfolio_value=money(totals.portfolio_value),
        loan_amount=money(totals.loan_amount),
        net_equity=money(totals.net_equity),
        margin_requirement=money(totals.margin_requirement),
        margin_shortfall=money(totals.margin_shortfall),
        items=items,
        next=Cursor(float(found.keys[-1]), items[-1].client_id) if len(items) == page.limit else None,
    )


def _ranked(valued: BookValuation, page: Page) -> Ranked:
    """Return the clients of a page."""
    code = None if page.state is None else ranking.CODES[page.state]
    return ranking.page(
        valued.holdings.book.client_ids,
        lambda rows: _keys(valued, page.sort, rows),
        wanted=None if code is None else lambda rows: valued.states[rows] == code,
        after=page.after,
        limit=page.limit,
    )


def _keys(valued: BookValuation, sort: Sort, rows: slice) -> NDArray[np.float64]:
    """Return what some clients are ranked by, the most urgent smallest; infinite where it is not known."""
    match sort:
        case Sort.SHORTFALL:
            keys = np.negative(valued.report.margin_shortfall[rows], dtype=np.float64)
        case Sort.CUSHION:
            keys = ranking.cushions(valued.report, rows)
        case Sort.DISTANCE:
            keys = np.fmin(valued.distances.drop[rows], valued.distances.rise[rows])
    unknown = valued.report.status[rows] != COMPLETE
    np.copyto(keys, np.inf, where=unknown if sort is Sort.SHORTFALL else unknown | np.isnan(keys))
    return keys


def _item(valued: BookValuation, row: int, *, drop: float | None, rise: float | None) -> BookItem:
    report, book = valued.report, valued.holdings.book
    complete = bool(report.status[row] == COMPLETE)
    gross = int(report.long_market_value[row] - report.short_market_value[row])
    return BookItem(
        client_id=int(book.client_ids[row]),
        name="",
        state=ranking.state_of(valued.states[row]),
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
    rows = await sql.rows("select id, name from client where id = any($1::bigint[])", client_ids)
    return {row["id"]: row["name"] for row in rows}
