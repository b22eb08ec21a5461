"""Password hashes: how strong, how many at once."""

import asyncio
import threading

import pytest

from app.auth.passwords import PasswordHasher
from app.core.errors import UnavailableError
from tests.auth.conftest import PASSWORD, WEAK_HASH


async def verify(hasher: PasswordHasher, password: str, password_hash: str | None) -> tuple[bool, str | None]:
    async with hasher.turn():
        return await hasher.verify(password, password_hash)


async def test_a_hash_is_argon2id_with_19_mib_two_passes_and_one_lane() -> None:
    assert (await PasswordHasher().hash(PASSWORD)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_only_the_password_itself_is_right() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash(PASSWORD)

    assert await verify(hasher, PASSWORD, stored) == (True, None)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), PASSWORD + "\0"):
        assert await verify(hasher, wrong, stored) == (False, None)


async def test_a_weaker_hash_is_made_anew_when_its_password_is_seen() -> None:
    hasher = PasswordHasher()

    right, new_hash = await verify(hasher, PASSWORD, WEAK_HASH)

    assert right
    assert new_hash is not None
    assert new_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await verify(hasher, "wrong", WEAK_HASH) == (False, None)


async def test_no_password_is_right_for_a_user_who_does_not_exist() -> None:
    assert await verify(PasswordHasher(), PASSWORD, None) == (False, None)


class WatchedHasher(PasswordHasher):
    """The real hasher, watching how many checks run at once."""

    def __init__(self) -> None:
        super().__init__()
        self.running = self.most = 0
        self.guard = threading.Lock()

    def _verify(self, password: str, password_hash: str) -> tuple[bool, str | None]:
        with self.guard:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            return super()._verify(password, password_hash)
        finally:
            with self.guard:
                self.running -= 1


async def test_two_passwords_are_checked_at_once_and_no_more() -> None:
    hasher = WatchedHasher()

    await asyncio.gather(*(verify(hasher, "x", None) for _ in range(10)))

    assert hasher.most == 2


async def test_who_comes_when_many_wait_is_sent_away_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.auth.passwords._WAITING", 4)
    hasher = WatchedHasher()

    results = await asyncio.gather(*(verify(hasher, "x", None) for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(result, UnavailableError) for result in results) == 10 - 6
    assert results.count((False, None)) == 6
    assert await verify(hasher, "x", None) == (False, None)
