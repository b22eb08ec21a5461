"""Margin calls as case files: the case, and everything that ever happened to it."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.fields.relational import ForeignKeyRelation
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model


class CallType(StrEnum):
    """Whose requirement is not met."""

    HOUSE = "house"
    EXCHANGE = "exchange"


class CallState(StrEnum):
    """Where a case stands; `met` and `cancelled` are closed."""

    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    PARTIALLY_MET = "partially_met"
    EXTENDED = "extended"
    PAST_DUE = "past_due"
    MET = "met"
    CANCELLED = "cancelled"


class MarginCall(Model):
    """One call on one client. At most one of each type is not closed; the database holds to it."""

    id = fields.BigIntField(primary_key=True)
    client_id = fields.BigIntField()
    type = fields.CharEnumField(CallType, max_length=16)
    state = fields.CharEnumField(CallState, max_length=16)
    #: Shortfall when the case opened, or when it was confirmed.
    amount = fields.DecimalField(max_digits=16, decimal_places=2)
    #: Shortfall now; 0 when closed.
    outstanding = fields.DecimalField(max_digits=16, decimal_places=2)
    opened_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    #: How it was met: deposit, securities, sale, appreciation, rule_change; several joined by a comma.
    manner = fields.CharField(max_length=64, null=True)
    #: close_only, or null.
    restriction = fields.CharField(max_length=32, null=True)
    policy_id = fields.CharField(max_length=64)
    policy_version = fields.CharField(max_length=64)
    #: The weakest basis among the prices that opened it.
    price_basis = fields.CharField(max_length=16)
    #: Why prices behind it are in doubt: reasons, symbols, since, and the shortfall at best and worst; null = none is.
    doubt: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    #: The explanation that reproduces `amount` to the cent.
    snapshot: fields.JSONField[dict[str, Any]] = fields.JSONField()
    #: The last audit entry when `snapshot` was taken: what the client did since then stands behind it.
    audit_id = fields.BigIntField(db_default=0, default=0)
    #: The shortfall that a cancellation declared wrong: while it is exactly that, no new case opens.
    set_aside = fields.DecimalField(max_digits=16, decimal_places=2, null=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "margin_call"
        ordering = ("id",)
        indexes = (
            Index(fields=("client_id", "id")),
            Index(fields=("state", "id")),
            Index(fields=("type", "id")),
            Index(fields=("opened_at", "id")),
            Index(fields=("closed_at",)),
        )
        constraints = (
            UniqueConstraint(fields=("client_id", "type"), name="margin_call_one_open", condition="closed_at IS NULL"),
            CheckConstraint(check="amount > 0 AND outstanding >= 0", name="margin_call_amounts_in_bounds"),
            CheckConstraint(
                check="(state IN ('met', 'cancelled')) = (closed_at IS NOT NULL)", name="margin_call_closed_when_closed"
            ),
            CheckConstraint(check="type IN ('house', 'exchange')", name="margin_call_type_known"),
            CheckConstraint(
                check="state IN ('unconfirmed', 'open', 'partially_met', 'extended', 'past_due', 'met', 'cancelled')",
                name="margin_call_state_known",
            ),
        )


class MarginCallEvent(Model):
    """One step in the life of a case; never changed."""

    id = fields.BigIntField(primary_key=True)
    call: ForeignKeyRelation[MarginCall] = fields.ForeignKeyField(
        "models.MarginCall", related_name="history", on_delete=fields.RESTRICT
    )
    client_id = fields.BigIntField()
    at = fields.DatetimeField()
    from_state = fields.CharField(max_length=16, null=True)
    to_state = fields.CharField(max_length=16)
    #: A user's name, or `monitor`.
    actor = fields.CharField(max_length=64)
    #: Outstanding after this step.
    amount = fields.DecimalField(max_digits=16, decimal_places=2)
    note = fields.TextField(null=True)

    call_id: int

    class Meta:
        table = "margin_call_event"
        ordering = ("id",)
        indexes = (Index(fields=("call_id", "id")),)


class ClientState(Model):
    """Where a client stands as the stream last said; a client without a row is `ok`."""

    client_id = fields.BigIntField(primary_key=True, generated=False)
    #: ok, warning, call, incomplete.
    state = fields.CharField(max_length=16)
    #: Since when.
    at = fields.DatetimeField()

    class Meta:
        table = "client_state"
        constraints = (
            CheckConstraint(check="state IN ('ok', 'warning', 'call', 'incomplete')", name="client_state_state_known"),
        )
