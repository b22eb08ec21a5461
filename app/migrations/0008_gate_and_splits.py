from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0007_audit')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Split',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('symbol', fields.CharField(max_length=32)),
                ('ex_date', fields.DateField(description='Day of the exchange from which prices are those of new shares.')),
                ('effective', fields.DatetimeField(description="First moment of that day's session, in the provider's words.", auto_now=False, auto_now_add=False)),
                ('numerator', fields.DecimalField(description='`numerator` new shares for `denominator` old ones; 1 for 10 is a reverse split.', max_digits=16, decimal_places=6)),
                ('denominator', fields.DecimalField(max_digits=16, decimal_places=6)),
                ('applied_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'split', 'app': 'models', 'unique_together': (('symbol', 'ex_date'),), 'pk_attr': 'id', 'table_description': 'A stock split that was applied to every position of that time; once, which the database holds to.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_fetched_at',
            field=fields.DatetimeField(null=True, description='When the source last gave the price that waits.', auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_price',
            field=fields.DecimalField(null=True, description='An answer that waits for a second one before it is used, in `currency`; null = none waits.', max_digits=20, decimal_places=8),
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_since',
            field=fields.DatetimeField(null=True, description='When the source first gave the price that waits.', auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_time',
            field=fields.DatetimeField(null=True, description='When the market made the price that waits.', auto_now=False, auto_now_add=False),
        ),
        ops.AddConstraint(
            model_name='MarketData',
            constraint=CheckConstraint(check='num_nonnulls(pending_price, pending_time, pending_fetched_at, pending_since) IN (0, 4) AND pending_price > 0 AND pending_price < 1e10', name='market_data_pending_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Split',
            constraint=CheckConstraint(check='numerator > 0 AND denominator > 0', name='split_ratio_is_positive'),
        ),
        # AddField stores no comment.
        ops.RunSQL("comment on column market_data.pending_fetched_at is 'When the source last gave the price that waits.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.pending_price is 'An answer that waits for a second one before it is used, in `currency`; null = none waits.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.pending_since is 'When the source first gave the price that waits.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.pending_time is 'When the market made the price that waits.'", reverse_sql=ops.RunSQL.noop),
    ]
