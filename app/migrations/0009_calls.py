from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0008_gate_and_splits')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ClientState',
            fields=[
                ('client_id', fields.BigIntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ('state', fields.CharField(description='ok, warning, call, incomplete.', max_length=16)),
                ('at', fields.DatetimeField(description='Since when.', auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'client_state', 'app': 'models', 'pk_attr': 'client_id', 'table_description': 'Where a client stands as the stream last said; a client without a row is `ok`.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='MarginCall',
            name='audit_id',
            field=fields.BigIntField(default=0, description='The last audit entry when `snapshot` was taken: what the client did since then stands behind it.', db_default=0),
        ),
        ops.AddField(
            model_name='MarginCall',
            name='set_aside',
            field=fields.DecimalField(null=True, description='The shortfall that a cancellation declared wrong: while it is exactly that, no new case opens.', max_digits=16, decimal_places=2),
        ),
        # AddField stores no comment.
        ops.RunSQL("comment on column margin_call.audit_id is 'The last audit entry when `snapshot` was taken: what the client did since then stands behind it.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column margin_call.set_aside is 'The shortfall that a cancellation declared wrong: while it is exactly that, no new case opens.'", reverse_sql=ops.RunSQL.noop),
    ]
