from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import PartialIndex

class Migration(migrations.Migration):
    dependencies = [('models', '0010_calls_checks')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Webhook',
            name='position',
            field=fields.BigIntField(default=0, description='Every event up to this id that it wants has a delivery.', db_default=0),
        ),
        ops.RemoveField(model_name='Webhook', name='is_active'),
        ops.AlterField(
            model_name='WebhookDelivery',
            name='next_attempt_at',
            field=fields.DatetimeField(description='While an attempt is under way: when it counts as lost.', auto_now=False, auto_now_add=False),
        ),
        # AddField and AlterField store no comment.
        ops.RunSQL("comment on column webhook.position is 'Every event up to this id that it wants has a delivery.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column webhook_delivery.next_attempt_at is 'While an attempt is under way: when it counts as lost.'", reverse_sql=ops.RunSQL.noop),
        ops.AddIndex(
            model_name='WebhookDelivery',
            index=PartialIndex(fields=['webhook_id', 'client_id', 'event_id'], name='webhook_delivery_by_client', condition={'state': 'pending'}),
        ),
        ops.AddIndex(
            model_name='WebhookDelivery',
            index=PartialIndex(fields=['webhook_id', 'next_attempt_at'], name='webhook_delivery_by_time', condition={'state': 'pending'}),
        ),
    ]
