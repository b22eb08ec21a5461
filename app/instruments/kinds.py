"""What kinds of securities may be held, in the words of the price source."""

from decimal import Decimal
from typing import Final

from app.core.errors import Fault, InvalidInputError
from app.database import sql

#: Never margined like a share; what of it is held counts as without a price.
NOT_HELD: Final = {"OPTION": "an option", "FUTURE": "a future", "INDEX": "an index", "CURRENCY": "a currency pair"}
#: No loan value: long at 100 %, never short.
NO_LOAN_VALUE: Final = {"MUTUALFUND": "a mutual fund", "CRYPTOCURRENCY": "a cryptocurrency"}

_KIND: Final = """
select coalesce(
    (select quote_type from instrument where symbol = $1), (select quote_type from market_data where symbol = $1)
) as kind
"""


def sql_list(kinds: dict[str, str]) -> str:
    """Return kinds as a list in SQL."""
    return ", ".join(f"'{kind}'" for kind in kinds)


async def check_may_be_held(symbol: str, quantity: Decimal) -> None:
    """
    Refuse a position of a kind that cannot be margined, as far as the kind is known by now.

    Raises:
        InvalidInputError: the source says that the symbol is of such a kind.
    """
    kind = (await sql.one(_KIND, symbol))["kind"]
    if kind in NOT_HELD:
        what = f"is {NOT_HELD[kind]}, says the price source; only shares and funds are held here"
        raise InvalidInputError(f"{symbol} {what}.", faults=[Fault(where=("body", "symbol"), what=what)])
    if kind in NO_LOAN_VALUE and quantity < 0:
        what = f"is {NO_LOAN_VALUE[kind]}, which cannot be held short"
        raise InvalidInputError(f"{symbol} {what}.", faults=[Fault(where=("body", "quantity"), what=what)])
