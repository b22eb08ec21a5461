"""Staying logged in and logging out."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from httpx import AsyncClient, Response
from structlog.testing import capture_logs

from app.auth import service as auth_service
from app.auth.service import Auth
from app.auth.user_cache import UserCache
from app.core.errors import AuthenticationError
from app.models import RefreshToken, Role, User
from tests.auth.conftest import MakeUser, tokens_of


async def refresh(http: AsyncClient, token: str) -> Response:
    return await http.post("/auth/refresh", json={"refresh_token": token})


async def me(http: AsyncClient, header: dict[str, str]) -> int:
    return (await http.get("/auth/me", headers=header)).status_code


async def test_a_refresh_token_is_exchanged_for_new_tokens(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    _, old = await tokens_of(http, "grace")

    response = await refresh(http, old)

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["refresh_token"] != old
    assert await me(http, {"Authorization": f"Bearer {response.json()['access_token']}"}) == 200


async def test_a_second_use_ends_the_family_and_is_logged_but_other_logins_stay(
    http: AsyncClient, make_user: MakeUser
) -> None:
    user = await make_user("grace")
    _, stolen = await tokens_of(http, "grace")
    _, elsewhere = await tokens_of(http, "grace")
    successor = (await refresh(http, stolen)).json()["refresh_token"]

    with capture_logs() as logs:
        assert (await refresh(http, stolen)).status_code == 401
    assert (await refresh(http, successor)).status_code == 401
    assert (await refresh(http, elsewhere)).status_code == 200
    [entry] = [entry for entry in logs if "used twice" in entry["event"]]
    assert (entry["user_id"], entry["log_level"]) == (user.id, "warning")


async def test_of_many_uses_at_once_exactly_one_wins(shared: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    _, token = await tokens_of(shared, "grace")

    answers = await asyncio.gather(*(refresh(shared, token) for _ in range(10)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [401] * 9
    [winner] = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    assert (await refresh(shared, winner)).status_code == 401


async def test_an_expired_refresh_token_is_refused(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    _, token = await tokens_of(http, "grace")
    await RefreshToken.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))

    assert (await refresh(http, token)).status_code == 401


@pytest.mark.parametrize("token", ["x", "0" * 32 + "." + "A" * 43, "\0", "é" * 76, "x" * 256])
async def test_an_unknown_refresh_token_is_refused(http: AsyncClient, token: str) -> None:
    response = await refresh(http, token)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_the_database_has_no_refresh_token_that_could_be_used(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    _, token = await tokens_of(http, "grace")

    [row] = await RefreshToken.all().values()
    assert token not in str(row)
    assert token.split(".")[1] not in str(row)


async def test_logout_ends_every_token_of_the_user_and_of_nobody_else(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    await make_user("ada")
    first, first_refresh = await tokens_of(http, "grace")
    second, second_refresh = await tokens_of(http, "grace")
    other, other_refresh = await tokens_of(http, "ada")
    assert await me(http, second) == 200

    response = await http.post("/auth/logout", headers=first)

    assert (response.status_code, response.content) == (204, b"")
    assert [await me(http, header) for header in (first, second, other)] == [401, 401, 200]
    assert [(await refresh(http, token)).status_code for token in (first_refresh, second_refresh)] == [401, 401]
    assert (await refresh(http, other_refresh)).status_code == 200
    again, _ = await tokens_of(http, "grace")
    assert await me(http, again) == 200


@pytest.mark.parametrize("change", [{"is_active": False}, {"token_generation": 1}])
async def test_what_another_worker_stored_counts_here_within_a_second(
    http: AsyncClient, make_user: MakeUser, change: dict[str, object]
) -> None:
    user = await make_user("grace")
    header, _ = await tokens_of(http, "grace")
    assert await me(http, header) == 200

    await User.filter(id=user.id).update(**change)
    changed_at = monotonic()
    while await me(http, header) == 200:  # noqa: ASYNC110 - what another process did raises no event here
        await asyncio.sleep(0.01)

    assert monotonic() - changed_at < 1


async def test_a_deactivated_user_gets_no_new_tokens(http: AsyncClient, make_user: MakeUser) -> None:
    user = await make_user("grace")
    _, token = await tokens_of(http, "grace")
    await User.filter(id=user.id).update(is_active=False)

    assert (await refresh(http, token)).status_code == 401


async def test_role_and_client_come_from_the_user_not_from_the_token(
    http: AsyncClient, make_user: MakeUser, auth: Auth
) -> None:
    user = await make_user("grace")
    header, _ = await tokens_of(http, "grace")
    await User.filter(id=user.id).update(role=Role.ADMIN)
    auth.users.forget(user.id)

    assert (await http.get("/users", headers=header)).status_code == 200


async def test_a_user_has_at_most_a_hundred_logins_and_the_oldest_gives_way(
    http: AsyncClient, make_user: MakeUser, auth: Auth
) -> None:
    user = await make_user("grace")
    _, oldest = await tokens_of(http, "grace")
    _, second = await tokens_of(http, "grace")
    for _ in range(99):
        await auth_service._open_family(user, None, auth)

    assert await RefreshToken.filter(user_id=user.id).count() == 100
    assert (await refresh(http, oldest)).status_code == 401
    assert (await refresh(http, second)).status_code == 200


async def test_a_login_that_a_logout_overtakes_gives_no_tokens(db: None, make_user: MakeUser, auth: Auth) -> None:
    user = await make_user("grace")
    await auth_service.end_tokens(user.id)

    with pytest.raises(AuthenticationError):
        await auth_service._open_family(user, None, auth)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic Z3JhY2U6eA=="}, {"Authorization": "Bearer"}])
async def test_without_a_token_the_answer_says_how_to_get_one(http: AsyncClient, header: dict[str, str]) -> None:
    response = await http.get("/auth/me", headers=header)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "POST /auth/token" in response.json()["detail"] or header == {"Authorization": "Bearer"}


async def test_a_hundred_requests_of_one_user_ask_the_database_once(
    shared: AsyncClient, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await make_user("grace")
    asked = 0
    ask = User.get_or_none

    def count(*args: object, **kwargs: object) -> object:
        nonlocal asked
        asked += 1
        return ask(*args, **kwargs)  # type: ignore[arg-type] # whatever it was called with

    monkeypatch.setattr(User, "get_or_none", count)
    cache = UserCache()
    users = await asyncio.gather(*(cache.get(user.id) for _ in range(100)))

    assert {found.id for found in users if found} == {user.id}
    assert asked == 1


async def test_the_cache_is_bounded(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.auth.user_cache._MOST_USERS", 3)
    cache = UserCache()

    for user_id in range(10):
        assert await cache.get(-user_id - 1) is None

    assert list(cache._entries) == [-8, -9, -10]
