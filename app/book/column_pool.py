"""Copy-on-write buffers for columns that change at a few rows: the cost of a change is the rows that it changes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Column = TypeVar("Column", NDArray[np.int8], NDArray[np.int32], NDArray[np.int64])

#: Buffers of a column: of the current one, of the one before it, and a third while a reader holds that one.
_MOST_BUFFERS: Final = 3
#: A buffer in which more than one in so many rows is stale is filled as a whole.
_FEW: Final = 8
#: So is one that missed more changes than this.
_MOST_MISSED: Final = 100
#: Spare capacity: one in so many rows.
_SLACK: Final = 16


@dataclass(frozen=True, slots=True)
class Shift:
    """Rows `start` to `stop` of a column go to `to` of the next one, `add` greater."""

    start: int
    stop: int
    to: int
    add: int = 0


@dataclass(frozen=True, slots=True)
class RowChange:
    """
    How a column becomes the next one.

    Attributes:
        length: of the next one.
        rows: (K,) of the next one, those that get values of their own.
        head: the rows before it are kept where they are.
        shifts: what is kept of the others; none where all rows are before `head`.
    """

    length: int
    rows: NDArray[np.int64]
    head: int
    shifts: Sequence[Shift] = ()

    @classmethod
    def in_place(cls, rows: NDArray[np.int64], length: int) -> "RowChange":
        """Return a change of some rows of a column that keeps its length."""
        return cls(length, rows, length)

    def keeps(self, length: int) -> bool:
        """Return whether every row of a column of this length stays where it is."""
        return self.head == self.length == length


class ColumnPool:
    """
    Makes columns from those before them, in buffers that have no reader any more.

    A column that it returned is read-only and never changes while a reference to it, or to a view of it, exists: its
    buffer is reused when the pool holds the only reference. A thread without a reference cannot get one, so readers in
    other threads need no lock; but one thread at a time may make columns. Without a free buffer, a column is copied.
    """

    def __init__(self, *, reuse: bool = True) -> None:
        """Keep no buffer with `reuse` off: each column is a copy, and no reference is counted."""
        self._columns: dict[str, _Buffers] = {}
        self._reuse = reuse

    def changed(self, name: str, column: Column, change: RowChange, values: Column) -> Column:
        """
        Return the column `name` after a change; the column itself where nothing differs.

        Args:
            name: of the column, in the book or its report.
            column: as it is.
            change: what happens to it.
            values: (K,) of `change.rows`.
        """
        if change.keeps(len(column)) and np.array_equal(column[change.rows], values):
            return column
        if not self._reuse:
            return _copied(column, change, values)
        made: Column = self._columns.setdefault(name, _Buffers()).next(column, change, values)
        return made


def _copied(column: Column, change: RowChange, values: Column) -> Column:
    """Return a column after a change, in memory of its own."""
    made: Column = _Buffer(np.empty(change.length, column.dtype)).fill(column, change, values)
    return made


class _Buffer:
    """Memory of a column, and where it is stale: in the rows of `_stale`, and from `_stale_from` on."""

    def __init__(self, memory: NDArray[Any]) -> None:
        self.memory = memory
        self._stale: list[NDArray[np.int64]] = []
        self._stale_from = 0

    def is_free(self, length: int) -> bool:
        """Return whether it has no reader, and is large enough."""
        return self.references() == _UNSHARED and length <= len(self.memory)

    def references(self) -> int:
        """Return the reference count of its memory."""
        return sys.getrefcount(self.memory)

    def forget(self) -> None:
        """Mark all of it stale."""
        self._stale, self._stale_from = [], 0

    def miss(self, change: RowChange) -> None:
        """Mark stale what a change of the column in another buffer changes."""
        self._stale.append(change.rows)
        self._stale_from = min(self._stale_from, change.head)
        if len(self._stale) > _MOST_MISSED or sum(map(len, self._stale)) * _FEW > change.length:
            self.forget()

    def fill(self, column: NDArray[Any], change: RowChange, values: NDArray[Any]) -> NDArray[Any]:
        """Return the column with a change, in this memory."""
        stale_from = min(self._stale_from, change.head)
        for stale in self._stale:
            rows = stale[stale < stale_from]
            self.memory[rows] = column[rows]
        self.memory[stale_from : change.head] = column[stale_from : change.head]
        for shift in change.shifts:
            np.add(
                column[shift.start : shift.stop],
                shift.add,
                out=self.memory[shift.to : shift.to + shift.stop - shift.start],
            )
        self.memory[change.rows] = values
        self._stale, self._stale_from = [], change.length
        made = self.memory[: change.length]
        made.flags.writeable = False
        return made


#: The reference count where the pool holds the only one.
_UNSHARED: Final = _Buffer(np.empty(0)).references()


class _Buffers:
    """The buffers of one column; the last one holds `_current`."""

    def __init__(self) -> None:
        self._buffers: list[_Buffer] = []
        self._current: NDArray[Any] | None = None

    def next(self, column: NDArray[Any], change: RowChange, values: NDArray[Any]) -> NDArray[Any]:
        """Return the column with a change, which is the current one from now on."""
        if column is not self._current:
            self._current = None
            for buffer in self._buffers:
                buffer.forget()
        buffer = self._free(change.length, column.dtype)
        made = buffer.fill(column, change, values)
        for other in self._buffers:
            other.miss(change)
        self._buffers.append(buffer)
        self._current = made
        return made

    def _free(self, length: int, dtype: np.dtype[Any]) -> _Buffer:
        """Remove and return a buffer that has no reader, or return a new one."""
        for index, buffer in enumerate(self._buffers):
            if buffer.is_free(length):
                return self._buffers.pop(index)
        if len(self._buffers) == _MOST_BUFFERS:
            del self._buffers[0]
        return _Buffer(np.empty(length + length // _SLACK, dtype))
