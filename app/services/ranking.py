"""Clients of a report by state and by rank: columns in, row numbers out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.engine.margin import MarginReport

RATE_SCALE: Final = 10_000


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


def cushions(report: MarginReport) -> NDArray[np.float64]:
    """Return (C,) excess as a fraction of gross value; NaN where that is 0 or the client is incomplete."""
    gross = (report.long_market_value - report.short_market_value).astype(np.float64)
    gross[~report.complete | (gross == 0)] = np.nan
    return report.margin_excess / gross


def page(
    keys: NDArray[np.float64],
    client_ids: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    *,
    after: Cursor | None,
    limit: int,
) -> NDArray[np.int64]:
    """
    Return the row numbers of the `limit` wanted clients behind `after`, smallest key first, then by id.

    `client_ids` rise; a NaN key ranks last. Cost: O(C), no full sort.
    """
    keys = np.where(np.isnan(keys), np.inf, keys)
    if after is not None:
        wanted = wanted & ((keys > after.key) | ((keys == after.key) & (client_ids > after.client_id)))
    if np.count_nonzero(wanted) > limit:
        bound = np.partition(keys[wanted], limit - 1)[limit - 1]
        below = np.flatnonzero(wanted & (keys < bound))
        rows = np.concatenate([below, np.flatnonzero(wanted & (keys == bound))[: limit - len(below)]])
    else:
        rows = np.flatnonzero(wanted)
    return rows[np.argsort(keys[rows], kind="stable")]
