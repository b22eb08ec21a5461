"""Taking turns: a few at a time, a few who wait, the others come back later."""

import asyncio

import pytest

from app.core.concurrency_limit import Turns
from app.core.errors import ThrottledError


async def test_who_waits_has_a_turn_and_who_comes_too_late_is_sent_away() -> None:
    turns = Turns("imports", at_once=1, waiting=1)
    done = asyncio.Event()
    order: list[str] = []

    async def work(name: str) -> None:
        async with turns.take():
            order.append(name)
            await done.wait()

    first, second = asyncio.create_task(work("first")), asyncio.create_task(work("second"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    with pytest.raises(ThrottledError, match="Too many imports"):
        async with turns.take():
            pass
    assert order == ["first"]
    done.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]
    async with turns.take():
        order.append("third")


async def test_a_turn_ends_with_its_work_whatever_becomes_of_it() -> None:
    turns = Turns("exports", at_once=1, waiting=0)

    with pytest.raises(RuntimeError):
        async with turns.take():
            raise RuntimeError

    async with turns.take():
        pass
