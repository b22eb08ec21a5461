"""A book with some clients replaced is the book that would be built of those clients."""

from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.book.column_pool import ColumnPool
from app.book.replace_rows import replace_clients
from app.engine.book import Book
from tests.book.books import Clients, build

_client = st.tuples(st.integers(-9, 9), st.dictionaries(st.integers(0, 4), st.integers(1, 9), max_size=3))
_clients = st.dictionaries(st.integers(1, 12), _client, max_size=8)


@given(before=_clients, changes=st.dictionaries(st.integers(1, 12), st.none() | _client, min_size=1, max_size=6))
def test_replaced_clients_make_the_book_that_would_be_built_anew(
    before: Clients, changes: dict[int, tuple[int, dict[int, int]] | None]
) -> None:
    book, pool = build(before), ColumnPool()
    figures = book.client_ids * 7
    fresh = build({id_: client for id_, client in changes.items() if client is not None})

    made, change = replace_clients(book, np.array(sorted(changes), np.int64), fresh, pool)

    kept = {id_: client for id_, client in before.items() if id_ not in changes}
    expected = build(kept | {id_: client for id_, client in changes.items() if client is not None})
    for field in fields(Book):
        np.testing.assert_array_equal(getattr(made, field.name), getattr(expected, field.name), strict=True)
    assert made.client_ids[change.rows].tolist() == fresh.client_ids.tolist()
    spliced = pool.changed("figures", figures, change, fresh.client_ids * 7)
    np.testing.assert_array_equal(spliced, expected.client_ids * 7)
    assert book.client_ids.tolist() == sorted(before), "the book before is as it was"


def test_columns_in_which_nothing_changes_are_the_same_ones() -> None:
    book = build({1: (5, {0: 1}), 2: (6, {1: 2}), 3: (7, {2: 3})})

    made, _ = replace_clients(book, np.array([2], np.int64), build({2: (60, {1: 2})}), ColumnPool())

    assert made.loan.tolist() == [5, 60, 7]
    assert made.quantity is book.quantity
    assert made.symbol_index is book.symbol_index
    assert made.offsets is book.offsets
    assert made.client_ids is book.client_ids
