"""Inputs of the arithmetic: positions by client, prices, and the kinds of instruments."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from app.engine import check
from app.engine.arrays import Bool, Int32, Int64
from app.engine.units import PRICE_SCALE, RATE_SCALE


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """
    C clients and their P positions, grouped by client, over S symbols.

    A client holds a symbol at most once. Arrays are C-contiguous; they may be read-only.

    Attributes:
        client_ids: (C,) identifiers; the engine only carries them.
        offsets: (C + 1,) client c holds the positions offsets[c] to offsets[c + 1].
        symbol_index: (P,) index into `symbols`.
        quantity: (P,) millionths of a unit, negative = short, never 0, at most 1e18 in absolute value.
        loan: (C,) cents, negative = cash credit; below 1e14 in absolute value.
        client_rate: (C,) the client's own maintenance rate in 1e-4, at most 1 (10,000); -1 = none.
        symbols: S names.
    """

    client_ids: Int64
    offsets: Int64
    symbol_index: Int32
    quantity: Int64
    loan: Int64
    client_rate: Int64
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        clients = len(self.client_ids)
        assert len(self.offsets) == clients + 1, "one offset more than clients"
        assert len(self.loan) == len(self.client_rate) == clients, "one loan and one rate a client"
        assert len(self.symbol_index) == len(self.quantity), "one symbol a position"
        assert check.offsets_fit(self.offsets, len(self.quantity)), "offsets rise from 0 to the number of positions"
        assert check.positions_fit(self.symbol_index, self.quantity, len(self.symbols)), "a position is out of range"
        assert check.clients_fit(self.loan, self.client_rate), "a loan or a rate is out of range"

    def with_checked(self, **columns: Any) -> "Book":  # noqa: ANN401 -- of several types
        """Return the book with other columns, made of parts of books: those were checked, so nothing is here."""
        made = object.__new__(Book)
        for field in fields(Book):
            object.__setattr__(made, field.name, columns.get(field.name, getattr(self, field.name)))
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """
    Price of one unit of each symbol.

    Attributes:
        price: (S,) account currency per unit in 1e-8, at most 1e18; 0 = missing (a price is always above 0).
        usd_rate: account currency per US dollar in 1e-8, for rules stated in dollars; 0 = missing, and then every
            position under a policy that has such rules counts as unpriced.
    """

    price: Int64
    usd_rate: int = PRICE_SCALE

    def __post_init__(self) -> None:
        assert check.prices_fit(self.price), "a price is out of range"
        assert 0 <= self.usd_rate <= PRICE_SCALE * PRICE_SCALE, "usd_rate is out of range"


@dataclass(frozen=True, slots=True, eq=False)
class Instruments:
    """
    What a policy may ask about each symbol.

    Attributes:
        leverage: (S,) factor of a leveraged fund in 1e-4, negative for inverse ones; 1 to 10 in absolute value.
        marginable: (S,) whether it may be bought on credit.
        house_rate: (S,) the desk's own rate in 1e-4, at most 10 (100,000); -1 = none.
        is_stock: (S,) whether rules "for stocks only" apply to it.
    """

    leverage: Int64
    marginable: Bool
    house_rate: Int64
    is_stock: Bool

    def __post_init__(self) -> None:
        count = len(self.leverage)
        assert len(self.marginable) == len(self.house_rate) == len(self.is_stock) == count, "one row a symbol"
        assert check.instruments_fit(self.leverage, self.house_rate), "a leverage or a rate is out of range"

    @classmethod
    def plain(cls, count: int) -> "Instruments":
        """Return `count` marginable stocks without leverage or own rate."""
        numbers, yes = np.empty((2, count), np.int64), np.ones(count, np.bool_)
        numbers[0], numbers[1] = RATE_SCALE, -1
        return cls(numbers[0], yes, numbers[1], yes)
