"""What follows from a client's totals alone: the Reg T position and a day's interest, in whole cents."""

from dataclasses import dataclass
from typing import Final

from app.engine.units import RATE_SCALE, divide

DAYS: Final = 360
"""Days of a year of interest: settled debit x annual rate / 360."""


@dataclass(frozen=True, slots=True)
class RegT:
    """
    Initial margin under Reg T, 12 CFR 220.12: half of the market value of longs and of shorts.

    Attributes:
        requirement: cents, 50 % of long + abs(short) market value, half a cent rounded up.
        excess: cents, net equity - requirement.
        restricted: excess < 0.
        sma_floor: cents, max(0, excess): what the special memorandum account holds at least.
        buying_power: cents, 2 x sma_floor.
    """

    requirement: int
    excess: int
    restricted: bool
    sma_floor: int
    buying_power: int


@dataclass(frozen=True, slots=True)
class Interest:
    """Interest at an annual rate in 1e-4: `daily` cents, half a cent rounded up."""

    annual_rate: int
    daily: int


def reg_t(*, gross_value: int, net_equity: int) -> RegT:
    """Return the Reg T position of an account; `gross_value` = long + abs(short) market value, cents."""
    requirement = divide(gross_value, 2)
    excess = net_equity - requirement
    floor = max(0, excess)
    return RegT(requirement, excess, excess < 0, floor, 2 * floor)


def interest(annual_rate: int, *, loan: int, short_market_value: int) -> Interest:
    """
    Return a day's interest: rate / 360 x max(0, loan + abs(short market value)).

    The proceeds of short sales lie in the loan as a credit, but they lower no debit.
    """
    debit = max(0, loan + abs(short_market_value))
    return Interest(annual_rate, divide(debit * annual_rate, DAYS * RATE_SCALE))
