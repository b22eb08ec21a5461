"""`Idempotency-Key`: sent twice, applied once, answered alike."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from tortoise import connections

from app.models import AuditEntry, Client, IdempotencyKey, Role
from tests.conftest import LoginAs
from tests.contract.document import operations_of
from tests.fakes import FakeProvider

ADA: Mapping[str, object] = {"name": "Ada", "loan": 1000}
#: POSTs that take no key: they store nothing, their answer shows a secret, or twice is as good as once.
WITHOUT = {
    "create_token",
    "refresh_token",
    "logout",
    "simulate_margin",
    "create_webhook",
    "rotate_webhook_secret",
    "refresh_stocks",
}


async def create(http: AsyncClient, key: str, body: Mapping[str, object] = ADA) -> Response:
    return await http.post("/clients", json=dict(body), headers={"Idempotency-Key": key})


async def expire(key: str) -> None:
    await connections.get("default").execute_query(
        "update idempotency_key set expires_at = now() - interval '1 second' where key = $1", [key]
    )


def test_every_post_that_stores_takes_a_key(app: FastAPI) -> None:
    posts = [operation for operation in operations_of(app.openapi()) if operation.method == "POST"]
    imports = {operation.id for operation in posts if operation.path.startswith("/imports")}

    keyed = {operation.id for operation in posts if "Idempotency-Key" in operation.parameters("header")}

    assert keyed - imports == {operation.id for operation in posts} - WITHOUT - imports


async def test_what_is_sent_twice_is_applied_once_and_answered_alike(risk: AsyncClient) -> None:
    first = await create(risk, "a-key")
    second = await create(risk, "a-key")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    kept = ("Content-Type", "Location", "Content-Location", "ETag")
    assert {name: second.headers[name] for name in kept} == {name: first.headers[name] for name in kept}
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
    assert await Client.filter(name="Ada").count() == 1
    assert await AuditEntry.filter(entity="client", entity_id=str(first.json()["id"])).count() == 1


async def test_an_answer_under_a_key_is_the_one_without(risk: AsyncClient) -> None:
    keyed = await create(risk, "a-key")
    plain = await risk.post("/clients", json=ADA)

    different = {"id", "created_at"}
    assert {k: v for k, v in keyed.json().items() if k not in different} == {
        k: v for k, v in plain.json().items() if k not in different
    }
    assert keyed.headers.keys() == plain.headers.keys()


async def test_a_trade_that_is_sent_twice_is_booked_once(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "100")
    client_id = (await risk.post("/clients", json=ADA)).json()["id"]
    trade = {"symbol": "AAPL", "quantity": 10, "price": 100}

    answers = [
        await risk.post(f"/positions/{client_id}/trades", json=trade, headers={"Idempotency-Key": "t"})
        for _ in range(3)
    ]

    # 1000 were owed, and 10 x 100 more are.
    booked = {"clientId": client_id, "position": {"symbol": "AAPL", "quantity": 10, "cost_basis": 100.0}, "loan": 2000}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, booked)] * 3
    assert (await risk.get(f"/clients/{client_id}")).json()["loan"] == 2000


async def test_a_quoted_key_is_the_key_without_its_quotes(risk: AsyncClient) -> None:
    first = await create(risk, "a-key")

    assert (await create(risk, '"a-key"')).json() == first.json()


@pytest.mark.parametrize("body", [{"name": "Ada", "loan": 1001}, {"name": "Eda", "loan": 1000}])
async def test_the_same_key_with_another_body_is_refused(risk: AsyncClient, body: Mapping[str, Any]) -> None:
    await create(risk, "a-key")

    refused = await create(risk, "a-key", body)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"loc": ["header", "Idempotency-Key"], "msg": "was used for another request"},
    ]
    assert await Client.all().count() == 1


async def test_the_same_key_on_another_path_is_refused(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "100")
    ids = [(await risk.post("/clients", json=ADA)).json()["id"] for _ in range(2)]
    trade = {"symbol": "AAPL", "quantity": 10, "price": 100}

    statuses = [
        (await risk.post(f"/positions/{i}/trades", json=trade, headers={"Idempotency-Key": "t"})).status_code
        for i in ids
    ]

    assert statuses == [201, 422]
    assert (await risk.get(f"/positions/{ids[1]}")).json()["positions"] == []


async def test_keys_are_each_users_own(risk: AsyncClient, login_as: LoginAs) -> None:
    other = await login_as(Role.ADMIN)

    ids = {(await create(http, "a-key")).json()["id"] for http in (risk, other)}

    assert len(ids) == 2


async def test_a_role_that_may_not_is_refused_before_any_key_is_looked_at(risk: AsyncClient, login_as: LoginAs) -> None:
    ada = (await create(risk, "a-key")).json()["id"]
    client = await login_as(Role.CLIENT, client_id=ada)

    assert (await create(client, "a-key")).status_code == 403
    assert await IdempotencyKey.all().count() == 1


async def test_what_failed_left_no_key_and_may_be_sent_again(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = (await risk.post("/clients", json=ADA)).json()["id"]
    trade = {"symbol": "AAPL", "quantity": 10, "price": 100}

    async def book() -> int:
        path = f"/positions/{client_id}/trades"
        return (await risk.post(path, json=trade, headers={"Idempotency-Key": "t"})).status_code

    provider.down = True
    failed = await book()
    keys = await IdempotencyKey.all().count()
    provider.down = False
    provider.give("AAPL", "100")

    assert (failed, keys, await book()) == (503, 0, 201)


async def test_an_error_of_the_work_itself_takes_its_key_with_it(login_as: LoginAs) -> None:
    admin = await login_as(Role.ADMIN)
    user = {"username": "grace", "role": "risk", "password": "correct horse battery"}
    first = await admin.post("/users", json=user)

    taken = await admin.post("/users", json=user, headers={"Idempotency-Key": "u"})

    assert (first.status_code, taken.status_code) == (201, 409)
    assert await IdempotencyKey.all().count() == 0


async def test_an_expired_key_is_as_good_as_new(risk: AsyncClient) -> None:
    first = await create(risk, "a-key")
    await expire("a-key")

    again = await create(risk, "a-key", {"name": "Eda"})
    replayed = await create(risk, "a-key", {"name": "Eda"})

    assert (again.status_code, again.json()["name"]) == (201, "Eda")
    assert again.json()["id"] != first.json()["id"]
    assert replayed.json() == again.json()


async def test_expired_keys_are_swept_and_others_stay(risk: AsyncClient) -> None:
    for key in ("old", "new"):
        await create(risk, key)
    await expire("old")

    await create(risk, "newest")

    assert {kept.key for kept in await IdempotencyKey.all()} == {"new", "newest"}


async def test_a_key_is_kept_for_a_day(risk: AsyncClient) -> None:
    await create(risk, "a-key")

    rows = await connections.get("default").execute_query_dict(
        "select extract(epoch from expires_at - now())::int as seconds from idempotency_key"
    )

    assert [row["seconds"] for row in rows] == [24 * 60 * 60]


@pytest.mark.parametrize("key", [b"", b"x" * 256, b'a"b', b"two words", b"\xe9"])
async def test_a_key_that_is_none_is_refused(risk: AsyncClient, key: bytes) -> None:
    refused = await risk.post("/clients", json=ADA, headers={b"Idempotency-Key": key})

    assert refused.status_code == 422
    assert await Client.all().count() == 0


async def test_the_longest_key_will_do(risk: AsyncClient) -> None:
    assert (await create(risk, "x" * 255)).status_code == 201


async def test_a_stored_password_cannot_be_guessed_from_a_fingerprint(app: FastAPI, login_as: LoginAs) -> None:
    admin = await login_as(Role.ADMIN)
    user = {"username": "grace", "role": "risk", "password": "correct horse battery"}

    response = await admin.post("/users", json=user, headers={"Idempotency-Key": "u"})

    kept = await IdempotencyKey.get(key="u")
    assert (response.status_code, kept.body) == (201, response.content)
    assert b"horse" not in response.content
    # Whoever has the table and not the secret cannot try passwords against it.
    assert kept.fingerprint == app.state.fingerprints.of((b"POST", b"/users", b"", response.request.content))
    other = type(app.state.fingerprints)("another secret of at least 32 bytes")
    assert kept.fingerprint != other.of((b"POST", b"/users", b"", response.request.content))


async def test_without_a_key_every_request_counts(risk: AsyncClient) -> None:
    for _ in range(2):
        await risk.post("/clients", json=ADA)

    assert await Client.all().count() == 2
    assert await IdempotencyKey.all().count() == 0
