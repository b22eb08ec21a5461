"""Coalescing batch loader (the DataLoader pattern): requests that wait at the same moment share a statement."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from app.database import sql

Key = TypeVar("Key")
Answer = TypeVar("Answer")

#: Batches under way at a time; a request that finds fewer starts one.
_MOST_BATCHES: Final = 2
#: After a batch of no more than this a request loads without a task: that would cost a tenth of its time.
_FEW: Final = 1
#: Keys of one statement.
_MOST_KEYS: Final = 64

#: Returns what is stored for each key, by one statement on asyncpg's connection; an error is the answer to its key.
Load = Callable[[Any, Collection[Key]], Awaitable[Mapping[Key, Answer | Exception]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Request(Generic[Key, Answer]):
    """A request that waits. Its answer may be an error, which asyncio does not log where the request was cancelled."""

    key: Key
    answer: asyncio.Future[Answer | Exception]


class BatchLoader(Generic[Key, Answer]):
    """
    Loads one kind of thing for the requests of this process, those that wait together by one statement.

    A statement begins after every request that it serves has arrived, so no answer is older than a write that was
    acknowledged before its request, whichever process made it. A request that is cancelled leaves the others as they
    are; a statement that fails fails each of its requests with an error of its own.
    """

    def __init__(self, load: Load[Key, Answer], *, seconds: float) -> None:
        """Load by `load`; a statement that takes longer than `seconds` fails."""
        self._read = load
        self._seconds = seconds
        self._waiting: list[_Request[Key, Answer]] = []
        self._running = 0
        self._last_size = _MOST_KEYS
        self._is_scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, key: Key) -> Answer:
        """Return what is stored for a key; raises what `load` has for it."""
        answer = await (self._load_now(key) if self._is_idle() else self._load_batched(key))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _is_idle(self) -> bool:
        """Return whether no other request waits or runs, and the last batch was small."""
        return self._running == 0 and not self._is_scheduled and self._last_size <= _FEW

    async def _load_now(self, key: Key) -> Answer | Exception:
        """Return what is stored for a key, in the request's own task; requests that arrive meanwhile form a batch."""
        self._running += 1
        self._last_size = 1
        try:
            async with asyncio.timeout(self._seconds), sql.acquire() as connection:
                return (await self._read(connection, {key}))[key]
        finally:
            self._running -= 1
            if self._waiting:
                self._schedule()

    async def _load_batched(self, key: Key) -> Answer | Exception:
        """Return the answer for a key from the batch that it joins."""
        request: _Request[Key, Answer] = _Request(key, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._schedule()
        return await request.answer

    def _schedule(self) -> None:
        """Start a batch after the requests that arrive in this turn of the event loop, unless enough run."""
        if self._running < _MOST_BATCHES and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_batch)  # behind the requests that arrived together

    def _start_batch(self) -> None:
        """Start a task that serves the waiting requests."""
        self._is_scheduled = False
        self._running += 1
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        """Serve waiting requests, batch by batch, until none waits."""
        try:
            while batch := self._next():
                await self._serve_from(batch)
        finally:
            self._running -= 1  # before any await, so that the next request starts another

    async def _serve_from(self, batch: list[_Request[Key, Answer]]) -> None:
        """Serve a batch, and those that form meanwhile, on one connection."""
        try:
            async with sql.acquire() as connection:
                while batch:
                    async with asyncio.timeout(self._seconds):
                        answers = await self._read(connection, {request.key for request in batch})
                    for request in batch:
                        _resolve(request, answers[request.key])
                    batch = self._next()
        except Exception as error:  # noqa: BLE001 - each request of the batch raises it
            for request in batch:
                _resolve(request, _copy_of(error))

    def _next(self) -> list[_Request[Key, Answer]]:
        """Remove and return the requests that wait longest, as many as one statement serves."""
        waiting = [request for request in self._waiting if not request.answer.done()]
        self._waiting = waiting[_MOST_KEYS:]
        if waiting:
            self._last_size = len(waiting)
        return waiting[:_MOST_KEYS]


def _resolve(request: _Request[Key, Answer], answer: Answer | Exception) -> None:
    """Answer a request, unless it was cancelled."""
    if not request.answer.done():
        request.answer.set_result(answer)


def _copy_of(error: Exception) -> Exception:
    """Return an error like this one, for one request."""
    try:
        return copy(error)
    except TypeError:  # its class wants more than a message
        return error
