"""Rows of a CSV or JSON Lines file with the lines they stand on, a batch in memory at a time."""

import csv
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, count, islice
from typing import Any, BinaryIO, Final, NoReturn, TextIO

from app.core.errors import InvalidInputError

#: Rows of a batch: few enough to stay in the caches, and out of the way of the garbage collector.
_BATCH: Final = 1000
#: Longest line of JSON; a longer one is a fault, and so is a longer cell of CSV.
_MOST_BYTES: Final = 1 << 17
#: Most characters of a batch of CSV, in which each may be a cell, which is an object; rows of ours have a few dozen.
_MOST_CHARACTERS: Final = 1 << 22
#: Most members of an object, each of which is a cell of every row.
_MOST_MEMBERS: Final = 1000
_CHUNK_CHARACTERS: Final = 1 << 16
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


@dataclass(frozen=True, slots=True)
class CellFault:
    """What is wrong with a row: its line (1 = the first of the file), its column where one is to blame, the value."""

    line: int
    column: str | None
    message: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as texts, each with its line; an empty text is null. `faults` are lines that cannot be read at all."""

    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    faults: Sequence[CellFault] = field(default=())


def batches(file: BinaryIO, form: Format) -> Iterator[Batch]:
    """
    Yield the file's rows; the first one names the columns (JSON Lines: the members of the first object).

    Blank lines are left out.
    """
    return _csv(file) if form is Format.CSV else _json_lines(file)


def _csv(file: BinaryIO) -> Iterator[Batch]:
    """
    Yield batches of CSV (RFC 4180, UTF-8).

    Raises:
        InvalidInputError: rows are longer than memory should hold.
    """
    # A descriptor of its own, whose end is not the end of the file.
    with open(os.dup(file.fileno()), encoding="utf-8-sig", errors="surrogateescape", newline="") as text:  # noqa: PTH123 - no path
        source = _Source(text)
        reader = csv.reader(source.lines(), strict=True)
        done = False
        while not done:
            source.left = _MOST_CHARACTERS
            first = reader.line_num + 1
            rows: list[list[str]] = []
            faults: list[CellFault] = []
            try:
                rows.extend(islice(reader, _BATCH))  # keeps what it read before an error
                done = not rows
            except csv.Error as error:
                faults.append(CellFault(reader.line_num, None, f"cannot be read as CSV: {error}"))
            last = reader.line_num - len(faults)
            yield _without_blanks(_lines(rows, first, last), rows, faults)


class _Source:
    """The lines of a text, of which a batch may take a bounded part: a row ends where its writer wants it to."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.left = _MOST_CHARACTERS

    def lines(self) -> Iterator[str]:
        """Return the lines, at what it costs to iterate over the text itself."""
        return chain.from_iterable(self._chunks())

    def _chunks(self) -> Iterator[list[str]]:
        while chunk := self._text.readlines(_CHUNK_CHARACTERS):
            self.left -= sum(map(len, chunk))
            if self.left < 0:
                raise InvalidInputError(f"The file has rows of more than {_MOST_CHARACTERS // _BATCH} characters each.")
            yield chunk


def _lines(rows: Sequence[Sequence[str]], first: int, last: int) -> Sequence[int]:
    """Return the line on which each row begins; rows that hold line ends take several."""
    if last - first + 1 == len(rows):
        return range(first, first + len(rows))
    lines = []
    for row in rows:
        lines.append(first)
        first += 1 + sum(len(_LINE_END.findall(cell)) for cell in row)
    return lines


def _without_blanks(lines: Sequence[int], rows: Sequence[Sequence[str]], faults: Sequence[CellFault]) -> Batch:
    if all(rows):
        return Batch(lines, rows, faults)
    kept = [(line, row) for line, row in zip(lines, rows, strict=True) if row]
    return Batch([line for line, _ in kept], [row for _, row in kept], faults)


def _json_lines(file: BinaryIO) -> Iterator[Batch]:
    """
    Yield batches of JSON Lines; members that the first object does not have are faults.

    Raises:
        InvalidInputError: the first object has more members than memory should hold of every row.
    """
    numbered = zip(count(1), _bounded_lines(file), strict=False)
    names: Sequence[str] | None = None
    while piece := list(islice(numbered, _BATCH)):
        lines, rows, faults = [], [], []
        for line, data in piece:
            if not data.strip():
                continue
            try:
                record = _record(data)
                if names is None:
                    names = list(record)
                    if len(names) > _MOST_MEMBERS:
                        raise InvalidInputError(f"The first object has more than {_MOST_MEMBERS} members.")
                    lines.append(line)
                    rows.append(names)
                lines.append(line)
                rows.append(_cells(record, names))
            except ValueError as error:
                faults.append(CellFault(line, None, str(error)))
                del lines[len(rows) :]
        yield Batch(lines, rows, faults)


def _bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long, enough to see that."""
    while data := file.readline(_MOST_BYTES + 1):
        yield data
        while len(data) > _MOST_BYTES and not data.endswith(b"\n"):
            data = file.readline(_MOST_BYTES + 1)


def _record(data: bytes) -> dict[str, Any]:
    """
    Return an object whose numbers are their texts.

    Raises:
        ValueError: it is none; the message says why.
    """
    if len(data) > _MOST_BYTES:
        raise ValueError(f"is longer than {_MOST_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
        record = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.colno}") from error
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - one class for whatever is wrong with a line
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"is not JSON: {name}")


def _cells(record: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Return an object's members as texts, in the order of the first object's."""
    cells = [_cell(record.get(name)) for name in names]
    if record.keys() - names:
        unknown = ", ".join(sorted(record.keys() - set(names)))
        raise ValueError(f"has members that the first object does not have: {unknown[:200]}")
    return cells


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
    raise ValueError("has a member that is neither text, number, true, false nor null")
