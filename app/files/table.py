"""Which columns of a file are which of ours: by their names, by the sender's mapping, or by a broker's preset."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Protocol

from app.core.errors import Fault, InvalidInputError
from app.files.columns import CLIENT_NAME, COLUMNS, Column, Kind, column_named
from app.files.records import Batch, CellFault

#: Columns without which a new row means nothing; clients need `id` or `name`.
_NEEDED: Final = {
    Kind.CLIENTS: (),
    Kind.POSITIONS: ("symbol", "quantity", "cost_basis"),
    Kind.INSTRUMENTS: ("symbol",),
}


@dataclass(frozen=True, slots=True)
class Cells:
    """A batch by our columns: `cells[i]` are those of the i-th column, one for each of `lines`."""

    lines: Sequence[int]
    cells: Sequence[Sequence[str]]
    faults: Sequence[CellFault] = field(default=())
    #: Rows that are no records: totals, cash, footers.
    skipped: int = 0


class Table(Protocol):
    """A file whose columns are known."""

    @property
    def columns(self) -> Sequence[Column]:
        """Return the columns that it has."""
        ...

    def cells(self) -> Iterator[Cells]:
        """Yield its records."""
        ...


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A file whose first row names its columns; `places[i]` is where it has `columns[i]`, None = it is `client_id`."""

    columns: Sequence[Column]
    places: Sequence[int | None]
    width: int
    client_id: int | None
    batches: Iterable[Batch]

    def cells(self) -> Iterator[Cells]:
        """Yield its records; a row of another width than the first is a fault."""
        for batch in self.batches:
            lines, rows, faults = self._of_one_width(batch)
            turned = list(zip(*rows, strict=True)) if rows else [()] * self.width
            fixed = [str(self.client_id)] * len(rows)
            yield Cells(lines, [fixed if place is None else turned[place] for place in self.places], faults)

    def _of_one_width(self, batch: Batch) -> tuple[Sequence[int], Sequence[Sequence[str]], Sequence[CellFault]]:
        if set(map(len, batch.rows)) <= {self.width}:
            return batch.lines, batch.rows, batch.faults
        numbered = list(zip(batch.lines, batch.rows, strict=True))
        right = [(line, row) for line, row in numbered if len(row) == self.width]
        wrong = [
            CellFault(line, None, f"has {len(row)} cells where the first row has {self.width}")
            for line, row in numbered
            if len(row) != self.width
        ]
        return [line for line, _ in right], [row for _, row in right], [*batch.faults, *wrong]


def plain_table(
    batches: Iterator[Batch], kind: Kind, *, mapping: Mapping[str, str], client_id: int | None
) -> PlainTable:
    """
    Return a file as a table of ours.

    Args:
        mapping: our name of a column to the file's; then columns that it does not name are left out.
        client_id: whose positions these are, where the file does not say so.

    Raises:
        InvalidInputError: a column is missing, unknown, or there twice.
    """
    first = next((batch for batch in batches if batch.rows or batch.faults), None)
    if first is None or not first.rows:
        raise InvalidInputError("The file has no row that names its columns.", faults=_where("is empty"))
    names = [name.strip() for name in first.rows[0]]
    columns, places = _found(names, kind, mapping)
    if client_id is not None:
        columns, places = _of_client(columns, places)
    _check_needed({column.name for column in columns}, kind)
    rest = Batch(first.lines[1:], first.rows[1:], first.faults)
    return PlainTable(columns, places, len(names), client_id, chain([rest], batches))


def _found(names: Sequence[str], kind: Kind, mapping: Mapping[str, str]) -> tuple[list[Column], list[int | None]]:
    """Return the columns that a file has, in our order, and where."""
    theirs = {column.name: column.name for column in (*COLUMNS[kind], CLIENT_NAME)} | dict(mapping)
    for ours in mapping:
        if column_named(kind, ours) is None:
            raise _refused(f"{kind} have no column {ours!r}.")
    for name in theirs.values():
        if names.count(name) > 1:
            raise _refused(f"The column {name!r} is there twice.")
    missing = sorted(name for name in mapping.values() if name not in names)
    if missing:
        raise _refused(f"The file has no column {', '.join(map(repr, missing))}.")
    columns = [column for name in theirs if theirs[name] in names and (column := column_named(kind, name)) is not None]
    if not mapping:
        unknown = [name for name in names if name not in {column.name for column in columns}]
        if unknown:
            known = ", ".join(column.name for column in COLUMNS[kind])
            raise _refused(f"Unknown columns: {', '.join(unknown)[:200]}. {kind.capitalize()} have {known}.")
    return columns, [names.index(theirs[column.name]) for column in columns]


def _of_client(columns: Sequence[Column], places: Sequence[int | None]) -> tuple[list[Column], list[int | None]]:
    """Return a table of one client's positions."""
    if {"clientId", "client"} & {column.name for column in columns}:
        raise _refused("The file names the clients itself; leave the parameter clientId out.")
    return [COLUMNS[Kind.POSITIONS][0], *columns], [None, *places]


def _check_needed(names: set[str], kind: Kind) -> None:
    missing = [name for name in _NEEDED[kind] if name not in names]
    if missing:
        raise _refused(f"The file lacks the columns {', '.join(missing)}.")
    if kind is Kind.CLIENTS and not names & {"id", "name"}:
        raise _refused("The file lacks a column: clients are known by id, and new ones need a name.")
    if kind is Kind.POSITIONS and len(names & {"clientId", "client"}) != 1:
        raise _refused("Say whose positions these are: by a column clientId or client, or by the parameter clientId.")


def _refused(message: str) -> InvalidInputError:
    """Return the error; a file that is not UTF-8 has names that no answer can hold as they are."""
    message = message.encode(errors="backslashreplace").decode()
    return InvalidInputError(message, faults=_where(message))


def _where(message: str) -> list[Fault]:
    return [Fault(where=("body", "columns"), what=message)]
