"""The real yfinance in this process meets the stand-in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.providers.yahoo.source import YahooProvider
from tests.standin.world import World

MakeProvider = Callable[..., Awaitable[YahooProvider]]


@pytest.fixture
async def make_provider(yahoo: World) -> AsyncIterator[MakeProvider]:
    """Give a way to make providers whose yfinance has its cookie and crumb, whatever happened to it before."""
    made: list[YahooProvider] = []
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)

    async def make(**options: object) -> YahooProvider:
        provider = YahooProvider(**options)  # type: ignore[arg-type] # options as the constructor names them
        made.append(provider)
        await provider.fetch(["WARM-UP"])
        yahoo.counts.clear()
        yahoo.asked.clear()
        return provider

    yield make
    yahoo.fail(None)
    for provider in made:
        await provider.aclose()
        for thread in provider._executor._threads:  # what still runs would change yfinance's state in the next test
            await asyncio.to_thread(thread.join, 10)


@pytest.fixture
async def provider(make_provider: MakeProvider) -> YahooProvider:
    return await make_provider()
