"""Demo data: every case is what it is called, whatever prices are."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from app import demo
from app.auth.passwords import PasswordHasher
from app.auth.types import Caller, Role
from app.margin.service import MarginLoader, MarginStatus
from app.models import Client, Margin, MarketData, Position, PriceHistory, User
from app.policies.active import ActivePolicy
from app.policies.load import load_policy
from app.providers.types import PriceProvider
from app.stocks import intake
from app.stocks.types import PriceFeed
from tests.fakes import FakeProvider

DESK: Final = Caller(user_id=1, username="desk", role=Role.RISK, client_id=None)
WARNING_CUSHION: Final = Decimal("0.05")  # the default of RISK_WARNING_CUSHION
PRICES: Final = {"today's": "100", "a penny": "0.01", "odd": "333.33333333", "a thousand": "1000"}


async def seed(provider: PriceProvider, data_dir: Path, base_currency: str = "USD") -> demo.Seeded:
    return await demo.seed(
        feed=PriceFeed(provider, base_currency),
        data_dir=data_dir,
        passwords=PasswordHasher(),
        seconds=5,
    )


async def status_of(name: str) -> MarginStatus:
    client = await Client.get(name__startswith=name)
    rules = ActivePolicy.of(load_policy("flat")).rules
    return await MarginLoader(rules=rules, base_currency="USD", seconds=10).status(client.id, caller=DESK)


async def gross_of(name: str) -> Decimal:
    """Return long + abs(short) market value in dollars; every demo price here is in dollars or has the rate 1.1."""
    total = Decimal(0)
    for position in await Position.filter(client__name__startswith=name):
        price = await MarketData.get(symbol=position.symbol)
        rate = Decimal(1) if price.currency == "USD" else (await MarketData.get(symbol="EURUSD=X")).current_price
        total += abs(position.quantity) * price.current_price * rate
    return total


async def everything_stored() -> list[list[dict[str, object]]]:
    """Return every row that seeding may touch, but when a price was last asked for."""
    rows = [await table.all().order_by("id").values() for table in (Client, Margin, Position, PriceHistory, User)]
    prices = await MarketData.all().order_by("id").values()
    return [*rows, [price | {"fetched_at": None} for price in prices]]


@pytest.fixture(params=[None, *PRICES])
def source(request: pytest.FixtureRequest, db: None, provider: FakeProvider) -> FakeProvider:
    """Give every demo symbol the same price, or none at all."""
    provider.down = request.param is None
    if request.param is not None:
        for symbol in demo.symbols():
            provider.give(symbol, PRICES[request.param], currency="EUR" if symbol.endswith(".DE") else "USD")
        provider.give("EURUSD=X", "1.1")
    return provider


async def test_each_case_is_what_it_is_called(source: FakeProvider, tmp_path: Path) -> None:
    seeded = await seed(source, tmp_path)
    cushion = {}
    for name in ("Ada", "Ben", "Cleo", "Dov", "Eve", "Hana", "Ivo"):
        status = await status_of(name)
        cushion[name] = (status.net_equity - status.margin_requirement) / await gross_of(name)
    calls = [case.name.split()[0] for case in demo.CASES if (await status_of(case.name)).margin_call_triggered]

    assert len(seeded.created) == len(demo.CASES) >= 8
    assert calls == ["Cleo", "Gus"]
    assert 0 < cushion["Ben"] <= WARNING_CUSHION
    assert min(cushion[name] for name in ("Ada", "Dov", "Eve", "Hana")) > 0.2
    assert cushion["Ivo"] == pytest.approx(Decimal("0.05"), abs=Decimal("0.001"))
    assert await Position.filter(client__name__startswith="Dov", quantity__lt=0).exists()
    assert any(row.quantity % 1 for row in await Position.filter(client__name__startswith="Eve"))
    assert not await Position.filter(client__name__startswith="Finn").exists()
    assert (await MarketData.get(symbol="SAP.DE")).currency == "EUR"


async def test_prices_of_no_source_are_marked_as_samples(db: None, provider: FakeProvider, tmp_path: Path) -> None:
    provider.down = True

    seeded = await seed(provider, tmp_path)

    assert seeded.sampled == sorted([*demo.symbols(), "EURUSD=X"])
    assert {row.source for row in await MarketData.all()} == {"sample"}
    assert {row.timestamp for row in await MarketData.all()} == {demo.SAMPLE_DATE}


async def test_second_seeding_changes_nothing(source: FakeProvider, tmp_path: Path) -> None:
    await seed(source, tmp_path)
    before = await everything_stored()

    again = await seed(source, tmp_path)

    assert (list(again.created), list(again.users), len(again.kept)) == ([], [], len(demo.CASES))
    assert await everything_stored() == before


async def test_stored_price_comes_before_a_sample(db: None, provider: FakeProvider, tmp_path: Path) -> None:
    provider.give("NVDA", "77")
    await intake.store_quotes(provider.quotes.values(), feed=PriceFeed(provider, "USD"))
    provider.reset()
    provider.down = True

    seeded = await seed(provider, tmp_path)

    assert "NVDA" not in seeded.sampled
    assert (await status_of("Cleo")).margin_call_triggered


async def test_client_whose_currency_has_no_rate_waits_for_a_later_seeding(
    db: None, provider: FakeProvider, tmp_path: Path
) -> None:
    provider.down = True

    first = await seed(provider, tmp_path, base_currency="CHF")
    provider.down = False
    provider.give("USDCHF=X", "0.9", currency="CHF")
    provider.give("EURCHF=X", "0.95", currency="CHF")
    second = await seed(provider, tmp_path, base_currency="CHF")

    assert [name.split()[0] for name in first.created] == ["Finn", "Gus"]
    assert sorted(second.created) == sorted(first.skipped)
    assert (list(first.users), list(second.users)) == (["desk"], ["ada"])
