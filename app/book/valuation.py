"""The valued book: columns with their report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.book import ranking
from app.book.totals import Totals, totals
from app.book.types import Holdings
from app.engine.book import Book
from app.engine.distance import Distances, distances
from app.engine.margin import MarginReport, margin_report
from app.engine.subset import take
from app.policies.active import ActivePolicy, PolicyName


@dataclass(frozen=True, slots=True)
class ValuationRules:
    """How a book is valued."""

    policy: ActivePolicy
    warning_cushion: float


@dataclass(frozen=True, eq=False)
class BookValuation:
    """
    A book, its report, and the state of each client; columns of C rows. Never changed, so readers need no lock.

    `states` are codes of `ranking.CODES`.
    """

    valuation: ValuationRules
    holdings: Holdings
    report: MarginReport
    states: NDArray[np.int8]
    totals: Totals

    @property
    def policy(self) -> PolicyName:
        """What the figures quote."""
        return self.valuation.policy.name

    @cached_property
    def distances(self) -> Distances:
        """Distances of every client, computed when first asked for: some hundred revaluations."""
        return self._distances(self.holdings.book)

    def distances_of(self, rows: NDArray[np.int64]) -> Distances:
        """Return the distances of some clients, in the order of `rows`."""
        return self._distances(take(self.holdings.book, rows))

    def _distances(self, book: Book) -> Distances:
        rules = self.valuation.policy.rules
        return distances(book, self.holdings.prices, self.holdings.instruments, rules)


class BookSource(Protocol):
    """Where the valued book comes from."""

    async def current(self) -> BookValuation:
        """Return the book with every change that was acknowledged before this call."""


def value_book(holdings: Holdings, valuation: ValuationRules) -> BookValuation:
    """Value every client of a book. CPU-bound."""
    report = margin_report(holdings.book, holdings.prices, holdings.instruments, valuation.policy.rules)
    states = ranking.states(report, warning_cushion=valuation.warning_cushion)
    return BookValuation(valuation, holdings, report, states, totals(report, holdings.book.loan, states))


def rows_of(client_ids: NDArray[np.int64], wanted: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """
    Return the rows, rising and each once, of clients that some arrays name; those that are not there are left out.

    `client_ids` rise. Cost: a search for each, fast where they rise too, and no sorting.
    """
    found = np.zeros(len(client_ids), np.bool_)
    for part in wanted if len(client_ids) else ():
        rows = np.minimum(np.searchsorted(client_ids, part), len(client_ids) - 1)
        found[rows[client_ids[rows] == part]] = True
    return np.flatnonzero(found)
