"""Market data, keyed by symbol; FX quotes (`EURUSD=X`) live beside stocks. No row refers to a client's."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class MarketData(Model):
    """The latest quote of a symbol, one row each."""

    id = fields.BigIntField(primary_key=True)
    symbol = fields.CharField(max_length=32, unique=True)
    #: Price of one unit, in `currency`; always positive.
    current_price = fields.DecimalField(max_digits=20, decimal_places=8)
    #: ISO 4217; hundredths (GBp) are converted on arrival.
    currency = fields.CharField(max_length=3)
    #: When the market made the price.
    timestamp = fields.DatetimeField()
    #: When the source gave it to us.
    fetched_at = fields.DatetimeField()
    #: Who gave it: yahoo, replay, desk, sample.
    source = fields.CharField(max_length=16)
    name = fields.CharField(max_length=200, null=True)
    #: EQUITY, ETF, CURRENCY and so on, in the provider's words.
    quote_type = fields.CharField(max_length=32, null=True)
    #: REGULAR, PRE, POST, CLOSED when fetched.
    market_state = fields.CharField(max_length=16, null=True)
    #: The provider's exchange code.
    exchange = fields.CharField(max_length=16, null=True)
    exchange_timezone = fields.CharField(max_length=64, null=True)
    #: Close of the session before, in `currency`.
    previous_close = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: An answer that waits for a second one before it is used, in `currency`; null = none waits.
    pending_price = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: When the market made the price that waits.
    pending_time = fields.DatetimeField(null=True)
    #: When the source last gave the price that waits.
    pending_fetched_at = fields.DatetimeField(null=True)
    #: When the source first gave the price that waits.
    pending_since = fields.DatetimeField(null=True)
    #: Why the price that waits does; jump: it is used once it was said again.
    pending_reason = fields.CharField(max_length=16, null=True)
    #: Currency of the price that waits, where it is not `currency`.
    pending_currency = fields.CharField(max_length=3, null=True)
    #: The source's own word for the unit of `current_price`, such as GBp.
    quoted_currency = fields.CharField(max_length=8, null=True)
    #: Why the price is in doubt: jump, unit, currency, identity, split; null = it is not.
    doubt_reason = fields.CharField(max_length=16, null=True)
    #: The least that one unit may be worth, in `currency`.
    doubt_low = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: The most that one unit may be worth, in `currency`.
    doubt_high = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: When the market made the price with which the doubt began.
    doubt_since = fields.DatetimeField(null=True)
    #: The last price that was not in doubt, in `currency`.
    doubt_undoubted = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: Answers in a row on the new side of half-way.
    doubt_answers = fields.IntField(db_default=0, default=0)
    #: Whether the source of splits has said that no split explains the jump.
    doubt_no_split = fields.BooleanField(db_default=False, default=False)
    #: Answers in a row without a usable price.
    absent_count = fields.IntField(db_default=0, default=0)
    #: When the first of these answers came; null = the last answer had a price.
    absent_since = fields.DatetimeField(null=True)
    #: Price, in `currency`, before the last jump that was used though nothing explained it; null = none.
    jumped_from = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: When the market made the price from which it jumped.
    jumped_at = fields.DatetimeField(null=True)

    class Meta:
        table = "market_data"
        ordering = ("symbol",)
        constraints = (
            CheckConstraint(check="current_price > 0 AND current_price < 1e10", name="market_data_price_in_bounds"),
            CheckConstraint(check="currency ~ '^[A-Z]{3}$'", name="market_data_currency_is_iso"),
            CheckConstraint(
                check="num_nonnulls(pending_price, pending_time, pending_fetched_at, pending_since) IN (0, 4)"
                " AND pending_price > 0 AND pending_price < 1e10",
                name="market_data_pending_in_bounds",
            ),
            CheckConstraint(
                check="num_nonnulls(jumped_from, jumped_at) IN (0, 2) AND jumped_from > 0",
                name="market_data_jump_in_bounds",
            ),
            CheckConstraint(
                check="num_nonnulls(doubt_reason, doubt_low, doubt_high, doubt_since, doubt_undoubted) IN (0, 5)"
                " AND doubt_low >= 0 AND doubt_high >= doubt_low",
                name="market_data_doubt_in_bounds",
            ),
        )


class PriceHistory(Model):
    """Every price that was ever current, once per symbol and market time."""

    id = fields.BigIntField(primary_key=True)
    symbol = fields.CharField(max_length=32)
    #: Price of one unit, in `currency`.
    price = fields.DecimalField(max_digits=20, decimal_places=8)
    currency = fields.CharField(max_length=3)
    #: When the market made the price.
    timestamp = fields.DatetimeField()
    source = fields.CharField(max_length=16)

    class Meta:
        table = "price_history"
        ordering = ("symbol", "timestamp")
        unique_together = (("symbol", "timestamp"),)
        constraints = (CheckConstraint(check="price > 0 AND price < 1e10", name="price_history_price_in_bounds"),)


class Instrument(Model):
    """What the desk and the provider say of a symbol, beside its price."""

    id = fields.BigIntField(primary_key=True)
    symbol = fields.CharField(max_length=32, unique=True)
    name = fields.CharField(max_length=200, null=True)
    currency = fields.CharField(max_length=3, null=True)
    quote_type = fields.CharField(max_length=32, null=True)
    #: Leverage factor of a leveraged or inverse fund; 1 = none, -2 = inverse 2x.
    leverage = fields.DecimalField(max_digits=6, decimal_places=4, db_default=1, default=1)
    #: False: asks 100 % long.
    marginable = fields.BooleanField(db_default=True, default=True)
    #: The firm's own rate for this symbol, a fraction of value; null = the policy's.
    house_rate = fields.DecimalField(max_digits=6, decimal_places=4, null=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "instrument"
        ordering = ("symbol",)
        constraints = (
            CheckConstraint(check="abs(leverage) >= 1 AND abs(leverage) <= 10", name="instrument_leverage_in_bounds"),
            CheckConstraint(
                check="house_rate IS NULL OR (house_rate > 0 AND house_rate <= 10)",
                name="instrument_house_rate_in_bounds",
            ),
        )


class CorporateAction(Model):
    """What a source or the desk says happened to a security, and what became of it: applied or dismissed."""

    id = fields.BigIntField(primary_key=True)
    symbol = fields.CharField(max_length=32)
    #: split, spin_off, merger, dividend, rename, instrument, other.
    kind = fields.CharField(max_length=16)
    #: `ratio_new` units for `ratio_old` ones, in the terms of the source; null = none.
    ratio_new = fields.DecimalField(max_digits=16, decimal_places=6, null=True)
    ratio_old = fields.DecimalField(max_digits=16, decimal_places=6, null=True)
    #: Cash per unit, in the currency of the symbol; null = none.
    amount = fields.DecimalField(max_digits=20, decimal_places=8, null=True)
    #: What a unit becomes, or brings with it; null = nothing.
    to_symbol = fields.CharField(max_length=32, null=True)
    #: Day of the exchange from which prices are those of after it.
    ex_date = fields.DateField()
    #: Day from which it counts here; null = not decided.
    effective_on = fields.DateField(null=True)
    #: pending, scheduled, applied, dismissed.
    state = fields.CharField(max_length=16)
    #: The price source, or `desk`.
    source = fields.CharField(max_length=16)
    created_at = fields.DatetimeField(auto_now_add=True)
    decided_at = fields.DatetimeField(null=True)
    #: A user's name, or `system`.
    decided_by = fields.CharField(max_length=64, null=True)
    reason = fields.TextField(null=True)

    class Meta:
        table = "corporate_action"
        ordering = ("id",)
        unique_together = (("symbol", "kind", "ex_date"),)
        indexes = (Index(fields=("state", "id")),)
        constraints = (
            CheckConstraint(
                check="state IN ('pending', 'scheduled', 'applied', 'dismissed')", name="corporate_action_state_known"
            ),
            CheckConstraint(
                check="kind IN ('split', 'spin_off', 'merger', 'dividend', 'rename', 'instrument', 'other')",
                name="corporate_action_kind_known",
            ),
            CheckConstraint(
                check="num_nonnulls(ratio_new, ratio_old) IN (0, 2) AND ratio_new > 0 AND ratio_old > 0",
                name="corporate_action_ratio_is_positive",
            ),
        )


class Split(Model):
    """A stock split that was applied to every position of that time; once, which the database holds to."""

    id = fields.BigIntField(primary_key=True)
    symbol = fields.CharField(max_length=32)
    #: Day of the exchange from which prices are those of new shares.
    ex_date = fields.DateField()
    #: First moment of that day's session, in the provider's words.
    effective = fields.DatetimeField()
    #: `numerator` new shares for `denominator` old ones; 1 for 10 is a reverse split.
    numerator = fields.DecimalField(max_digits=16, decimal_places=6)
    denominator = fields.DecimalField(max_digits=16, decimal_places=6)
    applied_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "split"
        ordering = ("symbol", "ex_date")
        unique_together = (("symbol", "ex_date"),)
        constraints = (CheckConstraint(check="numerator > 0 AND denominator > 0", name="split_ratio_is_positive"),)
