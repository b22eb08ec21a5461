"""
Statements on the current connection: the transaction's inside of one, else the pool's.

Parameters are PostgreSQL's `$1`, `$2`, in order. Nothing of a caller's is ever written into a statement.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

from tortoise import connections

#: A row, by the names of its columns.
Row: TypeAlias = Mapping[str, Any]


class Connection(Protocol):
    """What we use of a connection of asyncpg."""

    async def execute(self, query: str, *parameters: object, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """Run a statement; return its tag."""

    async def fetch(self, query: str, *parameters: object) -> Sequence[Row]:
        """Return every row."""

    async def fetchrow(self, query: str, *parameters: object) -> Any:  # noqa: ANN401 - None where there is no row
        """Return the first row."""

    async def fetchval(self, query: str, *parameters: object) -> Any:  # noqa: ANN401 - as the column is
        """Return the first column of the first row."""

    async def copy_from_query(self, query: str, *, output: object, format: str) -> str:  # noqa: A002 - its name there
        """Write what a query returns to `output`."""

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: object,
        columns: Sequence[str],
        format: str,  # noqa: A002
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> str:
        """Read rows from `source` into a table."""

    def add_termination_listener(self, callback: Callable[[Any], None]) -> None:
        """Call back once the connection ends, however it does."""

    def is_closed(self) -> bool:
        """Return whether it ended."""

    def terminate(self) -> None:
        """Close it without telling the server."""


async def rows(query: str, *parameters: object) -> list[dict[str, Any]]:
    """Return every row that a statement gives."""
    found: list[dict[str, Any]] = await connections.get("default").execute_query_dict(query, list(parameters))
    return found


async def first(query: str, *parameters: object) -> dict[str, Any] | None:
    """Return the first row that a statement gives, None if it gives none."""
    found = await rows(query, *parameters)
    return found[0] if found else None


async def one(query: str, *parameters: object) -> dict[str, Any]:
    """Return the row of a statement that always gives one."""
    row = await first(query, *parameters)
    assert row is not None, "the statement gives one row, whatever is stored"
    return row


async def run(query: str, *parameters: object) -> None:
    """Run a statement; what it returns is dropped."""
    await connections.get("default").execute_query(query, list(parameters))


def acquire() -> AbstractAsyncContextManager[Connection]:
    """Give a connection for the block: the transaction's inside of one, else one of the pool."""
    connection: AbstractAsyncContextManager[Connection] = connections.get("default").acquire_connection()
    return connection


def of_transaction() -> Connection:
    """Return the connection of the transaction that this runs in, for what Tortoise does not pass on, such as COPY."""
    connection: Connection = connections.get("default")._connection  # noqa: SLF001 - it has no public name
    return connection
