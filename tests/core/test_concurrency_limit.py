"""The concurrency limit: a few run, a few wait, the others are refused for now."""

import asyncio

import pytest

from app.core.concurrency_limit import ConcurrencyLimit
from app.core.errors import ThrottledError


async def test_who_waits_has_a_turn_and_who_comes_too_late_is_sent_away() -> None:
    limit = ConcurrencyLimit("imports", at_once=1, waiting=1)
    done = asyncio.Event()
    order: list[str] = []

    async def work(name: str) -> None:
        async with limit.acquire():
            order.append(name)
            await done.wait()

    first, second = asyncio.create_task(work("first")), asyncio.create_task(work("second"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    with pytest.raises(ThrottledError, match="Too many imports"):
        async with limit.acquire():
            pass
    assert order == ["first"]
    done.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]
    async with limit.acquire():
        order.append("third")


async def test_a_turn_ends_with_its_work_whatever_becomes_of_it() -> None:
    limit = ConcurrencyLimit("exports", at_once=1, waiting=0)

    with pytest.raises(RuntimeError):
        async with limit.acquire():
            raise RuntimeError

    async with limit.acquire():
        pass
