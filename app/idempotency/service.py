"""
Work that a user asks for under a key: done once, and answered alike every time.

Claim, work and answer are one transaction, so a crash leaves all of them or none, and whoever asks for the same at the
same moment waits at the claim until the first one is through. Work that fails leaves nothing: ask again.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tortoise.transactions import in_transaction

from app.core.errors import Fault, InvalidInputError
from app.database import sql

#: One that has expired is as good as new. The row is locked until the transaction ends, whoever inserted it.
_CLAIM: Final = """
insert into idempotency_key as k (user_id, key, fingerprint, expires_at)
values ($1, $2, $3, now() + interval '1 day')
on conflict (user_id, key) do update set
    fingerprint = case when k.expires_at > now() then k.fingerprint else excluded.fingerprint end,
    status = case when k.expires_at > now() then k.status end,
    headers = case when k.expires_at > now() then k.headers end,
    body = case when k.expires_at > now() then k.body end,
    expires_at = case when k.expires_at > now() then k.expires_at else excluded.expires_at end
returning fingerprint, status, headers, body
"""
#: A kept answer makes room for itself: whoever keeps one deletes some that have expired, but waits for none.
_KEEP: Final = """
with expired as (
    select id from idempotency_key where expires_at < now() order by expires_at limit 10 for update skip locked
), gone as (
    delete from idempotency_key k using expired e where k.id = e.id
)
update idempotency_key set status = $3, headers = $4, body = $5 where user_id = $1 and key = $2
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked for, and under which key."""

    user_id: int
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What it was answered with."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Whether this is the answer of before.
    is_replayed: bool = False


async def once(asked: Asked, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """
    Return the answer of `work`, stored with what it does; where that was done before, its answer of then.

    Raises:
        InvalidInputError: something else was asked under this key within a day.
        Exception: whatever `work` raises; then nothing is stored.
    """
    async with in_transaction():
        row = await sql.one(_CLAIM, asked.user_id, asked.key, asked.fingerprint)
        if row["fingerprint"] != asked.fingerprint:
            fault = Fault(where=("header", "Idempotency-Key"), what="was used for another request")
            raise InvalidInputError(
                "This Idempotency-Key was used for another request; take a new one.", faults=[fault]
            )
        if row["status"] is not None:
            return _stored(row)
        answer = await work()
        await sql.run(_KEEP, asked.user_id, asked.key, answer.status, json.dumps(dict(answer.headers)), answer.body)
        return answer


def _stored(row: Mapping[str, Any]) -> Answer:
    return Answer(row["status"], json.loads(row["headers"]), bytes(row["body"]), is_replayed=True)
