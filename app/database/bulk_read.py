"""Reading many rows at one moment: snapshots, and binary COPY into numpy columns without a Python object per row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tortoise import connections
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.transactions import in_transaction

from app.database import sql
from app.database.sql import Connection

_BEGIN: Final = "set transaction isolation level repeatable read, read only; set local statement_timeout = 0"
_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
#: Rows are read off the wire in pieces of about this size.
_PIECE_BYTES: Final = 8 << 20
#: In binary COPY each field is its length and its value.
_FIELD: Final = (("length", ">i4"), ("value", ">i8"))


@asynccontextmanager
async def snapshot() -> AsyncIterator[Connection]:
    """Give asyncpg's connection in a read-only transaction that sees one moment; inside a transaction, that one."""
    nested = isinstance(connections.get("default"), TransactionalDBClient)
    async with in_transaction():
        connection = sql.of_transaction()
        if not nested:
            await connection.execute(_BEGIN)
        yield connection


async def copy_bigints(connection: Connection, query: str, *, columns: int) -> list[NDArray[np.int64]]:
    """Return the columns of a query whose rows are non-null bigints; memory beyond them is a piece of the stream."""
    reader = _Reader(columns)
    await connection.copy_from_query(query, output=reader.feed, format="binary")
    return reader.columns()


class _Reader:
    """Turns a binary COPY stream of non-null bigints into columns."""

    def __init__(self, columns: int) -> None:
        fields = [("count", ">i2")] + [(f"{kind}{n}", size) for n in range(columns) for kind, size in _FIELD]
        self._row = np.dtype(fields)
        self._names = [f"value{n}" for n in range(columns)]
        self._pieces: list[list[NDArray[np.int64]]] = [[] for _ in range(columns)]
        self._rest = bytearray()
        self._skip = _HEADER_BYTES

    async def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._rest += data
        if len(self._rest) >= _PIECE_BYTES:
            self._read()

    def columns(self) -> list[NDArray[np.int64]]:
        """Return what the whole stream held."""
        self._read()
        assert self._rest == b"\xff\xff", "a COPY stream ends with its trailer"
        columns = []
        for pieces in self._pieces:
            columns.append(np.concatenate(pieces) if pieces else np.empty(0, np.int64))
            pieces.clear()
        return columns

    def _read(self) -> None:
        """Move whole rows from the bytes to the columns; the last bytes may be the trailer."""
        rows = (len(self._rest) - self._skip - _TRAILER_BYTES) // self._row.itemsize
        end = self._skip + rows * self._row.itemsize
        table = np.frombuffer(bytes(self._rest[self._skip : end]), self._row)
        for pieces, name in zip(self._pieces, self._names, strict=True):
            pieces.append(table[name].astype(np.int64))
        del self._rest[:end]
        self._skip = 0
