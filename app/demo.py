"""Demo clients that show every case, whatever prices are today: their loans follow from the prices at seeding."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Final

from tortoise.transactions import in_transaction

from app.audit import hash_chain, recorder
from app.audit.recorder import Change
from app.auth.passwords import PasswordHasher
from app.auth.secret_files import load_or_create_password
from app.core.errors import ProviderError
from app.core.symbols import fx_symbol
from app.database import sql
from app.models import Client, Margin, MarketData, Position, Role
from app.providers.registry import PLACEHOLDER_NAMES, SAMPLE
from app.providers.types import Quote
from app.stocks import intake
from app.stocks.types import PriceFeed
from app.users import service as users_service

#: No market ever made these; they only let the demo work without a network. Never live, and marked so.
SAMPLE_DATE: Final = datetime(2026, 1, 2, 21, 0, tzinfo=UTC)
_SAMPLES: Final = {
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
    """A demo client: what it holds, and what it owes."""

    name: str
    holdings: Mapping[str, str]
    #: Its loan leaves this share of the portfolio's gross value (long + abs(short)) as equity ...
    equity_share: str = "0"
    #: ... and this much less.
    loan: str = "0"
    own_rate: str | None = None


#: With the flat policy a cushion is the equity share less the rate: Ben's 0.03 is a warning, Cleo's -0.05 a call.
CASES: Final = (
    _Case("Ada - comfortable", {"AAPL": "100", "MSFT": "50"}, equity_share="0.70"),
    _Case("Ben - near a call", {"AMZN": "120", "GOOGL": "80"}, equity_share="0.28"),
    _Case("Cleo - in a margin call", {"NVDA": "200", "TSLA": "40"}, equity_share="0.20"),
    _Case("Dov - short seller", {"TSLA": "-60", "NVDA": "150"}, equity_share="0.55"),
    _Case("Eve - fractional shares", {"AMZN": "12.345678", "MSFT": "0.5"}, equity_share="0.75"),
    _Case("Finn - no positions", {}),
    _Case("Gus - a loan without positions", {}, loan="2500"),
    _Case("Hana - a foreign listing", {"SAP.DE": "75", "AAPL": "20"}, equity_share="0.60"),
    _Case("Ivo - own rate of 40 %", {"NVDA": "300"}, equity_share="0.45", own_rate="0.40"),
)
#: Whose user `ada` is.
_ADA: Final = CASES[0].name
#: Any number: one seeding at a time.
_LOCK: Final = 0x6465_6D6F  # "demo"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did."""

    created: Sequence[str]
    kept: Sequence[str]
    #: Clients that could not be made, since a price or an FX rate of theirs is not known.
    skipped: Sequence[str]
    #: Symbols that go by a sample price, since no source ever gave one.
    sampled: Sequence[str]
    #: Users that were made.
    users: Sequence[str]


def symbols() -> list[str]:
    """Return what the demo clients hold, in order."""
    return sorted({symbol for case in CASES for symbol in case.holdings})


async def is_empty() -> bool:
    """Return whether no client is stored."""
    return not await Client.exists()


async def seed(
    *,
    feed: PriceFeed,
    data_dir: Path,
    passwords: PasswordHasher,
    seconds: float = 30,
    done: Callable[[int], object] = int,
) -> Seeded:
    """
    Store prices, and the demo clients and users that are not there yet; those that are stay as they are.

    Args:
        feed: asked for prices first; a symbol that has none, now or stored, gets a sample price.
        data_dir: keeps the random passwords of the users `desk` (role risk) and `ada` (role client).
        passwords: hashes them.
        seconds: how long the source may take.
        done: called with how many more symbols are done.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    prices = await _prices(symbols(), feed=feed, deadline=deadline)
    done(len(prices))
    currencies = {price.currency for price in prices.values()} - {feed.base_currency}
    pairs = [fx_symbol(currency, feed.base_currency) for currency in sorted(currencies)]
    prices |= await _prices(pairs, feed=feed, deadline=deadline)
    async with in_transaction():
        await sql.run("select pg_advisory_xact_lock($1)", _LOCK)
        created, kept, skipped = await _ensure_clients(prices, _values(prices, feed.base_currency))
        users = await _ensure_users(data_dir, passwords)
    sampled = sorted(symbol for symbol, price in prices.items() if price.source in PLACEHOLDER_NAMES)
    return Seeded(created=created, kept=kept, skipped=skipped, sampled=sampled, users=users)


async def _prices(wanted: Sequence[str], *, feed: PriceFeed, deadline: float) -> dict[str, MarketData]:
    """Return the stored prices of `wanted`, refreshed if the source answers in time, else samples."""
    await intake.store_quotes(await _ask(wanted, feed=feed, deadline=deadline), feed=feed)
    stored = {row.symbol for row in await MarketData.filter(symbol__in=wanted)}
    samples = [_sample(symbol) for symbol in wanted if symbol in _SAMPLES.keys() - stored]
    await intake.store_quotes(samples, feed=feed)
    return {row.symbol: row for row in await MarketData.filter(symbol__in=wanted)}


async def _ask(wanted: Sequence[str], *, feed: PriceFeed, deadline: float) -> Iterable[Quote]:
    """Return what the source gives in time."""
    if not wanted:
        return ()
    try:
        async with asyncio.timeout_at(deadline):
            return (await feed.provider.fetch(wanted)).quotes.values()
    except (ProviderError, TimeoutError):
        return ()


def _values(prices: Mapping[str, MarketData], base_currency: str) -> dict[str, Decimal]:
    """Return what one unit is worth in account currency, of each symbol for which that is known."""
    values = {}
    for symbol, price in prices.items():
        if price.currency == base_currency:
            values[symbol] = price.current_price
        elif (rate := prices.get(fx_symbol(price.currency, base_currency))) is not None:
            values[symbol] = price.current_price * rate.current_price
    return values


async def _ensure_clients(
    prices: Mapping[str, MarketData], values: Mapping[str, Decimal]
) -> tuple[list[str], list[str], list[str]]:
    """Store the clients that are not there; return the names of the created, the kept and the skipped."""
    created, kept, skipped, rows = [], [], [], []
    present = {client.name for client in await Client.filter(name__in=[case.name for case in CASES])}
    for case in CASES:
        if case.name in present:
            kept.append(case.name)
        elif case.holdings.keys() <= values.keys():
            rows.append(await _create(case, prices, values))
            created.append(case.name)
        else:
            skipped.append(case.name)
    if rows:
        change = Change(action="import", entity="client", entity_id=None, after=hash_chain.digest(rows))
        await recorder.record(change, actor=recorder.SYSTEM, touches=recorder.EVERYTHING)
    return created, kept, skipped


async def _create(
    case: _Case, prices: Mapping[str, MarketData], values: Mapping[str, Decimal]
) -> dict[str, Decimal | Mapping[str, str] | str | None]:
    """Store one demo client, which paid today's prices; return what an auditor sees of it."""
    client = await Client.create(name=case.name)
    rate = None if case.own_rate is None else Decimal(case.own_rate)
    loan = _loan(case, values)
    await Margin.create(client=client, loan=loan, margin_requirement=rate)
    for symbol, quantity in case.holdings.items():
        cost = prices[symbol].current_price
        await Position.create(client=client, symbol=symbol, quantity=Decimal(quantity), cost_basis=cost)
    return {"name": case.name, "loan": loan, "margin_requirement": rate, "positions": case.holdings}


def _loan(case: _Case, values: Mapping[str, Decimal]) -> Decimal:
    """Return the loan that makes the case what it is called; negative is cash, as from a short sale."""
    amounts = [Decimal(quantity) * values[symbol] for symbol, quantity in case.holdings.items()]
    equity = Decimal(case.equity_share) * sum(map(abs, amounts), Decimal(0)) - Decimal(case.loan)
    return (sum(amounts, Decimal(0)) - equity).quantize(Decimal("0.01"), ROUND_HALF_UP)


async def _ensure_users(data_dir: Path, passwords: PasswordHasher) -> list[str]:
    """Make the demo users that are not there; return their names."""
    ada = await Client.filter(name=_ADA).order_by("id").first()
    wanted = [("desk", Role.RISK, None)] + ([("ada", Role.CLIENT, ada.id)] if ada else [])
    return [
        username
        for username, role, client_id in wanted
        if await users_service.ensure_user(
            username,
            role=role,
            client_id=client_id,
            make_password=partial(load_or_create_password, data_dir, username),
            passwords=passwords,
        )
    ]


def _sample(symbol: str) -> Quote:
    """Return the sample price of a demo symbol."""
    price, currency = _SAMPLES[symbol]
    return Quote(
        symbol=symbol,
        price=Decimal(price),
        currency=currency,
        market_time=SAMPLE_DATE,
        fetched_at=SAMPLE_DATE,
        source=SAMPLE.name,
    )
