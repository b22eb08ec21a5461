"""A book that is updated step by step is the book that would be loaded and valued as a whole; earlier ones stay."""

from dataclasses import fields
from typing import Final, Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.book.book_loader import SymbolTable
from app.book.column_pool import ColumnPool
from app.book.incremental import Delta, apply_delta, replace_symbols
from app.book.types import Holdings
from app.book.valuation import BookValuation, ValuationRules, value_book
from app.engine.book import Book, Instruments, Prices
from app.engine.margin import MarginReport
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from tests.book.books import SYMBOLS, Client, Clients, build

#: Clients as they are from now on; None = gone.
Written = dict[int, Client | None]

VALUATION: Final = ValuationRules(ActivePolicy.of(builtin_policy("finra_4210")), 0.05)
PLAIN: Final = Instruments.plain(len(SYMBOLS))
#: Enough that few of them are touched; every other id is free, and two symbols are held by few.
MANY: Final[Clients] = {
    id_: (id_ * 50_000, {id_ % 3: id_ * 10**6, (id_ + 1) % 3: -5 * 10**6}) for id_ in range(2, 90, 2)
}

_quantity = st.sampled_from([-(10**7), 10**6, 4 * 10**7])
_client = st.tuples(st.integers(-(10**6), 10**6), st.dictionaries(st.integers(0, 4), _quantity, max_size=3))
_written = st.dictionaries(st.integers(1, 90), st.none() | _client, max_size=3)
_moved = st.dictionaries(st.integers(0, 4), st.integers(0, 60), max_size=1)
_reader = st.sampled_from(["holds", "leaves", "passes"])


@given(steps=st.lists(st.tuples(_written, _moved, _reader), max_size=12))
@settings(deadline=None)
def test_renewed_books_are_those_that_would_be_valued_anew(
    steps: list[tuple[Written, dict[int, int], Literal["holds", "leaves", "passes"]]],
) -> None:
    clients, dollars, pool = dict(MANY), np.array([10, 20, 30, 0, 50]), ColumnPool()
    valued = value_book(_holdings(clients, dollars), VALUATION)
    held: list[tuple[BookValuation, list[bytes]]] = []
    for written, moved, reader in steps:
        clients = {id_: client for id_, client in {**clients, **written}.items() if client is not None}
        dollars[list(moved)] = list(moved.values())

        valued, rows = apply_delta(valued, _delta(valued, clients, written, dollars), pool)

        whole_book = value_book(_holdings(clients, dollars), VALUATION)
        assert _content(valued) == _content(whole_book)
        assert set(valued.holdings.book.client_ids[rows].tolist()) >= written.keys() & clients.keys()
        if reader == "holds":
            held.append((valued, _content(valued)))
        elif reader == "leaves":
            held.clear()
        for earlier, content in held:
            assert _content(earlier) == content


def _holdings(clients: Clients, dollars: np.ndarray) -> Holdings:
    return Holdings(build(clients), Prices(dollars * 10**8), PLAIN)


def _delta(before: BookValuation, clients: Clients, written: Written, dollars: np.ndarray) -> Delta:
    """Return what would be read of some clients and of every symbol."""
    table = SymbolTable(SYMBOLS, Prices(dollars * 10**8), PLAIN)
    fresh = build({id_: clients[id_] for id_ in written if id_ in clients}) if written else None
    return Delta(*replace_symbols(before.holdings, table), frozenset(written), fresh)


def _content(valued: BookValuation) -> list[bytes]:
    """Return every column, and the totals."""
    book, report = valued.holdings.book, valued.report
    columns = [getattr(book, field.name) for field in fields(Book) if field.name != "symbols"]
    columns += [getattr(report, field.name) for field in fields(MarginReport)]
    return [column.tobytes() for column in (*columns, valued.states)] + [repr(valued.totals).encode()]
