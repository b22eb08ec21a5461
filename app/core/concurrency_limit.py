"""A few at a time, and not too many who wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.errors import ThrottledError


class Turns:
    """Lets `at_once` in, has `waiting` more wait, and sends others away; of one process."""

    def __init__(self, what: str, *, at_once: int, waiting: int) -> None:
        self._what = what
        self._most = at_once + waiting
        self._inside = 0
        self._turns = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """
        Wait for a turn, and have it until the block ends.

        Raises:
            ThrottledError: too many wait already.
        """
        if self._inside >= self._most:
            raise ThrottledError(f"Too many {self._what} are under way. Try again shortly.", retry_after=10)
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1
