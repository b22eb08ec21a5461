"""Tortoise's PostgreSQL client, whose transactions neither lose connections nor take all of them."""

import asyncio
from typing import Any, Final

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

#: One in so many connections is left to single statements.
_LEFT: Final = 4


class _Transaction(TransactionContextPooled):
    """
    A transaction on a connection of the pool.

    Transactions wait for locks, such as those of an import, as long as a statement may take; who is calling and reads
    of margin do not, and always find a connection. Tortoise's own takes the connection, then says `BEGIN`, and has
    nobody to give it back where that fails or is cancelled: a database that hangs for as long as a request may take
    would empty the pool for good.
    """

    def __init__(self, client: "PoolClient") -> None:
        super().__init__(TransactionWrapper(client), client._pool_init_lock)  # noqa: SLF001 - as its base does
        self._semaphore = client.semaphore

    async def __aenter__(self) -> TransactionalDBClient:
        """Begin."""
        await self._semaphore.acquire()
        try:
            return await super().__aenter__()
        except BaseException:
            self._semaphore.release()
            connection = getattr(self.client, "_connection", None)
            if connection is not None:
                get_connections().reset(self.token)
                connection.terminate()  # without waiting for a server that may not answer; the pool opens another one
            raise

    async def __aexit__(self, *exception: object) -> None:
        """Commit or roll back."""
        try:
            await super().__aexit__(*exception)
        finally:
            self._semaphore.release()


class PoolClient(AsyncpgDBClient):
    """A pool of connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **kwargs)
        self.semaphore = asyncio.Semaphore(self.pool_maxsize - self.pool_maxsize // _LEFT)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(self)


#: The name by which Tortoise finds it.
client_class = PoolClient
