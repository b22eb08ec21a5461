"""One webhook's deliveries: a few at once, and no other webhook waits for them."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from app.database.connections import DATABASE_DOWN
from app.database.notifications import Signal
from app.webhooks import store as delivery_service
from app.webhooks.http_post import Poster
from app.webhooks.store import Backoff, Claimed

#: The sender wakes a channel; this is for what it could not say.
_LOOK_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPace:
    """How fast deliveries go."""

    #: An event whose notification was lost, and what is due again, is found this much later.
    poll_seconds: float = 1.0
    #: Longest that one attempt may take, name look-up and answer included.
    attempt_seconds: float = 10.0
    #: How long an attempt is this process's own; longer than it may take.
    lease_seconds: float = 30.0
    #: Deliveries at once to one webhook that answers; one that fails gets one at a time.
    width: int = 8
    backoff: Backoff = field(default_factory=Backoff)


class Channel:
    """Sends what is due to one webhook; `run` it as a task, and `wake` it when there is something."""

    def __init__(self, webhook_id: int, *, poster: Poster, pace: DeliveryPace) -> None:
        self._webhook_id = webhook_id
        self._poster = poster
        self._pace = pace
        self._signal = Signal()
        self._is_failing = False
        self._under_way = 0

    def wake(self) -> None:
        """Say that something may be due."""
        self._signal.set()

    async def run(self) -> None:
        """Send for ever; end it by cancelling: what is under way is tried again when its lease ends."""
        try:
            async with asyncio.TaskGroup() as attempts:
                while True:
                    await self._signal.wait(_LOOK_SECONDS)
                    for delivery in await self._claim():
                        self._under_way += 1
                        attempts.create_task(self._attempt(delivery))
        finally:
            await self._poster.aclose()

    async def _claim(self) -> list[Claimed]:
        """Return what there is room for."""
        room = (1 if self._is_failing else self._pace.width) - self._under_way
        if room <= 0:
            return []
        try:
            return await delivery_service.claim(self._webhook_id, limit=room, lease_seconds=self._pace.lease_seconds)
        except DATABASE_DOWN:
            return []  # the sender says so, and wakes us when it is back

    async def _attempt(self, delivery: Claimed) -> None:
        """Try one delivery, and store what came of it; what cannot be stored is tried again when its lease ends."""
        try:
            error = await self._post(delivery)
            self._is_failing = error is not None
            await self._settle(delivery, error)
        except DATABASE_DOWN as down:
            _log.warning("webhook delivery not stored", **_names(delivery), error=f"{type(down).__name__}: {down}")
        except Exception:  # noqa: BLE001 - logged whole; the other deliveries outlive a bug
            _log.exception("unexpected error in a webhook delivery", **_names(delivery))
        finally:
            self._under_way -= 1
            self.wake()

    async def _settle(self, delivery: Claimed, error: str | None) -> None:
        """Store that the receiver took it, or when to try again."""
        if error is None:
            await delivery_service.settle_delivered(delivery)
            return
        wait_seconds = self._pace.backoff.draw(delivery.attempts)
        await delivery_service.settle_failed(delivery, error=error, wait_seconds=wait_seconds)
        if wait_seconds is None:
            _log.warning("webhook delivery dead", **_names(delivery), error=error)

    async def _post(self, delivery: Claimed) -> str | None:
        """Return what went wrong, None where the receiver took it."""
        try:
            return await self._poster.post(delivery)
        except Exception as error:  # noqa: BLE001 - likewise
            _log.exception("unexpected error in a webhook delivery", **_names(delivery))
            return f"unexpected {type(error).__name__}"


def _names(delivery: Claimed) -> dict[str, int | None]:
    """Return what a log line may say of a delivery: nothing of the URL, which may be a secret in itself."""
    return {"webhook_id": delivery.webhook_id, "delivery_id": delivery.id, "event_id": delivery.event.id}
