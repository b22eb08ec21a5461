"""
Which ratios are share splits, and which only look like one.

Sources report spin-offs in the field of splits, as the factor of the price in thousandths or ten-thousandths (1281:1000
for GE in 2023). So a ratio is believed only in the forms in which companies split shares, with its terms as the source
gives them, and only where the price moved as that split moves it.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

#: n:1 and 1:n in whole numbers up to this.
_LARGEST_WHOLE: Final = 1_000
#: Terms of any other ratio, such as 3:2 or 21:20.
_LARGEST_TERM: Final = 100
#: Stock dividends are counted in hundredths, up to this many new shares for a hundred old ones.
_LARGEST_DIVIDEND: Final = 125
_HUNDRED: Final = 100
#: How far the price after a split may lie from the old one divided by the ratio, a fraction of that.
_TOLERANCE: Final = Decimal("0.15")
_LARGEST_DENOMINATOR: Final = 10


def is_split_ratio(new: Decimal, old: Decimal) -> bool:
    """Return whether `new` shares for `old` ones, in the terms of the source, can be a split or a stock dividend."""
    if new <= 0 or old <= 0 or new == old or new != int(new) or old != int(old):
        return False
    if 1 in (new, old):
        return max(new, old) <= _LARGEST_WHOLE
    return max(new, old) <= _LARGEST_TERM or (old == _HUNDRED and _HUNDRED < new <= _LARGEST_DIVIDEND)


def is_price_of_split(before: Decimal, after: Decimal, *, new: Decimal, old: Decimal) -> bool:
    """
    Return whether a price moved as `new` shares for `old` ones move it.

    It is nearer to the old price divided by the ratio than to the old price, and within 15 % of the former.

    Args:
        before: of an old share.
        after: the previous close that the source gives with the split, which has no day's move in it; else the price.
        new: shares after the split.
        old: shares before it.
    """
    expected = before * old / new
    return abs(after - expected) < abs(after - before) and abs(after - expected) <= _TOLERANCE * expected


def terms_of_factor(factor: str) -> tuple[Decimal, Decimal] | None:
    """
    Return new and old shares of a split that a source gives as a bare factor, None where it cannot be one.

    Believed are n, 1/n, and n/d with d up to 10, within the printed digits: `0.3333` is 1 for 3.
    """
    value = Decimal(factor)
    if not value.is_finite() or value <= 0:
        return None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a finite number has one"
    half_a_digit = Decimal(5).scaleb(exponent - 1) if exponent < 0 else Decimal(0)
    return _terms_within(value, Decimal(0)) or _terms_within(value, half_a_digit)


def _terms_within(value: Decimal, tolerance: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return the first n/d, or 1/n, that lies so near a factor."""
    candidates = [((value * old).to_integral_value(), Decimal(old)) for old in range(1, _LARGEST_DENOMINATOR + 1)]
    candidates.append((Decimal(1), (1 / value).to_integral_value()))
    for new, old in candidates:
        if 0 < new <= _LARGEST_WHOLE and 0 < old <= _LARGEST_WHOLE and abs(new / old - value) <= tolerance:
            ratio = Fraction(int(new), int(old))
            return Decimal(ratio.numerator), Decimal(ratio.denominator)
    return None
