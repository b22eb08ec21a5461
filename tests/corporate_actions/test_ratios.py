"""Splits and what only looks like one: ratios as sources gave them."""

from decimal import Decimal

import pytest

from app.corporate_actions.ratios import is_price_of_split, is_split_ratio, terms_of_factor

SPLITS = [(2, 1), (3, 2), (20, 1), (7, 1), (1, 10), (1, 100), (21, 20), (103, 100), (110, 100), (125, 100), (1000, 1)]
#: GE 2023 and 2024, MMM 2024, IBM 2021, T 2022, RTX 2020, DD 2019 and 2025; and forms like them.
SPIN_OFFS = [(1281, 1000), (1253, 1000), (1196, 1000), (1046, 1000), (1324, 1000), (15890, 10000), (4725, 10000)]
OTHERS = [(239, 100), (1500, 1000), (2000, 1000), (126, 100), (100, 126), (1001, 1), (1, 1), (1, 1001), (0, 1)]


@pytest.mark.parametrize(("new", "old"), SPLITS)
def test_what_companies_do_is_a_split(new: int, old: int) -> None:
    assert is_split_ratio(Decimal(new), Decimal(old))


@pytest.mark.parametrize(("new", "old"), [*SPIN_OFFS, *OTHERS])
def test_the_factor_of_a_price_is_none(new: int, old: int) -> None:
    assert not is_split_ratio(Decimal(new), Decimal(old))


def test_terms_in_fractions_are_none() -> None:
    assert not is_split_ratio(Decimal("1.5"), Decimal(1))


@pytest.mark.parametrize(
    ("before", "after", "ratio", "is_one"),
    [
        ("100", "50.2", (2, 1), True),
        ("100", "57.5", (2, 1), True),  # exactly 15 % away
        ("100", "57.51", (2, 1), False),
        ("100", "99", (2, 1), False),  # the price is still the old one
        ("2", "20.1", (1, 10), True),
        ("42", "40", (21, 20), True),
        ("42", "41.5", (21, 20), False),
        ("103", "100", (103, 100), True),
    ],
)
def test_the_price_says_whether_a_split_happened(before: str, after: str, ratio: tuple[int, int], is_one: bool) -> None:  # noqa: FBT001
    new, old = map(Decimal, ratio)

    assert is_price_of_split(Decimal(before), Decimal(after), new=new, old=old) is is_one


@pytest.mark.parametrize(
    ("factor", "terms"),
    [
        ("2", (2, 1)),
        ("0.1", (1, 10)),
        ("0.3333", (1, 3)),
        ("1.5", (3, 2)),
        ("0.0143", (1, 70)),
        ("2.0000", (2, 1)),
        ("1.281", None),
        ("1.046", None),
        ("0.4725", None),
        ("0", None),
        ("NaN", None),
    ],
)
def test_a_bare_factor_is_believed_within_its_digits(factor: str, terms: tuple[int, int] | None) -> None:
    assert terms_of_factor(factor) == (None if terms is None else tuple(map(Decimal, terms)))
