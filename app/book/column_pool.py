"""Columns that change at a few rows, made in the memory of earlier ones: a change costs what it touches."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Column = TypeVar("Column", NDArray[np.int8], NDArray[np.int32], NDArray[np.int64])

#: Of one column: the current one, the one before it, and one for as long as a reader holds that.
_MOST_ROOMS: Final = 3
#: A room in which more than one in so many rows are out of date is filled anew.
_FEW: Final = 8
#: Likewise one that missed more changes than this.
_MOST_MISSED: Final = 100
#: Room to grow: one in so many rows.
_SLACK: Final = 16


@dataclass(frozen=True, slots=True)
class Run:
    """Rows `start` to `stop` of a column go to `to` of the next one, `add` greater."""

    start: int
    stop: int
    to: int
    add: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """
    How a column becomes the next one.

    Attributes:
        length: of the next one.
        rows: (K,) of the next one, those that get values of their own.
        head: the rows before it are kept where they are.
        runs: what is kept of the others; none where all rows are before `head`.
    """

    length: int
    rows: NDArray[np.int64]
    head: int
    runs: Sequence[Run] = ()

    @classmethod
    def in_place(cls, rows: NDArray[np.int64], length: int) -> "Change":
        """Return a change of some rows of a column that keeps its length."""
        return cls(length, rows, length)

    def keeps(self, length: int) -> bool:
        """Return whether every row of a column of this length stays where it is."""
        return self.head == self.length == length


class Spares:
    """
    Makes columns from those before them, in memory that nobody reads any more.

    A column that it returned is read-only and never changes while somebody has it, or a view of it: its memory is
    used again once no other reference to it exists. Who has none cannot get one, so readers in other threads need no
    lock; but one thread at a time may ask for columns. Without memory to use again, a column is copied.
    """

    def __init__(self) -> None:
        self._columns: dict[str, _Rooms] = {}

    def changed(self, name: str, column: Column, change: Change, values: Column) -> Column:
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
        made: Column = self._columns.setdefault(name, _Rooms()).next(column, change, values)
        return made


class _Room:
    """Memory of a column, and where it is out of date: in the rows of `stale`, and from `tail` on."""

    def __init__(self, memory: NDArray[Any]) -> None:
        self.memory = memory
        self._stale: list[NDArray[np.int64]] = []
        self._tail = 0

    def is_free(self, length: int) -> bool:
        """Return whether nobody reads it, and it is large enough."""
        return self.references() == _UNSHARED and length <= len(self.memory)

    def references(self) -> int:
        """Return how often its memory is referred to, as the interpreter counts."""
        return sys.getrefcount(self.memory)

    def forget(self) -> None:
        """Know nothing of what it holds."""
        self._stale, self._tail = [], 0

    def miss(self, change: Change) -> None:
        """Remember that the column is changed elsewhere."""
        self._stale.append(change.rows)
        self._tail = min(self._tail, change.head)
        if len(self._stale) > _MOST_MISSED or sum(map(len, self._stale)) * _FEW > change.length:
            self.forget()

    def fill(self, column: NDArray[Any], change: Change, values: NDArray[Any]) -> NDArray[Any]:
        """Hold the column with a change; return it."""
        tail = min(self._tail, change.head)
        for stale in self._stale:
            rows = stale[stale < tail]
            self.memory[rows] = column[rows]
        self.memory[tail : change.head] = column[tail : change.head]
        for run in change.runs:
            np.add(column[run.start : run.stop], run.add, out=self.memory[run.to : run.to + run.stop - run.start])
        self.memory[change.rows] = values
        self._stale, self._tail = [], change.length
        made = self.memory[: change.length]
        made.flags.writeable = False
        return made


#: What it counts where nobody else has it.
_UNSHARED: Final = _Room(np.empty(0)).references()


class _Rooms:
    """The rooms of one column; the last one holds `_current`."""

    def __init__(self) -> None:
        self._rooms: list[_Room] = []
        self._current: NDArray[Any] | None = None

    def next(self, column: NDArray[Any], change: Change, values: NDArray[Any]) -> NDArray[Any]:
        """Return the column with a change, which is the current one from now on."""
        if column is not self._current:
            self._current = None
            for room in self._rooms:
                room.forget()
        room = self._free(change.length, column.dtype)
        made = room.fill(column, change, values)
        for other in self._rooms:
            other.miss(change)
        self._rooms.append(room)
        self._current = made
        return made

    def _free(self, length: int, dtype: np.dtype[Any]) -> _Room:
        """Take out a room that nobody reads, or make one."""
        for index, room in enumerate(self._rooms):
            if room.is_free(length):
                return self._rooms.pop(index)
        if len(self._rooms) == _MOST_ROOMS:
            del self._rooms[0]
        return _Room(np.empty(length + length // _SLACK, dtype))
