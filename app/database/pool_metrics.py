"""Metrics of how this process uses its database connections."""

import asyncio
from typing import Final

from tortoise import connections

from app.core import metrics

_SECONDS: Final = 1.0


async def watch_pool() -> None:
    """Measure every second, for ever; end it by cancelling."""
    while True:
        pool = getattr(connections.get("default"), "_pool", None)  # an asyncpg.Pool once it is open
        if pool is not None:
            size, idle = pool.get_size(), pool.get_idle_size()
            metrics.set_pool(used=size - idle, idle=idle, closed=pool.get_max_size() - size)
        await asyncio.sleep(_SECONDS)
