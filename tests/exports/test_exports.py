"""Exports: exact, harmless to spreadsheets, and the same bytes again after an import into an empty database."""

import csv
import io
import json

from fastapi import FastAPI
from httpx import AsyncClient
from tortoise import connections

from app.models import Client, Margin
from tests.imports.sending import CSV, JSON_LINES, client, counts, holdings, send

#: Names that a spreadsheet would compute, and names that look as if they had been made harmless already.
NAMES = [
    "=1+1",
    "+49 30 1",
    "-x",
    "@SUM(A1)",
    "'=x",
    "''@x",
    "plain",
    "O'Hara",
    "'quoted'",
    'a "b", c',
    "Zoë\nÅ",
    "\\N",
]


async def seed(http: AsyncClient) -> None:
    """Store clients, positions and instruments of every kind."""
    for place, name in enumerate(NAMES):
        body = {"name": name, "loan": place - 3 + place / 100, "margin_requirement": 0.25 if place % 2 else None}
        made = (await http.post("/clients", json=body)).raise_for_status().json()["id"]
        for symbol, quantity in (("MSFT", 0.000001), ("AAPL", -1234567.5), ("BRK-B", 1e11)):
            held = {"quantity": quantity, "cost_basis": 0.12345678}
            (await http.put(f"/positions/{made}/{symbol}", json=held)).raise_for_status()
    (await http.put("/instruments/TQQQ", json={"leverage": 3, "house_rate": 0.9})).raise_for_status()
    (await http.put("/instruments/GME", json={"marginable": False})).raise_for_status()


async def exported(http: AsyncClient, form: str) -> dict[str, bytes]:
    files = {}
    for kind in ("clients", "instruments", "positions"):
        response = (await http.get(f"/exports/{kind}", params={"format": form})).raise_for_status()
        files[kind] = response.content
    return files


async def empty() -> None:
    """Take everything away that an export has."""
    for table in ("position", "margin", "client", "instrument"):
        await connections.get("default").execute_query(f"delete from {table}")  # noqa: S608 - tables of ours


async def test_an_import_of_an_export_exports_the_same_bytes(risk: AsyncClient, app: FastAPI) -> None:
    await seed(risk)

    for form, headers in (("csv", CSV), ("jsonl", JSON_LINES)):
        before = await exported(risk, form)
        await empty()
        for kind, file in before.items():
            report = await send(risk, kind, file, headers)
            assert report["state"] == "stored", report["errors"][:3]
        assert await exported(risk, form) == before


async def test_no_cell_is_a_formula(risk: AsyncClient) -> None:
    await seed(risk)

    file = (await risk.get("/exports/clients", headers={"Accept": "text/csv"})).text

    names = [row["name"] for row in csv.DictReader(io.StringIO(file))]
    assert [name for name in names if name.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))] == []
    assert names[:6] == ["'=1+1", "'+49 30 1", "'-x", "'@SUM(A1)", "''=x", "'''@x"]
    assert names[6:] == NAMES[6:]


async def test_a_tab_or_a_line_end_in_front_is_harmless_too(risk: AsyncClient) -> None:
    for name in ("\t=x", "\r=x", "\nx"):
        stored = await Client.create(name=name)
        await Margin.create(client=stored, loan=0)

    file = (await risk.get("/exports/clients")).text

    assert [row["name"] for row in csv.DictReader(io.StringIO(file, newline=""))] == ["'\t=x", "'\r=x", "'\nx"]


async def test_json_lines_are_exact(risk: AsyncClient) -> None:
    ada = await client(risk, "=1")
    await send(risk, "positions", f"clientId,symbol,quantity,cost_basis\n{ada},AAPL,0.1,150\n")

    clients = await risk.get("/exports/clients", headers={"Accept": "application/jsonl"})
    positions = await risk.get("/exports/positions", params={"format": "jsonl"})

    assert clients.headers["content-type"] == "application/jsonl"
    assert [json.loads(line) for line in clients.text.splitlines()] == [
        {"id": ada, "name": "=1", "loan": 0, "margin_requirement": None}
    ]
    assert positions.text == f'{{"clientId":{ada},"symbol":"AAPL","quantity":0.1,"cost_basis":150}}\n'


async def test_an_export_of_nothing_names_the_columns(risk: AsyncClient) -> None:
    await empty()

    assert await exported(risk, "csv") == {
        "clients": b"id,name,loan,margin_requirement\n",
        "instruments": b"symbol,name,currency,quote_type,leverage,marginable,house_rate\n",
        "positions": b"clientId,symbol,quantity,cost_basis\n",
    }
    assert set((await exported(risk, "jsonl")).values()) == {b""}


async def test_an_edited_export_changes_what_was_edited(risk: AsyncClient) -> None:
    ada = await client(risk)
    await send(risk, "positions", f"clientId,symbol,quantity,cost_basis\n{ada},AAPL,1,1\n{ada},MSFT,1,1\n")
    file = (await risk.get("/exports/positions")).text

    report = await send(risk, "positions", file.replace("AAPL,1,", "AAPL,2,"))

    assert counts(report)[:3] == ("stored", 0, 1)
    assert [held["quantity"] for held in await holdings(risk, ada)] == [2, 1]
