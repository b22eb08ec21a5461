"""Published inputs that went wrong once: what the source says, step by step, and what is right then."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.auth.types import Caller
from app.clients import service as clients_service
from app.core.errors import MissingPricesError
from app.margin.explain import MarginSettings, explain_client
from app.margin_calls.review import review
from app.margin_calls.types import CallSettings, wall_clock
from app.models import CallType, CorporateAction, MarginCall, Position, Role
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.positions import service as positions_service
from app.positions.service import PositionRecord
from app.providers.types import Quote, QuoteBatch, Refusal, ShareSplit
from app.providers.yahoo.records import quote_from_record, refusal_of
from app.stocks import service as stocks_service
from app.stocks.types import PriceFeed

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cases"
DESK = Caller(user_id=0, username="desk", role=Role.RISK)
CLOSED = {"met", "cancelled"}
#: Where a case gives no rate.
USUAL_RATES = {"GBP": 1.3, "EUR": 1.05, "AUD": 0.65, "ZAR": 0.05}
#: What the source says of itself where a case says nothing else.
RECORD = {"currency": "USD", "quoteType": "EQUITY", "exchange": "NMS", "exchangeTimezoneName": "America/New_York"}


def cases(name: str) -> list[Any]:
    """Return the cases of a file, none where the folder is absent."""
    path = CASES / f"{name}.json"
    found = json.loads(path.read_text())["cases"] if path.exists() else []
    return [pytest.param(case, id=case["id"]) for case in found]


class Source:
    """A source that says what a case's step says, in Yahoo's words, each time at a later market time."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) - timedelta(days=1)
        self.records: dict[str, dict[str, Any]] = {}
        self.found: list[ShareSplit] = []

    def say(self, symbol: str, record: dict[str, Any]) -> None:
        self.records[symbol] = RECORD | record | {"symbol": symbol}

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        quotes: dict[str, Quote] = {}
        refused: dict[str, Refusal] = {}
        for symbol in symbols:
            record = self.records.get(symbol)
            if record is None:
                continue
            said = record | {"regularMarketTime": self.now.timestamp()}
            quote = quote_from_record(said, symbol=symbol, fetched_at=self.now)
            reason = refusal_of(said)
            if quote is not None:
                quotes[symbol] = quote
            elif reason is not None:
                refused[symbol] = reason
        return QuoteBatch(quotes, frozenset(), refused)

    async def splits(self, symbol: str, *, since: datetime) -> Sequence[ShareSplit]:
        return [split for split in self.found if split.symbol == symbol and split.effective > since]

    async def aclose(self) -> None:
        """Nothing to let go of."""


class World:
    """One client, its source, and the monitor that looks after each answer."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.source = Source()
        self.feed = PriceFeed(self.source, "USD", no_price_seconds=0)
        margin = MarginSettings(ActivePolicy.of(builtin_policy("flat")), "USD", 10**6, None)
        self.settings = CallSettings(margin, 0.05, {CallType.HOUSE: 5, CallType.EXCHANGE: 2}, wall_clock)
        self.absent: dict[str, int] = {}
        self.client_id = 0

    async def begin(self) -> None:
        symbol, held = self.case["symbol"], self.case["client"]
        client = await clients_service.create_client(
            name="Ada", loan=Decimal(str(held["loan"])), margin_requirement=None, caller=DESK
        )
        self.client_id = client.id
        also = self.case.get("also", [])
        for pair, rate in self.case.get("fx", {}).items():
            self.source.say(pair, {"regularMarketPrice": rate, "currency": "USD", "quoteType": "CURRENCY"})
        for currency, rate in USUAL_RATES.items():
            if f"{currency}USD=X" not in self.source.records:
                self.source.say(f"{currency}USD=X", {"regularMarketPrice": rate, "quoteType": "CURRENCY"})
        for name, quantity in [(symbol, held["quantity"]), *((one["symbol"], one["quantity"]) for one in also)]:
            cost = Decimal(str(held.get("cost", 1)))
            position = PositionRecord(symbol=name, quantity=Decimal(str(quantity)), cost_basis=cost)
            await positions_service.put_position(self.client_id, position, base_currency="USD", caller=DESK)
        await Position.all().update(updated_at=datetime.now(UTC) - timedelta(days=30))

    async def step(self, step: dict[str, Any], record: dict[str, Any]) -> None:
        symbol = self.case["symbol"]
        if "split" in step:
            self.source.now += timedelta(hours=20)
            new, old = step["split"]
            moment = self.source.now - timedelta(hours=2)
            self.source.found.append(ShareSplit(symbol, moment, moment.date(), Decimal(new), Decimal(old)))
        said = record | step.get("record", {})
        said |= {"currency": step["currency"]} if "currency" in step else {}
        said |= {"regularMarketPreviousClose": step["previous_close"]} if "previous_close" in step else {}
        for _ in range(step.get("answers", 2)):
            self.source.now += timedelta(seconds=3)
            if step["price"] == "silent":
                self.source.records.pop(symbol, None)
            else:
                self.source.say(symbol, said | {"regularMarketPrice": step["price"]})
            refreshed = await stocks_service.refresh_held(self.feed)
            self.absent = {name: self.absent.get(name, 0) + 1 for name in refreshed.absent}
            unanswered = [name for name, times in self.absent.items() if times >= 2]
            await review([self.client_id], settings=self.settings, unanswered=unanswered)

    async def run(self) -> list[str]:
        """Play every step; return the states of the client's calls before the last one."""
        await self.begin()
        record = dict(self.case.get("record", {}))
        before: list[str] = []
        for number, step in enumerate(self.case["steps"]):
            if number == len(self.case["steps"]) - 1:
                before = await self.calls()
            await self.step(step, record)
        return before

    async def calls(self) -> list[str]:
        return [call.state.value for call in await MarginCall.filter(client_id=self.client_id)]


@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared/data/cases")
@pytest.mark.parametrize("case", [*cases("prices"), *cases("splits")])
async def test_a_published_case_comes_out_right(db: None, case: dict[str, Any]) -> None:
    world = World(case)
    before = await world.run()
    then, calls = case["then"], await world.calls()
    open_calls = [state for state in calls if state not in CLOSED]

    if "first_call" in then:
        assert set(before) & set(then["first_call"]), before
    if "calls" in then:
        assert set(calls) <= set(then["calls"]), calls
    if "some_call" in then:
        assert set(open_calls) & set(then["some_call"]), calls
    if "quantity" in then:
        position = await Position.get(client_id=world.client_id, symbol=case["symbol"])
        assert float(position.quantity) == then["quantity"]
    if "pending" in then:
        pending = await CorporateAction.filter(symbol=case["symbol"], state="pending").exists()
        assert pending is then["pending"]
    await _check_explanation(world, then)


async def _check_explanation(world: World, then: dict[str, Any]) -> None:
    price = then.get("price", then.get("price_or_unpriced"))
    if then.get("margin_status") == 409:
        with pytest.raises(MissingPricesError):
            await explain_client(world.client_id, caller=DESK, settings=world.settings.margin)
        return
    explained = await explain_client(world.client_id, caller=DESK, settings=world.settings.margin)
    line = next(line for line in explained.positions if line.symbol == world.case["symbol"])
    if price is not None:
        assert float(line.price) == pytest.approx(price, rel=0.006)
    if "basis" in then:
        assert line.basis in then["basis"]
