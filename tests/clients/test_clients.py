"""Clients over HTTP: the contract, the bounds, who may do what."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.models import Role
from tests.conftest import LoginAs


async def create(risk: AsyncClient, **fields: object) -> dict[str, Any]:
    response = await risk.post("/clients", json={"name": "Ada"} | fields)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_a_new_client_is_returned_as_it_is_read_back(risk: AsyncClient) -> None:
    created = await create(risk, name=" Ada ", loan=10000.5, margin_requirement=0.4)

    read = await risk.get(f"/clients/{created['id']}")

    assert created.keys() == {"id", "name", "loan", "margin_requirement", "created_at"}
    assert read.json() == created
    assert (created["name"], created["loan"], created["margin_requirement"]) == ("Ada", 10000.5, 0.4)
    assert created["created_at"].endswith("Z")


async def test_a_client_without_a_loan_owes_nothing_and_has_no_own_rate(risk: AsyncClient) -> None:
    created = await create(risk)

    assert (created["loan"], created["margin_requirement"]) == (0.0, None)


async def test_a_patch_changes_what_it_names_and_nothing_else(risk: AsyncClient) -> None:
    created = await create(risk, loan=500, margin_requirement=0.4)

    patched = await risk.patch(f"/clients/{created['id']}", json={"margin_requirement": None})

    assert patched.status_code == 200
    assert patched.json() == created | {"margin_requirement": None}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "a\u0000b"},
        {"name": "x" * 201},
        {"loan": 0.001},
        {"loan": 1e12},
        {"loan": -1e12},
        {"loan": True},
        {"loan": "much"},
        {"margin_requirement": 0},
        {"margin_requirement": 1.0001},
        {"margin_requirement": 0.12345},
        {"unknown": 1},
    ],
    ids=str,
)
async def test_a_client_out_of_bounds_is_refused_and_nothing_is_stored(
    risk: AsyncClient, fields: dict[str, Any]
) -> None:
    before = (await risk.get("/clients")).json()

    response = await risk.post("/clients", json={"name": "Ada"} | fields)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["loc"] == ["body", next(iter(fields))]
    assert (await risk.get("/clients")).json() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_numbers_that_json_does_not_know_are_refused(risk: AsyncClient, number: str) -> None:
    body = f'{{"name": "Ada", "loan": {number}}}'

    response = await risk.post("/clients", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 422


async def test_a_client_that_holds_or_owes_is_not_deleted(risk: AsyncClient) -> None:
    holds, owes, free = [await create(risk, loan=loan) for loan in (0, 0.01, 0)]
    await risk.put(f"/positions/{holds['id']}/AAPL", json={"quantity": 1, "cost_basis": 1})

    statuses = [(await risk.delete(f"/clients/{client['id']}")).status_code for client in (holds, owes, free)]

    assert statuses == [409, 409, 204]
    assert (await risk.get(f"/clients/{free['id']}")).status_code == 404


async def test_pages_hold_every_client_once_in_order(risk: AsyncClient) -> None:
    ids = [(await create(risk))["id"] for _ in range(5)]
    url: str | None = f"/clients?after={ids[0] - 1}&limit=2"
    seen: list[int] = []
    while url:
        page = await risk.get(url)
        seen += [client["id"] for client in page.json()]
        url = page.links.get("next", {}).get("url")

    assert seen == ids


async def test_a_client_user_sees_itself_and_nobody_else(risk: AsyncClient, login_as: LoginAs) -> None:
    own, other = await create(risk), await create(risk)
    caller = await login_as(Role.CLIENT, client_id=own["id"])

    assert [client["id"] for client in (await caller.get("/clients")).json()] == [own["id"]]
    for path in ("/clients/{}", "/positions/{}", "/margin/{}"):
        assert (await caller.get(path.format(own["id"]))).status_code == 200
        assert (await caller.get(path.format(other["id"]))).status_code == 404


async def test_a_client_user_changes_nothing_not_even_itself(risk: AsyncClient, login_as: LoginAs) -> None:
    own = await create(risk)
    caller = await login_as(Role.CLIENT, client_id=own["id"])

    assert (await caller.patch(f"/clients/{own['id']}", json={"loan": 0})).status_code == 403
    assert (await caller.delete(f"/clients/{own['id']}")).status_code == 403
    assert (await caller.post("/clients", json={"name": "Eve"})).status_code == 403


@pytest.mark.parametrize("client_id", ["0", "-1", "abc", "9223372036854775808", "1.5"])
async def test_an_id_that_cannot_be_is_malformed(risk: AsyncClient, client_id: str) -> None:
    assert (await risk.get(f"/clients/{client_id}")).status_code == 422


async def test_deleting_a_client_ends_its_logins(risk: AsyncClient, login_as: LoginAs) -> None:
    own = await create(risk)
    caller = await login_as(Role.CLIENT, client_id=own["id"])

    await risk.delete(f"/clients/{own['id']}")

    assert (await caller.get("/stocks")).status_code == 401


async def found(http: AsyncClient, name: str, *, limit: int = 100) -> list[str]:
    """Follow the pages of the clients whose name begins so."""
    names: list[str] = []
    response = await http.get("/clients", params={"name": name, "limit": limit})
    while True:
        names += [client["name"] for client in response.raise_for_status().json()]
        if "next" not in response.links:
            return names
        response = await http.get(response.links["next"]["url"])


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_clients_are_found_by_how_their_name_begins_in_any_case(risk: AsyncClient, limit: int) -> None:
    for name in ("Grace", "adam", "Ada", "ADA LOVELACE", "Ada", "Äda", "A%", "Bada", "Ad", "Ada\U0010fffd"):
        await create(risk, name=name)

    assert await found(risk, "ada", limit=limit) == ["Ada", "Ada", "ADA LOVELACE", "adam", "Ada\U0010fffd"]
    assert await found(risk, "A%", limit=limit) == ["A%"]
    assert await found(risk, "Nobody", limit=limit) == []


async def test_a_page_behind_a_client_that_was_deleted_misses_nobody(risk: AsyncClient) -> None:
    ids = [(await create(risk, name=name))["id"] for name in ("Ada", "Ada", "Adam")]
    await risk.delete(f"/clients/{ids[0]}")

    page = (await risk.get("/clients", params={"name": "ada", "after": ids[0]})).json()

    assert [client["id"] for client in page] == ids[1:]


async def test_a_client_finds_itself_alone(risk: AsyncClient, login_as: LoginAs) -> None:
    ids = [(await create(risk, name="Ada"))["id"] for _ in range(2)]
    ada = await login_as(Role.CLIENT, client_id=ids[1])

    assert [client["id"] for client in (await ada.get("/clients", params={"name": "ad"})).json()] == [ids[1]]
    assert (await ada.get("/clients", params={"name": "b"})).json() == []


async def test_a_client_learns_nothing_of_others_by_looking_behind_them(risk: AsyncClient, login_as: LoginAs) -> None:
    own, other = await create(risk, name="Ada"), await create(risk, name="Adam")
    ada = await login_as(Role.CLIENT, client_id=own["id"])

    pages = [
        (await ada.get("/clients", params={"name": "ad", "after": after})).json()
        for after in (other["id"], other["id"] + 1000)
    ]

    assert pages[0] == pages[1] != []
