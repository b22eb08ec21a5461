"""The stream on the wire."""

import json
from typing import Final, Literal

from pydantic import ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from app.web.fields import LARGEST_ID, In, Out, TimestampOut

_EXAMPLE: JsonDict = {
    "id": 42,
    "at": "2026-01-31T14:30:00Z",
    "kind": "state",
    "clientId": 1,
    "symbol": None,
    "data": {"from": "warning", "to": "call"},
}
#: The same as a block of server-sent events: its fields.
SSE_EXAMPLE: Final[JsonDict] = {"event": "state", "data": json.dumps(_EXAMPLE), "id": "42"}
#: What each block is; `data` is an event as JSON.
SSE_SCHEMA: Final[JsonDict] = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "retry": {"type": "integer", "minimum": 0},
    },
}


class EventOut(Out):
    """One event of the stream; `data` depends on its kind."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]}, populate_by_name=True)

    id: int | None = Field(description="Of durable events, in the order in which they happened; null for live figures.")
    at: TimestampOut
    kind: str = Field(description="state, margin_call; price, margin; open, resync, bye.")
    client_id: int | None = Field(serialization_alias="clientId")
    symbol: str | None
    data: dict[str, JsonValue]


class SubscribeIn(In):
    """The first message over a WebSocket that brought no `Authorization` header."""

    token: str = Field(max_length=600, description="An access token.")
    last_event_id: int | None = Field(default=None, ge=0, le=LARGEST_ID, description="Resume behind this event.")


#: Kinds that can be asked for.
KindIn = Literal["state", "margin_call", "price", "margin"]
