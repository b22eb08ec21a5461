from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0003_refresh_token_user_index')]

    initial = False

    operations = [
        ops.AlterModelOptions(
            name='RefreshToken',
            options={'table': 'refresh_token', 'app': 'models', 'pk_attr': 'id', 'table_description': 'The one refresh token of a login that is valid now. Exchanged, it gives way to its successor in the same row.'},
        ),
        ops.AlterField(
            model_name='RefreshToken',
            name='created_at',
            field=fields.DatetimeField(description='When its login was.', auto_now=False, auto_now_add=True),
        ),
        ops.AlterField(
            model_name='RefreshToken',
            name='family',
            field=fields.UUIDField(unique=True, description='All tokens that descend from one login name this; one that names it and has another hash was used before.'),
        ),
        ops.RemoveField(model_name='RefreshToken', name='revoked_at'),
        ops.RemoveField(model_name='RefreshToken', name='used_at'),
    ]
