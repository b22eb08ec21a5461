"""Answers that are given again, so that a POST that is sent twice is applied once."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class IdempotencyKey(Model):
    """A key that a user sent with a POST, and the answer; stored with what the POST did, or not at all."""

    id = fields.BigIntField(primary_key=True)
    user_id = fields.BigIntField()
    #: As the user sent it, without quotes.
    key = fields.CharField(max_length=255)
    #: HMAC-SHA256 of what was asked: method, path, query and body, hexadecimal.
    fingerprint = fields.CharField(max_length=64)
    #: From then on the key is as good as new.
    expires_at = fields.DatetimeField(db_index=True)
    #: The answer; null only in the transaction that works on it.
    status = fields.SmallIntField(null=True)
    #: Location, ETag and so on, as one JSON object.
    headers: fields.JSONField[dict[str, str] | None] = fields.JSONField(null=True)
    body = fields.BinaryField(null=True)

    class Meta:
        table = "idempotency_key"
        unique_together = (("user_id", "key"),)
        constraints = (
            CheckConstraint(check="num_nonnulls(status, headers, body) IN (0, 3)", name="idempotency_key_whole_answer"),
            CheckConstraint(check="status BETWEEN 200 AND 299", name="idempotency_key_answer_is_a_success"),
            CheckConstraint(check="key <> ''", name="idempotency_key_not_empty"),
        )
