from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0019_audit_entities')]

    initial = False

    operations = [
        ops.CreateModel(
            name='CorporateAction',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('symbol', fields.CharField(max_length=32)),
                ('kind', fields.CharField(description='split, spin_off, merger, dividend, rename, instrument, other.', max_length=16)),
                ('ratio_new', fields.DecimalField(null=True, description='`ratio_new` units for `ratio_old` ones, in the terms of the source; null = none.', max_digits=16, decimal_places=6)),
                ('ratio_old', fields.DecimalField(null=True, max_digits=16, decimal_places=6)),
                ('amount', fields.DecimalField(null=True, description='Cash per unit, in the currency of the symbol; null = none.', max_digits=20, decimal_places=8)),
                ('to_symbol', fields.CharField(null=True, description='What a unit becomes, or brings with it; null = nothing.', max_length=32)),
                ('ex_date', fields.DateField(description='Day of the exchange from which prices are those of after it.')),
                ('effective_on', fields.DateField(null=True, description='Day from which it counts here; null = not decided.')),
                ('state', fields.CharField(description='pending, scheduled, applied, dismissed.', max_length=16)),
                ('source', fields.CharField(description='The price source, or `desk`.', max_length=16)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('decided_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('decided_by', fields.CharField(null=True, description="A user's name, or `system`.", max_length=64)),
                ('reason', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'corporate_action', 'app': 'models', 'unique_together': (('symbol', 'kind', 'ex_date'),), 'indexes': [Index(fields=['state', 'id'])], 'pk_attr': 'id', 'table_description': 'What a source or the desk says happened to a security, and what became of it: applied or dismissed.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='MarginCall',
            name='doubt',
            field=fields.JSONField(null=True, description='Why prices behind it are in doubt: reasons, symbols, since, and the shortfall at best and worst; null = none is.', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
        ops.AddField(
            model_name='MarketData',
            name='absent_count',
            field=fields.IntField(default=0, description='Answers in a row without a usable price.', db_default=0),
        ),
        ops.AddField(
            model_name='MarketData',
            name='absent_since',
            field=fields.DatetimeField(null=True, description='When the first of these answers came; null = the last answer had a price.', auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_answers',
            field=fields.IntField(default=0, description='Answers in a row on the new side of half-way.', db_default=0),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_high',
            field=fields.DecimalField(null=True, description='The most that one unit may be worth, in `currency`.', max_digits=20, decimal_places=8),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_low',
            field=fields.DecimalField(null=True, description='The least that one unit may be worth, in `currency`.', max_digits=20, decimal_places=8),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_no_split',
            field=fields.BooleanField(default=False, description='Whether the source of splits has said that no split explains the jump.', db_default=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_reason',
            field=fields.CharField(null=True, description='Why the price is in doubt: jump, unit, currency, identity, split; null = it is not.', max_length=16),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_since',
            field=fields.DatetimeField(null=True, description='When the market made the price with which the doubt began.', auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='MarketData',
            name='doubt_undoubted',
            field=fields.DecimalField(null=True, description='The last price that was not in doubt, in `currency`.', max_digits=20, decimal_places=8),
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_currency',
            field=fields.CharField(null=True, description='Currency of the price that waits, where it is not `currency`.', max_length=3),
        ),
        ops.AddField(
            model_name='MarketData',
            name='pending_reason',
            field=fields.CharField(null=True, description='Why the price that waits does; jump: it is used once it was said again.', max_length=16),
        ),
        ops.AddField(
            model_name='MarketData',
            name='quoted_currency',
            field=fields.CharField(null=True, description="The source's own word for the unit of `current_price`, such as GBp.", max_length=8),
        ),
        ops.AddConstraint(
            model_name='MarketData',
            constraint=CheckConstraint(check='num_nonnulls(doubt_reason, doubt_low, doubt_high, doubt_since, doubt_undoubted) IN (0, 5) AND doubt_low >= 0 AND doubt_high >= doubt_low', name='market_data_doubt_in_bounds'),
        ),
        # AddField stores no comment.
        ops.RunSQL("comment on column margin_call.doubt is 'Why prices behind it are in doubt: reasons, symbols, since, and the shortfall at best and worst; null = none is.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.absent_count is 'Answers in a row without a usable price.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.absent_since is 'When the first of these answers came; null = the last answer had a price.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_answers is 'Answers in a row on the new side of half-way.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_high is 'The most that one unit may be worth, in `currency`.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_low is 'The least that one unit may be worth, in `currency`.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_no_split is 'Whether the source of splits has said that no split explains the jump.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_reason is 'Why the price is in doubt: jump, unit, currency, identity, split; null = it is not.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_since is 'When the market made the price with which the doubt began.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.doubt_undoubted is 'The last price that was not in doubt, in `currency`.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.pending_currency is 'Currency of the price that waits, where it is not `currency`.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.pending_reason is 'Why the price that waits does; jump: it is used once it was said again.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL("comment on column market_data.quoted_currency is 'The source''s own word for the unit of `current_price`, such as GBp.'", reverse_sql=ops.RunSQL.noop),
        ops.RunSQL(
            "create index market_data_in_doubt on market_data (symbol) where doubt_reason is not null",
            reverse_sql="drop index market_data_in_doubt",
        ),
    ]
