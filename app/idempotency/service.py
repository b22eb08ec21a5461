"""
Work under an idempotency key: run once, its stored answer returned every time after that.

Claim, work and answer are one transaction, so a crash leaves all of them or none, and a request with the same key at
the same moment waits at the claim until the first one ends. Work that fails leaves nothing: send it again.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tortoise.transactions import in_transaction

from app.core.errors import Fault, InvalidInputError
from app.database import sql
from app.database.sql import Row

#: One that has expired counts as new. The row is locked until the transaction ends.
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
#: Storing an answer deletes some that have expired, without waiting for a lock on any.
_KEEP: Final = """
with expired as (
    select id from idempotency_key where expires_at < now() order by expires_at limit 10 for update skip locked
), gone as (
    delete from idempotency_key k using expired e where k.id = e.id
)
update idempotency_key set status = $3, headers = $4, body = $5 where user_id = $1 and key = $2
"""


@dataclass(frozen=True, slots=True)
class IdempotencyRequest:
    """The key of a user, and the fingerprint of the request that was sent with it."""

    user_id: int
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is stored and sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Whether it is that of an earlier request.
    is_replayed: bool = False


async def run_once(wanted: IdempotencyRequest, work: Callable[[], Awaitable[StoredAnswer]]) -> StoredAnswer:
    """
    Return the answer of `work`, stored with what it does; where that ran before, the stored answer.

    Raises:
        InvalidInputError: something else was asked under this key within a day.
        Exception: any that `work` raises; then nothing is stored.
    """
    async with in_transaction():
        row = await sql.one(_CLAIM, wanted.user_id, wanted.key, wanted.fingerprint)
        if row["fingerprint"] != wanted.fingerprint:
            fault = Fault(where=("header", "Idempotency-Key"), what="was used for another request")
            raise InvalidInputError(
                "This Idempotency-Key was used for another request; take a new one.", faults=[fault]
            )
        if row["status"] is not None:
            return _stored(row)
        answer = await work()
        await sql.run(_KEEP, wanted.user_id, wanted.key, answer.status, json.dumps(dict(answer.headers)), answer.body)
        return answer


def _stored(row: Row) -> StoredAnswer:
    return StoredAnswer(row["status"], json.loads(row["headers"]), bytes(row["body"]), is_replayed=True)
