"""Access tokens as an attacker makes them: put together by hand, so that no library refuses to."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_HS256 = {"alg": "HS256", "typ": "JWT"}


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unchecked."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def hs256(claims: Mapping[str, Any], key: bytes, *, header: Mapping[str, Any] = _HS256) -> str:
    """Return a token signed with a shared key, whatever its header says."""
    body = _body(header, claims)
    return f"{body}.{_encode(hmac.digest(key, body.encode(), hashlib.sha256))}"


def rs256(claims: Mapping[str, Any]) -> str:
    """Return a token signed with the attacker's RSA key."""
    body = _body({"alg": "RS256", "typ": "JWT"}, claims)
    return f"{body}.{_encode(_rsa_key().sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def hs256_by_public_key(claims: Mapping[str, Any], encoding: serialization.Encoding) -> str:
    """Return a token whose HMAC key is an RSA public key: what a checker that mixes algorithms takes."""
    key = _rsa_key().public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hs256(claims, key)


def unsigned(claims: Mapping[str, Any], *, algorithm: str = "none") -> str:
    """Return a token without a signature."""
    return f"{_body({'alg': algorithm, 'typ': 'JWT'}, claims)}."


def with_other_claims(token: str, claims: Mapping[str, Any]) -> str:
    """Return a token with the signature of another one."""
    header, _, signature = token.split(".")
    return f"{header}.{_encode(json.dumps(claims).encode())}.{signature}"


def without(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return claims but one."""
    return {key: value for key, value in claims.items() if key != name}


def expired(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return claims whose time is over since a second."""
    now = int(time.time())
    return {**claims, "iat": now - 901, "exp": now - 1}


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _body(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
