"""A token is checked once, and believed no longer than it lives."""

import asyncio
import time

import pytest

from app.auth.access_tokens import AccessClaims, TokenSigner
from app.auth.token_cache import TokenCache
from app.core.errors import AuthenticationError
from tests.auth.conftest import SECRET


class CountingSigner(TokenSigner):
    """The real signer, counting how often it checks."""

    checks = 0

    def read(self, token: str) -> AccessClaims:
        self.checks += 1
        return super().read(token)


def test_a_token_is_checked_once() -> None:
    signer = CountingSigner(SECRET, seconds=60)
    cache = TokenCache(signer)
    token = signer.issue(AccessClaims(user_id=7, generation=3))

    claims = [cache.read(token) for _ in range(3)]

    assert {(claim.user_id, claim.generation) for claim in claims} == {(7, 3)}
    assert signer.checks == 1


async def test_a_token_that_was_checked_ends_with_its_life() -> None:
    signer = TokenSigner(SECRET, seconds=1)
    cache = TokenCache(signer)
    token = signer.issue(AccessClaims(user_id=7, generation=0))
    expires_at = cache.read(token).expires_at
    assert expires_at is not None

    await asyncio.sleep(max(0.0, expires_at + 1 - time.time()))

    for _ in range(2):
        with pytest.raises(AuthenticationError):
            cache.read(token)


def test_what_is_no_token_is_checked_each_time_and_not_kept() -> None:
    signer = CountingSigner(SECRET, seconds=60)
    cache = TokenCache(signer)

    for _ in range(2):
        with pytest.raises(AuthenticationError):
            cache.read("not.a.token")

    assert signer.checks == 2
    assert not cache._claims


def test_the_oldest_token_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.auth.token_cache._MOST_TOKENS", 3)
    signer = TokenSigner(SECRET, seconds=60)
    cache = TokenCache(signer)
    tokens = [signer.issue(AccessClaims(user_id=number, generation=0)) for number in range(5)]

    for token in tokens:
        cache.read(token)

    assert list(cache._claims) == tokens[2:]
