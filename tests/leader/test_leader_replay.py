"""The crash of 2020, day by day: the calls that open and close are those of an independent, slow, exact calculation."""

import csv
import gzip
import os
import random
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final

import pytest

from app.margin_calls.business_days import day_of
from app.models import MarginCallEvent
from app.stocks import service as stocks_service
from app.stocks.types import PriceFeed
from tests.leader.leading import Account, own_database, replaying, reviewer, store

FILE: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "prices" / "sp500_20_daily_1990_2022.csv.gz"
FIRST, LAST = date(2020, 2, 19), date(2020, 3, 23)
#: The full size takes a minute; `REPLAYED_CLIENTS=10000` runs it.
CLIENTS: Final = int(os.environ.get("REPLAYED_CLIENTS", "300"))  # noqa: TID251 - of the test, not of the service
_CENT: Final = Decimal("0.01")
_QUARTER: Final = Decimal("0.25")

Day = dict[str, Decimal]

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="needs ../shared/data/prices")


def _days() -> dict[date, Day]:
    with gzip.open(FILE, "rt", newline="") as file:
        rows = {date.fromisoformat(row.pop("Date")): row for row in csv.DictReader(file)}
    closes = {
        day: {symbol: Decimal(price) for symbol, price in row.items()}
        for day, row in rows.items()
        if FIRST <= day <= LAST
    }
    return _through_the_gate(closes)


def _through_the_gate(closes: dict[date, Day]) -> dict[date, Day]:
    """Return the prices that are used: one that jumps by more than 30 % waits for a second one near it."""
    used: dict[date, Day] = {}
    known: Day = {}
    waiting: Day = {}
    for day, prices in closes.items():
        for symbol, price in prices.items():
            if _jumps(price, known.get(symbol)) and _jumps(price, waiting.get(symbol), if_unknown=True):
                waiting[symbol] = price
            else:
                known[symbol] = price
                waiting.pop(symbol, None)
        used[day] = dict(known)
    return used


def _jumps(price: Decimal, reference: Decimal | None, *, if_unknown: bool = False) -> bool:
    return if_unknown if reference is None else abs(price - reference) > Decimal("0.3") * reference


def _accounts(first: Day) -> list[Account]:
    """Return clients with one to eight holdings; loans from 10 % to 74.9 % of value, so that a few are near a call."""
    chance = random.Random(20200219)  # noqa: S311 - the same clients every time
    accounts = []
    for _ in range(CLIENTS):
        held = {
            symbol: Decimal(chance.randint(1, 500)) for symbol in chance.sample(sorted(first), chance.randint(1, 8))
        }
        value = sum(quantity * first[symbol] for symbol, quantity in held.items())
        accounts.append(Account((value * Decimal(chance.randint(100, 749)) / 1000).quantize(_CENT), held))
    return accounts


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _shortfall(account: Account, prices: Day) -> Decimal:
    values = [_cents(quantity * prices[symbol]) for symbol, quantity in account.held.items()]
    required = sum(_cents(_QUARTER * value) for value in values)
    return max(Decimal(0), required - (sum(values) - account.loan))


Calls = dict[date, dict[int, Decimal]]


def _expected(ids: list[int], accounts: list[Account], days: dict[date, Day]) -> tuple[Calls, Calls]:
    """Return who is called for how much on each day, and whose call is met."""
    opened: Calls = defaultdict(dict)
    met: Calls = defaultdict(dict)
    short = dict.fromkeys(ids, Decimal(0))
    for day, prices in days.items():
        for client_id, account in zip(ids, accounts, strict=True):
            now = _shortfall(account, prices)
            if now and not short[client_id]:
                opened[day][client_id] = now
            elif short[client_id] and not now:
                met[day][client_id] = Decimal(0)
            short[client_id] = now
    return opened, met


async def _recorded(to_state: str) -> Calls:
    found: Calls = defaultdict(dict)
    for event in await MarginCallEvent.filter(to_state=to_state):
        found[day_of(event.at)][event.client_id] = event.amount
    return found


async def test_calls_of_each_day_are_those_of_an_exact_calculation(database_url: str) -> None:
    days = _days()
    accounts = _accounts(days[FIRST])
    async with own_database(database_url):
        ids = await store(accounts)
        opened, met = _expected(ids, accounts, days)
        provider, following = replaying(FILE, first=FIRST, last=LAST), reviewer()
        await following.start()

        for _ in days:
            await stocks_service.refresh_held(PriceFeed(provider, "USD"))
            await following.catch_up(recheck=True)

        assert await _recorded("open") == opened
        assert await _recorded("met") == met
        assert sum(map(len, opened.values())) > CLIENTS / 10
