"""Access tokens that were checked: a signature is verified once, an expiry every time."""

import time
from collections import OrderedDict
from typing import Final

from app.auth.access_tokens import AccessClaims, TokenSigner, invalid_token

_MOST_TOKENS: Final = 10_000


class TokenCache:
    """
    What this process's tokens say: bounded, and never beyond a token's life.

    Whether its user is still logged in is not the token's to say: that is asked of the user's row (`UserCache`).
    """

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer
        self._claims: OrderedDict[str, AccessClaims] = OrderedDict()

    def read(self, token: str) -> AccessClaims:
        """
        Return what a token of ours says.

        Raises:
            AuthenticationError: it is not ours, has expired or lacks a claim; the message does not say which.
        """
        claims = self._claims.get(token)
        if claims is None:
            claims = self._signer.read(token)
            self._claims[token] = claims
            if len(self._claims) > _MOST_TOKENS:
                self._claims.popitem(last=False)
        assert claims.expires_at is not None, "a token that was read has an expiry"
        if claims.expires_at < int(time.time()):  # as python-jose counts
            self._claims.pop(token, None)
            raise invalid_token()
        return claims
