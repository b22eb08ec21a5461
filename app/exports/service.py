"""Exports: every client, position or instrument as the database has them at one moment, as a stream."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio import create_memory_object_stream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from app.core.errors import UnavailableError
from app.database.bulk_read import snapshot
from app.files import COLUMNS, Format, Kind
from app.files.formulas import FORMULA_PATTERN

#: Pieces that wait for a slow reader, and how long they do: a snapshot that lasts keeps old rows from being removed.
_WAITING: Final = 4
_PATIENCE_SECONDS: Final = 60
#: The longest that one lasts, however patient its reader.
_MOST_SECONDS: Final = 3600
#: Sent at a time.
_PIECE_BYTES: Final = 1 << 16
#: Characters that no line of JSON holds unescaped: so COPY as CSV writes it as it is.
_NEVER: Final = {"delimiter": "\x01", "quote": "\x02"}

#: For each kind, what its columns (of `app.files.COLUMNS`) are, and from where, in an order that no setting changes.
_VALUES: Final = {
    Kind.CLIENTS: ("c.id", "c.name", "trim_scale(m.loan)", "trim_scale(m.margin_requirement)"),
    Kind.POSITIONS: ("client_id", "symbol", "trim_scale(quantity)", "trim_scale(cost_basis)"),
    Kind.INSTRUMENTS: (
        "symbol",
        "name",
        "currency",
        "quote_type",
        "trim_scale(leverage)",
        "case when marginable then 'true' else 'false' end",
        "trim_scale(house_rate)",
    ),
}
_SOURCES: Final = {
    Kind.CLIENTS: "client c join margin m on m.client_id = c.id order by c.id",
    Kind.POSITIONS: 'position order by client_id, symbol collate "C"',
    Kind.INSTRUMENTS: 'instrument order by symbol collate "C"',
}
_TEXTS: Final = {"name", "symbol", "currency", "quote_type"}


@asynccontextmanager
async def opened(kind: Kind, form: Format) -> AsyncIterator[AsyncIterator[bytes]]:
    """
    Give a file of every record of a kind, piece by piece; an import takes it back as it is.

    Columns and order never vary. In CSV a text that a spreadsheet would run as a formula has an apostrophe in front.
    PostgreSQL writes the file from one snapshot, which ends with the block; memory is a few pieces. A reader that takes
    too long gets UnavailableError from the pieces.
    """
    sender, receiver = create_memory_object_stream[bytes](_WAITING)
    writer = asyncio.create_task(_write(kind, form, sender))
    try:
        yield _pieces(receiver, writer)
    finally:
        receiver.close()  # the writer fails at its next piece; cancelled within COPY, it could not roll back
        await asyncio.wait({writer}, timeout=_PATIENCE_SECONDS)
        if not writer.cancel() and not writer.cancelled():
            writer.exception()  # its reader got the error, or has gone


async def _pieces(receiver: MemoryObjectReceiveStream[bytes], writer: asyncio.Task[None]) -> AsyncIterator[bytes]:
    """Yield what is written, then raise what went wrong."""
    async for piece in receiver:
        yield piece
    await writer


def query(kind: Kind, form: Format) -> str:
    """Return what a file of a kind holds, as one statement."""
    names = [column.name for column in COLUMNS[kind]]
    values = dict(zip(names, _VALUES[kind], strict=True))
    if form is Format.CSV:
        values = {name: _harmless(value) if name in _TEXTS else value for name, value in values.items()}
    columns = ", ".join(f'{value} as "{name}"' for name, value in values.items())
    rows = f"select {columns} from {_SOURCES[kind]}"  # noqa: S608 - names of ours, no input
    return rows if form is Format.CSV else f"select row_to_json(r)::text from ({rows}) r"  # noqa: S608 - likewise


def _harmless(text: str) -> str:
    """Return SQL for a text that no spreadsheet computes; an empty one is null, as it is in CSV."""
    pattern = FORMULA_PATTERN.replace("'", "''").replace("\\", "\\\\")
    return f"case when {text} ~ E'{pattern}' then '''' || {text} else nullif({text}, '') end"


async def _write(kind: Kind, form: Format, sender: MemoryObjectSendStream[bytes]) -> None:
    """Send the file, piece by piece; the end of the stream is the end of the work."""
    waiting = bytearray()
    end = time.monotonic() + _MOST_SECONDS

    async def put(data: bytes) -> None:
        waiting.extend(data)
        if len(waiting) >= _PIECE_BYTES:
            await flush()

    async def flush() -> None:
        try:
            async with asyncio.timeout(min(_PATIENCE_SECONDS, end - time.monotonic())):
                await sender.send(bytes(waiting))
        except TimeoutError as error:
            raise UnavailableError("The reader of an export took too long.") from error
        waiting.clear()

    options = {"header": True} if form is Format.CSV else _NEVER
    with sender:
        async with snapshot() as connection:
            await connection.copy_from_query(query(kind, form), output=put, format="csv", **options)
        await flush()
