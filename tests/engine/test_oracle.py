"""The engine against the slow exact oracle, over random books, policies and markets."""

import pytest

from tests.engine.compare import check_world, compare

BOOKS = 20_000


def test_random_books_equal_the_exact_oracle_to_the_cent() -> None:
    complete = compare(BOOKS)

    assert complete > BOOKS / 3


@pytest.mark.parametrize("seed", range(3))
def test_a_large_book_of_one_world_equals_the_oracle(seed: int) -> None:
    check_world(seed, books=1500)
