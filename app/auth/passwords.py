"""Password hashes: Argon2id through passlib, off the event loop, a few at a time."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from passlib.context import CryptContext

from app.core.errors import UnavailableError

#: OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane. About 30 ms each.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
#: At once: bounds memory (19 MiB each) and how many guesses can be under way.
_AT_ONCE: Final = 2
#: Waiting, about a second's work; more are sent away.
_WAITING: Final = 64


class PasswordHasher:
    """
    Make and check password hashes.

    Every use holds a *turn*, of which there are two at a time in a process; work that must not be overtaken by another
    guess (counting it, say) is done inside the turn.
    """

    def __init__(self) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=_MEMORY_KIB,
            argon2__time_cost=_PASSES,
            argon2__parallelism=_LANES,
        )
        self._dummy_hash = _dummy_hash()
        self._semaphore = asyncio.Semaphore(_AT_ONCE)
        self._asking = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """
        Wait for a turn and hold it.

        Raises:
            UnavailableError: too many wait already.
        """
        if self._asking >= _AT_ONCE + _WAITING:
            raise UnavailableError("Too many passwords are being checked. Try again shortly.")
        self._asking += 1
        try:
            async with self._semaphore:
                yield
        finally:
            self._asking -= 1

    async def hash(self, password: str) -> str:
        """
        Return a new hash of a password, taking a turn.

        Raises:
            UnavailableError: too many wait already.
        """
        async with self.turn():
            return await asyncio.to_thread(self._context.hash, password)

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """
        Check a password while holding a slot; None as the hash, for a user who does not exist, takes as long.

        Returns:
            Whether it is right; and a new hash to store, where the old one was made with other parameters.
        """
        assert self._asking, "call inside a turn"
        right, new_hash = await asyncio.to_thread(self._verify, password, password_hash or self._dummy_hash)
        return (right, new_hash) if password_hash is not None else (False, None)

    def _verify(self, password: str, password_hash: str) -> tuple[bool, str | None]:
        """Do the work of a check; blocks for about 30 ms."""
        return self._context.verify_and_update(password, password_hash)


def _dummy_hash() -> str:
    """Return what looks like a hash of ours and takes as long to check, but comes of no password."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"
