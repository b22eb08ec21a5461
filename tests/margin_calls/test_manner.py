"""In what manner a call was met. Policy `flat`: 25 % of value; the client opens with 100 AAPL at 96 and owes 7,500."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.clients import service as clients_service
from app.models import CallState, MarginCall, Split
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from tests.margin_calls.conftest import DESK, Desk, history, only_call


@pytest.fixture
async def ada(desk: Desk) -> int:
    """Return a client who is short of 300: 75 % of 9,600 is 7,200."""
    await desk.price("AAPL", "96")
    await desk.price("MSFT", "200")
    client_id = await desk.client(loan="7500", AAPL="100")
    await desk.review(client_id)
    return client_id


async def manner_of(desk: Desk, client_id: int) -> str | None:
    """Return the manner in which the one call of the client was met."""
    await desk.review(client_id)
    call = await only_call(client_id)
    assert call.state is CallState.MET
    return call.manner


async def test_a_deposit(desk: Desk, ada: int) -> None:
    await desk.set_loan(ada, "7200")
    assert await manner_of(desk, ada) == "deposit"


async def test_securities_that_come_in(desk: Desk, ada: int) -> None:
    await desk.hold(ada, "MSFT", "2")  # 400 of value, of which 300 are free
    assert await manner_of(desk, ada) == "securities"


async def test_more_of_a_security_that_is_held(desk: Desk, ada: int) -> None:
    await desk.hold(ada, "AAPL", "105")
    assert await manner_of(desk, ada) == "securities"


async def test_a_sale(desk: Desk, ada: int) -> None:
    await desk.trade(ada, "AAPL", "-13", "96")  # 300 / 25 % = 1,200 have to be sold
    assert await manner_of(desk, ada) == "sale"


async def test_a_sale_of_everything(desk: Desk, ada: int) -> None:
    await desk.trade(ada, "AAPL", "-100", "96")
    assert await manner_of(desk, ada) == "sale"


async def test_a_sale_after_a_further_fall(desk: Desk, ada: int) -> None:
    await desk.price("AAPL", "90")
    await desk.trade(ada, "AAPL", "-60", "90")
    assert await manner_of(desk, ada) == "sale"


async def test_a_short_sale_bought_back(desk: Desk) -> None:
    await desk.price("TSLA", "100")
    bob = await desk.client(loan="-12400", TSLA="-100")  # equity 2,400, required 2,500
    await desk.review(bob)
    await desk.trade(bob, "TSLA", "10", "100")
    assert await manner_of(desk, bob) == "sale"


async def test_appreciation(desk: Desk, ada: int) -> None:
    await desk.price("AAPL", "100")
    assert await manner_of(desk, ada) == "appreciation"


async def test_a_fall_in_between_does_not_hide_the_deposit(desk: Desk, ada: int) -> None:
    await desk.price("AAPL", "80")
    await desk.review(ada)
    await desk.set_loan(ada, "6000")
    assert await manner_of(desk, ada) == "deposit"


async def test_another_policy(desk: Desk, ada: int) -> None:
    softer = builtin_policy("flat").model_copy(deep=True)
    rule = softer.house.long.model_copy(update={"rate": Decimal("0.2")})  # type: ignore[union-attr]
    house = softer.house.model_copy(update={"long": rule})  # type: ignore[union-attr]
    desk.under_rules(ActivePolicy.of(softer.model_copy(update={"house": house, "version": "2"})))
    assert await manner_of(desk, ada) == "rule_change"


async def test_an_own_rate_that_is_lowered(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    bob = await desk.client(loan="6000", rate="0.4", AAPL="100")
    await desk.review(bob)
    await clients_service.update_client(bob, {"margin_requirement": Decimal("0.3")}, caller=DESK)
    assert await manner_of(desk, bob) == "rule_change"


async def test_several_manners_are_named_the_most_effective_first(desk: Desk, ada: int) -> None:
    await desk.set_loan(ada, "7400")  # 100
    await desk.price("AAPL", "99")  # 225
    assert await manner_of(desk, ada) == "appreciation,deposit"


async def test_what_hardly_helped_is_not_named(desk: Desk, ada: int) -> None:
    await desk.set_loan(ada, "7499")
    await desk.price("AAPL", "100")
    assert await manner_of(desk, ada) == "appreciation"


async def test_a_split_in_between_is_no_manner(desk: Desk, ada: int) -> None:
    now = datetime.now(UTC)
    await Split.create(
        symbol="AAPL", ex_date=now.date(), effective=now - timedelta(hours=1), numerator=4, denominator=1
    )
    await desk.hold(ada, "AAPL", "400")
    await desk.price("AAPL", "24")
    await desk.set_loan(ada, "7200")
    assert await manner_of(desk, ada) == "deposit"


@pytest.mark.parametrize("act", ["deposit", "sale", "securities"])
async def test_a_part_that_the_client_brings_is_seen(desk: Desk, ada: int, act: str) -> None:
    match act:
        case "deposit":
            await desk.set_loan(ada, "7400")
        case "sale":
            await desk.trade(ada, "AAPL", "-1", "96")
        case "securities":
            await desk.hold(ada, "AAPL", "101")
    await desk.review(ada)
    call = await only_call(ada)
    assert call.state is CallState.PARTIALLY_MET
    assert 0 < call.outstanding < call.amount == 300


async def test_a_part_that_the_market_brings_is_no_step(desk: Desk, ada: int) -> None:
    await desk.price("AAPL", "97")
    await desk.review(ada)
    call = await only_call(ada)
    assert (call.state, call.outstanding) == (CallState.OPEN, Decimal(225))


async def test_renaming_a_client_meets_nothing(desk: Desk, ada: int) -> None:
    await clients_service.update_client(ada, {"name": "Eda"}, caller=DESK)
    await desk.price("AAPL", "97")
    await desk.review(ada)
    assert await history(await MarginCall.get(client_id=ada)) == [(None, "open")]
