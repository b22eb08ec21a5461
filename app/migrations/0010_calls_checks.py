from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0009_calls')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='ClientState',
            constraint=CheckConstraint(check="state IN ('ok', 'warning', 'call', 'incomplete')", name='client_state_state_known'),
        ),
    ]
