from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0018_client_names')]

    initial = False

    operations = [
        ops.AlterField(
            model_name='AuditEntry',
            name='entity',
            field=fields.CharField(description='client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery.', max_length=32),
        ),
        # AlterField stores no comment.
        ops.RunSQL("comment on column audit_entry.entity is 'client, position, user, instrument, margin_call, policy, import, webhook, webhook_delivery.'", reverse_sql=ops.RunSQL.noop),
    ]
