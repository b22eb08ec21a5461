"""Live figures of the stream: prices and margins of a valued book as events, and how two books differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.book import ranking
from app.book.valuation import BookValuation, rows_of
from app.engine.exact import COMPLETE
from app.engine.units import PRICE_SCALE
from app.events.types import EventKind, Filter, StreamEvent

#: Figures at most that a stream of every client gets at once; the most urgent clients come first.
MOST_MARGINS: Final = 200
MOST_PRICES: Final = 500

#: Columns that say, with the loan, everything about a client's figures.
_COMPARED: Final = ("status", "portfolio_value", "net_equity", "margin_requirement")
_CENTS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What a later book has that an earlier one had not."""

    after: BookValuation
    #: (K,) rows of `after` whose figures are new or others, in order.
    rows: NDArray[np.int64]
    #: Symbols whose price is new or another.
    symbols: frozenset[str]


def difference(
    before: BookValuation, after: BookValuation, touched: Sequence[NDArray[np.int64]] | None = None
) -> Difference:
    """
    Return how two books differ. Cost: what is touched, CPU-bound.

    Args:
        before: the earlier book.
        after: the later one.
        touched: ids of all clients that may differ, in some arrays; None = every client may.
    """
    old, new = before.holdings.book.client_ids, after.holdings.book.client_ids
    rows = np.arange(len(new)) if touched is None else rows_of(new, touched)
    at = np.searchsorted(old, new[rows])
    same = at < len(old)
    same[same] = old[at[same]] == new[rows[same]]
    at, kept = at[same], rows[same]
    unchanged = before.states[at] == after.states[kept]
    unchanged &= before.holdings.book.loan[at] == after.holdings.book.loan[kept]
    for name in _COMPARED:
        unchanged &= getattr(before.report, name)[at] == getattr(after.report, name)[kept]
    same[same] = unchanged
    return Difference(after, rows[~same], _moved(before, after))


def margin_event(valued: BookValuation, row: int, at: datetime) -> StreamEvent:
    """Return a client's figures, those of `GET /margin/{clientId}` and its state; null where it is incomplete."""
    report, book = valued.report, valued.holdings.book
    complete = bool(report.status[row] == COMPLETE)
    data: dict[str, Any] = {
        name: int(getattr(report, name)[row]) / _CENTS if complete else None
        for name in ("portfolio_value", "net_equity", "margin_requirement", "margin_shortfall")
    }
    data["loan_amount"] = int(book.loan[row]) / _CENTS
    data["margin_call_triggered"] = bool(report.margin_shortfall[row] > 0) if complete else None
    data["state"] = ranking.state_of(valued.states[row]).value
    return StreamEvent(kind=EventKind.MARGIN, at=at, client_id=int(book.client_ids[row]), data=data)


def price_event(valued: BookValuation, symbol: str, index: int, at: datetime, *, currency: str) -> StreamEvent:
    """Return what one unit is worth in account currency; null where that is not known."""
    price = int(valued.holdings.prices.price[index])
    data = {"price": price / PRICE_SCALE if price else None, "currency": currency}
    return StreamEvent(kind=EventKind.PRICE, at=at, symbol=symbol, data=data)


def held_symbols(valued: BookValuation, client_id: int) -> dict[str, int]:
    """Return the symbols that a client holds, with their index; none where there is no such client."""
    book = valued.holdings.book
    row = row_of(valued, client_id)
    if row is None:
        return {}
    held = book.symbol_index[book.offsets[row] : book.offsets[row + 1]]
    return {book.symbols[index]: int(index) for index in held}


def row_of(valued: BookValuation, client_id: int) -> int | None:
    """Return a client's row, None where there is no such client."""
    ids = valued.holdings.book.client_ids
    row = int(np.searchsorted(ids, client_id))
    return row if row < len(ids) and ids[row] == client_id else None


def most_urgent(valued: BookValuation, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most MOST_MARGINS of some rows, the smallest cushion first; no cushion ranks last."""
    if len(rows) <= MOST_MARGINS:
        return rows
    keys = ranking.cushions(valued.report, rows)
    return rows[ranking.first(np.where(np.isnan(keys), np.inf, keys), MOST_MARGINS)]


def snapshot(valued: BookValuation, wanted: Filter, *, currency: str) -> list[StreamEvent]:
    """
    Return the figures that a new subscriber begins with.

    Of one client: its margin and the prices of what it holds. Of all: the most urgent clients and the first symbols, up
    to the limits above.
    """
    book, at = valued.holdings.book, datetime.now(UTC)
    if wanted.client_id is None:
        rows: Iterable[int] = most_urgent(valued, np.arange(len(book.client_ids))).tolist()
        symbols = {symbol: index for index, symbol in enumerate(book.symbols[:MOST_PRICES])}
    else:
        row = row_of(valued, wanted.client_id)
        rows = [] if row is None else [row]
        symbols = held_symbols(valued, wanted.client_id)
    prices = [price_event(valued, symbol, index, at, currency=currency) for symbol, index in symbols.items()]
    margins = [margin_event(valued, row, at) for row in rows]
    return [event for event in prices + margins if event.kind in wanted.kinds]


def _moved(before: BookValuation, after: BookValuation) -> frozenset[str]:
    """Return the symbols whose price is new or another."""
    old, new = before.holdings, after.holdings
    if old.prices is new.prices and old.book.symbols is new.book.symbols:
        return frozenset()
    known = dict(zip(old.book.symbols, old.prices.price.tolist(), strict=True))
    now = zip(new.book.symbols, new.prices.price.tolist(), strict=True)
    return frozenset(symbol for symbol, price in now if known.get(symbol) != price)
