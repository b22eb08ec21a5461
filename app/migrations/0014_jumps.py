from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0013_idempotency_checks')]

    initial = False

    operations = [
        ops.AddField(
            model_name='MarketData',
            name='jumped_at',
            field=fields.DatetimeField(null=True, description='When the market made the price from which it jumped.', auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='jumped_from',
            field=fields.DecimalField(null=True, description='Price, in `currency`, before the last jump that was used though nothing explained it; null = none.', max_digits=20, decimal_places=8),
        ),
        ops.AddConstraint(
            model_name='MarketData',
            constraint=CheckConstraint(check='num_nonnulls(jumped_from, jumped_at) IN (0, 2) AND jumped_from > 0', name='market_data_jump_in_bounds'),
        ),
        # AddField stores no comment.
        ops.RunSQL("comment on column market_data.jumped_at is 'When the market made the price from which it jumped.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.jumped_from is 'Price, in `currency`, before the last jump that was used though nothing explained it; null = none.'", reverse_sql=ops.RunSQL.noop),
    ]
