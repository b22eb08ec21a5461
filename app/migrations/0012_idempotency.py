from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0011_webhooks')]

    initial = False

    operations = [
        ops.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user_id', fields.BigIntField()),
                ('key', fields.CharField(description='As the user sent it, without quotes.', max_length=255)),
                ('fingerprint', fields.CharField(description='HMAC-SHA256 of what was asked: method, path, query and body, hexadecimal.', max_length=64)),
                ('expires_at', fields.DatetimeField(db_index=True, description='From then on the key is as good as new.', auto_now=False, auto_now_add=False)),
                ('status', fields.SmallIntField(null=True, description='The answer; null only in the transaction that works on it.')),
                ('headers', fields.JSONField(null=True, description='Location, ETag and so on, as one JSON object.', encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('body', fields.BinaryField(null=True)),
            ],
            options={'table': 'idempotency_key', 'app': 'models', 'unique_together': (('user_id', 'key'),), 'pk_attr': 'id', 'table_description': 'A key that a user sent with a POST, and the answer; stored with what the POST did, or not at all.'},
            bases=['Model'],
        ),
    ]
