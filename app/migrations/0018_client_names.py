from tortoise import migrations
from tortoise.migrations import operations as ops

class Migration(migrations.Migration):
    dependencies = [('models', '0017_lists')]

    initial = False

    operations = [
        # A model cannot name a collation; bytes compare alike in every database.
        ops.RunSQL('create index client_by_name on client ((lower(name) collate "C"), id)', reverse_sql='drop index client_by_name'),
    ]
