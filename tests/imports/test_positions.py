"""Positions in files: what is stored, what is refused, and where the report says so."""

import json

import pytest
from httpx import AsyncClient

from tests.fakes import FakeProvider
from tests.imports.sending import CSV, JSON_LINES, client, counts, faults, holdings, send

HEADER = "clientId,symbol,quantity,cost_basis\n"


async def test_positions_are_stored_exactly(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", f"{HEADER}{ada},AAPL,100,150\n{ada},BRK-B,-0.000001,12345.12345678\n")

    assert counts(report) == ("stored", 2, 0, 0, 0)
    assert report["row_count"] == 2
    assert await holdings(risk, ada) == [
        {"symbol": "AAPL", "quantity": 100, "cost_basis": 150.0},
        {"symbol": "BRK-B", "quantity": -0.000001, "cost_basis": 12345.12345678},
    ]


async def test_json_lines_say_the_same(risk: AsyncClient) -> None:
    ada = await client(risk)
    lines = [
        {"clientId": ada, "symbol": "aapl", "quantity": 0.1, "cost_basis": 1e3},
        {"symbol": "MSFT", "clientId": ada, "cost_basis": 0, "quantity": -3},
    ]

    report = await send(risk, "positions", "\n".join(map(json.dumps, lines)), JSON_LINES)

    assert counts(report) == ("stored", 2, 0, 0, 0)
    assert await holdings(risk, ada) == [
        {"symbol": "AAPL", "quantity": 0.1, "cost_basis": 1000.0},
        {"symbol": "MSFT", "quantity": -3, "cost_basis": 0.0},
    ]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("0,AAPL,1,1", "clientId"),
        ("x,AAPL,1,1", "clientId"),
        ("1,,1,1", "symbol"),
        ("1,A B,1,1", "symbol"),
        ("1,EURUSD=X,1,1", "symbol"),
        ("1,ÀAPL,1,1", "symbol"),
        ("1,AAPL,0,1", "quantity"),
        ("1,AAPL,0.000,1", "quantity"),
        ("1,AAPL,,1", "quantity"),
        ("1,AAPL,ten,1", "quantity"),
        ("1,AAPL,NaN,1", "quantity"),
        ("1,AAPL,1e12,1", "quantity"),
        ("1,AAPL,0.0000001,1", "quantity"),
        ("1,AAPL,1234567890.123456,1", "quantity"),  # 16 digits
        ("1,AAPL,\u0661,1", "quantity"),
        ("1,AAPL,1,-1", "cost_basis"),
        ("1,AAPL,1,1e10", "cost_basis"),
        ("1,AAPL,1,0.123456789", "cost_basis"),
        ("1,AAPL,1", None),
        ("1,AAPL,1,1,1", None),
        ('1,"AAPL"x,1,1', None),
    ],
)
async def test_a_bad_cell_is_reported_by_line_and_column(risk: AsyncClient, row: str, column: str | None) -> None:
    ada = await client(risk)
    good = f"{ada},MSFT,1,1\n"

    report = await send(risk, "positions", f"{HEADER}{good}{row.replace('1,', f'{ada},', 1)}\n")

    assert counts(report) == ("refused", 0, 0, 0, 1)
    assert faults(report) == [(3, column)]
    assert await holdings(risk, ada) == []


@pytest.mark.parametrize("quantity", ["100.000000", "1E2", "00100", "100.0000000000000000000"])
async def test_a_number_is_what_it_is_worth_not_how_it_is_written(risk: AsyncClient, quantity: str) -> None:
    ada = await client(risk)

    assert counts(await send(risk, "positions", f"{HEADER}{ada},AAPL,{quantity},1\n"))[0] == "stored"
    assert (await holdings(risk, ada))[0]["quantity"] == 100


async def test_every_fault_is_in_one_report(risk: AsyncClient) -> None:
    ada = await client(risk)
    rows = [f"{ada},AAPL,1,1", f"{ada},A A,x,-1", "999999,MSFT,1,1", f"{ada},AAPL,2,1", f"{ada},TSLA,1,1"]

    report = await send(risk, "positions", HEADER + "\n".join(rows))

    assert faults(report) == [
        (3, "symbol"),
        (3, "quantity"),
        (3, "cost_basis"),
        (4, "clientId"),
        (5, "symbol"),
    ]
    assert (report["bad_rows"], report["error_count"], report["row_count"]) == (3, 5, 5)
    assert [error["message"] for error in report["errors"]][3:] == ["No client 999999.", "is in line 2 already"]


async def test_good_rows_are_stored_where_that_is_asked_for(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n{ada},MSFT,x,1\n", mode="good")

    assert counts(report) == ("stored", 1, 0, 0, 1)
    assert [held["symbol"] for held in await holdings(risk, ada)] == ["AAPL"]


async def test_existing_positions_are_updated_or_kept(risk: AsyncClient) -> None:
    ada = await client(risk)
    await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n{ada},MSFT,1,1\n")
    file = f"{HEADER}{ada},AAPL,2,1\n{ada},MSFT,1,1\n{ada},TSLA,1,1\n"

    kept = await send(risk, "positions", file, existing="keep", dry_run="true")
    updated = await send(risk, "positions", file)

    assert counts(kept) == ("checked", 1, 0, 2, 0)
    assert counts(updated) == ("stored", 1, 1, 1, 0)
    assert [held["quantity"] for held in await holdings(risk, ada)] == [2, 1, 1]


async def test_a_dry_run_stores_nothing_but_its_report(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n", dry_run="true")

    assert counts(report) == ("checked", 1, 0, 0, 0)
    assert await holdings(risk, ada) == []
    assert (await risk.get(f"/imports/{report['id']}")).json() == report


async def test_a_client_may_be_known_by_its_name(risk: AsyncClient) -> None:
    ada = await client(risk, "U1234567")
    await client(risk, "Twin")
    await client(risk, "Twin")

    report = await send(
        risk,
        "positions",
        "client,symbol,quantity,cost_basis\nU1234567,AAPL,1,1\nTwin,AAPL,1,1\nNobody,AAPL,1,1\n",
        mode="good",
    )

    assert faults(report) == [(3, "client"), (4, "client")]
    assert [held["symbol"] for held in await holdings(risk, ada)] == ["AAPL"]


async def test_columns_may_have_other_names(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(
        risk,
        "positions",
        "Ticker,Note,Units,Paid: each\nAAPL,buy,5,10\n",
        clientId=ada,
        column=["symbol:Ticker", "quantity:Units", "cost_basis:Paid: each"],
    )

    assert counts(report) == ("stored", 1, 0, 0, 0)
    assert await holdings(risk, ada) == [{"symbol": "AAPL", "quantity": 5, "cost_basis": 10.0}]


@pytest.mark.parametrize(
    ("file", "parameters"),
    [
        ("", {}),
        ("\n\n", {}),
        ("clientId,symbol,quantity\n", {}),
        (f"{HEADER.strip()},note\n", {}),
        ("symbol,quantity,cost_basis\n", {}),
        ("client,clientId,symbol,quantity,cost_basis\n", {}),
        ("clientId,symbol,symbol,quantity,cost_basis\n", {}),
        (HEADER, {"clientId": "1"}),
        (HEADER, {"column": "symbol:Ticker"}),
        (HEADER, {"column": "price:Ticker"}),
        (HEADER, {"preset": "schwab"}),
        (HEADER, {"kind": "clients"}),
    ],
)
async def test_a_file_with_wrong_columns_is_no_import(risk: AsyncClient, file: str, parameters: dict[str, str]) -> None:
    response = await risk.post("/imports", content=file, headers=CSV, params={"kind": "positions", **parameters})

    assert response.status_code == 422
    assert (await risk.get("/imports")).json() == []


async def test_lines_are_those_of_the_file(risk: AsyncClient) -> None:
    ada = await client(risk)
    file = f'\ufeffclientId,symbol,"quantity",cost_basis\r\n\r\n{ada},"AA\r\nPL",1,1\r\n{ada},AAPL,x,1\r\n'

    assert faults(await send(risk, "positions", file)) == [(3, "symbol"), (5, "quantity")]


async def test_an_account_does_not_become_too_large(risk: AsyncClient, provider: FakeProvider) -> None:
    ada, grace = await client(risk), await client(risk, "Grace")
    for symbol in ("AAPL", "MSFT"):
        provider.give(symbol, "1000")
        await risk.get(f"/stocks/{symbol}")
    await send(risk, "positions", f"{HEADER}{ada},MSFT,-500000000,1\n")  # half of the limit

    report = await send(risk, "positions", f"{HEADER}{ada},AAPL,500000000,1\n{grace},AAPL,999999999,1\n", mode="good")

    assert faults(report) == [(2, "quantity")]
    assert [held["symbol"] for held in await holdings(risk, grace)] == ["AAPL"]


async def test_json_lines_are_faulted_one_by_one(risk: AsyncClient) -> None:
    ada = await client(risk)
    good = json.dumps({"clientId": ada, "symbol": "AAPL", "quantity": 1, "cost_basis": 1})
    lines = [good, "{", "[]", good.replace("}", ', "note": 1}'), good.replace("1}", "[]}"), good.replace("1}", "NaN}")]

    report = await send(risk, "positions", "\n".join(lines), JSON_LINES)

    assert faults(report) == [(line, None) for line in (2, 3, 4, 5, 6)]
    assert counts(report) == ("refused", 0, 0, 0, 5)
