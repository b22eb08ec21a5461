"""Webhooks on the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from app.web.fields import In, Out, TimestampOut

DurableKindIn = Literal["state", "margin_call"]
DeliveryStateIn = Literal["pending", "delivered", "dead"]

_URL = "https://hooks.example.com/margin"
_EXAMPLE: JsonDict = {
    "id": 1,
    "url": _URL,
    "kinds": ["margin_call"],
    "created_at": "2026-01-31T09:30:00Z",
    "previous_secret_until": None,
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - an example


def _each_once(kinds: list[DurableKindIn]) -> list[DurableKindIn]:
    if len(set(kinds)) != len(kinds):
        raise ValueError("names a kind twice")
    return kinds


class WebhookIn(In):
    """Where to push events, and which."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": _URL, "kinds": ["margin_call"]}]})

    url: str = Field(
        min_length=1,
        max_length=2000,
        pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$",
        description="`https://`, a public host without credentials, port 80, 443 or from 1024 on.",
    )
    kinds: (
        Annotated[
            list[DurableKindIn],
            Field(min_length=1, max_length=2, json_schema_extra={"uniqueItems": True}),
            AfterValidator(_each_once),
        ]
        | None
    ) = Field(default=None, description="Kinds of events; null = all that are durable.")


class WebhookOut(Out):
    """A webhook; its secret is shown when it is made, and never again."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    url: str
    kinds: list[DurableKindIn] | None = Field(description="null = all that are durable.")
    created_at: TimestampOut
    previous_secret_until: TimestampOut | None = Field(
        validation_alias="previous_until",
        description="How long deliveries are signed with the secret before the last rotation too.",
    )


class WebhookSecretOut(WebhookOut):
    """A webhook with its new secret, shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE | {"secret": _SECRET}]})

    secret: str = Field(description="Verifies the signatures of deliveries (Standard Webhooks, v1). Keep it.")


class DeliveryOut(Out):
    """One event on its way to a webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 1,
                    "eventId": 42,
                    "clientId": 1,
                    "state": "dead",
                    "attempts": 82,
                    "next_attempt_at": None,
                    "last_error": "answered 503",
                    "delivered_at": None,
                    "created_at": "2026-01-31T14:30:00Z",
                }
            ]
        }
    )

    id: int
    event_id: int = Field(serialization_alias="eventId", description="Its header `webhook-id` is `evt_` and this.")
    client_id: int | None = Field(serialization_alias="clientId")
    state: DeliveryStateIn = Field(description="dead: tried for three days, and given up.")
    attempts: int
    next_attempt_at: TimestampOut | None = Field(description="null unless pending.")
    last_error: str | None
    delivered_at: TimestampOut | None
    created_at: TimestampOut

    @field_validator("next_attempt_at")
    @classmethod
    def _null_unless_pending(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        return value if info.data["state"] == "pending" else None
