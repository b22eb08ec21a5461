"""Records in the audit chain which policy the service goes by, each time that it is another."""

import hashlib
from typing import Final

from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.hash_chain import plain
from app.audit.recorder import Change
from app.database import sql
from app.models import AuditEntry
from app.policies.active import ActivePolicy

_ONE_AT_A_TIME: Final = "select pg_advisory_xact_lock($1)"
#: Any number: one process at a time.
_LOCK: Final = 0x706F_6C69  # "poli"


async def record_policy(policy: ActivePolicy) -> None:
    """Append the policy to the chain, unless it is the one recorded last."""
    form = policy.form.model_dump_json().encode()
    after = {"id": policy.name.id, "version": policy.name.version, "sha256": hashlib.sha256(form).hexdigest()}
    async with in_transaction():
        await sql.run(_ONE_AT_A_TIME, _LOCK)
        last = await AuditEntry.filter(entity="policy").order_by("-id").first()
        before = last.after if last else None
        if before != plain(after):
            action = "update" if before else "create"
            change = Change(action=action, entity="policy", entity_id=policy.name.id, before=before, after=after)
            await recorder.record(change, actor=recorder.SYSTEM)
