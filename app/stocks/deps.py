"""What routes ask of the prices: the feed of this process."""

from typing import Annotated

from fastapi import Depends, Request

from app.stocks.types import PriceFeed


async def get_feed(request: Request) -> PriceFeed:
    """Return this process's price source, and what its prices are judged by."""
    feed: PriceFeed = request.app.state.feed
    return feed


FeedDep = Annotated[PriceFeed, Depends(get_feed)]
