"""A book with some clients replaced is the book that would be built of those clients anew."""

from typing import Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.engine.book import Book
from app.services.splice import spliced, with_replaced

SYMBOLS: Final = tuple("ABCDE")
#: A client: its loan and what it holds of which symbol.
_client = st.tuples(st.integers(-9, 9), st.dictionaries(st.integers(0, 4), st.integers(1, 9), max_size=3))
_clients = st.dictionaries(st.integers(1, 12), _client, max_size=8)

Clients = dict[int, tuple[int, dict[int, int]]]


def build(clients: Clients) -> Book:
    """Return clients as a book, by id."""
    ids = sorted(clients)
    held = [sorted(clients[id_][1].items()) for id_ in ids]
    return Book(
        client_ids=np.array(ids, np.int64),
        offsets=np.cumsum([0, *map(len, held)], dtype=np.int64),
        symbol_index=np.array([symbol for lines in held for symbol, _ in lines], np.int32),
        quantity=np.array([quantity for lines in held for _, quantity in lines], np.int64),
        loan=np.array([clients[id_][0] for id_ in ids], np.int64),
        client_rate=np.full(len(ids), -1, np.int64),
        symbols=SYMBOLS,
    )


@given(before=_clients, changes=st.dictionaries(st.integers(1, 12), st.none() | _client, max_size=6))
def test_replaced_clients_make_the_book_that_would_be_built_anew(
    before: Clients, changes: dict[int, tuple[int, dict[int, int]] | None]
) -> None:
    book = build(before)
    figures = book.client_ids * 7
    fresh = build({id_: client for id_, client in changes.items() if client is not None})

    made, cuts = with_replaced(book, np.array(sorted(changes), np.int64), fresh)

    kept = {id_: client for id_, client in before.items() if id_ not in changes}
    expected = build(kept | {id_: client for id_, client in changes.items() if client is not None})
    for name in ("client_ids", "offsets", "symbol_index", "quantity", "loan", "client_rate"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), strict=True)
    np.testing.assert_array_equal(spliced(figures, fresh.client_ids * 7, cuts), expected.client_ids * 7)
    assert book.client_ids.tolist() == sorted(before), "the book before is as it was"


def test_columns_in_which_nothing_changes_are_the_same_ones() -> None:
    book = build({1: (5, {0: 1}), 2: (6, {1: 2}), 3: (7, {2: 3})})

    made, _ = with_replaced(book, np.array([2], np.int64), build({2: (60, {1: 2})}))

    assert made.loan.tolist() == [5, 60, 7]
    assert made.quantity is book.quantity
    assert made.symbol_index is book.symbol_index
    assert made.offsets is book.offsets
    assert made.client_ids is book.client_ids
