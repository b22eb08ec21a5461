"""Refresh tokens: the login they descend from and 256 random bits. The database has their hash alone."""

import hashlib
import re
import secrets
from typing import Final
from uuid import UUID

_RANDOM_BYTES: Final = 32
_SHAPE: Final = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")


def new_refresh_token(family: UUID) -> str:
    """Return a new token of a family, 76 characters."""
    return f"{family.hex}.{secrets.token_urlsafe(_RANDOM_BYTES)}"


def family_of(token: str) -> UUID | None:
    """Return the family that a token names, None if it has not the shape of one."""
    match = _SHAPE.fullmatch(token)
    return UUID(hex=match[1]) if match else None


def hash_refresh_token(token: str) -> str:
    """Return a token's SHA-256, hexadecimal; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
