from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0005_live')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='MarginCall',
            constraint=UniqueConstraint(fields=('client_id', 'type'), name='margin_call_one_open', condition='closed_at IS NULL'),
        ),
        ops.AddConstraint(
            model_name='MarginCall',
            constraint=CheckConstraint(check='amount > 0 AND outstanding >= 0', name='margin_call_amounts_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='MarginCall',
            constraint=CheckConstraint(check="(state IN ('met', 'cancelled')) = (closed_at IS NOT NULL)", name='margin_call_closed_when_closed'),
        ),
        ops.AddConstraint(
            model_name='MarginCall',
            constraint=CheckConstraint(check="type IN ('house', 'exchange')", name='margin_call_type_known'),
        ),
        ops.AddConstraint(
            model_name='MarginCall',
            constraint=CheckConstraint(check="state IN ('unconfirmed', 'open', 'partially_met', 'extended', 'past_due', 'met', 'cancelled')", name='margin_call_state_known'),
        ),
        ops.AddConstraint(
            model_name='WebhookDelivery',
            constraint=CheckConstraint(check="state IN ('pending', 'delivered', 'dead')", name='webhook_delivery_state_known'),
        ),
    ]
