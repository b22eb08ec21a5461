"""Users that the service's own start makes."""

import pytest
from httpx import AsyncClient

from app.core.errors import InvalidInputError
from app.models import Role, User
from app.users import service as users_service
from tests.auth.conftest import CountingHasher, log_in, tokens_of


class Maker:
    """Makes passwords and remembers how many."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        return f"made password {self.made}"


async def test_the_first_start_makes_an_admin_and_the_second_leaves_it(
    http: AsyncClient, hasher: CountingHasher
) -> None:
    make = Maker()

    created = [
        await users_service.ensure_admin("Admin", password=None, make_password=make, passwords=hasher) for _ in range(2)
    ]

    assert (created, make.made) == ([True, False], 1)
    assert (await User.get(username="admin")).role is Role.ADMIN
    assert (await log_in(http, "admin", "made password 1")).status_code == 200


async def test_a_password_from_the_settings_is_used_and_a_new_one_replaces_it_and_its_tokens(
    http: AsyncClient, hasher: CountingHasher
) -> None:
    async def start(password: str) -> bool:
        return await users_service.ensure_admin("admin", password=password, make_password=Maker(), passwords=hasher)

    assert await start("correct horse battery")
    header, _ = await tokens_of(http, "admin")
    assert not await start("correct horse battery")
    assert (await http.get("/auth/me", headers=header)).status_code == 200

    assert not await start("another good password")

    assert (await log_in(http, "admin", "another good password")).status_code == 200
    assert (await log_in(http, "admin", "correct horse battery")).status_code == 401
    assert (await User.get(username="admin")).token_generation == 1


async def test_without_one_in_the_settings_a_password_that_was_changed_stands(
    http: AsyncClient, hasher: CountingHasher
) -> None:
    await users_service.ensure_admin("admin", password="chosen by the admin", make_password=Maker(), passwords=hasher)

    await users_service.ensure_admin("admin", password=None, make_password=Maker(), passwords=hasher)

    assert (await log_in(http, "admin", "chosen by the admin")).status_code == 200


async def test_a_user_that_exists_keeps_role_and_password(http: AsyncClient, hasher: CountingHasher) -> None:
    make = Maker()
    await users_service.ensure_user("desk", role=Role.RISK, make_password=make, passwords=hasher)

    assert not await users_service.ensure_user("desk", role=Role.ADMIN, make_password=make, passwords=hasher)

    assert (await User.get(username="desk")).role is Role.RISK
    assert make.made == 1


async def test_a_name_that_cannot_be_a_file_is_refused(db: None, hasher: CountingHasher) -> None:
    with pytest.raises(InvalidInputError):
        await users_service.ensure_user("../admin", role=Role.RISK, make_password=Maker(), passwords=hasher)
