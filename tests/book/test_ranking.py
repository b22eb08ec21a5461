"""Pages of ranked clients are those of a full sort, over however many blocks the clients lie."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.book import ranking
from app.book.ranking import Cursor

CLIENTS = 3 * 32_768 + 5


def some_keys(kind: str) -> NDArray[np.float64]:
    """Return keys of many clients, with many that are equal."""
    dice = np.random.default_rng(7)
    match kind:
        case "equal":
            return np.zeros(CLIENTS)
        case "falling":  # each block has clients that are more urgent than all before
            return np.arange(CLIENTS)[::-1] / 3
        case "unknown":
            return np.where(dice.random(CLIENTS) < 0.001, -1.0, np.inf)
        case _:
            return dice.integers(-900, 0, CLIENTS).astype(np.float64)


@pytest.mark.parametrize("kind", ["equal", "falling", "unknown", "few"])
@pytest.mark.parametrize("share", [1, 0.5, 0.0001])
def test_pages_follow_each_other_in_the_order_of_a_sort(kind: str, share: float) -> None:
    keys, ids = some_keys(kind), np.arange(10, 10 + CLIENTS)
    wanted = np.random.default_rng(8).random(CLIENTS) < share
    expected = np.flatnonzero(wanted)[np.lexsort([ids[wanted], keys[wanted]])]

    seen: list[int] = []
    after = None
    for _ in range(4):
        page = ranking.page(ids, keys.__getitem__, wanted=wanted.__getitem__, after=after, limit=100)
        seen += page.rows.tolist()
        assert page.keys.tolist() == keys[page.rows].tolist()
        if not len(page.rows):
            break
        after = Cursor(float(page.keys[-1]), int(ids[page.rows[-1]]))

    assert seen == expected[:400].tolist()


def test_everybody_is_ranked_where_nothing_else_is_asked() -> None:
    page = ranking.page(np.array([3, 5, 9]), np.array([2.0, 1.0, 1.0]).__getitem__, wanted=None, after=None, limit=9)

    assert page.rows.tolist() == [1, 2, 0]
