from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0014_jumps')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Import',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('actor', fields.CharField(description="The user's name.", max_length=64)),
                ('state', fields.CharField(description='stored, refused (nothing is stored), checked (a dry run).', max_length=16)),
                ('kind', fields.CharField(description='clients, positions, instruments.', max_length=16)),
                ('mode', fields.CharField(description='all (or nothing), good (rows only).', max_length=16)),
                ('existing', fields.CharField(description='What became of rows that existed: update, keep.', max_length=16)),
                ('dry_run', fields.BooleanField()),
                ('preset', fields.CharField(null=True, max_length=32)),
                ('sha256', fields.CharField(description='SHA-256 of the file, not compressed, hexadecimal.', max_length=64)),
                ('size_bytes', fields.BigIntField(description='Of the file, not compressed.')),
                ('row_count', fields.BigIntField(description='Records in the file, good and bad.')),
                ('skipped', fields.BigIntField(description='Rows that are no records: totals, cash, footers.')),
                ('created', fields.BigIntField()),
                ('updated', fields.BigIntField()),
                ('kept', fields.BigIntField(description='Rows that existed and stayed as they were.')),
                ('bad_rows', fields.BigIntField()),
                ('error_count', fields.BigIntField()),
                ('errors', fields.JSONField(description='The first 10,000 errors by line: [line, column, message, value].', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('seconds', fields.FloatField()),
            ],
            options={'table': 'import', 'app': 'models', 'pk_attr': 'id', 'table_description': 'What became of a file; stored with what the import stored, or alone where it stored nothing.'},
            bases=['Model'],
        ),
    ]
