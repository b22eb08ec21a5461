"""
Logging in, staying logged in, logging out.

A login starts a *family* of refresh tokens, of which one is valid at a time: using it gives its successor. A second use
means that someone else has a copy, and ends the family. Whatever ends all of a user's tokens (logout, deactivation, a
new password or role) moves the user's `token_generation` on, which every access token names, and deletes the refresh
tokens. Both happen with the user's row locked, as does every issue of tokens, so none slips through in between.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from app.auth.access_tokens import AccessClaims, TokenSigner, invalid_token
from app.auth.login_limits import LoginLimits
from app.auth.passwords import PasswordHasher
from app.auth.refresh_tokens import family_of, hash_refresh_token, new_refresh_token
from app.auth.token_cache import TokenCache
from app.auth.types import Caller
from app.auth.user_cache import UserCache
from app.core.errors import AuthenticationError
from app.core.usernames import is_username, normalise_username
from app.database import sql
from app.models import RefreshToken, User

#: Logins per user that can be refreshed at a time; the oldest give way.
_MOST_FAMILIES: Final = 100
_MAKE_ROOM: Final = """
delete from refresh_token where user_id = $1 and (
    expires_at <= $2 or id <= (select id from refresh_token where user_id = $1 order by id desc offset $3 limit 1)
)
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Auth:
    """What authentication needs; one per process, since it holds a cache and a queue."""

    signer: TokenSigner
    limits: LoginLimits
    refresh_seconds: int
    passwords: PasswordHasher = field(default_factory=PasswordHasher)
    users: UserCache = field(default_factory=UserCache)
    tokens: TokenCache = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", TokenCache(self.signer))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login or a refresh gives."""

    access_token: str
    #: Life of the access token in seconds.
    expires_in: int
    refresh_token: str


async def login(username: str, password: str, *, address: str, auth: Auth) -> Tokens:
    """
    Return tokens for the right password.

    An unknown name, a deactivated user and a wrong password get the same answer after the same work.

    Args:
        username: in any case.
        password: exactly as typed.
        address: where the request came from, for the limit per address.
        auth: this process's keys, limits and caches.

    Raises:
        AuthenticationError: wrong name or password.
        ThrottledError: too many wrong passwords for this name or from this address; the right one is refused too.
        UnavailableError: too many logins at once.
    """
    username = normalise_username(username)
    await auth.limits.check(username, address)
    async with auth.passwords.turn():
        await auth.limits.count(username, address)
        user = await User.get_or_none(username=username) if is_username(username) else None
        right, new_hash = await auth.passwords.verify(password, user.password_hash if user else None)
    if user is None or not right or not user.is_active:
        await auth.limits.sweep()
        _log.warning("login refused", user_id=user.id if user else None, address=address)
        raise _wrong()
    await auth.limits.succeeded(username, address)
    return await _open_family(user, new_hash, auth)


async def refresh(token: str, *, auth: Auth) -> Tokens:
    """
    Exchange a refresh token for new tokens; it is used up by that.

    Of several uses at the same moment one succeeds; each other counts as a second use and ends the family.

    Raises:
        AuthenticationError: unknown, expired, revoked or used before.
    """
    family = family_of(token)
    stored = await RefreshToken.get_or_none(family=family) if family else None
    if stored is None:
        raise invalid_token()
    async with in_transaction():
        user = await User.select_for_update().get(id=stored.user_id)
        stored = await RefreshToken.get_or_none(id=stored.id)  # as it is now that the lock is held
        if stored is not None and stored.token_hash != hash_refresh_token(token):
            await stored.delete()
            _log.warning("refresh token used twice; its family is ended", user_id=user.id, family=str(family))
        elif stored is not None and user.is_active and stored.expires_at > _now():
            return await _issue(user, stored, auth)
    raise invalid_token()


async def logout(caller: Caller, *, auth: Auth) -> None:
    """End every token of the caller, here at once and on other workers within half a second."""
    async with in_transaction():
        await end_tokens(caller.user_id)
    auth.users.forget(caller.user_id)


async def authenticate(token: str, *, auth: Auth) -> Caller:
    """
    Return the caller that an access token identifies; usually without a query or another check of its signature.

    Raises:
        AuthenticationError: a bad or expired token, or its user is deactivated or logged out.
    """
    claims = auth.tokens.read(token)
    user = await auth.users.get(claims.user_id)
    if user is None or not user.is_active or user.token_generation != claims.generation:
        raise invalid_token()
    return Caller(user_id=user.id, username=user.username, role=user.role, client_id=user.client_id)


async def end_tokens(user_id: int) -> None:
    """End every token of a user; call in a transaction. The user's row is locked first, as everywhere."""
    await User.filter(id=user_id).update(token_generation=F("token_generation") + 1)
    await RefreshToken.filter(user_id=user_id).delete()


async def _open_family(verified: User, new_hash: str | None, auth: Auth) -> Tokens:
    """Start a family for a user whose password was right, unless the user's tokens were ended since."""
    async with in_transaction():
        user = await User.select_for_update().get(id=verified.id)
        if not user.is_active or user.token_generation != verified.token_generation:
            raise _wrong()
        if new_hash:
            await User.filter(id=user.id).update(password_hash=new_hash)
        await sql.run(_MAKE_ROOM, user.id, _now(), _MOST_FAMILIES - 1)
        return await _issue(user, RefreshToken(user_id=user.id, family=uuid4()), auth)


async def _issue(user: User, family: RefreshToken, auth: Auth) -> Tokens:
    """Make an access token and the family's next refresh token; the user's row is locked."""
    token = new_refresh_token(family.family)
    family.token_hash = hash_refresh_token(token)
    family.expires_at = _now() + timedelta(seconds=auth.refresh_seconds)
    await family.save()
    access = auth.signer.issue(AccessClaims(user_id=user.id, generation=user.token_generation))
    return Tokens(access_token=access, expires_in=auth.signer.seconds, refresh_token=token)


def _wrong() -> AuthenticationError:
    """Return the one error for every login that is refused."""
    return AuthenticationError("Wrong user name or password.")


def _now() -> datetime:
    return datetime.now(UTC)
