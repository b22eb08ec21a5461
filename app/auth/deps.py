"""Who is calling: the OAuth2 password-flow dependency that guards every route, and what roles it asks for."""

from typing import Annotated, Final

import structlog
from fastapi import Depends, Security
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer

from app.auth import service as auth_service
from app.auth.sessions import Session, open_session
from app.auth.types import Caller, Role
from app.core.errors import AuthenticationError


async def get_auth(connection: HTTPConnection) -> auth_service.Auth:
    """Return this process's keys, limits and caches of users."""
    auth: auth_service.Auth = connection.app.state.auth
    return auth


AuthDep = Annotated[auth_service.Auth, Depends(get_auth)]
#: What Swagger UI's Authorize button uses; the answer to a missing token is ours.
_bearer: Final = OAuth2PasswordBearer(
    tokenUrl="auth/token", refreshUrl="auth/refresh", auto_error=False, description="Log in with a user's password."
)


async def get_caller(token: Annotated[str | None, Security(_bearer)], auth: AuthDep) -> Caller:
    """
    Return who is calling; its id goes into every log line of the request.

    Raises:
        AuthenticationError: no token, or one that is not valid (any more).
    """
    if token is None:
        raise _no_token()
    return await caller_of(token, auth=auth)


async def caller_of(token: str, *, auth: auth_service.Auth) -> Caller:
    """
    Return the caller that a token identifies; its id goes into every log line of the request.

    Raises:
        AuthenticationError: the token is not valid (any more).
    """
    caller = await auth_service.authenticate(token, auth=auth)
    structlog.contextvars.bind_contextvars(user_id=caller.user_id)
    return caller


async def get_session(token: Annotated[str | None, Security(_bearer)], auth: AuthDep) -> Session:
    """
    Return who is calling, for a connection that outlives its request.

    Raises:
        AuthenticationError: no token, or one that is not valid (any more).
    """
    if token is None:
        raise _no_token()
    session = await open_session(token, auth=auth)
    structlog.contextvars.bind_contextvars(user_id=session.caller.user_id)
    return session


def _no_token() -> AuthenticationError:
    return AuthenticationError("This needs a token: send `Authorization: Bearer ...` from POST /auth/token.")


SessionDep = Annotated[Session, Depends(get_session)]
#: Any user.
CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_staff(caller: CallerDep) -> Caller:
    """Return the caller if it works at the desk."""
    caller.check_role(Role.ADMIN, Role.RISK)
    return caller


async def get_admin(caller: CallerDep) -> Caller:
    """Return the caller if it administers the service."""
    caller.check_role(Role.ADMIN)
    return caller


#: A user of role `admin` or `risk`.
StaffDep = Annotated[Caller, Depends(get_staff)]
#: A user of role `admin`.
AdminDep = Annotated[Caller, Depends(get_admin)]
