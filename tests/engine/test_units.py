"""Conversion between decimals and the engine's integers."""

from decimal import Decimal

import pytest

from app.engine.units import MONEY_SCALE, PRICE_SCALE, convert, divide, nearest, scaled, unscaled


def test_scaled_is_exact_and_refuses_a_decimal_too_many() -> None:
    assert scaled(Decimal("-12345678901234567890.12"), MONEY_SCALE) == -1234567890123456789012
    with pytest.raises(ValueError, match=r"not a multiple of 1/100"):
        scaled(Decimal("0.001"), MONEY_SCALE)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_a_number_is_refused(value: Decimal) -> None:
    with pytest.raises(ValueError, match="not a number"):
        nearest(value, MONEY_SCALE)


@pytest.mark.parametrize(
    ("value", "count"), [("0.005", 1), ("-0.005", -1), ("0.00499999", 0), ("0.015", 2), ("-0.0151", -2)]
)
def test_nearest_rounds_half_away_from_zero(value: str, count: int) -> None:
    assert nearest(Decimal(value), MONEY_SCALE) == count


@pytest.mark.parametrize(("numerator", "quotient"), [(5, 1), (-5, -1), (4, 0), (-4, 0), (15, 2), (14, 1), (0, 0)])
def test_divide_rounds_half_away_from_zero(numerator: int, quotient: int) -> None:
    assert divide(numerator, 10) == quotient


def test_convert_rounds_the_account_price_to_eight_decimals() -> None:
    """1.5 x 0.33333333 = 0.499999995, half up."""
    assert convert(150_000_000, 33_333_333) == 50_000_000


def test_unscaled_keeps_the_decimals_of_its_scale() -> None:
    assert str(unscaled(2_000_000, MONEY_SCALE)) == "20000.00"
    assert unscaled(-1, PRICE_SCALE) == Decimal("-0.00000001")
