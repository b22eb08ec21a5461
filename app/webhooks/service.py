"""Webhooks, as an admin keeps them: where events are pushed to, with which secret, and what became of each delivery."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tortoise.functions import Max
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change
from app.auth.types import Caller
from app.core.errors import ConflictError, NotFoundError
from app.events.outbox import DurableKind
from app.models import Event, Webhook, WebhookDelivery
from app.webhooks.address_guard import Addresses
from app.webhooks.signature import new_secret
from app.webhooks.store import DeliveryState

MOST_WEBHOOKS: Final = 100
#: How long the secret before a rotation goes on to sign, beside the new one.
PREVIOUS_SECRET_HOURS: Final = 24


async def list_webhooks(*, after: int | None, limit: int) -> list[Webhook]:
    """Return webhooks by id, behind `after`."""
    return await Webhook.filter(id__gt=after or 0).order_by("id").limit(limit)


async def create_webhook(
    url: str, *, kinds: Collection[DurableKind] | None, addresses: Addresses, caller: Caller
) -> Webhook:
    """
    Store a webhook for the events from now on, and return it with its secret.

    Raises:
        AddressRefusedError: nothing may be delivered there.
        ConflictError: there are too many webhooks.
    """
    _ = await addresses.addresses(addresses.target(url))
    async with in_transaction():
        if await Webhook.all().count() >= MOST_WEBHOOKS:
            raise ConflictError(f"There are {MOST_WEBHOOKS} webhooks already; delete one first.")
        newest = (await Event.annotate(newest=Max("id")).values_list("newest", flat=True))[0]
        webhook = await Webhook.create(
            url=url,
            secret=new_secret(),
            kinds=None if kinds is None else sorted(kinds),
            position=newest or 0,
        )
        await recorder.record(_change("create", webhook, after=_audited(webhook)), actor=caller.username)
    return webhook


async def delete_webhook(webhook_id: int, *, caller: Caller) -> None:
    """
    Delete a webhook with its deliveries.

    Raises:
        NotFoundError: there is no such webhook.
    """
    async with in_transaction():
        webhook = await _locked(webhook_id)
        await WebhookDelivery.filter(webhook_id=webhook_id).delete()
        await webhook.delete()
        await recorder.record(_change("delete", webhook, before=_audited(webhook)), actor=caller.username)


async def rotate_secret(webhook_id: int, *, caller: Caller) -> Webhook:
    """
    Give a webhook a new secret and return it; the one before it signs too for a day, one that is older no more.

    Raises:
        NotFoundError: there is no such webhook.
    """
    async with in_transaction():
        webhook = await _locked(webhook_id)
        webhook.previous_secret, webhook.secret = webhook.secret, new_secret()
        webhook.previous_until = datetime.now(UTC) + timedelta(hours=PREVIOUS_SECRET_HOURS)
        await webhook.save(update_fields=["secret", "previous_secret", "previous_until"])
        after = {"previous_secret_until": webhook.previous_until}
        await recorder.record(_change("rotate", webhook, after=after), actor=caller.username)
    return webhook


async def list_deliveries(
    webhook_id: int, *, state: DeliveryState | None, after: int | None, limit: int
) -> list[WebhookDelivery]:
    """
    Return a webhook's deliveries by id, behind `after`.

    Raises:
        NotFoundError: there is no such webhook.
    """
    if not await Webhook.exists(id=webhook_id):
        raise _no_webhook(webhook_id)
    query = WebhookDelivery.filter(webhook_id=webhook_id, id__gt=after or 0)
    return await (query if state is None else query.filter(state=state)).order_by("id").limit(limit)


async def redeliver(webhook_id: int, delivery_id: int, *, caller: Caller) -> WebhookDelivery:
    """
    Make a delivery due now, with all its attempts before it, whatever became of it; the receiver knows it by its id.

    Later events of its client that wait for it are due after it.

    Raises:
        NotFoundError: there is no such delivery of that webhook.
        ConflictError: its event is no longer kept.
    """
    async with in_transaction():
        delivery = await WebhookDelivery.filter(id=delivery_id, webhook_id=webhook_id).select_for_update().first()
        if delivery is None:
            raise NotFoundError(f"No delivery {delivery_id} of webhook {webhook_id}.")
        if not await Event.exists(id=delivery.event_id):
            raise ConflictError(f"Event {delivery.event_id} is no longer kept.")
        before, now = _audited_delivery(delivery), datetime.now(UTC)
        delivery.state, delivery.attempts, delivery.delivered_at, delivery.next_attempt_at = "pending", 0, None, now
        await delivery.save(update_fields=["state", "attempts", "delivered_at", "next_attempt_at"])
        if delivery.client_id is not None:
            later = WebhookDelivery.filter(webhook_id=webhook_id, client_id=delivery.client_id, state="pending")
            await later.filter(event_id__gt=delivery.event_id, attempts=0).update(next_attempt_at=now)
        change = Change(
            action="redeliver",
            entity="webhook_delivery",
            entity_id=delivery.id,
            client_id=delivery.client_id,
            before=before,
            after=_audited_delivery(delivery),
        )
        await recorder.record(change, actor=caller.username)
    return delivery


async def _locked(webhook_id: int) -> Webhook:
    webhook = await Webhook.filter(id=webhook_id).select_for_update().first()
    if webhook is None:
        raise _no_webhook(webhook_id)
    return webhook


def _no_webhook(webhook_id: int) -> NotFoundError:
    return NotFoundError(f"No webhook {webhook_id}.")


def _audited(webhook: Webhook) -> dict[str, Any]:
    """Return what an auditor sees of a webhook: nothing of its secrets."""
    return {"url": webhook.url, "kinds": webhook.kinds}


def _audited_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {"state": delivery.state, "attempts": delivery.attempts}


def _change(
    action: str, webhook: Webhook, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> Change:
    return Change(action=action, entity="webhook", entity_id=webhook.id, before=before, after=after)
