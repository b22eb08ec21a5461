"""The book in a few numbers: clients by state, and sums over the complete ones."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from app.book.ranking import CODES, EVERY, Rows, State
from app.engine.arrays import Int64
from app.engine.exact_sum import total
from app.engine.margin import MarginReport


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over all clients; sums over the complete ones, in cents."""

    calls: int
    warnings: int
    incomplete: int
    portfolio_value: int
    loan_amount: int
    net_equity: int
    margin_requirement: int
    margin_shortfall: int

    def replaced(self, before: "Totals", after: "Totals") -> "Totals":
        """Return the totals where some clients, which had the totals `before`, have those `after`."""
        columns = zip(astuple(self), astuple(before), astuple(after), strict=True)
        return Totals(*(figure - old + new for figure, old, new in columns))


def totals(report: MarginReport, loan: Int64, states: NDArray[np.int8], rows: Rows = EVERY) -> Totals:
    """Return the totals of some clients, exact however large. Cost: O(rows)."""
    status, states = report.status[rows], states[rows]
    return Totals(
        calls=_in(State.CALL, states),
        warnings=_in(State.WARNING, states),
        incomplete=_in(State.INCOMPLETE, states),
        portfolio_value=total(report.portfolio_value[rows], status),
        loan_amount=total(loan[rows], status),
        net_equity=total(report.net_equity[rows], status),
        margin_requirement=total(report.margin_requirement[rows], status),
        margin_shortfall=total(report.margin_shortfall[rows], status),
    )


def _in(state: State, states: NDArray[np.int8]) -> int:
    return int(np.count_nonzero(states == CODES[state]))
