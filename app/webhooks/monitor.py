"""
Pushes durable events to webhooks; every process may, since each delivery is claimed by one of them.

One loop makes deliveries of new events and wakes the channels of webhooks for which something is due. A channel of
its own for each webhook, with connections of its own, keeps a slow or dead receiver from slowing any other.
"""

import asyncio
import ssl
import time
from typing import Final

import httpx
import structlog

from app.database.connections import DATABASE_DOWN
from app.database.notifications import Signal
from app.webhooks import store as delivery_service
from app.webhooks.address_guard import Addresses
from app.webhooks.channel import Channel, DeliveryPace
from app.webhooks.http_post import Encode, Poster

_PRUNE_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class WebhookSender:
    """Sends to every webhook; `run` it as a task."""

    def __init__(
        self,
        *,
        signal: Signal,
        addresses: Addresses,
        encode: Encode,
        tls: ssl.SSLContext | None = None,
        pace: DeliveryPace | None = None,
    ) -> None:
        """
        Take what it needs.

        Args:
            signal: set when there may be new events.
            addresses: where deliveries may go.
            encode: gives an event's body.
            tls: whose certificates are believed; None: those of `SSL_CERT_FILE`, else the usual ones.
            pace: None: the usual one.
        """
        self._signal = signal
        self._addresses = addresses
        self._encode = encode
        self._tls = tls or httpx.create_ssl_context()
        self._pace = pace or DeliveryPace()
        self._channels: dict[int, tuple[Channel, asyncio.Task[None]]] = {}
        self._pruned_at = 0.0

    async def run(self) -> None:
        """Send for ever; end it by cancelling."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._signal.wait(self._pace.poll_seconds)
                try:
                    await self._dispatch(tasks)
                except DATABASE_DOWN as error:
                    _log.warning("webhooks interrupted", error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(_RETRY_SECONDS)
                except Exception:  # noqa: BLE001 - logged; the loop outlives a bug
                    _log.exception("unexpected error in webhooks")
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        """Make deliveries of new events, and wake the channels that have deliveries due."""
        while await delivery_service.fan_out():
            pass
        waiting = await delivery_service.waiting()
        for webhook_id in self._channels.keys() - waiting.keys():
            _, task = self._channels.pop(webhook_id)
            task.cancel()
        for webhook_id, is_due in waiting.items():
            if is_due:
                self._channel(webhook_id, tasks).wake()
        if time.monotonic() - self._pruned_at > _PRUNE_SECONDS:
            await delivery_service.prune()
            self._pruned_at = time.monotonic()

    def _channel(self, webhook_id: int, tasks: asyncio.TaskGroup) -> Channel:
        """Return a webhook's channel, opened when something is due for the first time."""
        if webhook_id not in self._channels:
            poster = Poster(
                addresses=self._addresses,
                encode=self._encode,
                tls=self._tls,
                timeout_seconds=self._pace.attempt_seconds,
            )
            channel = Channel(webhook_id, poster=poster, pace=self._pace)
            self._channels[webhook_id] = channel, tasks.create_task(channel.run())
        return self._channels[webhook_id][0]
