"""Books made of other books."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.engine.book import Book
from app.engine.subset import holders, take

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


@given(holdings, st.sets(st.integers(0, 4)))
def test_holders_are_those_that_hold_a_marked_symbol(clients: Holdings, marked: set[int]) -> None:
    flags = np.array([symbol in marked for symbol in range(5)])

    rows = holders(book_of(clients), flags)

    assert rows.tolist() == [row for row, client in enumerate(sorted(clients)) if clients[client].keys() & marked]
