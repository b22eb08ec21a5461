from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0015_imports')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='Import',
            constraint=CheckConstraint(check="state IN ('stored', 'refused', 'checked')", name='import_state_known'),
        ),
        ops.AddConstraint(
            model_name='Import',
            constraint=CheckConstraint(check="kind IN ('clients', 'positions', 'instruments')", name='import_kind_known'),
        ),
    ]
