"""Logging in over HTTP."""

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from app.models import User
from tests.auth.conftest import PASSWORD, WEAK_HASH, CountingHasher, MakeUser, log_in, tokens_of


async def test_the_right_password_gives_tokens_that_no_cache_keeps(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")

    response = await log_in(http, "grace")

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)


async def test_the_token_says_who_i_am(http: AsyncClient, make_user: MakeUser) -> None:
    user = await make_user("grace")
    header, _ = await tokens_of(http, "grace")

    response = await http.get("/auth/me", headers=header)

    assert response.status_code == 200
    assert response.json() == {
        "id": user.id, "username": "grace", "role": "risk", "client_id": None, "is_active": True
    }  # fmt: skip


async def test_a_user_name_may_be_typed_in_any_case(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")

    assert (await log_in(http, " GRACE ")).status_code == 200


async def test_what_swagger_ui_sends_besides_is_ignored(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    form = {"username": "grace", "password": PASSWORD, "grant_type": "password", "scope": "", "client_id": "x"}

    assert (await http.post("/auth/token", data=form | {"client_secret": "y", "audience": "z"})).status_code == 200


async def test_wrong_password_unknown_name_and_deactivated_user_look_and_cost_the_same(
    http: AsyncClient, make_user: MakeUser, hasher: CountingHasher
) -> None:
    await make_user("grace")
    await make_user("gone")
    await User.filter(username="gone").update(is_active=False)
    answers = []

    for username, password in [("grace", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD), ("no such; name", "wrong")]:
        checks = hasher.checks
        response = await log_in(http, username, password)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"
        answers.append((response.json() | {"request_id": ""}, hasher.checks - checks))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1] == 1


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"username": "grace"},
        {"password": PASSWORD},
        {"username": "", "password": PASSWORD},
        {"username": "grace", "password": PASSWORD, "grant_type": "client_credentials"},
        {"username": "grace", "password": "x" * 1025},
        {"username": "x" * 257, "password": PASSWORD},
    ],
)
async def test_a_malformed_form_is_refused_without_repeating_it(http: AsyncClient, form: dict[str, str]) -> None:
    response = await http.post("/auth/token", data=form)

    assert response.status_code == 422
    assert PASSWORD not in response.text


@pytest.mark.parametrize(
    "body",
    [b"username=gr%00ce&password=%00", b"username=%ED%A0%80&password=%ED%A0%80", b"username=%F0%9F&password=%FF"],
)
async def test_odd_bytes_are_a_wrong_password(http: AsyncClient, body: bytes) -> None:
    response = await http.post(
        "/auth/token", content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert response.status_code == 401


async def test_a_hash_made_with_weaker_parameters_is_replaced(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    await User.filter(username="grace").update(password_hash=WEAK_HASH)

    assert (await log_in(http, "grace")).status_code == 200
    assert "m=19456,t=2,p=1" in (await User.get(username="grace")).password_hash
    assert (await log_in(http, "grace")).status_code == 200


async def test_no_password_and_no_token_is_logged(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")

    with capture_logs() as logs:
        header, refresh_token = await tokens_of(http, "grace")
        await log_in(http, "grace", "my other password")
        await log_in(http, "a password typed as the name", "x")
        await http.get("/auth/me", headers=header)

    text = str(logs)
    assert "login refused" in text
    for secret in (PASSWORD, "my other password", "a password typed", refresh_token, header["Authorization"][7:]):
        assert secret not in text


async def test_the_log_line_of_a_request_names_its_user(
    http: AsyncClient, make_user: MakeUser, strict_app: FastAPI
) -> None:
    user = await make_user("grace")
    header, _ = await tokens_of(http, "grace")
    await http.get("/auth/me", headers=header)

    assert get_contextvars()["user_id"] == user.id
