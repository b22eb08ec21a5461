"""The book: totals, counts by state, and clients ranked by urgency."""

import asyncio
from collections.abc import Mapping, Sequence
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
    book, counts, sums = valued.holdings.book, found.counts, found.sums
    names = await _names([int(book.client_ids[row]) for row in found.rows])
    return BookSummary(
        timestamp=datetime.now(UTC),
        policy=valued.policy,
        clients=len(book.client_ids),
        calls=counts[State.CALL],
        warnings=counts[State.WARNING],
        incomplete=counts[State.INCOMPLETE],
        portfolio_value=sums[0],
        loan_amount=sums[1],
        net_equity=sums[2],
        margin_requirement=sums[3],
        margin_shortfall=sums[4],
        items=[
            _item(valued, int(row), names, drop=_known(drop), rise=_known(rise))
            for row, drop, rise in zip(found.rows, found.near.drop, found.near.rise, strict=True)
        ],
        next=found.next,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """
    What takes long: counts by state, sums over complete clients, and a page.

    The sums are value, loan, equity, requirement and shortfall. Of the page: its rows, how near each is to its
    boundaries, and where the next one begins.
    """

    counts: Mapping[State, int]
    sums: Sequence[Decimal]
    rows: NDArray[np.int64]
    near: Distances
    next: Cursor | None


def _find(valued: Valued, page: Page) -> _Found:
    """Return totals and the clients of a page. CPU-bound."""
    ids, keys = valued.holdings.book.client_ids, _keys(valued, page.sort)
    wanted = np.ones(len(keys), np.bool_) if page.state is None else valued.states == ranking.CODES[page.state]
    rows = ranking.page(keys, ids, wanted, after=page.after, limit=page.limit)
    further = Cursor(float(keys[rows[-1]]), int(ids[rows[-1]])) if len(rows) == page.limit else None
    counts = np.bincount(valued.states, minlength=len(State)).tolist()
    by_state = dict(zip(State, counts, strict=True))
    return _Found(by_state, _sums(valued), rows, valued.distances_of(rows), further)


def _sums(valued: Valued) -> list[Decimal]:
    """Return portfolio value, loan, equity, requirement and shortfall of the complete clients together."""
    report, complete = valued.report, valued.report.complete
    columns = (
        report.portfolio_value, valued.holdings.book.loan, report.net_equity, report.margin_requirement,
        report.margin_shortfall,
    )  # fmt: skip
    where = True if complete.all() else complete  # a mask makes a sum several times as long
    return [money(column.sum(where=where)) for column in columns]


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
