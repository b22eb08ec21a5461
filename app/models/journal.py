"""What happened: the audit chain, the durable stream, and which parts of the book changed."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index, PartialIndex
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class AuditEntry(Model):
    """One change, chained by hash to the one before; the database refuses to change or delete it."""

    # 1, 2, 3 and so on, without a gap, in the order of commits; `audit_append` in the database gives it.
    id = fields.BigIntField(primary_key=True)
    #: Never before the entry before.
    at = fields.DatetimeField(db_index=True)
    #: A user's name, `monitor`, or `system`.
    actor = fields.CharField(max_length=64)
    #: create, update, delete, trade, split, login_reset and so on.
    action = fields.CharField(max_length=32)
    #: client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery.
    entity = fields.CharField(max_length=32)
    #: The record's id or symbol; null for a bulk change.
    entity_id = fields.CharField(max_length=64, null=True)
    client_id = fields.BigIntField(null=True)
    before: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    after: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    request_id = fields.CharField(max_length=64, null=True)
    #: SHA-256 over `previous_hash` and the row, hexadecimal; see `app.services.chain`.
    hash = fields.CharField(max_length=64)
    previous_hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_entry"
        ordering = ("id",)
        # One for each filter, in the order of a page.
        indexes = (
            Index(fields=("client_id", "id")),
            Index(fields=("entity", "id")),
            Index(fields=("entity_id", "id")),
            Index(fields=("actor", "id")),
        )


class Event(Model):
    """One durable event of the stream (`state`, `margin_call`), by id in commit order; kept 30 days."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField(db_index=True)
    kind = fields.CharField(max_length=16)
    client_id = fields.BigIntField(null=True)
    symbol = fields.CharField(max_length=32, null=True)
    data: fields.JSONField[dict[str, Any]] = fields.JSONField()

    class Meta:
        table = "event"
        ordering = ("id",)
        indexes = (Index(fields=("client_id", "id")), Index(fields=("kind", "id")))


class BookChange(Model):
    """What a committed transaction changed of the book, so that resident copies follow it."""

    id = fields.BigIntField(primary_key=True)
    #: pg_current_xact_id() of the writer: a reader knows from its snapshot which rows it may still miss.
    xid = fields.BigIntField(db_index=True)
    at = fields.DatetimeField(db_index=True)
    #: JSON arrays; null = everything changed.
    client_ids: fields.JSONField[list[int] | None] = fields.JSONField(null=True)
    symbols: fields.JSONField[list[str] | None] = fields.JSONField(null=True)

    class Meta:
        table = "book_change"


class Webhook(Model):
    """Where events are pushed to."""

    id = fields.BigIntField(primary_key=True)
    url = fields.CharField(max_length=2000)
    #: Signs deliveries; `whsec_` and base64, as Standard Webhooks writes it.
    secret = fields.CharField(max_length=100)
    #: The secret before a rotation, valid until `previous_until`.
    previous_secret = fields.CharField(max_length=100, null=True)
    previous_until = fields.DatetimeField(null=True)
    #: Kinds of events; null = all.
    kinds: fields.JSONField[list[str] | None] = fields.JSONField(null=True)
    #: Every event up to this id that it wants has a delivery.
    position = fields.BigIntField(db_default=0, default=0)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "webhook"
        ordering = ("id",)


class WebhookDelivery(Model):
    """One event on its way to one webhook."""

    id = fields.BigIntField(primary_key=True)
    webhook_id = fields.BigIntField()
    event_id = fields.BigIntField()
    client_id = fields.BigIntField(null=True)
    #: pending, delivered, dead.
    state = fields.CharField(max_length=16)
    attempts = fields.IntField(db_default=0, default=0)
    #: While an attempt is under way: when it counts as lost.
    next_attempt_at = fields.DatetimeField()
    last_error = fields.CharField(max_length=500, null=True)
    delivered_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "webhook_delivery"
        ordering = ("id",)
        unique_together = (("webhook_id", "event_id"),)
        indexes = (
            Index(fields=("webhook_id", "id")),
            Index(fields=("webhook_id", "state", "id")),
            PartialIndex(
                name="webhook_delivery_by_client",
                fields=("webhook_id", "client_id", "event_id"),
                condition={"state": "pending"},
            ),
            PartialIndex(
                name="webhook_delivery_by_time",
                fields=("webhook_id", "next_attempt_at"),
                condition={"state": "pending"},
            ),
        )
        constraints = (
            CheckConstraint(check="state IN ('pending', 'delivered', 'dead')", name="webhook_delivery_state_known"),
        )
