"""Explanations over HTTP: the form of the contract, figures that are the margin's own, rules with their sources."""

from typing import Any

from httpx import AsyncClient

from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with, margin

KEYS = [
    "timestamp",
    "prices_as_of",
    "clientId",
    "policy",
    "positions",
    "portfolio_value",
    "long_market_value",
    "short_market_value",
    "loan_amount",
    "net_equity",
    "exchange_requirement",
    "house_requirement",
    "margin_requirement",
    "margin_excess",
    "margin_shortfall",
    "margin_call_triggered",
    "cushion",
    "cures",
    "distance",
    "reg_t",
    "interest",
]
POSITION_KEYS = [
    "symbol",
    "quantity",
    "price",
    "currency",
    "fx",
    "basis",
    "age_seconds",
    "market_value",
    "rules",
    "exchange_requirement",
    "house_requirement",
    "margin_requirement",
    "trigger_down",
    "trigger_up",
]


async def explain(risk: AsyncClient, client_id: int) -> dict[str, Any]:
    response = await risk.get(f"/margin/{client_id}/explain")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_an_explanation_has_every_field_of_the_contract(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)

    answer = await explain(risk, client_id)

    assert list(answer) == KEYS
    [position] = answer["positions"]
    assert list(position) == POSITION_KEYS
    assert position["rules"] == [
        {
            "id": "flat-long",
            "layer": "house",
            "rate": 0.25,
            "amount": 5000.0,
            "source": "README: maintenance requirement, 25 % of market value",
        }
    ]
    assert (position["basis"], position["currency"], position["fx"]) == ("live", "USD", 1.0)


async def test_distance_and_triggers_of_a_single_position(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)

    answer = await explain(risk, client_id)

    # V* = L / (1 - m) = 13,333.33: a third below; the first cent of shortfall is at 13,333.32
    assert abs(answer["distance"]["drop"] - 1 / 3) < 1e-6
    assert answer["distance"]["drop_value"] == 13333.32
    assert abs(answer["positions"][0]["trigger_down"] - 133.3333) < 1e-4
    assert (answer["distance"]["rise"], answer["positions"][0]["trigger_up"]) == (None, None)
    assert answer["cures"] == {"cash": 0.0, "securities": 0.0, "sale": 0.0}


async def test_cures_of_the_published_example(risk: AsyncClient, provider: FakeProvider) -> None:
    # Investopedia: 200 shares at 35, loan 5,000, rate 30 %: cash 100, securities 142.86, sale 333.33
    client_id = await client_with(risk, provider, {"XYZ": (200, "35")}, loan=5000, rate=0.3)

    cures = (await explain(risk, client_id))["cures"]

    assert (cures["cash"], cures["securities"]) == (100.0, 142.86)
    assert abs(cures["sale"] - 333.33) <= 0.02


async def test_an_explanation_and_the_margin_never_disagree(risk: AsyncClient, provider: FakeProvider) -> None:
    holdings: dict[str, tuple[float, str]] = {
        "AAA": (33.333333, "33.33"),
        "BBB": (-7.5, "12.34567891"),
        "CCC": (1, "4.99"),
    }
    client_id = await client_with(risk, provider, holdings, loan=123.45)

    answer, status = await explain(risk, client_id), await margin(risk, client_id)

    shared = status.keys() - {"timestamp"}
    assert {key: answer[key] for key in shared} == {key: status[key] for key in shared}
    total = round(sum(position["margin_requirement"] for position in answer["positions"]), 2)
    assert total == answer["margin_requirement"]
    assert answer["long_market_value"] + answer["short_market_value"] == answer["portfolio_value"]


async def test_an_account_that_a_thread_explains_adds_up_too(risk: AsyncClient, provider: FakeProvider) -> None:
    """One of more than 50 positions."""
    held: dict[str, tuple[float, str]] = {f"S{n}": (n, f"{n}.37") for n in range(1, 61)}
    client_id = await client_with(risk, provider, held, loan=1000)

    answer, shown = await explain(risk, client_id), await margin(risk, client_id)

    assert [line["symbol"] for line in answer["positions"]] == sorted(held)
    assert round(sum(line["margin_requirement"] for line in answer["positions"]), 2) == shown["margin_requirement"]
    assert answer["margin_requirement"] == shown["margin_requirement"]


async def test_a_client_without_positions_is_explained_too(risk: AsyncClient, provider: FakeProvider) -> None:
    answer = await explain(risk, await client_with(risk, provider, {}, loan=2500))

    assert (answer["positions"], answer["prices_as_of"], answer["cushion"]) == ([], None, None)
    assert (answer["margin_shortfall"], answer["cures"]["cash"], answer["cures"]["sale"]) == (2500.0, 2500.0, None)


async def test_a_missing_price_is_named(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {})
    await risk.put(f"/positions/{client_id}/NOPE", json={"quantity": 1, "cost_basis": 1})

    for response in (
        await risk.get(f"/margin/{client_id}/explain"),
        await risk.post(f"/margin/{client_id}/simulate", json={}),
    ):
        assert (response.status_code, response.json()["symbols"]) == (409, ["NOPE"])


async def test_a_foreign_position_is_explained_in_both_currencies(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("SAP.DE", "200", currency="EUR")
    provider.give("EURUSD=X", "1.1")
    client_id = await client_with(risk, provider, {}, loan=1000)
    await risk.get("/stocks/SAP.DE")
    await risk.put(f"/positions/{client_id}/SAP.DE", json={"quantity": 10, "cost_basis": 1})

    [position] = (await explain(risk, client_id))["positions"]

    assert (position["price"], position["fx"], position["currency"]) == (200.0, 1.1, "EUR")
    assert position["market_value"] == 2200.0
    # loan 1,000 / 0.75 = 1,333.33 dollars: 121.21 euros a share
    assert abs(position["trigger_down"] - 121.2121) < 1e-3


async def test_a_what_if_changes_nothing_and_says_what_would(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)
    body = {"trades": [{"symbol": "aapl", "quantity": 50}], "cash": 1000, "prices": [{"symbol": "AAPL", "price": 120}]}

    answer = (await risk.post(f"/margin/{client_id}/simulate", json=body)).json()

    before, after = answer["before"], answer["after"]
    assert (before["portfolio_value"], before["loan_amount"]) == (20000.0, 10000.0)
    # 150 x 120; loan 10,000 + 50 x 200 - 1,000; requirement 4,500, equity -1,000
    assert (after["portfolio_value"], after["loan_amount"]) == (18000.0, 19000.0)
    assert (after["margin_requirement"], after["margin_shortfall"]) == (4500.0, 5500.0)
    assert (answer["call_opens"], answer["call_closes"]) == (True, False)
    assert (await explain(risk, client_id))["loan_amount"] == 10000.0


async def test_a_what_if_may_use_another_policy(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"TSLA": (-100, "10")}, loan=-2000)
    house = {
        "id": "tight",
        "version": "3",
        "title": "Sixty on everything",
        "house": {
            "long": {"id": "h-1", "source": "House", "rate": 0.6},
            "short": {"id": "h-2", "source": "House", "rate": 0.6},
        },
    }

    finra = (await risk.post(f"/margin/{client_id}/simulate", json={"policy": "finra_4210"})).json()["after"]
    own = (await risk.post(f"/margin/{client_id}/simulate", json={"policy": house})).json()["after"]

    # 4210(c)(3): the greater of $5 a share and 30 %
    assert (finra["exchange_requirement"], finra["margin_requirement"]) == (500.0, 500.0)
    assert finra["positions"][0]["rules"][0]["id"] == "4210-c-3"
    assert (own["house_requirement"], own["policy"]) == (600.0, {"id": "tight", "version": "3"})


async def test_a_what_if_on_what_is_not_held_needs_its_price(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")})
    body = {"trades": [{"symbol": "MSFT", "quantity": 1, "price": 400}]}

    missing = await risk.post(f"/margin/{client_id}/simulate", json=body)
    provider.give("MSFT", "410")
    await risk.get("/stocks/MSFT")
    known = await risk.post(f"/margin/{client_id}/simulate", json=body)

    assert (missing.status_code, missing.json()["symbols"]) == (409, ["MSFT"])
    assert known.json()["after"]["portfolio_value"] == 20410.0


async def test_a_policy_that_makes_no_sense_is_refused_with_its_key(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {})
    policy = {"id": "x", "version": "1", "title": "x", "house": {"long": {"id": "l", "source": "s", "rate": 1.5}}}

    refused = await risk.post(f"/margin/{client_id}/simulate", json={"policy": policy})
    path = await risk.post(f"/margin/{client_id}/simulate", json={"policy": "/etc/passwd"})

    assert refused.status_code == path.status_code == 422
    assert refused.json()["errors"][0]["loc"][-3:] == ["house", "long", "rate"]
