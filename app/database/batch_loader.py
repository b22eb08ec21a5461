"""Reads that share a statement: who waits at the same moment is served together, and who comes alone at once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from app.database import sql

Key = TypeVar("Key")
Answer = TypeVar("Answer")

#: Statements under way at a time; a request that finds fewer goes at once.
_LANES: Final = 2
#: Behind a group of no more than this a request goes by itself: a task for it would cost a tenth of its time.
_ALONE: Final = 1
#: Keys of one statement.
_MOST_KEYS: Final = 64

#: Returns what is stored for each key, by one statement on asyncpg's connection; an error is the answer to its key.
Load = Callable[[Any, Collection[Key]], Awaitable[Mapping[Key, Answer | Exception]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Read(Generic[Key, Answer]):
    """A request that waits. Its answer may be an error, which nobody misses where the request was cancelled."""

    key: Key
    answer: asyncio.Future[Answer | Exception]


class SharedReads(Generic[Key, Answer]):
    """
    Where the requests of this process for one kind of thing wait.

    A statement begins after every request that it serves has arrived, so no answer is older than a write that was
    acknowledged before its request, whichever process made it. A request that is cancelled leaves the others as they
    are; a statement that fails fails each of its requests with an error of its own.
    """

    def __init__(self, load: Load[Key, Answer], *, seconds: float) -> None:
        """Read by `load`; what takes longer than `seconds` fails."""
        self._load = load
        self._seconds = seconds
        self._waiting: list[_Read[Key, Answer]] = []
        self._lanes = 0
        self._last_group = _MOST_KEYS
        self._is_called = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, key: Key) -> Answer:
        """Return what is stored for a key; raises what `load` has for it."""
        answer = await (self._read_alone(key) if self._is_alone() else self._read_together(key))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _is_alone(self) -> bool:
        """Return whether nobody else is there, or was a moment ago."""
        return self._lanes == 0 and not self._is_called and self._last_group <= _ALONE

    async def _read_alone(self, key: Key) -> Answer | Exception:
        """Return what is stored for a key, in the request's own task; who comes meanwhile goes together."""
        self._lanes += 1
        self._last_group = 1
        try:
            async with asyncio.timeout(self._seconds), sql.acquire() as connection:
                return (await self._load(connection, {key}))[key]
        finally:
            self._lanes -= 1
            if self._waiting:
                self._call()

    async def _read_together(self, key: Key) -> Answer | Exception:
        """Wait for a group's answers."""
        read: _Read[Key, Answer] = _Read(key, asyncio.get_running_loop().create_future())
        self._waiting.append(read)
        self._call()
        return await read.answer

    def _call(self) -> None:
        """Have those served who wait, and who arrives together with them."""
        if self._lanes < _LANES and not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._open_lane)  # behind the requests that arrived together

    def _open_lane(self) -> None:
        """Start to serve those who wait."""
        self._is_called = False
        self._lanes += 1
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        """Serve those who wait, group by group, until nobody does."""
        try:
            while group := self._next():
                await self._serve_from(group)
        finally:
            self._lanes -= 1  # at once, so that who comes next opens another

    async def _serve_from(self, group: list[_Read[Key, Answer]]) -> None:
        """Serve a group, and who came meanwhile, on one connection."""
        try:
            async with sql.acquire() as connection:
                while group:
                    async with asyncio.timeout(self._seconds):
                        answers = await self._load(connection, {read.key for read in group})
                    for read in group:
                        _give(read, answers[read.key])
                    group = self._next()
        except Exception as error:  # noqa: BLE001 - each request of the group raises it
            for read in group:
                _give(read, _own(error))

    def _next(self) -> list[_Read[Key, Answer]]:
        """Take those who wait longest, as many as one statement serves."""
        waiting = [read for read in self._waiting if not read.answer.done()]
        self._waiting = waiting[_MOST_KEYS:]
        if waiting:
            self._last_group = len(waiting)
        return waiting[:_MOST_KEYS]


def _give(read: _Read[Key, Answer], answer: Answer | Exception) -> None:
    """Answer a request, unless it was cancelled."""
    if not read.answer.done():
        read.answer.set_result(answer)


def _own(error: Exception) -> Exception:
    """Return an error like this one, for one request."""
    try:
        return copy(error)
    except TypeError:  # its class wants more than a message
        return error
