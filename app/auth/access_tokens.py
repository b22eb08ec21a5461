"""
Access tokens: JWTs signed with HS256. The one place that touches python-jose.

A token says which user it is for and of which generation; role and client come from the user's row.
"""

import re
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

from jose import JWTError, jwk, jwt  # type: ignore[import-untyped] # it has no types
from jose.exceptions import JOSEError  # type: ignore[import-untyped] # likewise

from app.core.errors import AuthenticationError, StartupError

ALGORITHM: Final = "HS256"
ISSUER: Final = "margin-risk-service"
AUDIENCE: Final = "margin-risk-service"

_KEY_BYTES: Final = 32
#: Three parts, the last as long as an HS256 signature; ours have about 330 characters.
_LONGEST: Final = 600
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")
#: python-jose accepts a token without a claim unless that is required in its options.
_OPTIONS: Final = {f"require_{claim}": True for claim in ("exp", "iat", "sub", "aud", "iss", "jti")} | {"leeway": 0}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says."""

    user_id: int
    #: The user's `token_generation` when the token was made.
    generation: int
    #: Unix time in seconds; None before it is made.
    expires_at: int | None = None


class TokenSigner:
    """Make and check access tokens with one key and one algorithm."""

    def __init__(self, secret: str, *, seconds: int) -> None:
        """
        Keep the key; tokens live for `seconds`.

        Raises:
            StartupError: the secret is shorter than 32 bytes, or is a public key.
        """
        if len(secret.encode()) < _KEY_BYTES:
            raise StartupError(f"RISK_SECRET_KEY needs at least {_KEY_BYTES} bytes")
        try:
            self._key = jwk.construct(secret.encode(), ALGORITHM)
        except JOSEError as error:
            raise StartupError(f"RISK_SECRET_KEY cannot be used: {error}") from error
        self.seconds = seconds

    def issue(self, claims: AccessClaims) -> str:
        """Return a new token."""
        now = int(time.time())
        return self.sign(
            {
                "iss": ISSUER,
                "aud": AUDIENCE,
                "sub": str(claims.user_id),
                "iat": now,
                "exp": now + self.seconds,
                "jti": secrets.token_hex(16),
                "gen": claims.generation,
            }
        )

    def sign(self, claims: dict[str, Any]) -> str:
        """Return any claims as a token."""
        token: str = jwt.encode(claims, self._key, algorithm=ALGORITHM)
        return token

    def read(self, token: str) -> AccessClaims:
        """
        Return what a token of ours says.

        Raises:
            AuthenticationError: it is not ours, has expired or lacks a claim; the message does not say which.
        """
        try:
            if len(token) > _LONGEST or not _SHAPE.fullmatch(token):
                raise JWTError("not the shape of an HS256 token")
            claims = jwt.decode(
                token, self._key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS
            )
            return AccessClaims(
                user_id=int(claims["sub"]), generation=int(claims["gen"]), expires_at=int(claims["exp"])
            )
        except (JOSEError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise invalid_token() from error


def invalid_token() -> AuthenticationError:
    """Return the one error for every token that is refused."""
    return AuthenticationError("The token is not valid, or no longer. Log in again.")
