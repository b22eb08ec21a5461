from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0016_imports_checks')]

    initial = False

    operations = [
        ops.RemoveIndex(
            model_name='AuditEntry',
            name=None,
            fields=['entity', 'entity_id'],
        ),
        ops.AddIndex(
            model_name='AuditEntry',
            index=Index(fields=['entity', 'id']),
        ),
        ops.AddIndex(
            model_name='AuditEntry',
            index=Index(fields=['entity_id', 'id']),
        ),
        ops.AddIndex(
            model_name='AuditEntry',
            index=Index(fields=['actor', 'id']),
        ),
        ops.AddIndex(
            model_name='Event',
            index=Index(fields=['kind', 'id']),
        ),
        ops.RemoveIndex(
            model_name='MarginCall',
            name=None,
            fields=['opened_at'],
        ),
        ops.AddIndex(
            model_name='MarginCall',
            index=Index(fields=['type', 'id']),
        ),
        ops.AddIndex(
            model_name='MarginCall',
            index=Index(fields=['opened_at', 'id']),
        ),
        ops.AddIndex(
            model_name='MarginCall',
            index=Index(fields=['closed_at']),
        ),
        ops.AddIndex(
            model_name='WebhookDelivery',
            index=Index(fields=['webhook_id', 'id']),
        ),
        # A model cannot say `is null`; an index on closed_at does not give open cases in the order of a page.
        ops.RunSQL('create index margin_call_open on margin_call (id) where closed_at is null', reverse_sql='drop index margin_call_open'),
    ]
