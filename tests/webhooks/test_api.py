"""What an admin does with webhooks over HTTP: the secret is shown once, and nowhere else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.models import AuditEntry, Event, Role, Webhook, WebhookDelivery
from app.webhooks import store as delivery_service
from tests.conftest import LoginAs

URL = "https://93.184.215.14/hook"


async def created(admin: httpx.AsyncClient, **changes: object) -> dict[str, Any]:
    response = await admin.post("/webhooks", json={"url": URL, **changes})
    assert response.status_code == 201, response.text
    webhook: dict[str, Any] = response.json()
    return webhook


async def delivered(webhook_id: int, state: str, *, last_error: str | None = None) -> WebhookDelivery:
    now = datetime.now(UTC)
    event = await Event.create(at=now, kind="state", client_id=1, data={})
    return await WebhookDelivery.create(
        webhook_id=webhook_id, event_id=event.id, client_id=1, state=state, next_attempt_at=now, last_error=last_error
    )


async def test_secret_is_shown_when_it_is_made_and_never_again(admin: httpx.AsyncClient) -> None:
    made = await created(admin, kinds=["margin_call"])
    rotated = (await admin.post(f"/webhooks/{made['id']}/rotate")).json()
    listed = await admin.get("/webhooks")

    assert made["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert (made["url"], made["kinds"]) == (URL, ["margin_call"])
    assert "secret" not in listed.json()[-1]
    assert made["secret"] not in listed.text
    assert rotated["secret"] not in listed.text


async def test_audit_tells_of_every_change_and_of_no_secret(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    rotated = (await admin.post(f"/webhooks/{made['id']}/rotate")).json()
    assert (await admin.delete(f"/webhooks/{made['id']}")).status_code == 204

    entries = await AuditEntry.filter(entity="webhook", entity_id=str(made["id"])).order_by("id")
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("create", "admin0"),
        ("rotate", "admin0"),
        ("delete", "admin0"),
    ]
    told = "".join(f"{entry.before}{entry.after}" for entry in entries)
    assert URL in told
    assert made["secret"] not in told
    assert rotated["secret"] not in told


async def test_rotation_keeps_the_secret_before_it_for_a_day(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    rotated = (await admin.post(f"/webhooks/{made['id']}/rotate")).json()

    webhook = await Webhook.get(id=made["id"])
    until = datetime.fromisoformat(rotated["previous_secret_until"])
    assert (webhook.secret, webhook.previous_secret) == (rotated["secret"], made["secret"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)


async def test_secret_that_is_no_longer_valid_is_deleted(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    await admin.post(f"/webhooks/{made['id']}/rotate")
    await Webhook.filter(id=made["id"]).update(previous_until=datetime.now(UTC) - timedelta(hours=1))

    await delivery_service.prune()

    assert (await Webhook.get(id=made["id"])).previous_secret is None


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "http://93.184.215.14/",
        "https://user:password@93.184.215.14/",
        "https://93.184.215.14:22/",
        "https://no-such-name.invalid/",
    ],
)
async def test_url_where_nothing_may_be_delivered_is_refused(admin: httpx.AsyncClient, url: str) -> None:
    response = await admin.post("/webhooks", json={"url": url})

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "url"]
    assert not await Webhook.exists(url=url)


@pytest.mark.parametrize("kinds", [[], ["price"], ["state", "state"], "state"])
async def test_kinds_that_are_not_durable_are_refused(admin: httpx.AsyncClient, kinds: object) -> None:
    assert (await admin.post("/webhooks", json={"url": URL, "kinds": kinds})).status_code == 422


async def test_one_webhook_too_many_is_refused(admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.service.MOST_WEBHOOKS", await Webhook.all().count() + 1)
    await created(admin)

    assert (await admin.post("/webhooks", json={"url": URL})).status_code == 409


async def test_dead_letters_are_listed_page_by_page(admin: httpx.AsyncClient) -> None:
    made, other = await created(admin), await created(admin)
    dead = [await delivered(made["id"], "dead", last_error="answered 503") for _ in range(3)]
    await delivered(made["id"], "delivered")
    await delivered(other["id"], "dead")

    path = f"/webhooks/{made['id']}/deliveries"
    first = await admin.get(path, params={"state": "dead", "limit": 2})
    rest = await admin.get(first.links["next"]["url"])

    assert [row["id"] for row in first.json() + rest.json()] == [delivery.id for delivery in dead]
    assert first.json()[0] | {"created_at": None} == {
        "id": dead[0].id,
        "eventId": dead[0].event_id,
        "clientId": 1,
        "state": "dead",
        "attempts": 0,
        "next_attempt_at": None,
        "last_error": "answered 503",
        "delivered_at": None,
        "created_at": None,
    }


async def test_redelivery_is_due_at_once_and_is_audited(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    dead = await delivered(made["id"], "dead")

    answer = await admin.post(f"/webhooks/{made['id']}/deliveries/{dead.id}/redeliver")

    assert (answer.status_code, answer.json()["state"]) == (200, "pending")
    (claimed,) = await delivery_service.claim(made["id"], limit=8, lease_seconds=30)
    assert (claimed.id, claimed.attempts) == (dead.id, 1)
    entry = await AuditEntry.filter(entity="webhook_delivery", entity_id=str(dead.id)).get()
    assert (entry.action, entry.client_id) == ("redeliver", 1)


async def test_pending_delivery_is_tried_at_once_and_what_waits_for_it_after_it(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    first, later = await delivered(made["id"], "pending"), await delivered(made["id"], "pending")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await WebhookDelivery.filter(webhook_id=made["id"]).update(next_attempt_at=tomorrow)
    await WebhookDelivery.filter(id=first.id).update(attempts=9)

    answer = await admin.post(f"/webhooks/{made['id']}/deliveries/{first.id}/redeliver")

    assert answer.status_code == 200
    for expected in (first, later):
        (claimed,) = await delivery_service.claim(made["id"], limit=8, lease_seconds=30)
        assert (claimed.id, claimed.attempts) == (expected.id, 1)
        await delivery_service.settle_delivered(claimed)


async def test_delivery_whose_event_is_gone_is_not_made_again(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    gone = await delivered(made["id"], "dead")
    await Event.filter(id=gone.event_id).delete()

    assert (await admin.post(f"/webhooks/{made['id']}/deliveries/{gone.id}/redeliver")).status_code == 409


async def test_deliveries_are_kept_as_long_as_their_events(admin: httpx.AsyncClient) -> None:
    made = await created(admin)
    old, kept = await delivered(made["id"], "delivered"), await delivered(made["id"], "delivered")
    await Event.filter(id=old.event_id).delete()

    await delivery_service.prune()

    assert [row.id for row in await WebhookDelivery.filter(webhook_id=made["id"])] == [kept.id]


async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient) -> None:
    made, other = await created(admin), await created(admin)
    dead = await delivered(other["id"], "dead")
    missing = 2**53 - 1

    answers = [
        await admin.delete(f"/webhooks/{missing}"),
        await admin.post(f"/webhooks/{missing}/rotate"),
        await admin.get(f"/webhooks/{missing}/deliveries"),
        await admin.post(f"/webhooks/{made['id']}/deliveries/{missing}/redeliver"),
        await admin.post(f"/webhooks/{made['id']}/deliveries/{dead.id}/redeliver"),
    ]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("role", [Role.RISK])
async def test_webhooks_are_for_admins(login_as: LoginAs, role: Role) -> None:
    http = await login_as(role)

    assert (await http.get("/webhooks")).status_code == 403
    assert (await http.post("/webhooks", json={"url": URL})).status_code == 403
