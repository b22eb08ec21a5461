"""A bound on what runs at a time and on what waits for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.errors import ThrottledError


class ConcurrencyLimit:
    """Admits `at_once` blocks, lets `waiting` more wait, and refuses others; of one process."""

    def __init__(self, what: str, *, at_once: int, waiting: int) -> None:
        self._what = what
        self._most = at_once + waiting
        self._inside = 0
        self._semaphore = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """
        Hold a slot until the block ends, waiting for one first.

        Raises:
            ThrottledError: too many wait already.
        """
        if self._inside >= self._most:
            raise ThrottledError(f"Too many {self._what} are under way. Try again shortly.", retry_after=10)
        self._inside += 1
        try:
            async with self._semaphore:
                yield
        finally:
            self._inside -= 1
