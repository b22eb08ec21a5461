"""Fingerprints of requests: a copy of the table reveals nothing of a request, not even a short password."""

import hashlib
import hmac
from collections.abc import Iterable

_PURPOSE = b"request fingerprint"


class Fingerprints:
    """Make fingerprints with a key of their own, derived from the service's secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")

    def of(self, parts: Iterable[bytes]) -> str:
        """Return HMAC-SHA256 over the parts, hexadecimal; other parts or another order give another one."""
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()
