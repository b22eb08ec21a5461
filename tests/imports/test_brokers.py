"""What brokers export: which rows are holdings, which are none, and which cannot be carried."""

import pytest
from httpx import AsyncClient

from tests.imports.sending import CSV, client, counts, faults, holdings, send

SCHWAB = """"Positions for account Individual ...123 as of 12:33 PM ET, 2026/05/04","","",""
"","","",""
"Symbol","Description","Qty (Quantity)","Price","Mkt Val (Market Value)","Cost Basis","Reinvest?","Asset Type",
"AAPL","APPLE INC","1,500","$200.00","$300,000.00","$225,000.00","Yes","Equity",
"BRK/B","BERKSHIRE HATHAWAY","3","$400.00","$1,200.00","$1,000.00","No","Equity",
"SCHB","SCHWAB US BROAD MARKET ETF","-10.5","$99.99","-$1,049.90","-$1,050.00","Yes","ETFs & Closed End Funds",
"ACME 05/16/2026 55.00 C","CALL ACME $55","-1","$0.50","-$50.00","--","--","Option",
"CVR","A RIGHT","5","--","N/A","--","--","Equity",
"HUGE","A COST BEYOND ALL BOUNDS","1","$1.00","$1.00","$10000000000000000000000000000000000000000","Yes","Equity",
"Cash & Cash Investments","--","--","--","$2,000.00","--","--","Cash and Money Market",
"Positions Total","","--","--","$302,150.10","$226,000.00","--","--",
"""

FIDELITY = """\ufeffAccount Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,\
Today's Gain/Loss Dollar,Today's Gain/Loss Percent,Total Gain/Loss Dollar,Total Gain/Loss Percent,Percent Of Account,\
Cost Basis Total,Average Cost Basis,Type
Z1,Individual,SPAXX**,HELD IN MONEY MARKET,,,,$770.41,,,,,1.03%,,,Cash,
Z1,Individual,META,META PLATFORMS INC,28.12,$582.90,-$30.01,$16391.14,-$842.48,-4.89%,+$9521.31,+138.59%,21.98%,\
$6869.83,$244.30,Margin,
Z1,Individual,AMZN,AMAZON.COM INC,"1,061.575",$242.67,+$0.97,"$257,611.40",,,,,20.04%,"$202,803.29",$191.04,Margin,
Z1,Individual, -AAPL260116C150,AAPL JAN 16 2026 $150 CALL,2,$10.00,,$2000.00,,,,,1%,$18.00,$9.00,Margin,
Z1,Individual,PLTR,PALANTIR,58,$173.84,-$0.20,$10082.72,-$11.60,-0.12%,--,--,41.98%,--,--,Margin,
Z1,Individual,912797KJ5,UNITED STATES TREAS BILLS,10000,$99.10,,$9910.00,,,,,1%,$9900.00,$99.00,Cash,
Z1,Individual,COMMA,A COMMA THAT PARTS NO THOUSANDS,"1,5",$10.00,,$15.00,,,,,1%,$15.00,$10.00,Cash,
Z1,Individual,Pending activity,,,,,$136.75,,,,,,,,,

"The data and information in this spreadsheet is provided to you solely for your use, and is not for distribution."
"Date downloaded Jul-05-2026 1:45 a.m ET"
"""

IBKR = """"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Quantity","CostBasisPrice","LevelOfDetail"
"U1","USD","STK","AAPL","100","150.25","SUMMARY"
"U1","USD","STK","AAPL","60","150","LOT"
"U1","USD","STK","AAPL","40","150.625","LOT"
"U1","USD","STK","BRK B","-5","410.123456789","SUMMARY"
"U1","EUR","STK","SAP","10","120","SUMMARY"
"U1","USD","OPT","AAPL  260116C00150000","1","900","SUMMARY"
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Quantity","CostBasisPrice","LevelOfDetail"
"U2","USD","STK","MSFT","7","400","SUMMARY"
"""


async def test_schwab(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", SCHWAB, preset="schwab", clientId=ada, mode="good")

    # The total of the cost divided by the quantity: 225,000 / 1,500, 1,000 / 3, 1,050 / 10.5.
    assert await holdings(risk, ada) == [
        {"symbol": "AAPL", "quantity": 1500, "cost_basis": 150.0},
        {"symbol": "BRK-B", "quantity": 3, "cost_basis": 333.33333333},
        {"symbol": "SCHB", "quantity": -10.5, "cost_basis": 100.0},
    ]
    assert faults(report) == [(7, None), (8, None), (9, None)]
    assert (counts(report), report["skipped"]) == (("stored", 3, 0, 0, 3), 2)


async def test_fidelity(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", FIDELITY, preset="fidelity", clientId=ada, mode="good")

    assert await holdings(risk, ada) == [
        {"symbol": "AMZN", "quantity": 1061.575, "cost_basis": 191.04},
        {"symbol": "META", "quantity": 28.12, "cost_basis": 244.3},
    ]
    assert faults(report) == [(5, None), (6, None), (7, None), (8, None)]
    assert report["skipped"] == 4


async def test_fidelity_with_the_headers_of_2026(risk: AsyncClient) -> None:
    ada = await client(risk, "Z1")
    header, rows = FIDELITY.split("\n", 1)

    report = await send(risk, "positions", f"{header.lower()}\n{rows}", preset="fidelity", mode="good")

    assert counts(report) == ("stored", 2, 0, 0, 4)
    assert len(await holdings(risk, ada)) == 2


async def test_fidelity_lists_a_symbol_once_for_each_type(risk: AsyncClient) -> None:
    ada, other = await client(risk, "Z1"), await client(risk, "Z2")
    header = "Account Number,Symbol,Quantity,Average Cost Basis,Type\n"
    rows = [
        "Z1,META,10,$240.00,Cash",
        "Z2,META,5,$100.00,Cash",
        "Z1,AMZN,6,$190.00,Cash",
        "Z1,META,30,$248.00,Margin",
        "Z1,AMZN,-2,$200.00,Short",
        "Z1,NET,7,$10.00,Cash",
        "Z1,NET,-7,$12.00,Short",
    ]

    report = await send(risk, "positions", header + "\n".join(rows), preset="fidelity", mode="good")

    assert await holdings(risk, ada) == [
        {"symbol": "AMZN", "quantity": 4, "cost_basis": 190.0},  # of the side that is left
        {"symbol": "META", "quantity": 40, "cost_basis": 246.0},  # (10 x 240 + 30 x 248) / 40
    ]
    assert await holdings(risk, other) == [{"symbol": "META", "quantity": 5, "cost_basis": 100.0}]
    assert faults(report) == [(7, "quantity"), (8, "quantity")]  # a position of 0 is none
    assert (counts(report), report["row_count"]) == (("stored", 3, 0, 0, 2), 7)


async def test_interactive_brokers(risk: AsyncClient) -> None:
    first, second = await client(risk, "U1"), await client(risk, "U2")

    report = await send(risk, "positions", IBKR, preset="ibkr", mode="good")

    assert faults(report) == [(6, None), (7, None)]
    assert await holdings(risk, first) == [
        {"symbol": "AAPL", "quantity": 100, "cost_basis": 150.25},
        {"symbol": "BRK-B", "quantity": -5, "cost_basis": 410.12345679},  # a cost is kept to eight decimals
    ]
    assert await holdings(risk, second) == [{"symbol": "MSFT", "quantity": 7, "cost_basis": 400.0}]


async def test_lots_without_their_summaries_are_not_nothing(risk: AsyncClient) -> None:
    lots = "".join(line for line in IBKR.splitlines(keepends=True) if "SUMMARY" not in line)

    report = await send(risk, "positions", lots, preset="ibkr")

    assert report["state"] == "refused"
    assert [(error["line"], error["message"]) for error in report["errors"]] == [
        (2, "is a part, and no row is a whole: export summaries too")
    ]


@pytest.mark.parametrize("row", ["Z1,META,,,", "Z1,META", "Z1,META,10,,Margin"])
async def test_a_holding_that_is_cut_off_is_a_fault(risk: AsyncClient, row: str) -> None:
    await client(risk, "Z1")
    header = "Account Number,Symbol,Quantity,Average Cost Basis,Type\n"

    report = await send(risk, "positions", header + row, preset="fidelity")

    assert (faults(report), report["skipped"]) == ([(2, None)], 0)


async def test_a_file_for_one_client_is_of_one_account(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "positions", IBKR, preset="ibkr", clientId=ada, mode="good")

    assert faults(report)[-1] == (9, None)
    assert [held["symbol"] for held in await holdings(risk, ada)] == ["AAPL", "BRK-B"]


@pytest.mark.parametrize("parameters", [{"preset": "schwab"}, {"preset": "ibkr"}, {"preset": "etrade"}])
async def test_an_export_of_another_broker_is_refused(risk: AsyncClient, parameters: dict[str, str]) -> None:
    response = await risk.post(
        "/imports", content=FIDELITY, headers=CSV, params={"kind": "positions", "clientId": 1, **parameters}
    )

    assert response.status_code == 422
