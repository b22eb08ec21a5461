"""Tortoise's PostgreSQL client, whose transactions lose no connection where they are torn off as they begin."""

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections


class _Transaction(TransactionContextPooled):
    """
    A transaction on a connection of the pool.

    Tortoise's own takes the connection, then says `BEGIN`, and has nobody to give it back where that fails or is
    cancelled: a database that hangs for as long as a request may take would empty the pool for good.
    """

    async def __aenter__(self) -> TransactionalDBClient:
        """Begin."""
        try:
            return await super().__aenter__()
        except BaseException:
            connection = getattr(self.client, "_connection", None)
            if connection is not None:
                get_connections().reset(self.token)
                connection.terminate()  # without waiting for a server that may not answer; the pool opens another one
            raise


class PoolClient(AsyncpgDBClient):
    """A pool of connections."""

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


#: The name by which Tortoise finds it.
client_class = PoolClient
