"""A change that comes in steps opens no call in between; a call that stays is opened a moment later."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from app.auth.types import Caller
from app.book.live_book import LiveBook
from app.book.valuation import ValuationRules
from app.clients import service as clients_service
from app.margin_calls import monitor
from app.margin_calls.monitor import Reviewer
from app.models import MarginCall, Role
from tests.leader.leading import WARNING_CUSHION, own_database, settings

DESK = Caller(user_id=1, username="desk", role=Role.RISK)
SETTLE_SECONDS = 60


async def test_a_loan_that_is_taken_back_at_once_leaves_no_call_and_one_that_stays_opens_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: now))
    async with own_database(database_url):
        on = settings()
        book = LiveBook(ValuationRules(on.margin.policy, WARNING_CUSHION), base_currency="USD")
        reviewer = Reviewer(book, settings=on, settle_seconds=SETTLE_SECONDS)
        await reviewer.start()
        await reviewer.catch_up()
        client = await clients_service.create_client(
            name="Ada", loan=Decimal(100), margin_requirement=None, caller=DESK
        )
        await reviewer.catch_up()
        await clients_service.update_client(client.id, {"loan": Decimal(0)}, caller=DESK)
        now += SETTLE_SECONDS
        await reviewer.catch_up()
        assert not await MarginCall.exists()
        await clients_service.update_client(client.id, {"loan": Decimal(70)}, caller=DESK)
        await reviewer.catch_up()
        assert not await MarginCall.exists()
        now += SETTLE_SECONDS

        await reviewer.catch_up()

        assert (await MarginCall.get()).amount == 70
