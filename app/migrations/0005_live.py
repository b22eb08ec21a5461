from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from app.models.calls import CallState, CallType
from json import dumps, loads
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0004_one_refresh_token_per_login')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('actor', fields.CharField(description="A user's name, `monitor`, or `system`.", max_length=64)),
                ('action', fields.CharField(description='create, update, delete, trade, split, login_reset and so on.', max_length=32)),
                ('entity', fields.CharField(description='client, position, user, instrument, margin_call, policy, import.', max_length=32)),
                ('entity_id', fields.CharField(null=True, description="The record's id or symbol; null for a bulk change.", max_length=64)),
                ('client_id', fields.BigIntField(null=True)),
                ('before', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('after', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('request_id', fields.CharField(null=True, max_length=64)),
                ('hash', fields.CharField(description='SHA-256 over the row and `previous_hash`, hexadecimal.', max_length=64)),
                ('previous_hash', fields.CharField(max_length=64)),
            ],
            options={'table': 'audit_entry', 'app': 'models', 'indexes': [Index(fields=['client_id', 'id']), Index(fields=['entity', 'entity_id'])], 'pk_attr': 'id', 'table_description': 'One change, chained by hash to the one before; the database refuses to change or delete it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='BookChange',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('xid', fields.BigIntField(db_index=True, description='pg_current_xact_id() of the writer: a reader knows from its snapshot which rows it may still miss.')),
                ('at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('client_ids', fields.JSONField(null=True, description='JSON arrays; null = everything changed.', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('symbols', fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'book_change', 'app': 'models', 'pk_attr': 'id', 'table_description': 'What a committed transaction changed of the book, so that resident copies follow it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Event',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('kind', fields.CharField(max_length=16)),
                ('client_id', fields.BigIntField(null=True)),
                ('symbol', fields.CharField(null=True, max_length=32)),
                ('data', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'event', 'app': 'models', 'indexes': [Index(fields=['client_id', 'id'])], 'pk_attr': 'id', 'table_description': 'One durable event of the stream (`state`, `margin_call`), by id in commit order; kept 30 days.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='MarginCall',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('client_id', fields.BigIntField()),
                ('type', fields.CharEnumField(description='HOUSE: house\nEXCHANGE: exchange', enum_type=CallType, max_length=16)),
                ('state', fields.CharEnumField(description='UNCONFIRMED: unconfirmed\nOPEN: open\nPARTIALLY_MET: partially_met\nEXTENDED: extended\nPAST_DUE: past_due\nMET: met\nCANCELLED: cancelled', enum_type=CallState, max_length=16)),
                ('amount', fields.DecimalField(description='Shortfall when the case opened, or when it was confirmed.', max_digits=16, decimal_places=2)),
                ('outstanding', fields.DecimalField(description='Shortfall now; 0 when closed.', max_digits=16, decimal_places=2)),
                ('opened_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('due_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('closed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('manner', fields.CharField(null=True, description='How it was met: deposit, securities, sale, appreciation, rule_change; several joined by a comma.', max_length=64)),
                ('restriction', fields.CharField(null=True, description='close_only, or null.', max_length=32)),
                ('policy_id', fields.CharField(max_length=64)),
                ('policy_version', fields.CharField(max_length=64)),
                ('price_basis', fields.CharField(description='The weakest basis among the prices that opened it.', max_length=16)),
                ('snapshot', fields.JSONField(description='The explanation that reproduces `amount` to the cent.', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={'table': 'margin_call', 'app': 'models', 'indexes': [Index(fields=['client_id', 'id']), Index(fields=['state', 'id']), Index(fields=['opened_at'])], 'pk_attr': 'id', 'table_description': 'One call on one client. At most one of each type is not closed; the database holds to it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='MarginCallEvent',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('call', fields.ForeignKeyField('models.MarginCall', source_field='call_id', db_constraint=True, to_field='id', related_name='history', on_delete=OnDelete.RESTRICT)),
                ('client_id', fields.BigIntField()),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('from_state', fields.CharField(null=True, max_length=16)),
                ('to_state', fields.CharField(max_length=16)),
                ('actor', fields.CharField(description="A user's name, or `monitor`.", max_length=64)),
                ('amount', fields.DecimalField(description='Outstanding after this step.', max_digits=16, decimal_places=2)),
                ('note', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'margin_call_event', 'app': 'models', 'indexes': [Index(fields=['call_id', 'id'])], 'pk_attr': 'id', 'table_description': 'One step in the life of a case; never changed.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Webhook',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('url', fields.CharField(max_length=2000)),
                ('secret', fields.CharField(description='Signs deliveries; `whsec_` and base64, as Standard Webhooks writes it.', max_length=100)),
                ('previous_secret', fields.CharField(null=True, description='The secret before a rotation, valid until `previous_until`.', max_length=100)),
                ('previous_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('kinds', fields.JSONField(null=True, description='Kinds of events; null = all.', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('is_active', fields.BooleanField(default=True, db_default=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'webhook', 'app': 'models', 'pk_attr': 'id', 'table_description': 'Where events are pushed to.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('webhook_id', fields.BigIntField()),
                ('event_id', fields.BigIntField()),
                ('client_id', fields.BigIntField(null=True)),
                ('state', fields.CharField(description='pending, delivered, dead.', max_length=16)),
                ('attempts', fields.IntField(default=0, db_default=0)),
                ('next_attempt_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('last_error', fields.CharField(null=True, max_length=500)),
                ('delivered_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'webhook_delivery', 'app': 'models', 'unique_together': (('webhook_id', 'event_id'),), 'indexes': [Index(fields=['webhook_id', 'state', 'id'])], 'pk_attr': 'id', 'table_description': 'One event on its way to one webhook.'},
            bases=['Model'],
        ),
    ]
