"""Signatures as Standard Webhooks 1.0 writes them (https://www.standardwebhooks.com), symmetric, version v1."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

_PREFIX: Final = "whsec_"
#: Standard Webhooks asks for 24 to 64.
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """Return a new secret: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def signed_headers(body: bytes, *, message_id: str, timestamp: int, secret_keys: Iterable[str]) -> dict[str, str]:
    """
    Return the headers that prove who sent `body`.

    Args:
        body: exactly as it is sent.
        message_id: the same at every attempt, so that the receiver knows a second delivery.
        timestamp: of this attempt, seconds since 1970.
        secret_keys: one signature for each; the receiver needs to know one of them.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(signed, secret) for secret in secret_keys),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode('ascii')}"
