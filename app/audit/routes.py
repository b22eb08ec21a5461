"""The audit trail, for admins."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from app.audit import service as audit_service
from app.audit.hash_chain import Head
from app.audit.schemas import AuditEntryOut, VerificationOut
from app.audit.service import AuditFilters
from app.auth.deps import AdminDep
from app.core.errors import Fault, InvalidInputError
from app.web.deps import AfterId, Limit, link_next
from app.web.fields import LARGEST_ID, TimestampIn
from app.web.problems import problems

router = APIRouter(prefix="/audit", tags=["audit"])

#: What a busy machine checks in half of the time that a request has.
_MOST_ENTRIES: Final = 100_000
_Text = Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]+$")]


def get_filters(
    client_id: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="Changes of this client's records.")
    ] = None,
    entity: Annotated[
        str | None,
        Query(
            max_length=32,
            pattern=r"^[^\x00]+$",
            description="client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery.",
        ),
    ] = None,
    entity_id: Annotated[_Text, Query(description="The record's id or symbol.")] = None,
    actor: Annotated[_Text, Query(description="A user's name, `monitor` or `system`.")] = None,
    start: Annotated[TimestampIn | None, Query(alias="from", description="Changes made at or after this time.")] = None,
    end: Annotated[TimestampIn | None, Query(alias="to", description="Changes made before this time.")] = None,
) -> AuditFilters:
    """Return which entries are asked for."""
    return AuditFilters(client_id=client_id, entity=entity, entity_id=entity_id, actor=actor, start=start, end=end)


def get_known_head(
    head_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="`head.id` of a check before.")] = None,
    head_hash: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="`head.hash` of that check.")] = None,
) -> Head | None:
    """
    Return the entry that the caller kept.

    Raises:
        InvalidInputError: half of it.
    """
    if (head_id is None) != (head_hash is None):
        where = "head_hash" if head_hash is None else "head_id"
        fault = Fault(where=("query", where), what="goes with the other one")
        raise InvalidInputError("head_id and head_hash go together.", faults=[fault])
    return None if head_id is None or head_hash is None else Head(id=head_id, hash=head_hash)


@router.get("", operation_id="list_audit_entries", summary="List changes", responses=problems(401, 403, 422, 503))
async def list_audit_entries(
    request: Request,
    response: Response,
    _: AdminDep,
    filters: Annotated[AuditFilters, Depends(get_filters)],
    after: AfterId = None,
    limit: Limit = 100,
) -> list[AuditEntryOut]:
    """Return every change that was made to users, clients, positions, instruments and margin calls, oldest first."""
    rows = await audit_service.list_entries(filters, after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].id)
    return [AuditEntryOut.model_validate(row) for row in rows]


@router.get(
    "/verification",
    operation_id="verify_audit",
    summary="Check that nobody changed the audit trail",
    responses=problems(401, 403, 422, 503),
)
async def verify_audit(
    request: Request,
    response: Response,
    _: AdminDep,
    known: Annotated[Head | None, Depends(get_known_head)],
    after: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Begin behind this entry.")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_ENTRIES, description="Most entries to check.")] = _MOST_ENTRIES,
) -> VerificationOut:
    """
    Follow the chain of hashes, entry by entry, and say where it breaks first: changed, missing, inserted or moved.

    A chain whose end was cut off, or that was written anew from some entry on, is whole in itself: it is found out by
    a `head` that you kept from a check before, sent as `head_id` and `head_hash`. More entries than `limit`: follow
    `Link`.
    """
    found = await audit_service.verify(after=after, limit=limit, known=known)
    if found.head is not None and found.entries == limit:
        link_next(request, response, after=found.head.id)
    return VerificationOut.model_validate(found)
