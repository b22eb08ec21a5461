"""
Files of clients, positions and instruments: what they look like, read a batch at a time.

Tables: none. Routes: none. Loops: none.
Page: docs/architecture.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from app.core.errors import Fault, InvalidInputError
from app.files.brokers import EXPORTS, Broker
from app.files.columns import COLUMNS, Kind
from app.files.preset import preset_table
from app.files.records import CellFault, Format, batches
from app.files.table import Table, plain_table

__all__ = ["COLUMNS", "Broker", "CellFault", "Format", "Kind", "Layout", "Table", "open_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is to be read."""

    kind: Kind
    form: Format
    preset: Broker | None = None
    #: Our name of a column to the file's; others are left out.
    mapping: Mapping[str, str] = field(default_factory=dict)
    #: Whose positions these are, where the file does not say so.
    client_id: int | None = None

    @property
    def adds_up(self) -> bool:
        """Return whether rows of one position add up; else the second one is a fault."""
        return self.preset is not None and EXPORTS[self.preset].adds_up


def open_table(file: BinaryIO, layout: Layout) -> Table:
    """
    Return a file as a table, at its beginning.

    Raises:
        InvalidInputError: its columns are not what `layout` says.
    """
    rows = batches(file, layout.form)
    if layout.client_id is not None and layout.kind is not Kind.POSITIONS:
        raise _refused("clientId", "says whose positions a file has; this kind has its own ids.")
    if layout.preset is not None:
        if layout.kind is not Kind.POSITIONS or layout.form is not Format.CSV or layout.mapping:
            raise _refused("preset", "is for positions as CSV, and leaves no column to map.")
        return preset_table(rows, layout.preset, client_id=layout.client_id)
    return plain_table(rows, layout.kind, mapping=layout.mapping, client_id=layout.client_id)


def _refused(parameter: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"{parameter} {what}", faults=[Fault(where=("query", parameter), what=what)])
