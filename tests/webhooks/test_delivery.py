"""Events on their way to real receivers: signed, in order per client, at least once, and nobody waits for others."""

import asyncio
import ssl
import sys
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks import Webhook as Reference
from standardwebhooks import WebhookVerificationError

from app.events.schemas import EventOut
from app.models import Event, Webhook
from app.webhooks import service as webhooks_service
from app.webhooks import store as delivery_service
from app.webhooks.address_guard import Addresses
from app.webhooks.signature import new_secret
from app.webhooks.store import Backoff
from tests.webhooks.conftest import BOSS, FAST, hook, publish, resolver, sending, settled, until
from tests.webhooks.receiver import Received, receiving

_ROOT: Final = Path(__file__).resolve().parents[2]
_SENDER: Final = "tests.webhooks.sender_process"
LOCAL_NAME = Addresses(resolve=resolver("127.0.0.1"), allow_private=True)
#: Gives up after two attempts.
IMPATIENT = Backoff(first_seconds=0.02, most_seconds=0.02, total_seconds=0.02)


def in_order(got: list[Received], clients: dict[int, int]) -> bool:
    """Return whether the events of each client came in order; `clients` by event id."""
    by_client = defaultdict(list)
    for received in got:
        by_client[clients[received.event_id]].append(received.event_id)
    return all(ids == sorted(ids) for ids in by_client.values())


async def test_delivery_is_the_event_signed_as_standard_webhooks_says(committed: None) -> None:
    async with receiving() as receiver, sending():
        webhook = await hook(receiver.url)
        (event_id,) = await publish(7, kind="margin_call")
        (delivery,) = await settled(webhook)

    (received,) = receiver.got
    event = await Event.get(id=event_id)
    assert received.verified(webhook.secret) == EventOut.model_validate(event).model_dump(mode="json", by_alias=True)
    assert received.headers["webhook-id"] == f"evt_{event_id}"
    assert received.headers["content-type"] == "application/json"
    assert received.path == "/hook?from=risk"
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("delivered", 1, None)


async def test_another_secret_or_another_body_does_not_verify(committed: None) -> None:
    async with receiving() as receiver, sending():
        webhook = await hook(receiver.url)
        await publish(7)
        await settled(webhook)

    (received,) = receiver.got
    for secret, body in ((new_secret(), received.body), (webhook.secret, received.body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Reference(secret).verify(body, received.headers)


async def test_https_goes_to_the_checked_address_and_asks_for_the_name(
    committed: None, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with receiving(server_tls) as receiver, sending(addresses=LOCAL_NAME, tls=client_tls):
        webhook = await hook(f"https://hooks.test:{receiver.port}/hook")  # a name that no other resolver knows
        await publish(1, 2, 3)
        await settled(webhook)

    assert {received.headers["host"] for received in receiver.got} == {f"hooks.test:{receiver.port}"}
    assert len(receiver.got) == 3


async def test_certificate_of_another_name_is_refused(
    committed: None, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    pace = replace(FAST, backoff=IMPATIENT)
    async with receiving(server_tls) as receiver, sending(addresses=LOCAL_NAME, tls=client_tls, pace=pace):
        webhook = await hook(f"https://elsewhere.test:{receiver.port}/hook")
        await publish(1)
        (delivery,) = await settled(webhook)

    assert delivery.state == "dead"
    assert "CERTIFICATE_VERIFY_FAILED" in (delivery.last_error or "")
    assert receiver.got == []


async def test_receiver_that_was_down_gets_everything_in_order_and_dead_ones_slow_nobody(committed: None) -> None:
    """300 events of 20 clients; one receiver is down for the first half, one never answers, one is not there."""
    async with receiving() as healthy, receiving() as flaky, receiving() as silent, receiving() as absent, sending():
        silent.released.clear()
        await flaky.stop()
        await absent.stop()
        hooks = {receiver.port: await hook(receiver.url) for receiver in (silent, absent, flaky, healthy)}
        clients: dict[int, int] = {}
        for _ in range(8):
            clients |= dict(zip(await publish(*range(1, 21)), range(1, 21), strict=True))
        await until(lambda: len(healthy.got) == len(clients), seconds=2)  # beside three that are down
        await asyncio.sleep(0.5)
        await flaky.start()
        for _ in range(7):
            clients |= dict(zip(await publish(*range(1, 21)), range(1, 21), strict=True))
        await settled(hooks[healthy.port])
        await settled(hooks[flaky.port], seconds=12)
        silent.released.set()

    for receiver in (healthy, flaky):
        assert {received.event_id for received in receiver.got} == clients.keys(), "missed"
        assert in_order(receiver.got, clients)
    assert len(healthy.got) == 300, "nothing failed, so nothing came twice"


async def test_later_event_of_a_client_waits_and_other_clients_do_not(committed: None) -> None:
    async with receiving() as receiver, sending():
        receiver.says(500)
        webhook = await hook(receiver.url)
        (stuck,) = await publish(1)
        await until(lambda: len(receiver.got) > 1)
        later, other = await publish(1, 2)
        await until(lambda: other in {received.event_id for received in receiver.got})
        assert later not in {received.event_id for received in receiver.got}
        receiver.says(204)
        await settled(webhook)

    order = [received.event_id for received in receiver.got]
    assert order.index(later) > max(place for place, event_id in enumerate(order) if event_id == stuck)


async def test_dead_delivery_holds_up_nothing_and_can_be_sent_again(committed: None) -> None:
    async with receiving() as receiver:
        webhook = await hook(receiver.url)
        dead_id, later_id = await publish(1, 1)
        async with sending(pace=replace(FAST, backoff=IMPATIENT)):
            receiver.says(503)
            await until(lambda: receiver.got[-1:] != [] and receiver.got[-1].event_id == later_id)
            dead = (await settled(webhook))[0]
            assert (dead.state, dead.attempts, dead.last_error) == ("dead", 2, "answered 503")
            receiver.says(200)
            receiver.got.clear()
            _ = await webhooks_service.redeliver(webhook.id, dead.id, caller=BOSS)
            await until(lambda: receiver.got != [])
            again = (await settled(webhook))[0]

    assert (again.state, again.attempts, again.last_error) == ("delivered", 1, None)
    assert [received.event_id for received in receiver.got] == [dead_id]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_a_failure_and_is_not_followed(committed: None, status: int) -> None:
    async with receiving() as inside, receiving() as receiver, sending(pace=replace(FAST, backoff=IMPATIENT)):
        receiver.says(status, f"Location: {inside.url}")
        webhook = await hook(receiver.url)
        await publish(1)
        (delivery,) = await settled(webhook)

    assert (delivery.state, delivery.last_error) == ("dead", f"answered {status}")
    assert inside.connections == 0


async def test_name_that_comes_to_stand_for_an_internal_address_is_refused_at_delivery(
    committed: None, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    answers = ["93.184.215.14"]

    async def rebound(_host: str, _port: int) -> list[str]:
        return [answers.pop() if answers else "127.0.0.1"]

    addresses = Addresses(resolve=rebound)
    async with receiving(server_tls) as receiver:
        webhook = await webhooks_service.create_webhook(
            f"https://hooks.test:{receiver.port}/", kinds=None, addresses=addresses, caller=BOSS
        )
        async with sending(addresses=addresses, tls=client_tls, pace=replace(FAST, backoff=IMPATIENT)):
            await publish(1)
            (delivery,) = await settled(webhook)

    assert (delivery.state, delivery.last_error) == (
        "dead",
        "hooks.test is not a public address; nothing is delivered there.",
    )
    assert receiver.connections == 0


async def test_name_is_looked_up_once_for_each_attempt(committed: None) -> None:
    asked = 0

    async def changing(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.1" if asked == 1 else "169.254.169.254"]  # what a second look-up would have led to

    async with receiving() as receiver, sending(addresses=Addresses(resolve=changing, allow_private=True)):
        webhook = await hook(f"http://hooks.test:{receiver.port}/")
        await publish(1)
        (delivery,) = await settled(webhook)

    assert (delivery.state, len(receiver.got), asked) == ("delivered", 1, 1)


async def test_no_proxy_of_the_environment_is_asked(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with sending():
            webhook = await hook(receiver.url)
            await publish(1)
            (delivery,) = await settled(webhook)

    assert delivery.state == "delivered"
    assert proxy.connections == 0


async def test_answer_without_an_end_is_read_to_a_bound(committed: None) -> None:
    async with receiving() as receiver, sending():
        receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
        receiver.endless = b"x" * 65_536
        webhook = await hook(receiver.url)
        await publish(1)
        (delivery,) = await settled(webhook)

    assert (delivery.state, delivery.attempts) == ("delivered", 1)


async def test_receiver_that_does_not_speak_http_fails(committed: None) -> None:
    async with receiving() as receiver, sending(pace=replace(FAST, backoff=IMPATIENT)):
        receiver.answer = b"220 mail.test ESMTP\r\n\r\n"
        webhook = await hook(receiver.url)
        await publish(1)
        (delivery,) = await settled(webhook)

    assert delivery.state == "dead"
    assert (delivery.last_error or "").startswith("RemoteProtocolError")


async def test_only_events_from_now_on_and_of_the_kinds_that_are_wanted_are_delivered(committed: None) -> None:
    async with receiving() as receiver, sending():
        await publish(1, kind="margin_call")
        webhook = await hook(receiver.url, kinds=["margin_call"])
        _ = await publish(1, kind="state")
        (wanted,) = await publish(1, kind="margin_call")
        await settled(webhook)

    assert [received.event_id for received in receiver.got] == [wanted]


async def test_deleted_webhook_gets_nothing_any_more(committed: None) -> None:
    async with receiving() as receiver, receiving() as other, sending():
        receiver.says(500)
        webhook, kept = await hook(receiver.url), await hook(other.url)
        await publish(1)
        await until(lambda: receiver.got != [])
        await webhooks_service.delete_webhook(webhook.id, caller=BOSS)
        await asyncio.sleep(0.1)
        receiver.got.clear()
        await publish(1)
        await until(lambda: len(other.got) == 2)
        await settled(kept)
        await asyncio.sleep(0.3)

    assert receiver.got == []


async def test_previous_secret_signs_too_until_its_day_is_over(committed: None) -> None:
    async with receiving() as receiver, sending():
        before = await hook(receiver.url)
        rotated = await webhooks_service.rotate_secret(before.id, caller=BOSS)
        await publish(1)
        await settled(before)
        await Webhook.filter(id=before.id).update(previous_until=datetime.now(UTC) - timedelta(seconds=1))
        await publish(1)
        await settled(before)

    both, new_alone = receiver.got
    assert both.verified(before.secret) == both.verified(rotated.secret)
    assert new_alone.verified(rotated.secret)
    with pytest.raises(WebhookVerificationError):
        new_alone.verified(before.secret)


async def test_several_processes_deliver_each_event_once_and_in_order(committed: None) -> None:
    async with receiving() as receiver, AsyncExitStack() as processes:
        webhook = await hook(receiver.url)
        for _ in range(3):
            await processes.enter_async_context(sending(pace=replace(FAST, lease_seconds=5)))
        clients: dict[int, int] = {}
        for _ in range(10):
            clients |= dict(zip(await publish(*range(1, 11)), range(1, 11), strict=True))
        await settled(webhook)

    assert sorted(received.event_id for received in receiver.got) == sorted(clients), "none twice"
    assert in_order(receiver.got, clients)


async def test_sender_that_is_killed_between_sending_and_storing_leads_to_the_same_id_once_more(
    committed: None, database_url: str
) -> None:
    async with receiving() as receiver:
        receiver.released.clear()
        webhook = await hook(receiver.url)
        await publish(1, 1)
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", _SENDER, database_url, cwd=_ROOT)
        await until(lambda: len(receiver.got) == 1, seconds=20)
        process.kill()
        await process.wait()
        receiver.released.set()
        async with sending():
            first, later = await settled(webhook)

    assert [received.event_id for received in receiver.got] == [first.event_id, first.event_id, later.event_id]
    assert (first.attempts, later.attempts) == (2, 1)


async def test_attempt_that_outlived_its_lease_has_lost_its_say(committed: None) -> None:
    webhook = await hook("https://93.184.215.14/")
    await publish(1)
    await delivery_service.fan_out()
    (late,) = await delivery_service.claim(webhook.id, limit=8, lease_seconds=0)
    (current,) = await delivery_service.claim(webhook.id, limit=8, lease_seconds=30)

    await delivery_service.settle_failed(late, error="late", wait_seconds=None)
    await delivery_service.settle_delivered(current)

    (delivery,) = await settled(webhook)
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("delivered", 2, None)


async def test_what_waits_for_a_failed_delivery_is_not_due_before_it_and_due_right_after_it(committed: None) -> None:
    webhook = await hook("https://93.184.215.14/")
    await publish(1)
    await delivery_service.fan_out()
    (first,) = await delivery_service.claim(webhook.id, limit=8, lease_seconds=30)
    await delivery_service.settle_failed(first, error="answered 500", wait_seconds=0.3)
    await publish(1)
    await delivery_service.fan_out()

    assert await delivery_service.waiting() == {webhook.id: False}
    await asyncio.sleep(0.3)
    (again,) = await delivery_service.claim(webhook.id, limit=8, lease_seconds=30)
    assert again.id == first.id
    await delivery_service.settle_delivered(again)
    assert await delivery_service.waiting() == {webhook.id: True}


async def test_event_is_made_a_delivery_of_once(committed: None) -> None:
    webhook = await hook("https://93.184.215.14/")
    ids = await publish(*range(1, 51))

    await asyncio.gather(*(delivery_service.fan_out() for _ in range(5)))

    while await delivery_service.fan_out():
        pass
    claimed = await delivery_service.claim(webhook.id, limit=100, lease_seconds=30)
    assert [delivery.event.id for delivery in claimed] == ids


def test_attempts_go_on_for_three_days_and_at_most_an_hour_apart() -> None:
    waits: list[float] = []
    while (wait := Backoff().wait_seconds(len(waits) + 1)) is not None:
        waits.append(wait)

    assert waits[:4] == [5, 10, 20, 40]
    assert max(waits) == 3600
    # The last attempt comes when three days have passed, and not an hour later.
    assert 3 * 86_400 <= sum(waits) < 3 * 86_400 + 3600


def test_waits_differ_by_chance_within_a_fifth() -> None:
    drawn = {Backoff().draw(1) for _ in range(100)}

    assert len(drawn) > 50
    assert all(wait is not None and 4 <= wait <= 6 for wait in drawn)
