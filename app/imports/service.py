"""Imports: a file of clients, positions or instruments is stored whole, or its good rows, or nothing of it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, BinaryIO, Final

import structlog
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.core.errors import NotFoundError
from app.database import sql
from app.database.sql import Connection
from app.files import Kind, Layout, open_table
from app.imports import clients as import_clients
from app.imports import instruments as import_instruments
from app.imports import positions as import_positions
from app.imports import staging as import_stage
from app.imports.staging import Findings
from app.imports.steps import Check, Steps
from app.models import Import

#: One import at a time, over all processes: so two never wait for each other's rows.
_LOCK: Final = 0x696D_706F  # "impo"
_SETTINGS: Final = """
select set_config('statement_timeout', '1h', true), set_config('work_mem', '64MB', true),
       pg_advisory_xact_lock($1)
"""
#: With more than these, followers of the book load all of it, which is faster.
_MOST_TOUCHED: Final = {Kind.CLIENTS: 20_000, Kind.POSITIONS: 20_000, Kind.INSTRUMENTS: 1000}
#: From so many rows on, the planner must know of them before the next request.
_MANY_ROWS: Final = 10_000
#: How long a report is kept; an import after that deletes it.
_KEPT: Final = timedelta(days=90)
#: What the audit trail calls a row.
_ENTITIES: Final = {Kind.CLIENTS: "client", Kind.POSITIONS: "position", Kind.INSTRUMENTS: "instrument"}

_SUMMARY: Final = [name for name in Import._meta.db_fields if name != "errors"]  # noqa: SLF001 - Tortoise has no other way

_log = structlog.get_logger(__name__)


class Mode(StrEnum):
    """What becomes of a file with bad rows."""

    ALL = "all"
    GOOD = "good"


class Existing(StrEnum):
    """What becomes of rows that exist."""

    UPDATE = "update"
    KEEP = "keep"


class ImportState(StrEnum):
    """What became of a file."""

    STORED = "stored"
    REFUSED = "refused"
    CHECKED = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is to be imported."""

    layout: Layout
    mode: Mode = Mode.ALL
    existing: Existing = Existing.UPDATE
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that has arrived whole, at its beginning."""

    file: BinaryIO
    size_bytes: int
    #: Hexadecimal.
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """How many rows make a record, change one, or leave it as it is; what of the book was changed."""

    created: int = 0
    updated: int = 0
    kept: int = 0
    touches: Touches = recorder.NOTHING

    @property
    def changes(self) -> int:
        """Return how many rows store something."""
        return self.created + self.updated


class _UndoError(Exception):
    """Rolls back what a file that is not to be stored has staged."""


async def run(options: ImportOptions, upload: Upload, *, base_currency: str, caller: Caller) -> Import:
    """
    Import a file; return the report, which is stored in the same transaction.

    One transaction: a crash leaves nothing. Cost: for each row a COPY into a temporary table and an insert, with a few
    joins between; memory of this process is a batch of rows, whatever the file's size.

    Raises:
        InvalidInputError: the file's columns are not what was said; there is no report.
    """
    started = time.perf_counter()
    async with in_transaction():
        await sql.run(_SETTINGS, _LOCK)
        found, counts = await _attempt(options, upload, base_currency=base_currency)
        state = _state(options, found)
        await Import.filter(at__lt=datetime.now(UTC) - _KEPT).delete()
        seconds = round(time.perf_counter() - started, 3)
        report = await Import.create(
            actor=caller.username,
            state=state,
            sha256=upload.sha256,
            size_bytes=upload.size_bytes,
            created=counts.created,
            updated=counts.updated,
            kept=counts.kept,
            seconds=seconds,
            **_of_options(options),
            **_of_findings(found),
        )
        if state is ImportState.STORED and counts.changes:
            await recorder.record(_change(report), actor=caller.username, touches=counts.touches)
    _log.info("import", id=report.id, kind=report.kind, state=report.state, rows=report.row_count, s=seconds)
    return report


async def get_report(import_id: int) -> Import:
    """
    Return a report.

    Raises:
        NotFoundError: there is none.
    """
    report = await Import.get_or_none(id=import_id)
    if report is None:
        raise NotFoundError(f"No import {import_id}.")
    return report


async def list_reports(*, after: int | None, limit: int) -> list[Import]:
    """Return reports by id, behind `after`, without their errors."""
    return await Import.filter(id__gt=after or 0).order_by("id").limit(limit).only(*_SUMMARY)


async def _attempt(options: ImportOptions, upload: Upload, *, base_currency: str) -> tuple[Findings, _Counts]:
    """Do the work; where nothing is to be stored, leave no trace of it."""
    with suppress(_UndoError):
        async with in_transaction():
            found, counts = await _work(options, upload, base_currency=base_currency)
            state = _state(options, found)
            _undo_unless(state is ImportState.STORED)
    return found, _Counts() if state is ImportState.REFUSED else counts


def _undo_unless(is_stored: bool) -> None:  # noqa: FBT001 - its name says what it is
    if not is_stored:
        raise _UndoError


async def _work(options: ImportOptions, upload: Upload, *, base_currency: str) -> tuple[Findings, _Counts]:
    """Stage, check and, unless the file is refused or only to be checked, store."""
    connection = sql.of_transaction()
    table = await asyncio.to_thread(open_table, upload.file, options.layout)
    todo = _steps(options.layout, [column.name for column in table.columns], base_currency=base_currency)
    await import_stage.create(connection, options.layout.kind)
    found = await import_stage.stage(connection, table, options.layout.form)
    await _execute(connection, todo.resolve)
    if not options.dry_run:
        await _execute(connection, todo.lock)
    await _check(connection, todo.checks, found)
    await _execute(connection, todo.merge)
    kept = _count(await connection.execute(todo.keep[options.existing]))
    await _check(connection, todo.last_checks, found)
    row = await connection.fetchrow(todo.count)
    counts = _Counts(created=row["created"], updated=row["updated"], kept=kept)
    if _state(options, found) is ImportState.STORED:
        counts = replace(counts, touches=await _store(connection, todo, counts, kind=options.layout.kind))
    return found, counts


async def _store(connection: Connection, todo: Steps, counts: _Counts, *, kind: Kind) -> Touches:
    """Store what is staged; return what of the book that changes."""
    await _execute(connection, todo.identify)
    most = _MOST_TOUCHED[kind]
    touched = [row["touched"] for row in await connection.fetch(f"{todo.touched} limit {most + 1}")]
    if counts.updated:
        await _execute(connection, [*todo.update, todo.keep[Existing.KEEP]])
    if counts.created:
        await _execute(connection, todo.create)
    if counts.changes >= _MANY_ROWS:
        await _execute(connection, [f"analyze {name}" for name in todo.tables])
    if len(touched) > most:
        return recorder.EVERYTHING
    return Touches(symbols=touched) if kind is Kind.INSTRUMENTS else Touches(client_ids=touched)


def _steps(layout: Layout, columns: Sequence[str], *, base_currency: str) -> Steps:
    """Return what is done with a file that has these columns."""
    match layout.kind:
        case Kind.CLIENTS:
            return import_clients.steps(columns)
        case Kind.POSITIONS:
            return import_positions.steps(columns, base_currency=base_currency, adds_up=layout.adds_up)
        case Kind.INSTRUMENTS:
            return import_instruments.steps(columns)


async def _check(connection: Connection, checks: Sequence[Check], found: Findings) -> None:
    for one in checks:
        found.add_rejected(await connection.fetch(one.query()), one)


async def _execute(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        await connection.execute(statement)


def _state(options: ImportOptions, found: Findings) -> ImportState:
    """Return what becomes of a file of which this is known."""
    if options.dry_run:
        return ImportState.CHECKED
    return ImportState.REFUSED if found.fault_count and options.mode is Mode.ALL else ImportState.STORED


def _count(status: str) -> int:
    """Return how many rows a command says it dealt with: `DELETE 3`."""
    return int(status.rpartition(" ")[2])


def _of_options(options: ImportOptions) -> dict[str, Any]:
    return {
        "kind": options.layout.kind,
        "mode": options.mode,
        "existing": options.existing,
        "dry_run": options.dry_run,
        "preset": options.layout.preset,
    }


def _of_findings(found: Findings) -> dict[str, Any]:
    return {
        "row_count": found.good + found.bad,
        "skipped": found.skipped,
        "bad_rows": found.bad,
        "error_count": found.fault_count,
        "errors": [
            [one.line, one.column, _storable(one.message), one.value and _storable(one.value)]
            for one in found.first_faults()
        ],
    }


def _storable(text: str) -> str:
    """Return a text of whatever bytes a file may hold as PostgreSQL takes it."""
    return text.encode(errors="replace").decode().replace("\x00", "?")


def _change(report: Import) -> Change:
    """Return what the audit trail says of an import: its hash proves later what was in the file."""
    after = {
        "import": report.id,
        "rows": report.created + report.updated,
        "created": report.created,
        "updated": report.updated,
        "sha256": report.sha256,
    }
    return Change(action="import", entity=_ENTITIES[Kind(report.kind)], entity_id=None, after=after)
