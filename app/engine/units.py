"""
The scales of the engine's integers, and exact conversion to and from `Decimal`.

Every number is an int64 count of a small unit, so sums are exact and the same in any order.
"""

from decimal import Decimal
from typing import Final

QUANTITY_SCALE: Final = 10**6
"""Units of an instrument are counted in millionths."""
PRICE_SCALE: Final = 10**8
"""Prices and exchange rates are counted in 1e-8."""
MONEY_SCALE: Final = 10**2
"""Money is counted in cents of the account currency."""
RATE_SCALE: Final = 10**4
"""Rates, shares of a portfolio and leverage factors are counted in 1e-4."""

MONEY_LIMIT: Final = 10**14
"""Cents. An account's gross value stays below this, and so does its loan: 1e12 of the account currency."""
REQUIREMENT_LIMIT: Final = 20 * MONEY_LIMIT
"""Cents. What a layer asks of an account stays below this; only dollar amounts a share can reach it."""
QUANTITY_LIMIT: Final = 10**18
"""Millionths. A quantity is at most this in absolute value: 1e12 units."""
PRICE_LIMIT: Final = 10**18
"""A price is at most this many 1e-8: 1e10 of the account currency."""

MISSING: Final = -(2**63)
"""In a column of money: there is no figure, because the client's row is not complete."""
NOT_ASKED: Final = MISSING + 1
"""In a column of a layer's requirement: this layer asks nothing of this client or position. It is not a zero."""


def scaled(value: Decimal, scale: int) -> int:
    """
    Return `value` as a whole number of 1 / `scale`.

    Raises:
        ValueError: `value` is not finite, or has more decimals than `scale`.
    """
    numerator, denominator = _ratio(value)
    count, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"{value} is not a multiple of 1/{scale}")
    return count


def nearest(value: Decimal, scale: int) -> int:
    """
    Return `value` as a number of 1 / `scale`, rounded half away from zero.

    Raises:
        ValueError: `value` is not finite.
    """
    numerator, denominator = _ratio(value)
    return divide(numerator * scale, denominator)


def unscaled(count: int, scale: int) -> Decimal:
    """Return `count` x 1 / `scale` as an exact `Decimal`; `scale` is a power of ten."""
    return Decimal(int(count)).scaleb(1 - len(str(scale)))


def divide(numerator: int, denominator: int) -> int:
    """Return the quotient rounded half away from zero; `denominator` > 0."""
    half_up = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -half_up if numerator < 0 else half_up


def convert(price: int, fx: int) -> int:
    """Return `price` x `fx`, all three in 1e-8: a price in account currency."""
    return divide(price * fx, PRICE_SCALE)


def _ratio(value: Decimal) -> tuple[int, int]:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number")
    return value.as_integer_ratio()
