"""Columns from decimals, for tests: what a service does with rows of the database."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from app.engine.book import Book, Instruments, Prices
from app.engine.rules import ClientRateEffect, Layer, MarginRules, Side
from app.engine.units import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE, scaled
from app.policies.form import Policy
from app.policies.load import read_policy
from tests.engine.oracle import Account, Listed

FLAT_25 = MarginRules(house=Layer(long=Side(2500), short=Side(2500), client_rate=ClientRateEffect.REPLACES))
"""A quarter of every position's value, or the client's own rate instead: the service's default."""


def parse_policy(mapping: Mapping[str, object]) -> Policy:
    """Return the policy that a mapping spells out."""
    return read_policy(mapping, "The policy")


def build_book(accounts: Sequence[Account], symbols: Sequence[str]) -> Book:
    """Return the accounts as a book over these symbols; client ids count from 1."""
    index = {symbol: i for i, symbol in enumerate(symbols)}
    held = [holding for account in accounts for holding in account.holdings]
    return Book(
        client_ids=np.arange(1, len(accounts) + 1),
        offsets=np.cumsum([0, *(len(account.holdings) for account in accounts)]),
        symbol_index=np.array([index[symbol] for symbol, _ in held], np.int32),
        quantity=np.array([scaled(quantity, QUANTITY_SCALE) for _, quantity in held], np.int64),
        loan=np.array([scaled(account.loan, MONEY_SCALE) for account in accounts], np.int64),
        client_rate=_rates([account.rate for account in accounts]),
        symbols=tuple(symbols),
    )


def build_prices(market: Mapping[str, Listed], usd: Decimal = Decimal(1)) -> Prices:
    """Return the market's prices; None is missing."""
    prices = [scaled(listed.price or Decimal(0), PRICE_SCALE) for listed in market.values()]
    return Prices(np.array(prices, np.int64), scaled(usd, PRICE_SCALE))


def build_instruments(market: Mapping[str, Listed]) -> Instruments:
    """Return what the market knows of its instruments."""
    listed = list(market.values())
    return Instruments(
        leverage=np.array([scaled(one.leverage, RATE_SCALE) for one in listed], np.int64),
        marginable=np.array([one.marginable for one in listed], np.bool_),
        house_rate=_rates([one.house_rate for one in listed]),
        is_stock=np.array([one.is_stock for one in listed], np.bool_),
    )


def _rates(rates: Sequence[Decimal | None]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([-1 if rate is None else scaled(rate, RATE_SCALE) for rate in rates], np.int64)
