from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

class Migration(migrations.Migration):
    dependencies = [('models', '0001_initial')]

    initial = False

    operations = [
        ops.AddConstraint(
            model_name='Client',
            constraint=CheckConstraint(check="btrim(name) <> ''", name='client_name_not_blank'),
        ),
        ops.AddConstraint(
            model_name='Instrument',
            constraint=CheckConstraint(check='abs(leverage) >= 1 AND abs(leverage) <= 10', name='instrument_leverage_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Instrument',
            constraint=CheckConstraint(check='house_rate IS NULL OR (house_rate > 0 AND house_rate <= 10)', name='instrument_house_rate_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Margin',
            constraint=CheckConstraint(check='margin_requirement IS NULL OR (margin_requirement > 0 AND margin_requirement <= 1)', name='margin_rate_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Margin',
            constraint=CheckConstraint(check='loan > -1e12 AND loan < 1e12', name='margin_loan_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='MarketData',
            constraint=CheckConstraint(check='current_price > 0 AND current_price < 1e10', name='market_data_price_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='MarketData',
            constraint=CheckConstraint(check="currency ~ '^[A-Z]{3}$'", name='market_data_currency_is_iso'),
        ),
        ops.AddConstraint(
            model_name='Position',
            constraint=CheckConstraint(check='quantity <> 0 AND quantity > -1e12 AND quantity < 1e12', name='position_quantity_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Position',
            constraint=CheckConstraint(check='cost_basis >= 0 AND cost_basis < 1e10', name='position_cost_basis_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='Position',
            constraint=CheckConstraint(check="symbol = upper(symbol) AND symbol <> ''", name='position_symbol_normalised'),
        ),
        ops.AddConstraint(
            model_name='PriceHistory',
            constraint=CheckConstraint(check='price > 0 AND price < 1e10', name='price_history_price_in_bounds'),
        ),
        ops.AddConstraint(
            model_name='User',
            constraint=CheckConstraint(check="role IN ('admin', 'risk', 'client')", name='user_role_known'),
        ),
        ops.AddConstraint(
            model_name='User',
            constraint=CheckConstraint(check="(role = 'client') = (client_id IS NOT NULL)", name='user_client_bound'),
        ),
        ops.AddConstraint(
            model_name='User',
            constraint=CheckConstraint(check="username = lower(username) AND btrim(username) <> ''", name='user_name_normalised'),
        ),
    ]
