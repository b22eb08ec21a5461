"""Users are tested with the logins of `tests/auth`."""

from tests.auth.conftest import auth, call_from, hasher, http, make_user, password_hash, shared, strict_app

__all__ = ["auth", "call_from", "hasher", "http", "make_user", "password_hash", "shared", "strict_app"]
