from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0012_idempotency')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='IdempotencyKey',
            constraint=CheckConstraint(check='num_nonnulls(status, headers, body) IN (0, 3)', name='idempotency_key_whole_answer'),
        ),
        ops.AddConstraint(
            model_name='IdempotencyKey',
            constraint=CheckConstraint(check='status BETWEEN 200 AND 299', name='idempotency_key_answer_is_a_success'),
        ),
        ops.AddConstraint(
            model_name='IdempotencyKey',
            constraint=CheckConstraint(check="key <> ''", name='idempotency_key_not_empty'),
        ),
    ]
