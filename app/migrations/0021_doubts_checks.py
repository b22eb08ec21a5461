from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0020_doubts')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='CorporateAction',
            constraint=CheckConstraint(check="state IN ('pending', 'scheduled', 'applied', 'dismissed')", name='corporate_action_state_known'),
        ),
        ops.AddConstraint(
            model_name='CorporateAction',
            constraint=CheckConstraint(check="kind IN ('split', 'spin_off', 'merger', 'dividend', 'rename', 'instrument', 'other')", name='corporate_action_kind_known'),
        ),
        ops.AddConstraint(
            model_name='CorporateAction',
            constraint=CheckConstraint(check='num_nonnulls(ratio_new, ratio_old) IN (0, 2) AND ratio_new > 0 AND ratio_old > 0', name='corporate_action_ratio_is_positive'),
        ),
    ]
