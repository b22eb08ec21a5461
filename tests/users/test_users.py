"""Users, as an admin manages them."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.models import Client, Role, User
from tests.auth.conftest import PASSWORD, MakeUser, log_in, tokens_of

NEW = {"username": "grace", "password": PASSWORD, "role": "risk"}


@pytest.fixture
async def admin(http: AsyncClient, make_user: MakeUser) -> AsyncClient:
    """Call as the only admin; its own calls are `http` with a token."""
    await make_user("root", Role.ADMIN)
    header, _ = await tokens_of(http, "root")
    http.headers.update(header)
    return http


async def root_id() -> int:
    user = await User.get(username="root")
    return int(user.id)


async def patch(admin: AsyncClient, user_id: int, **changes: object) -> Response:
    return await admin.patch(f"/users/{user_id}", json=changes)


@pytest.mark.parametrize("role", ["admin", "risk"])
async def test_a_user_of_the_desk_is_made_and_can_log_in(admin: AsyncClient, role: str) -> None:
    response = await admin.post("/users", json=NEW | {"role": role})

    assert response.status_code == 201
    body = response.json()
    assert body == {"id": body["id"], "username": "grace", "role": role, "client_id": None, "is_active": True}
    assert (await log_in(admin, "grace")).status_code == 200


async def test_a_client_user_is_bound_to_its_client(admin: AsyncClient) -> None:
    client = await Client.create(name="Ada")

    response = await admin.post("/users", json=NEW | {"role": "client", "client_id": client.id})

    assert response.status_code == 201
    assert response.json()["client_id"] == client.id


async def test_a_user_name_is_stored_in_lower_case_and_taken_once(admin: AsyncClient) -> None:
    assert (await admin.post("/users", json=NEW | {"username": "Grace"})).json()["username"] == "grace"
    again = await admin.post("/users", json=NEW | {"username": "GRACE"})

    assert again.status_code == 409
    assert "grace" in again.json()["detail"]


async def test_spaces_belong_to_a_password(admin: AsyncClient) -> None:
    await admin.post("/users", json=NEW | {"password": f"  {PASSWORD}  "})

    assert (await log_in(admin, "grace", PASSWORD)).status_code == 401
    assert (await log_in(admin, "grace", f"  {PASSWORD}  ")).status_code == 200


async def test_a_client_user_needs_a_client_that_exists(admin: AsyncClient) -> None:
    response = await admin.post("/users", json=NEW | {"role": "client", "client_id": 2**53 - 1})

    assert response.status_code == 409


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "client"},
        {"role": "client", "client_id": None},
        {"role": "client", "client_id": 0},
        {"role": "client", "client_id": 2**53},
        {"role": "risk", "client_id": 1},
        {"role": "root"},
        {"password": "x" * 7},
        {"password": "x" * 1025},
        {"password": None},
        *(
            {"username": name}
            for name in ("", " ", "a b", "../a", ".a", "a/b", "ünal", "x" * 65, "a\n", "a\0", "\u212a")
        ),
        {"is_active": False},
    ],
    ids=str,
)
async def test_a_malformed_user_is_refused_without_repeating_the_password(
    admin: AsyncClient, fields: dict[str, Any]
) -> None:
    response = await admin.post("/users", json=NEW | fields)

    assert response.status_code == 422
    assert PASSWORD not in response.text
    assert not await User.exists(username="grace")


async def test_a_long_password_and_the_longest_name_work(admin: AsyncClient) -> None:
    name, password = "x" * 64, "\U0001f600" * 1024

    assert (await admin.post("/users", json=NEW | {"username": name, "password": password})).status_code == 201
    assert (await log_in(admin, name, password)).status_code == 200


async def test_users_are_listed_page_by_page(admin: AsyncClient, make_user: MakeUser) -> None:
    made = [await root_id(), *[(await make_user(name)).id for name in ("ada", "bob")]]
    seen: list[int] = []
    url = "/users?limit=2"

    while url:
        page = await admin.get(url)
        assert page.status_code == 200
        assert len(page.json()) <= 2
        assert all(row.keys() == {"id", "username", "role", "client_id", "is_active"} for row in page.json())
        seen += [row["id"] for row in page.json()]
        url = page.links.get("next", {}).get("url", "")

    assert seen == made


@pytest.mark.parametrize("role", [Role.RISK, Role.CLIENT])
async def test_only_an_admin_manages_users(http: AsyncClient, make_user: MakeUser, role: Role) -> None:
    client = await Client.create(name="Ada")
    user = await make_user("grace", role, client.id if role is Role.CLIENT else None)
    header, _ = await tokens_of(http, "grace")
    http.headers.update(header)

    answers = [await http.get("/users"), await http.post("/users", json=NEW), await patch(http, user.id, role="admin")]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


@pytest.mark.parametrize(
    ("changes", "password"),
    [
        ({"password": "another good password"}, "another good password"),
        ({"role": "admin"}, PASSWORD),
        ({"is_active": False}, None),
    ],
    ids=str,
)
async def test_a_change_of_what_a_token_stands_for_ends_it_at_once(
    admin: AsyncClient, make_user: MakeUser, changes: dict[str, Any], password: str | None
) -> None:
    user = await make_user("grace")
    header, refresh_token = await tokens_of(admin, "grace")
    assert (await admin.get("/auth/me", headers=header)).status_code == 200

    assert (await patch(admin, user.id, **changes)).status_code == 200

    assert (await admin.get("/auth/me", headers=header)).status_code == 401
    assert (await admin.post("/auth/refresh", json={"refresh_token": refresh_token})).status_code == 401
    if password is None:
        assert (await log_in(admin, "grace")).status_code == 401
    else:
        assert (await log_in(admin, "grace", password)).status_code == 200


@pytest.mark.parametrize("changes", [{}, {"role": "risk", "is_active": True}, {"password": None, "client_id": None}])
async def test_a_patch_that_changes_nothing_ends_nothing(
    admin: AsyncClient, make_user: MakeUser, changes: dict[str, Any]
) -> None:
    user = await make_user("grace")
    header, _ = await tokens_of(admin, "grace")

    assert (await patch(admin, user.id, **changes)).json()["role"] == "risk"
    assert (await admin.get("/auth/me", headers=header)).status_code == 200


async def test_a_user_who_comes_back_does_not_get_the_old_tokens_back(admin: AsyncClient, make_user: MakeUser) -> None:
    user = await make_user("grace")
    header, refresh_token = await tokens_of(admin, "grace")
    await User.filter(id=user.id).update(is_active=False)  # as deleting its client does

    assert (await patch(admin, user.id, is_active=True)).json()["is_active"] is True

    assert (await admin.get("/auth/me", headers=header)).status_code == 401
    assert (await admin.post("/auth/refresh", json={"refresh_token": refresh_token})).status_code == 401
    assert (await log_in(admin, "grace")).status_code == 200


async def test_a_client_user_can_join_the_desk_and_leave_it(admin: AsyncClient, make_user: MakeUser) -> None:
    client = await Client.create(name="Ada")
    user = await make_user("ada", Role.CLIENT, client.id)

    joined = await patch(admin, user.id, role="risk")
    assert (joined.json()["role"], joined.json()["client_id"]) == ("risk", None)
    left = await patch(admin, user.id, role="client", client_id=client.id)
    assert (left.json()["role"], left.json()["client_id"]) == ("client", client.id)


@pytest.mark.parametrize(
    "changes",
    [{"role": "client"}, {"client_id": 1}, {"role": "risk", "client_id": 1}, {"role": "client", "client_id": 9}],
)
async def test_a_change_that_parts_role_and_client_is_a_conflict(
    admin: AsyncClient, make_user: MakeUser, changes: dict[str, Any]
) -> None:
    user = await make_user("grace")

    assert (await patch(admin, user.id, **changes)).status_code == 409


@pytest.mark.parametrize("changes", [{"is_active": False}, {"role": "risk"}])
async def test_the_last_active_admin_stays(admin: AsyncClient, make_user: MakeUser, changes: dict[str, Any]) -> None:
    retired = await make_user("retired", Role.ADMIN)
    await User.filter(id=retired.id).update(is_active=False)

    assert (await patch(admin, await root_id(), **changes)).status_code == 409

    await User.filter(id=retired.id).update(is_active=True)
    assert (await patch(admin, await root_id(), **changes)).status_code == 200


async def test_two_admins_cannot_remove_each_other_at_once(shared: AsyncClient, make_user: MakeUser) -> None:
    first, second = await make_user("first", Role.ADMIN), await make_user("second", Role.ADMIN)
    of_first, _ = await tokens_of(shared, "first")
    of_second, _ = await tokens_of(shared, "second")

    answers = await asyncio.gather(
        shared.patch(f"/users/{second.id}", json={"is_active": False}, headers=of_first),
        shared.patch(f"/users/{first.id}", json={"is_active": False}, headers=of_second),
    )

    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 409])
    assert await User.filter(role=Role.ADMIN, is_active=True).count() == 1


@pytest.mark.parametrize("user_id", [2**53 - 1, 1_000_000])
async def test_an_unknown_user_is_not_found(admin: AsyncClient, user_id: int) -> None:
    assert (await patch(admin, user_id, is_active=False)).status_code == 404


@pytest.mark.parametrize("user_id", ["0", "-1", "x", str(2**53)])
async def test_an_id_out_of_bounds_is_malformed(admin: AsyncClient, user_id: str) -> None:
    assert (await admin.patch(f"/users/{user_id}", json={})).status_code == 422
