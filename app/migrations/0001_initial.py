from tortoise import migrations
from tortoise.migrations import operations as ops
from app.models.user import Role
from tortoise.fields.base import OnDelete
from tortoise import fields

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='Client',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('name', fields.CharField(max_length=200)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'client', 'app': 'models', 'pk_attr': 'id', 'table_description': 'An account whose positions margin each other.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Instrument',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('symbol', fields.CharField(unique=True, max_length=32)),
                ('name', fields.CharField(null=True, max_length=200)),
                ('currency', fields.CharField(null=True, max_length=3)),
                ('quote_type', fields.CharField(null=True, max_length=32)),
                ('leverage', fields.DecimalField(default=1, description='Leverage factor of a leveraged or inverse fund; 1 = none, -2 = inverse 2x.', db_default=1, max_digits=6, decimal_places=4)),
                ('marginable', fields.BooleanField(default=True, description='False: asks 100 % long.', db_default=True)),
                ('house_rate', fields.DecimalField(null=True, description="The firm's own rate for this symbol, a fraction of value; null = the policy's.", max_digits=6, decimal_places=4)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={'table': 'instrument', 'app': 'models', 'pk_attr': 'id', 'table_description': 'What the desk and the provider say of a symbol, beside its price.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='LoginAttempt',
            fields=[
                ('key', fields.CharField(primary_key=True, unique=True, db_index=True, description='`user:<name>` or `addr:<address>`, hashed.', max_length=80)),
                ('failures', fields.IntField()),
                ('window_ends_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'login_attempt', 'app': 'models', 'pk_attr': 'key', 'table_description': 'Failed logins of one user name or one address in the running window, shared by all workers.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Margin',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('client', fields.OneToOneField('models.Client', source_field='client_id', db_constraint=True, to_field='id', related_name='margin', on_delete=OnDelete.CASCADE)),
                ('margin_requirement', fields.DecimalField(null=True, description="Own maintenance rate, a fraction of value; null = the policy's.", max_digits=6, decimal_places=4)),
                ('loan', fields.DecimalField(description='Debit balance in account currency; negative = cash credit.', max_digits=16, decimal_places=2)),
                ('timestamp', fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={'table': 'margin', 'app': 'models', 'pk_attr': 'id', 'table_description': 'What a client owes, and its own maintenance rate where it has one. One row per client.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='MarketData',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('symbol', fields.CharField(unique=True, max_length=32)),
                ('current_price', fields.DecimalField(description='Price of one unit, in `currency`; always positive.', max_digits=20, decimal_places=8)),
                ('currency', fields.CharField(description='ISO 4217; hundredths (GBp) are converted on arrival.', max_length=3)),
                ('timestamp', fields.DatetimeField(description='When the market made the price.', auto_now=False, auto_now_add=False)),
                ('fetched_at', fields.DatetimeField(description='When the source gave it to us.', auto_now=False, auto_now_add=False)),
                ('source', fields.CharField(description='Who gave it: yahoo, replay, desk, sample.', max_length=16)),
                ('name', fields.CharField(null=True, max_length=200)),
                ('quote_type', fields.CharField(null=True, description="EQUITY, ETF, CURRENCY and so on, in the provider's words.", max_length=32)),
                ('market_state', fields.CharField(null=True, description='REGULAR, PRE, POST, CLOSED when fetched.', max_length=16)),
                ('exchange', fields.CharField(null=True, description="The provider's exchange code.", max_length=16)),
                ('exchange_timezone', fields.CharField(null=True, max_length=64)),
                ('previous_close', fields.DecimalField(null=True, description='Close of the session before, in `currency`.', max_digits=20, decimal_places=8)),
            ],
            options={'table': 'market_data', 'app': 'models', 'pk_attr': 'id', 'table_description': 'The latest quote of a symbol, one row each.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Position',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('client', fields.ForeignKeyField('models.Client', source_field='client_id', db_constraint=True, to_field='id', related_name='positions', on_delete=OnDelete.RESTRICT)),
                ('symbol', fields.CharField(db_index=True, max_length=32)),
                ('quantity', fields.DecimalField(description='Units held; negative = short; never 0.', max_digits=20, decimal_places=6)),
                ('cost_basis', fields.DecimalField(description="Average price paid per unit, in the stock's currency.", max_digits=20, decimal_places=8)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
            ],
            options={'table': 'position', 'app': 'models', 'unique_together': (('client_id', 'symbol'),), 'pk_attr': 'id', 'table_description': "A client's holding in one symbol."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PriceHistory',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('symbol', fields.CharField(max_length=32)),
                ('price', fields.DecimalField(description='Price of one unit, in `currency`.', max_digits=20, decimal_places=8)),
                ('currency', fields.CharField(max_length=3)),
                ('timestamp', fields.DatetimeField(description='When the market made the price.', auto_now=False, auto_now_add=False)),
                ('source', fields.CharField(max_length=16)),
            ],
            options={'table': 'price_history', 'app': 'models', 'unique_together': (('symbol', 'timestamp'),), 'pk_attr': 'id', 'table_description': 'Every price that was ever current, once per symbol and market time.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='User',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('username', fields.CharField(unique=True, description='Lower case.', max_length=64)),
                ('password_hash', fields.CharField(description='Argon2id, in the PHC string format.', max_length=255)),
                ('role', fields.CharEnumField(description='ADMIN: admin\nRISK: risk\nCLIENT: client', enum_type=Role, max_length=16)),
                ('client_id', fields.BigIntField(null=True, db_index=True, description='The client of a `client` user; no foreign key, see DESIGN: users are no client data.')),
                ('is_active', fields.BooleanField(default=True, db_default=True)),
                ('token_generation', fields.IntField(default=0, description='Generation of the tokens that are valid; a logout or a deactivation moves it on.', db_default=0)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'user', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A login. A user of role `client` sees the one client it is bound to.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RefreshToken',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user', fields.ForeignKeyField('models.User', source_field='user_id', db_constraint=True, to_field='id', related_name='refresh_tokens', on_delete=OnDelete.CASCADE)),
                ('token_hash', fields.CharField(unique=True, description='SHA-256 of the token, hexadecimal.', max_length=64)),
                ('family', fields.UUIDField(db_index=True, description='All tokens that descend from one login.')),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('used_at', fields.DatetimeField(null=True, description='When it was exchanged for its successor.', auto_now=False, auto_now_add=False)),
                ('revoked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'refresh_token', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A refresh token that was handed out, by its hash. A second use of one ends its whole family.'},
            bases=['Model'],
        ),
    ]
