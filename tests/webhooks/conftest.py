"""A committed world with short waits: senders are other connections, and see what was committed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
import trustme
from fastapi import FastAPI
from tortoise.functions import Max
from tortoise.transactions import in_transaction

from app.auth.types import Caller
from app.core.tasks import running
from app.database.notifications import Signal
from app.events import outbox as events_service
from app.events.outbox import NewEvent
from app.events.wire import as_json
from app.models import Event, Role, Webhook, WebhookDelivery
from app.webhooks.address_guard import Addresses, Resolver, system_resolver
from app.webhooks.channel import DeliveryPace
from app.webhooks.monitor import WebhookSender
from app.webhooks.signature import new_secret
from app.webhooks.store import Backoff
from tests.conftest import LoginAs

BOSS = Caller(user_id=0, username="boss", role=Role.ADMIN)
#: The usual pace, two hundred times as fast.
FAST = DeliveryPace(
    poll_seconds=0.02,
    attempt_seconds=0.3,
    lease_seconds=0.6,
    backoff=Backoff(first_seconds=0.05, most_seconds=0.2, total_seconds=20),
)
ANYWHERE = Addresses(resolve=system_resolver(), allow_private=True)


@pytest.fixture
async def committed(app: FastAPI) -> AsyncIterator[None]:
    """Let the test commit; delete it afterwards."""
    yield
    for model in (WebhookDelivery, Webhook, Event):
        await model.all().delete()


@pytest.fixture
async def admin(login_as: LoginAs) -> httpx.AsyncClient:
    """Call as an administrator, whose name is `admin0`."""
    return await login_as(Role.ADMIN)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS of a receiver that is called `hooks.test`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.test").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def sending(
    *, addresses: Addresses = ANYWHERE, tls: ssl.SSLContext | None = None, pace: DeliveryPace = FAST
) -> AbstractAsyncContextManager[None]:
    """Send until the block ends, as one process does."""
    sender = WebhookSender(signal=Signal(), addresses=addresses, encode=as_json, tls=tls, pace=pace)
    return running(sender.run())


def resolver(*answers: str) -> Resolver:
    """Return a resolver that gives these addresses for every name."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return answers

    return resolve


async def hook(url: str, *, kinds: list[str] | None = None) -> Webhook:
    """Store a webhook for the events from now on."""
    newest = (await Event.annotate(newest=Max("id")).values_list("newest", flat=True))[0]
    return await Webhook.create(url=url, secret=new_secret(), kinds=kinds, position=newest or 0)


async def publish(*client_ids: int, kind: events_service.DurableKind = "state") -> list[int]:
    """Commit an event of each client, in this order; return their ids."""
    data = {"from": "ok", "to": "call"}
    async with in_transaction():
        await events_service.publish_all([NewEvent(kind=kind, client_id=of, data=data) for of in client_ids])
    newest = await Event.all().order_by("-id").limit(len(client_ids))
    return sorted(event.id for event in newest)


async def until(condition: Callable[[], bool], *, seconds: float = 8) -> None:
    """Return when it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


async def settled(webhook: Webhook, *, seconds: float = 8) -> list[WebhookDelivery]:
    """Return a webhook's deliveries, in order of events, when there is one for every event and none is pending."""
    (newest,) = await Event.annotate(newest=Max("id")).values_list("newest", flat=True)
    async with asyncio.timeout(seconds):
        while True:
            is_made = await Webhook.exists(id=webhook.id, position__gte=newest)
            deliveries = await WebhookDelivery.filter(webhook_id=webhook.id).order_by("event_id")
            if is_made and all(delivery.state != "pending" for delivery in deliveries):
                return deliveries
            await asyncio.sleep(0.01)
