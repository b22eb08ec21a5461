"""Clients, what they hold and what they owe. Every row carries its client's id."""

from tortoise import fields
from tortoise.fields.relational import ForeignKeyRelation, OneToOneRelation, ReverseRelation
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class Client(Model):
    """An account whose positions margin each other."""

    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=200)
    created_at = fields.DatetimeField(auto_now_add=True)

    positions: ReverseRelation["Position"]
    margin: ReverseRelation["Margin"]

    class Meta:
        table = "client"
        ordering = ("id",)
        constraints = (CheckConstraint(check="btrim(name) <> ''", name="client_name_not_blank"),)


class Position(Model):
    """A client's holding in one symbol."""

    id = fields.BigIntField(primary_key=True)
    client: ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "models.Client", related_name="positions", on_delete=fields.RESTRICT
    )
    symbol = fields.CharField(max_length=32, db_index=True)
    #: Units held; negative = short; never 0.
    quantity = fields.DecimalField(max_digits=20, decimal_places=6)
    #: Average price paid per unit, in the stock's currency.
    cost_basis = fields.DecimalField(max_digits=20, decimal_places=8)
    updated_at = fields.DatetimeField(auto_now=True)

    client_id: int

    class Meta:
        table = "position"
        ordering = ("client_id", "symbol")
        unique_together = (("client_id", "symbol"),)
        constraints = (
            CheckConstraint(
                check="quantity <> 0 AND quantity > -1e12 AND quantity < 1e12", name="position_quantity_in_bounds"
            ),
            CheckConstraint(check="cost_basis >= 0 AND cost_basis < 1e10", name="position_cost_basis_in_bounds"),
            CheckConstraint(check="symbol = upper(symbol) AND symbol <> ''", name="position_symbol_normalised"),
        )


class Margin(Model):
    """What a client owes, and its own maintenance rate where it has one. One row per client."""

    id = fields.BigIntField(primary_key=True)
    client: OneToOneRelation[Client] = fields.OneToOneField(
        "models.Client", related_name="margin", on_delete=fields.CASCADE
    )
    #: Own maintenance rate, a fraction of value; null = the policy's.
    margin_requirement = fields.DecimalField(max_digits=6, decimal_places=4, null=True)
    #: Debit balance in account currency; negative = cash credit.
    loan = fields.DecimalField(max_digits=16, decimal_places=2)
    timestamp = fields.DatetimeField(auto_now=True)

    client_id: int

    class Meta:
        table = "margin"
        constraints = (
            CheckConstraint(
                check="margin_requirement IS NULL OR (margin_requirement > 0 AND margin_requirement <= 1)",
                name="margin_rate_in_bounds",
            ),
            CheckConstraint(check="loan > -1e12 AND loan < 1e12", name="margin_loan_in_bounds"),
        )
