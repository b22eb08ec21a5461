"""Books made of other books."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.engine.book import Book
from app.engine.edit import holders, merge, renumbered, take

SYMBOLS = tuple("ABCDE")
Holdings = dict[int, dict[int, int]]

holdings = st.dictionaries(
    st.integers(1, 30), st.dictionaries(st.integers(0, 4), st.integers(1, 9), max_size=5), max_size=12
)


def book_of(clients: Holdings) -> Book:
    """Return a book; the loan of a client is its id, so that rows can be told apart."""
    ids = sorted(clients)
    lines = [(symbol, quantity) for client in ids for symbol, quantity in sorted(clients[client].items())]
    counts = [len(clients[client]) for client in ids]
    return Book(
        client_ids=np.array(ids, np.int64),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        symbol_index=np.array([symbol for symbol, _ in lines], np.int32),
        quantity=np.array([quantity for _, quantity in lines], np.int64),
        loan=np.array(ids, np.int64),
        client_rate=np.full(len(ids), -1, np.int64),
        symbols=SYMBOLS,
    )


def clients_of(book: Book) -> Holdings:
    """Return what a book says, and check that each row still is its client's."""
    assert book.loan.tolist() == book.client_ids.tolist()
    return {
        int(client): dict(zip(book.symbol_index[a:b].tolist(), book.quantity[a:b].tolist(), strict=True))
        for client, a, b in zip(book.client_ids, book.offsets, book.offsets[1:], strict=False)
    }


@given(holdings, st.randoms(use_true_random=False))
def test_some_clients_keep_what_they_hold(clients: Holdings, random: np.random.Generator) -> None:
    rows = [row for row in range(len(clients)) if random.random() < 0.5]

    taken = take(book_of(clients), np.array(rows, np.int64))

    ids = [sorted(clients)[row] for row in rows]
    assert taken.client_ids.tolist() == ids
    assert clients_of(taken) == {client: clients[client] for client in ids}


@given(holdings, holdings)
def test_replaced_clients_stand_in_order_among_the_kept(old: Holdings, new: Holdings) -> None:
    kept, fresh = book_of(old), book_of(new)
    rows = np.flatnonzero(~np.isin(kept.client_ids, fresh.client_ids))

    merged, origin = merge(kept, rows, fresh)

    assert clients_of(merged) == old | new
    assert merged.client_ids.tolist() == sorted(old | new)
    sources = np.concatenate([kept.client_ids[rows], fresh.client_ids])
    assert sources[origin].tolist() == merged.client_ids.tolist()


@given(holdings, st.sets(st.integers(0, 4)))
def test_holders_are_those_that_hold_a_marked_symbol(clients: Holdings, marked: set[int]) -> None:
    flags = np.array([symbol in marked for symbol in range(5)])

    rows = holders(book_of(clients), flags)

    assert rows.tolist() == [row for row, client in enumerate(sorted(clients)) if clients[client].keys() & marked]


def test_a_book_over_more_symbols_holds_the_same() -> None:
    wider = renumbered(book_of({1: {0: 5, 4: 7}}), ("A", "AA", "B", "C", "D", "E"), np.array([0, 2, 3, 4, 5], np.int32))

    assert [wider.symbols[index] for index in wider.symbol_index] == ["A", "E"]
