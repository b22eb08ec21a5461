"""From cells to rows that may be staged: nearly all match their column's pattern, the others are read one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.files.columns import Column
from app.files.formulas import original
from app.files.records import CellFault, Format
from app.files.table import Cells

_NULL: Final = "\\N"
_SHOWN: Final = 40
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
#: Returns what the sender meant by a cell.
_MEANT: Final[dict[Format, Callable[[str], str]]] = {Format.CSV: original, Format.JSON_LINES: str}


@dataclass(frozen=True, slots=True)
class Checked:
    """The good rows in PostgreSQL's text format for COPY, the line in front; and what is wrong with the others."""

    data: bytes
    good: int
    bad: int
    faults: Sequence[CellFault]
    skipped: int


def check(batch: Cells, columns: Sequence[Column], form: Format) -> Checked:
    """
    Return the rows of a batch whose every cell is good, and every fault of the others.

    In CSV, texts may have been made harmless to spreadsheets; they become what they were.
    Cost: O(cells), in the interpreter's own loops for all that a column's pattern knows.
    """
    checks = [_column(column, values, _MEANT[form]) for column, values in zip(columns, batch.cells, strict=True)]
    texts = [one.texts for one in checks]
    lines: Sequence[int] = batch.lines
    bad = set().union(*(one.wrong.keys() for one in checks))
    faults = [
        CellFault(lines[place], column.name, reason, batch.cells[index][place][:_SHOWN])
        for index, (column, one) in enumerate(zip(columns, checks, strict=True))
        for place, reason in one.wrong.items()
    ]
    if bad:
        kept = [place for place in range(len(lines)) if place not in bad]
        lines = [lines[place] for place in kept]
        texts = [[text[place] for place in kept] for text in texts]
    rows = map("\t".join, zip(map(str, lines), *texts, strict=True))
    data = "\n".join([*rows, ""]).encode()
    return Checked(data, len(lines), len(bad) + len(batch.faults), [*batch.faults, *faults], batch.skipped)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column's texts for COPY, and what is wrong with some, by place."""

    texts: Sequence[str]
    wrong: dict[int, str]


def _column(column: Column, values: Sequence[str], meant: Callable[[str], str]) -> _Column:
    if all(map(column.plain.fullmatch, values)):
        return _Column(values, {})
    texts, wrong = list(values), {}
    for place in (place for place, value in enumerate(values) if not column.plain.fullmatch(value)):
        try:
            texts[place] = _read(column, meant(values[place]))
        except ValueError as error:
            wrong[place] = str(error)
    return _Column(texts, wrong)


def _read(column: Column, cell: str) -> str:
    """
    Return what a cell says, for COPY.

    Raises:
        ValueError: the reason why it says nothing.
    """
    if not cell or cell.isspace():
        if column.is_nullable:
            return _NULL
        raise ValueError("is empty")
    return column.read(cell).translate(_ESCAPES)
