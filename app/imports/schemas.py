"""Imports on the wire."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from app.web.fields import Out, TimestampOut

_SUMMARY: JsonDict = {
    "id": 1,
    "at": "2026-01-31T09:30:00Z",
    "actor": "grace",
    "state": "refused",
    "kind": "positions",
    "mode": "all",
    "existing": "update",
    "dry_run": False,
    "preset": None,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size_bytes": 78,
    "row_count": 2,
    "skipped": 0,
    "created": 0,
    "updated": 0,
    "kept": 0,
    "bad_rows": 1,
    "error_count": 1,
    "seconds": 0.021,
}
_ERROR: JsonDict = {"line": 3, "column": "quantity", "message": "must be a number", "value": "ten"}

State = Literal["stored", "refused", "checked"]


class ImportErrorOut(Out):
    """One thing wrong with a file."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ERROR]})

    line: int = Field(description="1 is the first line of the file.")
    column: str | None = Field(description="Our name of the column; null where the whole line is at fault.")
    message: str
    value: str | None = Field(description="What stands there, at most 40 characters.")

    @model_validator(mode="before")
    @classmethod
    def _from_members(cls, members: Any) -> Any:  # noqa: ANN401 - whatever is to be validated
        """Take an error as a report stores it: its members in order."""
        return dict(zip(cls.model_fields, members, strict=True)) if isinstance(members, list) else members


class ImportSummaryOut(Out):
    """What became of a file."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SUMMARY]})

    id: int
    at: TimestampOut
    actor: str = Field(description="Who sent it.")
    state: State = Field(description="`refused`: nothing of it is stored. `checked`: a dry run, nothing is stored.")
    kind: Literal["clients", "positions", "instruments"]
    mode: Literal["all", "good"]
    existing: Literal["update", "keep"]
    dry_run: bool
    preset: str | None
    sha256: str = Field(description="SHA-256 of the file, decompressed; the audit trail names it too.")
    size_bytes: int = Field(description="Of the file, decompressed.")
    row_count: int = Field(description="Records in the file, good and bad; several may add up to one position.")
    skipped: int = Field(description="Rows that are no records: totals, cash, footers of a broker's export.")
    created: int = Field(description="Rows that made a record; in a dry run, that would.")
    updated: int = Field(description="Rows that changed a record; likewise.")
    kept: int = Field(description="Rows whose record existed and stayed as it was.")
    bad_rows: int
    error_count: int = Field(description="All errors, also those beyond the first 10,000.")
    seconds: float = Field(description="What it took, once the file had arrived.")


class ImportOut(ImportSummaryOut):
    """What became of a file, with all that is wrong with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SUMMARY, "errors": [_ERROR]}]})

    errors: list[ImportErrorOut] = Field(description="The first 10,000 errors, by line.")
