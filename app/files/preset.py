"""A broker's export as a table of ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from app.core.errors import Fault, InvalidInputError
from app.files.brokers import EXPORTS, Broker, Export, Holding
from app.files.columns import CLIENT_NAME, COLUMNS, Column, Kind
from app.files.records import Batch, CellFault
from app.files.table import Cells

#: The row that names the columns is among the first so many.
_MOST_BEFORE: Final = 50
_CLIENT_ID, *_REST = COLUMNS[Kind.POSITIONS]


@dataclass(slots=True)
class PresetTable:
    """Positions as a broker wrote them; of the client `client_id`, else of the client named like the account."""

    export: Export
    client_id: int | None
    names: Sequence[str]
    batches: Iterator[Batch]
    _account: str | None = field(default=None, init=False)
    #: Where the first part of a holding is.
    _first_part: int | None = field(default=None, init=False)
    _has_whole: bool = field(default=False, init=False)

    @property
    def columns(self) -> Sequence[Column]:
        """Return the columns that it has."""
        return [CLIENT_NAME if self.client_id is None else _CLIENT_ID, *_REST]

    def cells(self) -> Iterator[Cells]:
        """Yield its holdings; parts of them, such as lots, without any that is whole are a fault."""
        for batch in self.batches:
            lines: list[int] = []
            rows: list[Sequence[str]] = []
            faults = list(batch.faults)
            skipped = 0
            for line, row in zip(batch.lines, batch.rows, strict=True):
                try:
                    cells = self._cells(line, row)
                except ValueError as error:
                    self._has_whole = True
                    faults.append(CellFault(line, None, str(error), ",".join(row)[:40]))
                    continue
                if cells is None:
                    skipped += 1
                else:
                    self._has_whole = True
                    lines.append(line)
                    rows.append(cells)
            yield Cells(lines, list(zip(*rows, strict=True)) or [()] * len(self.columns), faults, skipped)
        if self._first_part is not None and not self._has_whole:
            fault = CellFault(self._first_part, None, "is a part, and no row is a whole: export summaries too")
            yield Cells([], [()] * len(self.columns), [fault])

    def _cells(self, line: int, row: Sequence[str]) -> Sequence[str] | None:
        """
        Return a row's cells in the order of `columns`; None where it is no holding.

        Raises:
            ValueError: it is one that cannot be carried, or another client's.
        """
        cells = [cell.strip() for cell in row]
        named = dict.fromkeys(self.names, "") | dict(zip(self.names, cells, strict=False))
        if self.export.is_part(named):
            self._first_part = self._first_part or line
            return None
        held = self.export.read(named)
        return None if held is None else [self._client(held), held.symbol, held.quantity, held.cost_basis]

    def _client(self, held: Holding) -> str:
        """Return whose a holding is; a file for one client must be of one account."""
        if self.client_id is None:
            return held.account or ""
        if self._account is None:
            self._account = held.account
        if held.account != self._account:
            raise ValueError(f"is of account {held.account}, rows before of {self._account}: import them one at a time")
        return str(self.client_id)


def preset_table(batches: Iterator[Batch], broker: Broker, *, client_id: int | None) -> PresetTable:
    """
    Return a broker's export as a table.

    Raises:
        InvalidInputError: it is none, or whose positions these are is not said.
    """
    export = EXPORTS[broker]
    if client_id is None and not export.has_account:
        raise _refused(f"An export of {broker} does not say whose positions these are: give the parameter clientId.")
    for batch in batches:
        for place, row in enumerate(batch.rows[:_MOST_BEFORE]):
            names = [name.strip().lower() for name in row]
            if all(wanted & set(names) for wanted in export.header):
                rest = Batch(batch.lines[place + 1 :], batch.rows[place + 1 :], batch.faults)
                return PresetTable(export, client_id, names, chain([rest], batches))
        break
    wanted = ", ".join(" or ".join(sorted(names)) for names in export.header)
    raise _refused(f"This is no export of {broker}: no row names the columns {wanted}.")


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError(message, faults=[Fault(where=("body", "columns"), what=message)])
