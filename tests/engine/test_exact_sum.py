"""Sums are exact however large."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.engine.exact import COMPLETE, OVER_LIMIT, UNPRICED
from app.engine.exact_sum import total

_number = st.integers(-(2**63), 2**63 - 1)
_status = st.sampled_from([COMPLETE, UNPRICED, OVER_LIMIT])


@given(st.lists(st.tuples(_number, _status)))
def test_the_complete_are_added_up_exactly(rows: list[tuple[int, int]]) -> None:
    column = np.array([number for number, _ in rows], np.int64)
    status = np.array([status for _, status in rows], np.int8)

    assert total(column, status) == sum(number for number, status in rows if status == COMPLETE)
