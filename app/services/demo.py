"""Demo clients that show every case, whatever prices are today: their loans follow from the prices at seeding."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final

from tortoise.transactions import in_transaction

from app.errors import ProviderError
from app.models import Client, Margin, Position, Role
from app.providers.base import PriceProvider, Quote
from app.security import PasswordHasher, load_or_create_password
from app.services import prices as prices_service
from app.services import users as users_service
from app.symbols import fx_symbol

#: No market ever made these; they only let the demo work without a network. Never live, and marked so.
SAMPLE_DATE: Final = datetime(2026, 1, 2, 21, 0, tzinfo=UTC)
_SAMPLE_PRICES: Final = {
    "AAPL": ("180.00", "USD"),
    "AMZN": ("175.50", "USD"),
    "GOOGL": ("160.25", "USD"),
    "MSFT": ("420.00", "USD"),
    "NVDA": ("120.00", "USD"),
    "SAP.DE": ("200.00", "EUR"),
    "TSLA": ("250.00", "USD"),
    "EURUSD=X": ("1.10", "USD"),
}


@dataclass(frozen=True, slots=True)
class _Case:
    """A demo client: what it holds, and its loan as a share of its portfolio's gross value plus a fixed amount."""

    name: str
    holdings: Mapping[str, str]
    loan_share: str = "0"
    loan: str = "0"
    own_rate: str | None = None


CASES: Final = (
    _Case("Ada - comfortable", {"AAPL": "100", "MSFT": "50"}, loan_share="0.30"),
    _Case("Ben - near a call", {"AMZN": "120", "GOOGL": "80"}, loan_share="0.72"),
    _Case("Cleo - in a margin call", {"NVDA": "200", "TSLA": "40"}, loan_share="0.80"),
    _Case("Dov - short seller", {"TSLA": "-60", "NVDA": "150"}, loan_share="-0.45"),
    _Case("Eve - fractional shares", {"AMZN": "12.345678", "MSFT": "0.5"}, loan_share="0.25"),
    _Case("Finn - no positions", {}),
    _Case("Gus - a loan without positions", {}, loan="2500"),
    _Case("Hana - a foreign listing", {"SAP.DE": "75", "AAPL": "20"}, loan_share="0.40"),
    _Case("Ivo - own rate of 40 %", {"NVDA": "300"}, loan_share="0.55", own_rate="0.40"),
)


#: Users that `seed` makes.
USERNAMES: Final = ("desk", "ada")


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did."""

    created: Sequence[str]
    kept: Sequence[str]
    #: Symbols that got a sample price, since no source gave one.
    sampled: Sequence[str]


def symbols() -> list[str]:
    """Return what the demo clients hold, in order."""
    return sorted({symbol for case in CASES for symbol in case.holdings})


async def fetch_quotes(
    *, provider: PriceProvider, base_currency: str, seconds: float = 30, done: Callable[[int], object] = int
) -> dict[str, Quote]:
    """
    Return prices of what the demo clients hold, and the FX rates that they need.

    What the source does not give within `seconds` gets a sample price where there is one. `done` is told how many more
    are there.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    quotes = await _fetch(symbols(), provider=provider, deadline=deadline)
    done(len(symbols()))
    currencies = {quote.currency for quote in quotes.values()} - {base_currency}
    pairs = sorted(fx_symbol(name, base_currency) for name in currencies)
    return quotes | await _fetch(pairs, provider=provider, deadline=deadline)


async def seed(quotes: Mapping[str, Quote], *, base_currency: str, data_dir: Path, passwords: PasswordHasher) -> Seeded:
    """
    Store quotes, and the demo clients and users that are not there yet; those that are stay as they are.

    The users are `desk` (role risk) and `ada` (role client); their passwords are random and kept under `data_dir`.
    """
    await prices_service.store_quotes(quotes.values())
    created, kept = [], []
    async with in_transaction():
        present = {client.name for client in await Client.filter(name__in=[case.name for case in CASES])}
        for case in CASES:
            if case.name in present:
                kept.append(case.name)
            else:
                await _create(case, quotes, base_currency=base_currency)
                created.append(case.name)
    ada = await Client.filter(name=CASES[0].name).order_by("id").first()
    assert ada is not None, "stored just now"
    await _ensure_user("desk", Role.RISK, None, data_dir=data_dir, passwords=passwords)
    await _ensure_user("ada", Role.CLIENT, ada.id, data_dir=data_dir, passwords=passwords)
    sampled = sorted(symbol for symbol, quote in quotes.items() if quote.source == "sample")
    return Seeded(created=created, kept=kept, sampled=sampled)


async def is_empty() -> bool:
    """Return whether no client was ever stored."""
    return not await Client.exists()


async def _fetch(asked: Sequence[str], *, provider: PriceProvider, deadline: float) -> dict[str, Quote]:
    """Return the source's quotes of `asked`, and sample prices for those that it does not give in time."""
    try:
        async with asyncio.timeout_at(deadline):
            found = (await provider.fetch(asked)).quotes if asked else {}
    except (ProviderError, TimeoutError):
        found = {}
    return {symbol: quote for symbol in asked if (quote := found.get(symbol) or _sample(symbol)) is not None}


async def _ensure_user(
    username: str, role: Role, client_id: int | None, *, data_dir: Path, passwords: PasswordHasher
) -> None:
    """Make a demo user unless there is one of that name."""
    await users_service.ensure_user(
        username,
        role=role,
        client_id=client_id,
        make_password=lambda: load_or_create_password(data_dir, username),
        passwords=passwords,
    )


async def _create(case: _Case, quotes: Mapping[str, Quote], *, base_currency: str) -> None:
    """Store one demo client."""
    client = await Client.create(name=case.name)
    rate = None if case.own_rate is None else Decimal(case.own_rate)
    loan = _loan(case, quotes, base_currency=base_currency)
    await Margin.create(client=client, loan=loan, margin_requirement=rate)
    for symbol, quantity in case.holdings.items():
        cost = quotes[symbol].price if symbol in quotes else Decimal(0)
        await Position.create(client=client, symbol=symbol, quantity=Decimal(quantity), cost_basis=cost)


def _loan(case: _Case, quotes: Mapping[str, Quote], *, base_currency: str) -> Decimal:
    """Return the loan that makes the case what it is called."""
    gross = sum(
        (abs(Decimal(quantity)) * _value(quotes, symbol, base_currency) for symbol, quantity in case.holdings.items()),
        Decimal(0),
    )
    return (gross * Decimal(case.loan_share) + Decimal(case.loan)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _value(quotes: Mapping[str, Quote], symbol: str, base_currency: str) -> Decimal:
    """Return the price of one unit in account currency; 0 where it cannot be known."""
    quote = quotes.get(symbol)
    if quote is None or quote.currency == base_currency:
        return quote.price if quote else Decimal(0)
    rate = quotes.get(fx_symbol(quote.currency, base_currency))
    return quote.price * rate.price if rate else Decimal(0)


def _sample(symbol: str) -> Quote | None:
    """Return the sample price of a demo symbol."""
    if symbol not in _SAMPLE_PRICES:
        return None
    price, currency = _SAMPLE_PRICES[symbol]
    return Quote(
        symbol=symbol,
        price=Decimal(price),
        currency=currency,
        market_time=SAMPLE_DATE,
        fetched_at=SAMPLE_DATE,
        source="sample",
    )
