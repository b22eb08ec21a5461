"""Hashes, tokens and the secrets that a first start makes. Knows nothing of tables or HTTP."""

from app.security.files import describe_password, load_or_create_password, load_or_create_secret
from app.security.fingerprints import Fingerprints
from app.security.passwords import PasswordHasher
from app.security.tokens import AccessClaims, TokenSigner

__all__ = [
    "AccessClaims",
    "Fingerprints",
    "PasswordHasher",
    "TokenSigner",
    "describe_password",
    "load_or_create_password",
    "load_or_create_secret",
]
