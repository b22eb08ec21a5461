"""Plain requests for the fast routes get what every other request for the same gets."""

import asyncio
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.fast_path import BY_CLIENT
from app.models import Client, Margin, Position, Role, User
from tests.conftest import LoginAs
from tests.fakes import FakeProvider

#: A query that means nothing: the request is not plain any more, and takes the documented route.
SLOWLY = {"slowly": "1"}


async def add_client(symbol: str | None = None) -> int:
    client = await Client.create(name="Ada")
    await Margin.create(client=client, loan=Decimal(-5))
    if symbol:
        await Position.create(client=client, symbol=symbol, quantity=Decimal(1), cost_basis=Decimal(1))
    client_id: int = client.id
    return client_id


def seen_by_caller(response: Response) -> tuple[int, Any, dict[str, str]]:
    """Return what must be equal: status, body and headers but for what each request has of its own."""
    body = response.json()
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in {"timestamp", "request_id"}}
    own = {"x-request-id", "content-length"}
    return response.status_code, body, {name: text for name, text in response.headers.items() if name not in own}


async def both(caller: AsyncClient, path: str, **headers: str) -> tuple[int, Any]:
    """Ask plainly and not; return status and body, which are the same."""
    plainly, slowly = [await caller.get(path, params=params, headers=headers) for params in (None, SLOWLY)]
    assert seen_by_caller(plainly) == seen_by_caller(slowly)
    assert plainly.headers["x-request-id"] != slowly.headers["x-request-id"]
    return seen_by_caller(plainly)[:2]


@pytest.mark.parametrize("prefix", BY_CLIENT)
async def test_a_hot_route_answers_as_the_documented_one(risk: AsyncClient, login_as: LoginAs, prefix: str) -> None:
    client_id, other = await add_client(), await add_client()
    own = await login_as(Role.CLIENT, client_id=client_id)

    assert (await both(risk, f"{prefix}/{client_id}"))[0] == 200
    assert (await both(own, f"{prefix}/{client_id}"))[0] == 200
    assert (await both(own, f"{prefix}/{other}"))[0] == 404
    assert (await both(risk, f"{prefix}/{2**53 - 1}"))[0] == 404


@pytest.mark.parametrize("prefix", BY_CLIENT)
@pytest.mark.parametrize("client_id", ["0", "-1", "1.5", "x", "9" * 30, "٣"])
async def test_an_id_that_is_none_is_refused_by_the_documented_route(
    risk: AsyncClient, prefix: str, client_id: str
) -> None:
    assert (await both(risk, f"{prefix}/{client_id}"))[0] in {404, 422}


@pytest.mark.parametrize("prefix", BY_CLIENT)
@pytest.mark.parametrize("token", ["", "Basic eDp5", "Bearer", "Bearer ", "Bearer not.a.token", "bearer é"])
async def test_a_bad_token_gets_the_same_refusal(risk: AsyncClient, prefix: str, token: str) -> None:
    del risk.headers["Authorization"]
    headers = {b"Authorization": token.encode("latin-1")}
    answers = [await risk.get(f"{prefix}/1", params=params, headers=headers) for params in (None, SLOWLY)]

    assert seen_by_caller(answers[0]) == seen_by_caller(answers[1])
    assert answers[0].status_code == 401
    assert answers[0].headers["www-authenticate"] == "Bearer"


async def test_a_missing_price_names_its_symbol_on_both_ways(risk: AsyncClient) -> None:
    status, body = await both(risk, f"/margin/{await add_client('GONE')}")

    assert (status, body["symbols"]) == (409, ["GONE"])


@pytest.mark.parametrize("prefix", BY_CLIENT)
async def test_a_deactivated_user_is_refused_within_a_second(login_as: LoginAs, prefix: str) -> None:
    client_id = await add_client()
    caller = await login_as(Role.RISK)
    assert (await caller.get(f"{prefix}/{client_id}")).status_code == 200

    await User.filter(role=Role.RISK).update(is_active=False)
    changed_at = monotonic()
    while (await caller.get(f"{prefix}/{client_id}")).status_code == 200:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)

    assert monotonic() - changed_at < 1


@pytest.mark.parametrize("prefix", BY_CLIENT)
async def test_a_plain_request_is_counted_under_its_route(risk: AsyncClient, login_as: LoginAs, prefix: str) -> None:
    client_id = await add_client()

    async def counted() -> float:
        page = (await risk.get("/metrics")).text
        series = f'risk_http_requests_total{{method="GET",route="{prefix}/{{clientId}}",status="200"}} '
        return sum(float(line.removeprefix(series)) for line in page.splitlines() if line.startswith(series))

    before = await counted()
    await risk.get(f"{prefix}/{client_id}")

    assert await counted() == before + 1


async def test_stored_prices_are_the_same_on_both_ways(risk: AsyncClient, provider: FakeProvider) -> None:
    for symbol, price in (("AAPL", "175.5"), ("BRK-B", "0.00000001"), ("EURUSD=X", "1.1")):
        provider.give(symbol, price)
        await risk.get(f"/stocks/{symbol}")

    status, body = await both(risk, "/stocks")

    assert status == 200
    assert [(row["symbol"], row["current_price"]) for row in body] == [("AAPL", 175.5), ("BRK-B", 1e-08)]


async def test_prices_that_the_caller_has_are_not_sent_again(risk: AsyncClient) -> None:
    etag = (await risk.get("/stocks")).headers["etag"]

    assert (await risk.get("/stocks", headers={"If-None-Match": etag})).status_code == 304
