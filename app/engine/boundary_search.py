"""The search for the first point, in small steps away from today, at which a call opens or ends."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from app.engine.jit import inlined

NOWHERE: Final = 0
"""Steps to a boundary that is not there."""
MAX_RANGES: Final = 4_000
"""Ranges that are examined with roundings taken into account; then they are disregarded."""
DEPTH: Final = 192
"""Ranges that wait: at most two for each halving of the largest one, and one."""
State = TypeVar("State")


def search_for(last_safe: Callable[[State, int, int, int], int]) -> Callable[[State, int], int]:
    """
    Return a compiled `first_boundary(state, last)`: the smallest step from 1 to `last` that is not safe, or NOWHERE.

    `last_safe(state, near, far, roundings)` returns `far` where no step from near to far can flip the client's state.
    It is precise for a single step; of a range it may be unsure, and then returns a guess, however bad, of the last
    safe step. The range is split there (its parts in the middle, so that bad guesses do no harm), and its near part
    examined first. So a step is returned only after every nearer one is known to be safe.

    `roundings` of 1 asks to allow for them. A client within a few cents of the boundary over a long range would keep
    the search busy with those; after MAX_RANGES ranges they are disregarded (0), so that from there on a flip no deeper
    than the roundings may be passed over. What is returned flips all the same.
    """

    @inlined
    def first_boundary(state: State, last: int) -> int:
        nears, fars, halve = np.empty(DEPTH, np.int64), np.empty(DEPTH, np.int64), np.empty(DEPTH, np.bool_)
        nears[0], fars[0], halve[0] = 1, last, False
        waiting, examined = (1 if last >= 1 else 0), 0
        while waiting:
            waiting -= 1
            near, far, middle = nears[waiting], fars[waiting], halve[waiting]
            examined += 1
            guess = last_safe(state, near, far, 1 if examined <= MAX_RANGES else 0)
            if guess == far:
                continue
            if near == far:
                return int(near)
            split = near + (far - near) // 2 if middle else min(max(guess, near), far - 1)
            nears[waiting], fars[waiting], halve[waiting] = split + 1, far, not middle
            nears[waiting + 1], fars[waiting + 1], halve[waiting + 1] = near, split, not middle
            waiting += 2
        return NOWHERE

    return first_boundary
