"""What the desk does with a call, and what it may not."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.clients import service as clients_service
from app.core.errors import ConflictError, InvalidInputError, NotFoundError
from app.margin_calls import desk_actions
from app.margin_calls.desk_actions import Remark
from app.models import CallState, MarginCall
from tests.margin_calls.conftest import DESK, Desk, history, only_call

WEEK = timedelta(days=7)
SAID = Remark("as agreed", {})


@pytest.fixture
async def ada(desk: Desk) -> int:
    """Return a client who is short of 300."""
    await desk.price("AAPL", "96")
    client_id = await desk.client(loan="7500", AAPL="100")
    await desk.review(client_id)
    return client_id


@pytest.fixture
async def doubtful(desk: Desk) -> int:
    """Return a client who is short of 300 at a price of last week."""
    await desk.price("AAPL", "96", age=WEEK)
    client_id = await desk.client(loan="7500", AAPL="100")
    await desk.review(client_id)
    return client_id


async def test_a_shortfall_at_stale_prices_is_unconfirmed(desk: Desk, doubtful: int) -> None:
    call = await only_call(doubtful)
    assert (call.state, call.price_basis) == (CallState.UNCONFIRMED, "stale")


async def test_a_shortfall_at_estimates_is_a_call(desk: Desk) -> None:
    await desk.price("AAPL", "96", age=WEEK, source="sample")
    ada = await desk.client(loan="7500", AAPL="100")

    await desk.review(ada)

    call = await only_call(ada)
    assert (call.state, call.price_basis) == (CallState.OPEN, "estimate")


async def test_confirming_makes_it_a_call_of_today_for_what_is_short_today(desk: Desk, doubtful: int) -> None:
    call = await only_call(doubtful)
    await desk.set_loan(doubtful, "7600")
    desk.wait(days=1)

    await desk_actions.confirm(call.id, SAID, caller=DESK, settings=desk.settings)

    confirmed = await only_call(doubtful)
    assert (confirmed.state, confirmed.amount, confirmed.outstanding) == (CallState.OPEN, Decimal(400), Decimal(400))
    assert (confirmed.snapshot["margin_shortfall"], confirmed.due_at - call.due_at) == ("400", timedelta(days=1))
    assert await history(confirmed) == [(None, "unconfirmed"), ("unconfirmed", "open")]


async def test_fresh_prices_confirm_it(desk: Desk, doubtful: int) -> None:
    await desk.price("AAPL", "95")

    await desk.review(doubtful)

    call = await only_call(doubtful)
    assert (call.state, call.amount, call.price_basis) == (CallState.OPEN, Decimal(375), "live")


async def test_stale_prices_do_not(desk: Desk, doubtful: int) -> None:
    await desk.price("AAPL", "95", age=WEEK)

    await desk.review(doubtful)

    call = await only_call(doubtful)
    assert (call.state, call.amount, call.outstanding) == (CallState.UNCONFIRMED, Decimal(300), Decimal(375))


async def test_fresh_prices_that_show_no_shortfall_cancel_it(desk: Desk, doubtful: int) -> None:
    await desk.price("AAPL", "100")

    await desk.review(doubtful)

    call = await only_call(doubtful)
    assert (call.state, call.manner, call.outstanding) == (CallState.CANCELLED, "doubt cleared", Decimal(0))


async def test_a_deposit_on_an_unconfirmed_call_meets_it(desk: Desk, doubtful: int) -> None:
    await desk.set_loan(doubtful, "7000")

    await desk.review(doubtful)

    call = await only_call(doubtful)
    assert (call.state, call.manner) == (CallState.MET, "deposit")


async def test_a_call_that_is_open_cannot_be_confirmed(desk: Desk, ada: int) -> None:
    with pytest.raises(ConflictError, match="only an unconfirmed one"):
        await desk_actions.confirm((await only_call(ada)).id, SAID, caller=DESK, settings=desk.settings)


async def test_a_call_without_a_shortfall_cannot_be_confirmed(desk: Desk, doubtful: int) -> None:
    await desk.set_loan(doubtful, "7000")

    with pytest.raises(ConflictError, match="not short"):
        await desk_actions.confirm((await only_call(doubtful)).id, SAID, caller=DESK, settings=desk.settings)


async def test_an_extension_moves_the_due_date_and_passes_in_its_turn(desk: Desk, ada: int) -> None:
    call = await only_call(ada)
    later = call.due_at + WEEK
    desk.now = call.due_at + timedelta(hours=1)
    await desk.pass_due()

    await desk_actions.extend(call.id, later, SAID, caller=DESK, settings=desk.settings)
    assert await desk.pass_due() == 0
    desk.now = later + timedelta(hours=1)
    assert await desk.pass_due() == 1

    call = await only_call(ada)
    assert (call.due_at, call.state) == (later, CallState.PAST_DUE)
    states = [to for _, to in await history(call)]
    assert states == ["open", "past_due", "extended", "past_due"]


async def test_an_extension_into_the_past_is_refused(desk: Desk, ada: int) -> None:
    with pytest.raises(InvalidInputError):
        await desk_actions.extend((await only_call(ada)).id, desk.now, SAID, caller=DESK, settings=desk.settings)


async def test_an_extension_must_be_one(desk: Desk, ada: int) -> None:
    call = await only_call(ada)
    with pytest.raises(ConflictError, match="already"):
        await desk_actions.extend(call.id, call.due_at, SAID, caller=DESK, settings=desk.settings)


async def test_an_unconfirmed_call_cannot_be_extended(desk: Desk, doubtful: int) -> None:
    call = await only_call(doubtful)
    with pytest.raises(ConflictError, match="unconfirmed"):
        await desk_actions.extend(call.id, call.due_at + WEEK, SAID, caller=DESK, settings=desk.settings)


async def test_an_unconfirmed_call_does_not_pass_its_due_date(desk: Desk, doubtful: int) -> None:
    desk.wait(days=30)
    assert await desk.pass_due() == 0


async def test_a_cancelled_call_stays_so_while_the_shortfall_is_the_same_to_the_cent(desk: Desk, ada: int) -> None:
    call = await only_call(ada)

    await desk_actions.cancel(call.id, Remark("bad price", {}), caller=DESK, settings=desk.settings)
    await desk.review(ada)

    (cancelled,) = await MarginCall.filter(client_id=ada)
    assert (cancelled.state, cancelled.outstanding, cancelled.closed_at) == (CallState.CANCELLED, Decimal(0), desk.now)


async def test_any_other_shortfall_opens_a_new_one(desk: Desk, ada: int) -> None:
    await desk_actions.cancel((await only_call(ada)).id, SAID, caller=DESK, settings=desk.settings)

    await desk.price("AAPL", "96.01")
    await desk.review(ada)

    calls = await MarginCall.filter(client_id=ada)
    assert [(call.state, str(call.amount)) for call in calls] == [("cancelled", "300.00"), ("open", "299.25")]


async def test_what_is_closed_cannot_be_cancelled_or_extended(desk: Desk, ada: int) -> None:
    call = await only_call(ada)
    await desk_actions.cancel(call.id, SAID, caller=DESK, settings=desk.settings)

    with pytest.raises(ConflictError):
        await desk_actions.cancel(call.id, SAID, caller=DESK, settings=desk.settings)
    with pytest.raises(ConflictError):
        await desk_actions.extend(call.id, call.due_at + WEEK, SAID, caller=DESK, settings=desk.settings)


async def test_a_note_changes_nothing_but_the_restriction_that_it_names(desk: Desk, ada: int) -> None:
    call = await only_call(ada)

    await desk_actions.add_note(
        call.id, Remark("no answer", {"restriction": "close_only"}), caller=DESK, settings=desk.settings
    )
    await desk_actions.add_note(call.id, Remark("still none", {}), caller=DESK, settings=desk.settings)
    assert (await only_call(ada)).restriction == "close_only"
    await desk_actions.add_note(call.id, Remark("paid", {"restriction": None}), caller=DESK, settings=desk.settings)

    noted = await only_call(ada)
    assert (noted.restriction, noted.state, noted.due_at) == (None, call.state, call.due_at)
    assert await history(noted) == [(None, "open"), *[("open", "open")] * 3]


async def test_there_must_be_a_call(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        await desk_actions.cancel(2**52, SAID, caller=DESK, settings=desk.settings)


async def test_a_client_that_had_a_call_cannot_be_deleted(desk: Desk) -> None:
    gus = await desk.client(loan="2500")
    await desk.review(gus)
    await desk.set_loan(gus, "0")
    await desk.review(gus)

    with pytest.raises(ConflictError, match="margin calls on record"):
        await clients_service.delete_client(gus, caller=DESK)
