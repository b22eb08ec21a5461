"""Reports of imports."""

from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class Import(Model):
    """What became of a file; stored with what the import stored, or alone where it stored nothing."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField(auto_now_add=True)
    #: The user's name.
    actor = fields.CharField(max_length=64)
    #: stored, refused (nothing is stored), checked (a dry run).
    state = fields.CharField(max_length=16)
    #: clients, positions, instruments.
    kind = fields.CharField(max_length=16)
    #: all (or nothing), good (rows only).
    mode = fields.CharField(max_length=16)
    #: What became of rows that existed: update, keep.
    existing = fields.CharField(max_length=16)
    dry_run = fields.BooleanField()
    preset = fields.CharField(max_length=32, null=True)
    #: SHA-256 of the file, not compressed, hexadecimal.
    sha256 = fields.CharField(max_length=64)
    #: Of the file, not compressed.
    size_bytes = fields.BigIntField()
    #: Records in the file, good and bad.
    row_count = fields.BigIntField()
    #: Rows that are no records: totals, cash, footers.
    skipped = fields.BigIntField()
    created = fields.BigIntField()
    updated = fields.BigIntField()
    #: Rows that existed and stayed as they were.
    kept = fields.BigIntField()
    bad_rows = fields.BigIntField()
    error_count = fields.BigIntField()
    #: The first 10,000 errors by line: [line, column, message, value].
    errors: fields.JSONField[list[list[Any]]] = fields.JSONField()
    seconds = fields.FloatField()

    class Meta:
        table = "import"
        ordering = ("id",)
        constraints = (
            CheckConstraint(check="state IN ('stored', 'refused', 'checked')", name="import_state_known"),
            CheckConstraint(check="kind IN ('clients', 'positions', 'instruments')", name="import_kind_known"),
        )
