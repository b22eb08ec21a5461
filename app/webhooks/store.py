"""
The queue of deliveries: made from events, claimed by whichever process sends, settled by what the receiver said.

A claim is a lease. It pushes `next_attempt_at` beyond the longest attempt, so no lock is held while a receiver is
waited for, and a delivery whose sender died is due again when the lease ends: at least once, under the same id. While
an event of a client is pending, whatever happens to it, no later one of that client is claimed for that webhook.
"""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from app.database import sql
from app.database.sql import Row
from app.events.types import StreamEvent
from app.models import Webhook

DeliveryState = Literal["pending", "delivered", "dead"]

#: Events that one statement makes deliveries of, for each webhook.
PAGE: Final = 1_000
_MOST_ERROR_CHARACTERS: Final = 500

#: The webhook's row is locked, so its deliveries are made in the order of events; another process that makes them is
#: left alone. Events that it does not want move the position too. What has to wait for an earlier delivery that failed
#: is not due before that one, so that no claim reads it in vain.
_FAN_OUT: Final = """
with hook as materialized (
    select id, position, kinds from webhook where position < (select max(id) from event) order by id
    for update skip locked
), page as materialized (
    select hook.id as webhook_id, hook.kinds, next.id, next.client_id, next.kind
    from hook cross join lateral (
        select id, client_id, kind from event where id > hook.position order by id limit $1
    ) next
), stored as (
    insert into webhook_delivery (webhook_id, event_id, client_id, state, attempts, next_attempt_at, created_at)
    select webhook_id, id, client_id, 'pending', 0, coalesce((
        select case when last_error is not null then next_attempt_at end from webhook_delivery earliest
        where earliest.webhook_id = page.webhook_id and earliest.client_id = page.client_id and state = 'pending'
        order by event_id limit 1
    ), clock_timestamp()), clock_timestamp()
    from page where kinds is null or kinds = 'null'::jsonb or kinds ? kind order by id
    on conflict (webhook_id, event_id) do nothing
)
update webhook set position = seen.last
from (select webhook_id, max(id) as last, count(*) as events from page group by webhook_id) seen
where webhook.id = seen.webhook_id
returning seen.events
"""

_WAITING: Final = """
select webhook.id, exists (
    select from webhook_delivery delivery
    where delivery.webhook_id = webhook.id and state = 'pending' and next_attempt_at <= statement_timestamp()
) as is_due
from webhook order by webhook.id
"""

#: What holds up a delivery is the client's earliest that is pending: one step in an index, whatever the planner knows.
#: A row that another process claimed meanwhile is skipped while it is locked, and is not due any more afterwards.
_CLAIM: Final = """
with due as materialized (
    select mine.id from webhook_delivery mine
    where mine.webhook_id = $1 and mine.state = 'pending' and mine.next_attempt_at <= statement_timestamp()
      and (mine.client_id is null or mine.id = (
        select id from webhook_delivery earliest
        where earliest.webhook_id = mine.webhook_id and earliest.client_id = mine.client_id and state = 'pending'
        order by event_id limit 1
      ))
    order by mine.next_attempt_at, mine.event_id limit $2
    for update skip locked
), claimed as (
    update webhook_delivery delivery
    set attempts = attempts + 1, next_attempt_at = clock_timestamp() + $3 * interval '1 second'
    from due where delivery.id = due.id
    returning delivery.id, delivery.webhook_id, delivery.event_id, delivery.attempts
)
select claimed.id, claimed.webhook_id, claimed.attempts, webhook.url, webhook.secret,
       case when webhook.previous_until > clock_timestamp() then webhook.previous_secret end as previous_secret,
       event.id as event_id, event.at, event.kind, event.client_id, event.symbol, event.data
from claimed join webhook on webhook.id = claimed.webhook_id join event on event.id = claimed.event_id
order by event.id
"""

#: An attempt that took longer than its lease has lost its say: `attempts` has moved on. Later events of the client are
#: due when this one is tried again, or at once where it holds them up no more.
_SETTLE: Final = """
with settled as (
    update webhook_delivery
    set state = $3::text, last_error = $4, next_attempt_at = clock_timestamp() + $5 * interval '1 second',
        delivered_at = case when $3::text = 'delivered' then clock_timestamp() end
    where id = $1 and attempts = $2 and state = 'pending'
    returning webhook_id, client_id, event_id, next_attempt_at
)
update webhook_delivery later set next_attempt_at = settled.next_attempt_at
from settled
where later.webhook_id = settled.webhook_id and later.client_id = settled.client_id
  and later.state = 'pending' and later.event_id > settled.event_id
"""

_PRUNE: Final = "delete from webhook_delivery where event_id < (select min(id) from event)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """When to try again: after `first_seconds`, then twice as long each time up to `most_seconds`, for three days."""

    first_seconds: float = 5.0
    most_seconds: float = 3600.0
    #: How long a delivery is tried for; then it is dead.
    total_seconds: float = 3 * 86_400.0
    #: Each wait is longer or shorter by up to this share, so that receivers are not asked in step.
    jitter: float = 0.2

    def wait_seconds(self, attempts: int) -> float | None:
        """Return how long to wait after so many failed attempts, before jitter; None = give up."""
        waits = [min(self.first_seconds * 2.0 ** min(n, 60), self.most_seconds) for n in range(attempts)]
        return waits[-1] if sum(waits[:-1]) < self.total_seconds else None

    def draw(self, attempts: int) -> float | None:
        """Return the same with jitter."""
        wait = self.wait_seconds(attempts)
        return None if wait is None else wait * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is this process's to attempt until its lease ends."""

    id: int
    webhook_id: int
    #: This one included.
    attempts: int
    url: str
    #: The secret, and the one before it while it is still valid.
    secrets: tuple[str, ...]
    event: StreamEvent

    @property
    def message_id(self) -> str:
        """Return what is the same at every attempt, and for every receiver."""
        return f"evt_{self.event.id}"


async def fan_out() -> bool:
    """Make deliveries of new events, at most a page for each webhook; return whether there may be more."""
    rows = await sql.rows(_FAN_OUT, PAGE)
    return any(row["events"] == PAGE for row in rows)


async def waiting() -> dict[int, bool]:
    """Return every webhook's id, and whether any of its deliveries may be due."""
    rows = await sql.rows(_WAITING)
    return {row["id"]: row["is_due"] for row in rows}


async def claim(webhook_id: int, *, limit: int, lease_seconds: float) -> list[Claimed]:
    """Return what is due, of each client the earliest event; no other process gets it before the lease ends."""
    rows = await sql.rows(_CLAIM, webhook_id, limit, lease_seconds)
    return [_claimed(row) for row in rows]


async def settle_delivered(delivery: Claimed) -> None:
    """Store that the receiver took it."""
    await _settle(delivery, "delivered", error=None, wait_seconds=0.0)


async def settle_failed(delivery: Claimed, *, error: str, wait_seconds: float | None) -> None:
    """Store that it did not, and when to try again; None = never: it is dead, and holds up nothing any more."""
    state: DeliveryState = "dead" if wait_seconds is None else "pending"
    await _settle(delivery, state, error=error[:_MOST_ERROR_CHARACTERS], wait_seconds=wait_seconds or 0.0)


async def _settle(delivery: Claimed, state: DeliveryState, *, error: str | None, wait_seconds: float) -> None:
    parameters = [delivery.id, delivery.attempts, state, error, wait_seconds]
    await sql.run(_SETTLE, *parameters)


async def prune() -> None:
    """Delete deliveries of events that are no longer kept, and secrets that are no longer valid."""
    await sql.run(_PRUNE)
    expired = Webhook.filter(previous_until__lt=datetime.now(UTC) - timedelta(minutes=1))
    await expired.update(previous_secret=None, previous_until=None)


def _claimed(row: Row) -> Claimed:
    secrets = (row["secret"], row["previous_secret"])
    event = StreamEvent(
        id=row["event_id"],
        at=row["at"],
        kind=row["kind"],
        client_id=row["client_id"],
        symbol=row["symbol"],
        data=json.loads(row["data"]),
    )
    return Claimed(
        id=row["id"],
        webhook_id=row["webhook_id"],
        attempts=row["attempts"],
        url=row["url"],
        secrets=tuple(secret for secret in secrets if secret is not None),
        event=event,
    )
