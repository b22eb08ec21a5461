"""The schema as migrations leave it: the models' own, with every CHECK and every comment in the database."""

from decimal import Decimal

import pytest
from fastapi import FastAPI
from tortoise import Tortoise, connections
from tortoise.exceptions import IntegrityError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.models import Model
from tortoise.transactions import in_transaction

from app.models import Client, Margin, MarketData, Position, PriceHistory, User

NOW = "2026-11-20T15:00:00Z"


def models() -> list[type[Model]]:
    return list(Tortoise.apps["models"].values())


async def constraints() -> set[str]:
    rows = await connections.get("default").execute_query_dict("select conname from pg_constraint where contype = 'c'")
    return {row["conname"] for row in rows}


async def test_every_check_of_the_models_is_in_the_database(app: FastAPI) -> None:
    wanted = {check.name for model in models() for check in model._meta.constraints if hasattr(check, "check")}

    assert wanted
    assert wanted - await constraints() == set()


@pytest.mark.parametrize(
    "statement",
    [
        "insert into client (name, created_at) values ('  ', now())",
        "update position set quantity = 0",
        "update position set quantity = 1e12",
        "update position set quantity = 'NaN'",
        "update position set cost_basis = -1",
        "update position set cost_basis = 'NaN'",
        "update position set symbol = 'aapl'",
        "update margin set margin_requirement = 0",
        "update margin set margin_requirement = 1.5",
        "update margin set loan = 'NaN'",
        "update margin set loan = 1e12",
        "update market_data set current_price = 0",
        "update market_data set current_price = 'NaN'",
        "update market_data set currency = 'GBp'",
        "update price_history set price = -1",
        """update "user" set role = 'root'""",
        """update "user" set role = 'client'""",
        """update "user" set client_id = 1""",
        """update "user" set username = 'Grace'""",
    ],
)
async def test_value_that_means_nothing_cannot_be_stored(db: None, statement: str) -> None:
    client = await Client.create(name="Grace")
    await Margin.create(client=client, loan=Decimal(0))
    await Position.create(client=client, symbol="AAPL", quantity=Decimal(1), cost_basis=Decimal(1))
    await MarketData.create(
        symbol="AAPL", current_price=Decimal(1), currency="USD", timestamp=NOW, fetched_at=NOW, source="desk"
    )
    await PriceHistory.create(symbol="AAPL", price=Decimal(1), currency="USD", timestamp=NOW, source="desk")
    await User.create(username="grace", password_hash="none", role="risk")

    with pytest.raises(IntegrityError, match="violates check constraint"):
        async with in_transaction() as connection:
            await connection.execute_query(statement)


async def test_every_comment_of_the_models_is_in_the_database(app: FastAPI) -> None:
    rows = await connections.get("default").execute_query_dict(
        "select c.relname, a.attname, col_description(c.oid, a.attnum) as comment from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 where c.relnamespace = 'public'::regnamespace"
    )
    stored = {(row["relname"], row["attname"]): row["comment"] for row in rows}
    wanted = {
        (model._meta.db_table, field.source_field or name): field.description.replace("\n", "\\n")  # as it escapes
        for model in models()
        for name, field in model._meta.fields_map.items()
        if field.description and name in model._meta.fields_db_projection
    }

    assert wanted
    assert {place: stored[place] for place in wanted} == wanted


async def test_models_and_migrations_agree(app: FastAPI) -> None:
    apps = {"models": {"models": ["app.models"], "migrations": "app.migrations", "default_connection": "default"}}

    assert await MigrationAutodetector(Tortoise.apps, apps).changes() == []
