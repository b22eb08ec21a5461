"""Clients of a report by state and by rank: columns in, row numbers out."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.engine.exact import COMPLETE
from app.engine.margin import MarginReport

RATE_SCALE: Final = 10_000
#: Clients that are ranked at a time.
_BLOCK: Final = 1 << 15

#: Row numbers.
Rows = slice | NDArray[np.int64]
EVERY: Final = slice(None)


class State(StrEnum):
    """Where a client stands."""

    CALL = "call"
    WARNING = "warning"
    OK = "ok"
    INCOMPLETE = "incomplete"


class Sort(StrEnum):
    """What clients are ranked by, the most urgent first."""

    SHORTFALL = "shortfall"
    CUSHION = "cushion"
    DISTANCE = "distance"


#: Codes in a column of states.
CODES: Final = {state: code for code, state in enumerate(State)}
_STATES: Final = tuple(State)


def state_of(code: np.int8) -> State:
    """Return the state that a code of `CODES` is for."""
    return _STATES[code]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of the page before: its rank value and its client."""

    key: float
    client_id: int


def states(report: MarginReport, *, warning_cushion: float) -> NDArray[np.int8]:
    """
    Return (C,) codes of `CODES`.

    A warning is no call, with excess at most `warning_cushion` (counted in 1e-4) of the gross value.
    """
    gross = report.long_market_value - report.short_market_value
    limit = round(warning_cushion * RATE_SCALE)
    near = (gross > 0) & (report.margin_excess * RATE_SCALE <= gross * limit)
    codes = np.where(near, CODES[State.WARNING], CODES[State.OK]).astype(np.int8)
    codes[report.margin_shortfall > 0] = CODES[State.CALL]
    codes[~report.complete] = CODES[State.INCOMPLETE]
    return codes


def cushions(report: MarginReport, rows: Rows) -> NDArray[np.float64]:
    """Return the excess of some clients as a fraction of gross value; NaN where that is 0 or a client is incomplete."""
    gross = (report.long_market_value[rows] - report.short_market_value[rows]).astype(np.float64)
    gross[(report.status[rows] != COMPLETE) | (gross == 0)] = np.nan
    return report.margin_excess[rows] / gross


def first(keys: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return where the `count` smallest keys are, smallest first; of equal ones those that come first. No full sort."""
    if len(keys) > count:
        bound = np.partition(keys, count - 1)[count - 1]
        below = np.flatnonzero(keys < bound)
        at = np.concatenate([below, np.flatnonzero(keys == bound)[: count - len(below)]])
    else:
        at = np.arange(len(keys))
    return at[np.argsort(keys[at], kind="stable")]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Row numbers of clients with their keys, the smallest key first, then by id."""

    rows: NDArray[np.int64]
    keys: NDArray[np.float64]


def page(
    client_ids: NDArray[np.int64],
    keys: Callable[[slice], NDArray[np.float64]],
    *,
    wanted: Callable[[slice], NDArray[np.bool_]] | None,
    after: Cursor | None,
    limit: int,
) -> Ranked:
    """
    Return the `limit` wanted clients behind `after` that rank first.

    Clients are ranked in blocks, so that what is computed for them stays in the processor's cache. Cost: O(C).

    Args:
        client_ids: (C,) rising.
        keys: of some rows, none of them NaN.
        wanted: whether some rows may be returned; None = all.
        after: the last client of the page before.
        limit: at least 1.
    """
    found = Ranked(np.empty(0, np.int64), np.empty(0))
    for start in range(0, len(client_ids), _BLOCK):
        block = slice(start, start + _BLOCK)
        these = keys(block)
        # Of equal ones, those that were found before come first.
        may = these < found.keys[-1] if len(found.rows) == limit else np.ones(len(these), np.bool_)
        if wanted is not None:
            may &= wanted(block)
        if after is not None:
            may &= (these > after.key) | ((these == after.key) & (client_ids[block] > after.client_id))
        found = _merged(found, np.flatnonzero(may), start, these, limit)
    return found


def _merged(found: Ranked, at: NDArray[np.int64], start: int, keys: NDArray[np.float64], limit: int) -> Ranked:
    """Return the first of what was found and of some rows `at` of the block that begins at `start`."""
    if not len(at):
        return found
    every = np.concatenate([found.keys, keys[at]])
    best = first(every, limit)
    return Ranked(np.concatenate([found.rows, at + start])[best], every[best])
