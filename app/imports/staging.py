"""Rows of a file on their way into the staging table, and what is wrong with them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.database.sql import Connection, Row
from app.files import CellFault, Format, Kind, Table
from app.files.check import Checked, check
from app.files.columns import Column, columns_of
from app.imports.steps import MOST_FAULTS, Check

TABLE: Final = "import_row"
#: Sent to PostgreSQL at a time.
_PIECE_BYTES: Final = 1 << 18
#: Names in the staging table, where they are not those of the file.
_STAGED_AS: Final = {"clientId": "client_id"}


@dataclass(slots=True)
class Findings:
    """What was found so far: how many rows, and what is wrong with some; of the faults, the first ones."""

    good: int = 0
    bad: int = 0
    skipped: int = 0
    fault_count: int = 0
    faults: list[CellFault] = field(default_factory=list)

    def add(self, checked: Checked) -> None:
        """Take over what was found in a batch of the file."""
        self.good += checked.good
        self.bad += checked.bad
        self.skipped += checked.skipped
        self.fault_count += len(checked.faults)
        self.faults += checked.faults[: MOST_FAULTS - len(self.faults)]

    def add_rejected(self, rows: Sequence[Row], of: Check) -> None:
        """Take over rows that a check of the staged rows deleted; each has `count`, the number of all."""
        count = rows[0]["count"] if rows else 0
        self.good -= count
        self.bad += count
        self.fault_count += count
        for row in rows:
            message = of.message.format(value=row["value"], about=row["about"])
            self.faults.append(CellFault(row["line"], of.column, message, row["value"]))

    def first_faults(self) -> list[CellFault]:
        """Return the first faults by line."""
        return sorted(self.faults, key=lambda fault: fault.line)[:MOST_FAULTS]


async def create(connection: Connection, kind: Kind) -> None:
    """Create the staging table of a kind, empty, until the transaction ends."""
    columns = ", ".join(f"{_staged_name(column)} {column.sql}" for column in columns_of(kind))
    await connection.execute(f"drop table if exists pg_temp.{TABLE}")
    await connection.execute(f"create temp table {TABLE} (line bigint, {columns}) on commit drop")


async def stage(connection: Connection, table: Table, form: Format) -> Findings:
    """
    Copy the good rows of a file into the staging table; memory is a batch.

    The file is read and checked by a thread, while PostgreSQL takes the batch before.
    """
    found = Findings()
    names = map(_staged_name, table.columns)
    pieces = _pieces(table, form, found)
    await connection.copy_to_table(TABLE, source=_drawn(pieces), columns=["line", *names], format="text", timeout=None)
    await connection.execute(f"analyze {TABLE}")
    return found


def _staged_name(column: Column) -> str:
    return _STAGED_AS.get(column.name, column.name)


def _pieces(table: Table, form: Format, found: Findings) -> Iterator[bytes]:
    """Yield what is to be copied; each piece costs a turn of a thread."""
    waiting = bytearray()
    for batch in table.cells():
        checked = check(batch, table.columns, form)
        found.add(checked)
        waiting += checked.data
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


async def _drawn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces that a thread makes."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
