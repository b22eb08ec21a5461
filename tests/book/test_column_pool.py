"""Buffers of columns are reused when they have no reader, and never before."""

import numpy as np
from numpy.typing import NDArray

from app.book.column_pool import ColumnPool, RowChange

Column = NDArray[np.int64]


def changed(pool: ColumnPool, column: Column, row: int, number: int) -> Column:
    """Return the column with another number in a row."""
    change = RowChange.in_place(np.array([row]), len(column))
    return pool.changed("loan", column, change, np.array([number]))


def address(column: Column) -> int:
    return column.ctypes.data


def test_two_columns_take_turns_where_nobody_reads_the_one_before() -> None:
    pool, column = ColumnPool(), np.zeros(1000, np.int64)
    addresses = []
    for number in range(1, 9):
        column = changed(pool, column, number, number)
        addresses.append(address(column))

    assert len(set(addresses)) == 2
    assert addresses[:2] * 4 == addresses
    assert column[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 0]


def test_a_view_keeps_the_memory_of_a_column() -> None:
    pool, column = ColumnPool(), np.zeros(1000, np.int64)
    column = changed(pool, column, 0, 1)
    view, held = column[:3], address(column)

    addresses = []
    for number in range(2, 9):
        column = changed(pool, column, 0, number)
        addresses.append(address(column))

    assert held not in addresses
    assert view.tolist() == [1, 0, 0]
    assert len(set(addresses)) == 2, "the others alternate"


def test_however_many_columns_are_held_each_stays_as_it_is() -> None:
    pool, columns = ColumnPool(), [np.zeros(1000, np.int64)]
    for number in range(1, 9):
        columns.append(changed(pool, columns[-1], 0, number))

    assert [int(column[0]) for column in columns] == list(range(9))


def test_memory_that_a_reader_leaves_is_brought_up_to_date() -> None:
    pool, column = ColumnPool(), np.zeros(1000, np.int64)
    column = reader = changed(pool, column, 0, 1)
    for number in range(1, 6):
        column = changed(pool, column, number, 1)
    held = address(reader)
    del reader

    for number in range(6, 9):
        column = changed(pool, column, number, 1)
        if address(column) == held:
            break

    assert address(column) == held
    assert column[: number + 1].tolist() == [1] * (number + 1)
    assert not column[number + 1 :].any()


def test_a_column_from_elsewhere_is_taken_as_it_is() -> None:
    pool, column = ColumnPool(), np.zeros(1000, np.int64)
    for number in range(1, 4):
        column = changed(pool, column, 0, number)

    column = changed(pool, np.full(1000, 7), 0, 8)

    assert column.tolist() == [8] + [7] * 999


def test_a_column_that_stays_the_same_is_the_same() -> None:
    pool, column = ColumnPool(), np.zeros(1000, np.int64)
    column = changed(pool, column, 0, 1)

    assert changed(pool, column, 0, 1) is column


def test_a_column_cannot_be_written() -> None:
    column = changed(ColumnPool(), np.zeros(1000, np.int64), 0, 1)

    assert not column.flags.writeable


def test_without_reuse_every_column_is_a_copy_and_the_same() -> None:
    pool, column = ColumnPool(reuse=False), np.zeros(1000, np.int64)
    made = [changed(pool, column, row, row) for row in range(1, 4)]

    assert [int(one[row]) for row, one in enumerate(made, start=1)] == [1, 2, 3]
    assert [int(one.sum()) for one in made] == [1, 2, 3]
    assert len({one.ctypes.data for one in made}) == 3
