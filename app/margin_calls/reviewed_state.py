"""What the monitor knows of every client's calls and state, beside the book, so that it finds what changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.book import ranking
from app.book.ranking import State
from app.book.valuation import BookValuation
from app.database import sql
from app.engine.arrays import Bool, Int64
from app.engine.margin import MarginReport
from app.engine.subset import holders
from app.margin_calls.review import Reviewed
from app.margin_calls.shortfalls import shortfalls
from app.models import CallType

_OPEN: Final = """
select client_id, type, (outstanding * 100)::bigint as cents, state = 'unconfirmed' as is_watched
from margin_call where closed_at is null
union all
select client_id, type, 0, true from margin_call m
where set_aside is not null and id = (select max(id) from margin_call where client_id = m.client_id and type = m.type)
"""


@dataclass(frozen=True, slots=True)
class MonitorState:
    """States of clients that are not simply ok, cents of open calls, and clients to review at every change."""

    states: dict[int, State]
    outstanding: dict[tuple[int, CallType], int]
    watched: set[int]


async def load_monitor_state() -> MonitorState:
    """Return what the monitor last stored."""
    rows = await sql.rows(_OPEN)
    moved = await sql.rows("select client_id, state from client_state where state <> 'ok'")
    return MonitorState(
        states={row["client_id"]: State(row["state"]) for row in moved},
        outstanding={(row["client_id"], CallType(row["type"])): row["cents"] for row in rows if row["cents"]},
        watched={row["client_id"] for row in rows if row["is_watched"]},
    )


Column = TypeVar("Column", NDArray[np.int8], NDArray[np.int64], NDArray[np.bool_])

_OK: Final = ranking.CODES[State.OK]
_INCOMPLETE: Final = ranking.CODES[State.INCOMPLETE]


@dataclass(frozen=True, slots=True)
class WorkList:
    """Clients that need work, by kind; a client is in one of them at most."""

    #: A call may open or close, or has to be reviewed again.
    review: list[int]
    #: Shortfalls (cents) of calls that stay open.
    follow: dict[tuple[int, CallType], int]
    #: A state to publish, and nothing else.
    states: dict[int, State]


class ReviewedState:
    """
    Columns over the clients of a book: what was published and stored last.

    `state` codes of `ranking.CODES`; `handled` by type the shortfall that was dealt with, in cents; `watched` whether
    a client is reviewed whenever anything of it changes.
    """

    def __init__(
        self,
        client_ids: Int64,
        *,
        states: Mapping[int, State],
        outstanding: Mapping[tuple[int, CallType], int],
        watched: set[int],
    ) -> None:
        """
        Take what is stored.

        Args:
            client_ids: (C,) rising.
            states: of clients that are not simply ok.
            outstanding: cents of the calls that are open.
            watched: clients with an unconfirmed call, or one that was set aside.
        """
        self._ids = client_ids
        self._state = np.full(len(client_ids), _OK, np.int8)
        self._handled = {kind: np.zeros(len(client_ids), np.int64) for kind in CallType}
        self._watched = np.zeros(len(client_ids), np.bool_)
        self.set_states(states)
        self.set_followed(outstanding)
        self._put(self._watched, list(watched), [True] * len(watched))

    def work_list(
        self,
        valued: BookValuation,
        rows: Int64,
        *,
        in_question: Collection[str] = (),
        changed: Collection[str] = (),
    ) -> WorkList:
        """
        Return which of the clients `rows`, and of the holders of `changed` symbols, need work.

        Who holds a symbol `in_question` is reviewed whenever something of it changes: its calls depend on more than its
        figures at the stored prices.

        Cost: O(rows) in numpy, and O(positions) where symbols are in question; Python touches only those that need
        work.
        """
        book = valued.holdings.book
        self._align(book.client_ids)
        forced = holders(book, _marked(book.symbols, changed)) if changed else np.empty(0, np.int64)
        rows = np.union1d(rows, forced) if len(forced) else rows
        report = _rows_of(valued.report, rows)
        state = valued.states[rows]
        complete = state != _INCOMPLETE
        watched = self._watched[rows]
        heavy, moved = np.zeros(len(rows), np.bool_), {}
        for kind, short in shortfalls(report).items():
            handled = self._handled[kind][rows]
            differs = complete & (short != handled)
            begins_or_ends = (short == 0) != (handled == 0)
            heavy |= differs & (begins_or_ends | watched)
            moved[kind] = (differs, short)
        heavy |= watched & complete & np.logical_or.reduce([short > 0 for _, short in moved.values()])
        if in_question or changed:
            symbols = {*in_question, *changed}
            heavy |= np.isin(rows, holders(book, _marked(book.symbols, symbols)))
        state_changed = ~heavy & (state != self._state[rows])
        ids = self._ids[rows]
        return WorkList(
            review=[int(client_id) for client_id in ids[heavy]],
            follow={
                (int(ids[row]), kind): int(short[row])
                for kind, (differs, short) in moved.items()
                for row in np.flatnonzero(differs & ~heavy)
            },
            states={int(ids[row]): ranking.state_of(state[row]) for row in np.flatnonzero(state_changed)},
        )

    def watched(self) -> Int64:
        """Return the clients that are reviewed whenever anything of them changes."""
        return self._ids[self._watched]

    def set_reviewed(self, found: Mapping[int, Reviewed]) -> None:
        """Remember what a review dealt with."""
        self.set_states({client_id: reviewed.state for client_id, reviewed in found.items()})
        self._put(self._watched, list(found), [reviewed.is_watched for reviewed in found.values()])
        complete = {
            client_id: reviewed.shortfalls for client_id, reviewed in found.items() if reviewed.shortfalls is not None
        }
        for kind in CallType:
            self._put(self._handled[kind], list(complete), [short[kind] for short in complete.values()])

    def set_followed(self, outstanding: Mapping[tuple[int, CallType], int]) -> None:
        """Remember what was stored as outstanding."""
        for kind in CallType:
            cents = {client_id: short for (client_id, of), short in outstanding.items() if of is kind}
            self._put(self._handled[kind], list(cents), list(cents.values()))

    def set_states(self, states: Mapping[int, State]) -> None:
        """Remember what was published."""
        self._put(self._state, list(states), [ranking.CODES[state] for state in states.values()])

    def _put(self, column: NDArray[np.int8] | Int64 | Bool, client_ids: list[int], values: list[int]) -> None:
        """Set values of clients; those that the book does not have are left out."""
        if not client_ids or not len(self._ids):
            return
        ids = np.array(client_ids, np.int64)
        rows = np.searchsorted(self._ids, ids)
        known = self._ids[np.minimum(rows, len(self._ids) - 1)] == ids
        column[rows[known]] = np.array(values)[known]

    def _align(self, client_ids: Int64) -> None:
        """Follow the book to other clients; new ones are ok and have no call."""
        if client_ids is self._ids or np.array_equal(client_ids, self._ids):
            self._ids = client_ids
            return
        rows = np.searchsorted(client_ids, self._ids)
        kept = rows < len(client_ids)
        kept[kept] = client_ids[rows[kept]] == self._ids[kept]
        self._state = _moved(self._state, rows, kept, np.full(len(client_ids), _OK, np.int8))
        self._watched = _moved(self._watched, rows, kept, np.zeros(len(client_ids), np.bool_))
        for kind, column in self._handled.items():
            self._handled[kind] = _moved(column, rows, kept, np.zeros(len(client_ids), np.int64))
        self._ids = client_ids


def _marked(symbols: Sequence[str], wanted: Collection[str]) -> Bool:
    """Return (S,) which symbols are wanted."""
    return np.fromiter((symbol in wanted for symbol in symbols), np.bool_, len(symbols))


def _moved(column: Column, rows: Int64, kept: Bool, fresh: Column) -> Column:
    fresh[rows[kept]] = column[kept]
    return fresh


def _rows_of(report: MarginReport, rows: Int64) -> MarginReport:
    """Return some rows of a report."""
    return MarginReport(*(getattr(report, field.name)[rows] for field in fields(MarginReport)))
