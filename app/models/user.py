"""Who may call the service, the tokens they hold, and the wrong passwords they tried."""

from enum import StrEnum

from tortoise import fields
from tortoise.fields.relational import ForeignKeyRelation
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model


class Role(StrEnum):
    """What a user may do."""

    ADMIN = "admin"
    RISK = "risk"
    CLIENT = "client"


class User(Model):
    """A login. A user of role `client` sees the one client it is bound to."""

    id = fields.BigIntField(primary_key=True)
    #: Lower case.
    username = fields.CharField(max_length=64, unique=True)
    #: Argon2id, in the PHC string format.
    password_hash = fields.CharField(max_length=255)
    role = fields.CharEnumField(Role, max_length=16)
    #: The client of a `client` user; no foreign key, see DESIGN: users are no client data.
    client_id = fields.BigIntField(null=True, db_index=True)
    is_active = fields.BooleanField(db_default=True, default=True)
    #: Generation of the tokens that are valid; a logout or a deactivation moves it on.
    token_generation = fields.IntField(db_default=0, default=0)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "user"
        ordering = ("id",)
        constraints = (
            CheckConstraint(check="role IN ('admin', 'risk', 'client')", name="user_role_known"),
            CheckConstraint(check="(role = 'client') = (client_id IS NOT NULL)", name="user_client_bound"),
            CheckConstraint(check="username = lower(username) AND btrim(username) <> ''", name="user_name_normalised"),
        )


class RefreshToken(Model):
    """The one refresh token of a login that is valid now. Exchanged, it gives way to its successor in the same row."""

    id = fields.BigIntField(primary_key=True)
    user: ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="refresh_tokens", on_delete=fields.CASCADE, db_index=True
    )
    #: All tokens that descend from one login name this; one that names it and has another hash was used before.
    family = fields.UUIDField(unique=True)
    #: SHA-256 of the token, hexadecimal.
    token_hash = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField(db_index=True)
    #: When its login was.
    created_at = fields.DatetimeField(auto_now_add=True)

    user_id: int

    class Meta:
        table = "refresh_token"


class LoginAttempt(Model):
    """Failed logins of one user name or one address in the running window, shared by all workers."""

    #: `user:<name>` or `addr:<address>`, hashed.
    key = fields.CharField(max_length=80, primary_key=True)
    failures = fields.IntField()
    window_ends_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "login_attempt"
