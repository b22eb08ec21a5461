"""The search for the first point, in small steps away from today, at which a call opens or ends."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from app.engine.jit import inlined

NOWHERE: Final = 0
"""Steps to a boundary that is not there."""
PATIENCE: Final = 4_000
"""Ranges that are examined with roundings taken into account; then they are disregarded."""
DEPTH: Final = 64
"""Halvings of the largest range."""
State = TypeVar("State")


def search_for(is_safe: Callable[[State, int, int, int], bool]) -> Callable[[State, int], int]:
    """
    Return a compiled `first_flip(state, last)`: the smallest step from 1 to `last` that is not safe, or NOWHERE.

    `is_safe(state, near, far, roundings)` says whether no step from near to far can flip the client's state. It is
    precise for a single step; of a range it may be unsure, and then the range is halved, its near half examined first.
    So a step is returned only after every nearer one is known to be safe. `roundings` of 1 asks it to allow for them. A
    client within a few cents of the boundary over a long range would keep the search busy with those; after PATIENCE
    ranges they are disregarded (0), so that from there on a flip no deeper than the roundings may be passed over. What
    is returned flips all the same.
    """

    @inlined
    def first_flip(state: State, last: int) -> int:
        nears, fars = np.empty(DEPTH, np.int64), np.empty(DEPTH, np.int64)
        nears[0], fars[0] = 1, last
        waiting, examined = (1 if last >= 1 else 0), 0
        while waiting:
            waiting -= 1
            near, far = nears[waiting], fars[waiting]
            examined += 1
            if is_safe(state, near, far, 1 if examined <= PATIENCE else 0):
                continue
            if near == far:
                return int(near)
            middle = near + (far - near) // 2
            nears[waiting], fars[waiting] = middle + 1, far
            nears[waiting + 1], fars[waiting + 1] = near, middle
            waiting += 2
        return NOWHERE

    return first_flip
