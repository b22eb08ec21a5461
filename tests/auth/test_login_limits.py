"""Guessing passwords: how many tries a name and an address have."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from httpx import AsyncClient

from app.auth.service import Auth
from app.core.errors import ThrottledError
from app.models import LoginAttempt
from tests.auth.conftest import CallFrom, CountingHasher, MakeUser, log_in


async def fail(http: AsyncClient, username: str, times: int) -> None:
    for _ in range(times):
        assert (await log_in(http, username, "wrong")).status_code == 401


async def count_failures(auth: Auth, names: int, *, address: str) -> None:
    """Count one failure for each of many names, without the cost of checking passwords."""
    for number in range(names):
        await auth.limits.count(f"name{number}", address)


async def end_windows() -> None:
    await LoginAttempt.all().update(window_ends_at=datetime.now(UTC) - timedelta(seconds=1))


async def test_after_five_wrong_passwords_the_right_one_has_to_wait_too(
    http: AsyncClient, make_user: MakeUser, hasher: CountingHasher
) -> None:
    await make_user("grace")
    await fail(http, "grace", 5)
    checks = hasher.checks

    response = await log_in(http, "grace")

    assert response.status_code == 429
    assert 295 <= int(response.headers["retry-after"]) <= 300
    assert response.json()["type"] == "urn:problem:too-many-requests"
    assert hasher.checks == checks


async def test_when_the_window_ends_the_right_password_works_again(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    await fail(http, "grace", 5)
    assert (await log_in(http, "grace")).status_code == 429

    await end_windows()

    assert (await log_in(http, "grace")).status_code == 200


async def test_a_new_window_has_all_its_tries(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    await fail(http, "grace", 5)

    await end_windows()

    await fail(http, "grace", 5)
    assert (await log_in(http, "grace", "wrong")).status_code == 429


async def test_the_right_password_clears_the_failures_before_it(http: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")
    await fail(http, "grace", 4)
    assert (await log_in(http, "grace")).status_code == 200
    await fail(http, "grace", 5)
    assert (await log_in(http, "grace")).status_code == 429


async def test_a_locked_name_locks_no_other_and_a_name_that_does_not_exist_is_locked_alike(
    http: AsyncClient, make_user: MakeUser
) -> None:
    await make_user("grace")
    await fail(http, "nobody", 5)

    assert (await log_in(http, "nobody")).status_code == 429
    assert (await log_in(http, "grace")).status_code == 200


async def test_a_name_in_another_case_is_the_same_name(http: AsyncClient) -> None:
    await fail(http, "grace", 3)
    await fail(http, "GRACE", 2)

    assert (await log_in(http, "Grace")).status_code == 429


async def test_an_address_has_fifty_tries_over_all_names(
    http: AsyncClient, call_from: CallFrom, make_user: MakeUser, auth: Auth
) -> None:
    await make_user("grace")
    await count_failures(auth, 50, address="192.0.2.1")

    refused = await log_in(http, "grace")

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 290
    assert (await log_in(call_from("192.0.2.2"), "grace")).status_code == 200


async def test_an_address_cannot_clear_its_count_with_a_user_of_its_own(
    http: AsyncClient, make_user: MakeUser, auth: Auth
) -> None:
    await make_user("mallory")
    await count_failures(auth, 49, address="192.0.2.1")

    assert (await log_in(http, "mallory")).status_code == 200
    assert (await log_in(http, "grace", "wrong")).status_code == 401
    assert (await log_in(http, "mallory")).status_code == 429


async def test_the_network_of_an_ipv6_host_counts_as_one_address(db: None, auth: Auth) -> None:
    for number in range(50):
        await auth.limits.count(f"name{number}", f"2001:db8:0:1::{number:x}")

    with pytest.raises(ThrottledError):
        await auth.limits.check("grace", "2001:db8:0:1:ffff::1")
    await auth.limits.check("grace", "2001:db8:0:2::1")


async def test_an_ipv4_address_is_the_same_over_an_ipv6_socket(db: None, auth: Auth) -> None:
    await count_failures(auth, 50, address="::ffff:192.0.2.1")

    with pytest.raises(ThrottledError):
        await auth.limits.check("grace", "192.0.2.1")


async def test_a_forwarded_address_is_not_believed(http: AsyncClient) -> None:
    for number in range(5):
        form = {"username": "grace", "password": "wrong"}
        await http.post("/auth/token", data=form, headers={"X-Forwarded-For": f"198.51.100.{number}"})

    assert await LoginAttempt.all().count() == 2


async def test_guesses_sent_together_are_not_more_than_guesses_sent_one_by_one(
    shared: AsyncClient, make_user: MakeUser, hasher: CountingHasher
) -> None:
    await make_user("grace")

    answers = await asyncio.gather(*(log_in(shared, "grace", "wrong") for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15
    assert hasher.checks == 5


async def test_right_passwords_sent_together_all_work(shared: AsyncClient, make_user: MakeUser) -> None:
    await make_user("grace")

    answers = await asyncio.gather(*(log_in(shared, "grace") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}


async def test_rows_whose_window_is_over_are_deleted(http: AsyncClient, auth: Auth) -> None:
    await count_failures(auth, 15, address="192.0.2.1")
    await end_windows()

    await fail(http, "grace", 1)

    assert await LoginAttempt.all().count() == 2  # of this failure: its name, its address


async def test_no_row_tells_a_name_or_an_address(http: AsyncClient) -> None:
    await fail(http, "grace", 1)

    keys = [attempt.key for attempt in await LoginAttempt.all()]
    assert len(keys) == 2
    assert not [key for key in keys if "grace" in key or "192.0.2" in key]
