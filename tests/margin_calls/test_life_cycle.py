"""A call from its first shortfall to its end. Policy `flat`: 25 % of value; client: 100 AAPL."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.audit import service as audit
from app.models import AuditEntry, CallState, CallType, MarginCall
from tests.margin_calls.conftest import Desk, events_of, history, only_call


async def test_a_shortfall_opens_a_call_for_exactly_what_is_short(desk: Desk) -> None:
    await desk.price("AAPL", "99.99")
    ada, bob = await desk.client(loan="7500", AAPL="100"), await desk.client(loan="7499.25", AAPL="100")

    await desk.review(ada, bob)

    # 9,999.00 - 7,500.00 = 2,499.00 of equity; 25 % of 9,999.00 is 2,499.75.
    call = await only_call(ada)
    assert (call.state, call.amount, call.outstanding) == (CallState.OPEN, Decimal("0.75"), Decimal("0.75"))
    assert (call.policy_id, call.price_basis) == ("flat", "live")
    # Equity equal to the requirement is no call.
    assert not await MarginCall.exists(client_id=bob)


async def test_the_snapshot_reproduces_the_amount_to_the_cent(desk: Desk) -> None:
    await desk.price("AAPL", "33.337")
    await desk.price("MSFT", "41.119")
    ada = await desk.client(loan="5000", AAPL="100.5", MSFT="-7.25")

    await desk.review(ada)

    call = await only_call(ada)
    value = {position["symbol"]: Decimal(position["market_value"]) for position in call.snapshot["positions"]}
    # 100.5 x 33.337 = 3,350.3685; -7.25 x 41.119 = -298.11275.
    assert value == {"AAPL": Decimal("3350.37"), "MSFT": Decimal("-298.11")}
    required = sum(Decimal(position["margin_requirement"]) for position in call.snapshot["positions"])
    equity = sum(value.values()) - Decimal(call.snapshot["loan_amount"])
    assert call.amount == required - equity == Decimal(call.snapshot["margin_shortfall"])


async def test_a_client_and_type_has_one_open_call_however_often_the_monitor_looks(desk: Desk) -> None:
    await desk.price("AAPL", "90")
    ada = await desk.client(loan="7500", AAPL="100")

    for _ in range(3):
        await desk.review(ada)

    assert await history(await only_call(ada)) == [(None, "open")]


async def test_what_is_outstanding_follows_the_shortfall_and_the_amount_stays(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)

    await desk.price("AAPL", "92")
    await desk.review(ada)

    call = await only_call(ada)
    # 75 % of 9,600 is 7,200, of 9,200 it is 6,900.
    assert (call.amount, call.outstanding, call.state) == (Decimal(300), Decimal(600), CallState.OPEN)


async def test_recovered_prices_close_the_call(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)
    desk.wait(hours=1)

    await desk.price("AAPL", "100")
    await desk.review(ada)

    call = await only_call(ada)
    assert (call.state, call.outstanding, call.manner) == (CallState.MET, Decimal(0), "appreciation")
    assert call.closed_at == desk.now


async def test_a_shortfall_on_the_same_day_reopens_the_call(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)
    await desk.price("AAPL", "100")
    await desk.review(ada)
    desk.wait(hours=3)

    await desk.price("AAPL", "95")
    await desk.review(ada)

    call = await only_call(ada)
    assert (call.state, call.amount, call.outstanding) == (CallState.OPEN, Decimal(300), Decimal(375))
    assert (call.closed_at, call.manner) == (None, None)
    assert await history(call) == [(None, "open"), ("open", "met"), ("met", "open")]


async def test_a_shortfall_on_the_next_day_is_another_call(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)
    await desk.price("AAPL", "100")
    await desk.review(ada)
    desk.wait(hours=24)

    await desk.price("AAPL", "95")
    await desk.review(ada)

    calls = await MarginCall.filter(client_id=ada)
    assert [(call.state, call.amount) for call in calls] == [
        (CallState.MET, Decimal(300)),
        (CallState.OPEN, Decimal(375)),
    ]


async def test_calls_are_due_at_the_close_after_so_many_business_days(desk: Desk) -> None:
    desk.now = datetime(2026, 6, 30, 20, 30, tzinfo=UTC)  # Tuesday, half past four in New York
    desk.under("finra_4210")
    await desk.price("AAPL", "96")
    # The client's own 30 % is what the house asks beside the exchange's 25 %.
    ada = await desk.client(loan="7500", rate="0.3", AAPL="100")

    await desk.review(ada)

    # Friday the 3rd stands in for the 4th of July.
    assert (await only_call(ada, CallType.EXCHANGE)).due_at == datetime(2026, 7, 2, 20, tzinfo=UTC)
    assert (await only_call(ada, CallType.HOUSE)).due_at == datetime(2026, 7, 8, 20, tzinfo=UTC)


async def test_house_and_exchange_ask_for_their_own_shortfall(desk: Desk) -> None:
    desk.under("finra_4210")
    await desk.price("AAPL", "98")
    ada = await desk.client(loan="7500", rate="0.3", AAPL="100")  # 30 % of 9,800 = 2,940; 25 % = 2,450; equity 2,300
    bob = await desk.client(loan="7200", rate="0.3", AAPL="100")  # equity 2,600

    await desk.review(ada, bob)

    assert (await only_call(ada, CallType.HOUSE)).amount == 640
    assert (await only_call(ada, CallType.EXCHANGE)).amount == 150
    assert (await only_call(bob, CallType.HOUSE)).amount == 340
    assert not await MarginCall.exists(client_id=bob, type=CallType.EXCHANGE)


async def test_a_debt_without_positions_is_called_for(desk: Desk) -> None:
    gus = await desk.client(loan="2500")

    await desk.review(gus)

    assert [(call.type, call.amount) for call in await MarginCall.filter(client_id=gus)] == [
        (CallType.HOUSE, Decimal(2500))
    ]


async def test_a_call_passes_its_due_date_and_is_met_later(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)
    due = (await only_call(ada)).due_at

    desk.now = due
    assert await desk.pass_due() == 0
    desk.now = due + timedelta(seconds=1)
    assert await desk.pass_due() == 1
    assert await desk.pass_due() == 0
    await desk.set_loan(ada, "7000")
    await desk.review(ada)

    call = await only_call(ada)
    assert await history(call) == [(None, "open"), ("open", "past_due"), ("past_due", "met")]
    assert call.manner == "deposit"


async def test_an_incomplete_client_keeps_its_calls_and_is_said_to_be_incomplete(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    await desk.review(ada)

    await desk.hold(ada, "NEVERSEEN", "1")
    await desk.review(ada)

    call = await only_call(ada)
    assert (call.state, call.outstanding) == (CallState.OPEN, Decimal(300))
    assert (await events_of(ada))[-1] == ("state", {"state": "incomplete", "from_state": "call"})


async def test_every_step_is_told_and_audited(desk: Desk) -> None:
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    start = await AuditEntry.all().count()

    await desk.review(ada)
    await desk.set_loan(ada, "7400")
    await desk.review(ada)
    await desk.set_loan(ada, "6000")
    await desk.review(ada)

    call = await only_call(ada)
    told = await events_of(ada)
    assert [data["state"] for kind, data in told if kind == "state"] == ["call", "ok"]
    assert [(data["from_state"], data["state"], data["outstanding"]) for kind, data in told if kind != "state"] == [
        (None, "open", 300.0),
        ("open", "partially_met", 200.0),
        ("partially_met", "met", 0.0),
    ]
    assert told[1][1] | {"due_at": None} == {
        "id": call.id,
        "clientId": ada,
        "type": "house",
        "state": "open",
        "from_state": None,
        "amount": 300.0,
        "outstanding": 300.0,
        "opened_at": "2026-03-02T15:30:00Z",
        "due_at": None,
        "closed_at": None,
        "manner": None,
        "restriction": None,
        "policy": {"id": "flat", "version": call.policy_version},
        "price_basis": "live",
        "unconfirmed_reasons": [],
        "doubt": None,
        "actor": "monitor",
    }
    entries = await AuditEntry.filter(entity="margin_call", entity_id=str(call.id)).order_by("id")
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("open", "monitor"),
        ("partially_meet", "monitor"),
        ("meet", "monitor"),
    ]
    assert (await audit.verify(after=start or None, limit=1000, known=None)).intact


async def test_a_state_is_told_once(desk: Desk) -> None:
    await desk.price("AAPL", "104")
    ada = await desk.client(loan="7500", AAPL="100")  # 2,900 of equity, 2,600 required: a cushion of 2.9 %

    for _ in range(2):
        await desk.review(ada)

    assert await events_of(ada) == [("state", {"state": "warning", "from_state": "ok"})]


async def test_a_client_that_is_gone_is_passed_over(desk: Desk) -> None:
    assert await desk.review(2**52) == {}
