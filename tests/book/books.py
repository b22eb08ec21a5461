"""Small books, written down as what each client owes and holds."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from app.engine.book import Book

SYMBOLS: Final = tuple("ABCDE")

#: The loan in cents, and millionths of a unit by index of the symbol.
Client = tuple[int, Mapping[int, int]]
#: By id.
Clients = Mapping[int, Client]


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
