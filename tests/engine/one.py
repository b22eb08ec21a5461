"""One client's explanation from a few numbers, for tests of published examples."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from app.engine.book import Book, Instruments, Prices
from app.engine.explain import Explanation, explain
from app.engine.quotes import Quotes
from app.engine.rules import MarginRules
from app.engine.units import PRICE_SCALE, scaled
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.oracle import Account, Listed

FLAT = margin_rules(builtin_policy("flat"))
FINRA = margin_rules(builtin_policy("finra_4210"))


def columns(
    holdings: Mapping[str, tuple[str, str]], loan: str, rate: str | None = None
) -> tuple[Book, Prices, Instruments]:
    """Return a client with so many of each symbol at such a price, a loan, and its own rate."""
    market = {symbol: Listed(Decimal(price)) for symbol, (_, price) in holdings.items()}
    held = [(symbol, Decimal(quantity)) for symbol, (quantity, _) in holdings.items()]
    book = build_book([Account(held, Decimal(loan), Decimal(rate) if rate else None)], tuple(market))
    return book, build_prices(market), build_instruments(market)


def explained(
    holdings: Mapping[str, tuple[str, str]],
    loan: str,
    rate: str | None = None,
    *,
    rules: MarginRules = FLAT,
    interest: str | None = None,
) -> Explanation:
    """Return the explanation of such a client, everything in dollars."""
    book, prices, instruments = columns(holdings, loan, rate)
    quotes = Quotes(prices.price, np.full(len(prices.price), PRICE_SCALE))
    yearly = None if interest is None else scaled(Decimal(interest), 10_000)
    return explain(book, prices, quotes, instruments, rules, interest_rate=yearly)
