"""Access tokens: what is refused, one forgery at a time."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jose import jwk, jwt  # type: ignore[import-untyped] # it has no types

from app.auth.access_tokens import AUDIENCE, ISSUER, AccessClaims, TokenSigner
from app.core.errors import AuthenticationError, StartupError
from tests.auth.conftest import SECRET

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PRIVATE_PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
_PUBLIC_PEM = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_PUBLIC_DER = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def signer() -> TokenSigner:
    return TokenSigner(SECRET, seconds=900)


def claims(**changes: object) -> dict[str, Any]:
    """Return good claims with changes; a value of ... leaves the claim out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "iat": now, "exp": now + 60, "jti": "a", "gen": 0}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def part(data: object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: object, signature: str = "") -> str:
    return f"{part(header)}.{part(claims())}.{signature}"


def test_a_token_names_its_user_and_generation(signer: TokenSigner) -> None:
    read = signer.read(signer.issue(AccessClaims(user_id=7, generation=3)))

    assert (read.user_id, read.generation) == (7, 3)


def test_the_claims_of_these_tests_are_good_unless_changed(signer: TokenSigner) -> None:
    read = signer.read(signer.sign(claims()))

    assert (read.user_id, read.generation) == (7, 0)


@pytest.mark.parametrize(
    "changes",
    [
        *({name: ...} for name in ("iss", "aud", "sub", "iat", "exp", "jti", "gen")),
        {"exp": int(time.time()) - 1},
        {"nbf": int(time.time()) + 86_400},
        {"iss": "someone-else"},
        {"aud": "another-service"},
        {"sub": "admin"},
        {"sub": ""},
        {"gen": None},
        {"gen": "x"},
        {"exp": "never"},
    ],
    ids=",".join,
)
def test_a_token_with_our_signature_needs_every_claim(signer: TokenSigner, changes: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError):
        signer.read(signer.sign(claims(**changes)))


@pytest.mark.parametrize(
    "forge",
    [
        lambda: unsigned({"alg": "none", "typ": "JWT"}),
        lambda: unsigned({"alg": "none", "typ": "JWT"}, "A" * 43),
        lambda: unsigned({"alg": "HS256"}, "A" * 43),
        lambda: unsigned({"typ": "JWT"}, "A" * 43),
        lambda: unsigned(b"[" * 400, "A" * 43),
        lambda: unsigned([], "A" * 43),
        lambda: jwt.encode(claims(), SECRET[::-1], algorithm="HS256"),
        lambda: jwt.encode(claims(), SECRET, algorithm="HS384"),
        lambda: jwt.encode(claims(), SECRET, algorithm="HS512"),
        lambda: jwt.encode(claims(), _PRIVATE_PEM, algorithm="RS256"),
        lambda: jwt.encode(claims(), jwk.construct(_PUBLIC_DER, "HS256"), algorithm="HS256"),
        lambda: "",
        lambda: "..",
        lambda: "a.b.c",
        lambda: "ä" * 40,
        lambda: "A" * 100_000,
    ],
)
def test_a_forged_token_is_refused(signer: TokenSigner, forge: Callable[[], str]) -> None:
    with pytest.raises(AuthenticationError):
        signer.read(forge())


@pytest.mark.parametrize("algorithm", ["none", "HS384", "RS256", "hs256", None])
def test_a_token_that_names_another_algorithm_is_refused_even_with_our_signature(
    signer: TokenSigner, algorithm: str | None
) -> None:
    signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}"
    signature = hmac.digest(SECRET.encode(), signed.encode(), "sha256")

    with pytest.raises(AuthenticationError):
        signer.read(f"{signed}.{part(signature)}")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_token_changed_in_any_part_is_refused(signer: TokenSigner, index: int) -> None:
    parts = signer.issue(AccessClaims(user_id=7, generation=0)).split(".")
    parts[index] = ("f" if parts[index][0] != "f" else "g") + parts[index][1:]

    with pytest.raises(AuthenticationError):
        signer.read(".".join(parts))


def test_a_long_token_with_our_signature_is_refused_unread(signer: TokenSigner) -> None:
    with pytest.raises(AuthenticationError):
        signer.read(signer.sign(claims(extra="x" * 1000)))


@pytest.mark.parametrize("secret", ["x" * 31, _PUBLIC_PEM.decode()])
def test_a_secret_that_can_be_guessed_or_is_public_is_refused(secret: str) -> None:
    with pytest.raises(StartupError):
        TokenSigner(secret, seconds=900)


def test_a_secret_that_looks_like_a_list_of_keys_is_one_key() -> None:
    signer = TokenSigner(json.dumps([SECRET, SECRET]), seconds=900)

    assert signer.read(signer.issue(AccessClaims(user_id=1, generation=0))).user_id == 1
    with pytest.raises(AuthenticationError):
        signer.read(jwt.encode(claims(), SECRET, algorithm="HS256"))
