"""The audit trail on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, PlainSerializer
from pydantic.config import JsonDict

from app.web.fields import Out

_EXAMPLE: JsonDict = {
    "id": 1,
    "at": "2026-01-31T09:30:00.000000Z",
    "actor": "grace",
    "action": "update",
    "entity": "client",
    "entity_id": "1",
    "client_id": 1,
    "before": {"name": "Ada Lovelace", "loan": "10000", "margin_requirement": None},
    "after": {"name": "Ada Lovelace", "loan": "12500", "margin_requirement": "0.4"},
    "request_id": "0f8fad5bd9cb469fa16570867728950e",
    "hash": "020992cd065b5c9c4d938b76b2e201006ea4fe44fbd99666474a505e9b28cb3f",
    "previous_hash": "0" * 64,
}


def _six_decimals(value: datetime) -> str:
    """Return a UTC timestamp as an entry's hash covers it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class AuditEntryOut(Out):
    """
    One change.

    `hash` is the SHA-256 of the JSON array [previous_hash, id, at, actor, action, entity, entity_id, client_id, before,
    after, request_id], written in UTF-8 without blanks, keys in order.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int = Field(description="1, 2, 3 and so on, without a gap.")
    at: Annotated[datetime, PlainSerializer(_six_decimals), Field(json_schema_extra={"format": "date-time"})]
    actor: str = Field(description="A user's name, `monitor` or `system`.")
    action: str = Field(description="create, update, delete, trade and so on.")
    entity: str = Field(
        description="client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery."
    )
    entity_id: str | None = Field(description="The record's id or symbol; null for a bulk change.")
    client_id: int | None
    before: JsonValue = Field(description="Figures are exact strings; null = there was none.")
    after: JsonValue = Field(
        description="Likewise; of a bulk change the number of its rows and SHA-256 over a line of each, or of the file."
    )
    request_id: str | None = Field(description="`X-Request-ID` of the request that made the change.")
    hash: str
    previous_hash: str = Field(description="Hash of the entry before; 64 zeros at the first.")


class HeadOut(Out):
    """An entry by its place in the chain."""

    id: int
    hash: str


class VerificationOut(Out):
    """Whether the chain is as it was written, and if not, where it breaks first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entries": 41,
                    "intact": False,
                    "broken_at": 42,
                    "reason": "Entry 42 is not what its hash says: it was changed, moved or inserted.",
                    "head": {"id": 41, "hash": _EXAMPLE["hash"]},
                }
            ]
        }
    )

    entries: int = Field(description="How many entries follow each other as written.")
    intact: bool
    broken_at: int | None = Field(description="Id of the first entry that is wrong or missing.")
    reason: str | None
    head: HeadOut | None = Field(description="The last of those entries. Keep it, and send it with the next check.")
