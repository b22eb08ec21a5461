"""Tokens: OAuth2 password flow, rotation, logout."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, status

from app.auth import service as auth_service
from app.auth.deps import AuthDep, CallerDep
from app.auth.schemas import LoginIn, RefreshIn, TokenOut, UserOut
from app.web.problems import problems

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/token", operation_id="create_token", summary="Log in with a password", responses=problems(401, 413, 422, 429, 503)
)
async def create_token(
    form: Annotated[LoginIn, Form()], request: Request, response: Response, auth: AuthDep
) -> TokenOut:
    """Return an access token and a refresh token; too many wrong passwords have to wait (429, `Retry-After`)."""
    address = request.client.host if request.client else ""
    tokens = await auth_service.login(form.username, form.password, address=address, auth=auth)
    return _private(response, tokens)


@router.post(
    "/refresh", operation_id="refresh_token", summary="Exchange a refresh token", responses=problems(401, 413, 422, 503)
)
async def refresh_token(body: RefreshIn, response: Response, auth: AuthDep) -> TokenOut:
    """Return new tokens; the token sent is used up, and sending it again ends every token that descends from it."""
    return _private(response, await auth_service.refresh(body.refresh_token, auth=auth))


@router.post(
    "/logout",
    operation_id="logout",
    summary="Log out everywhere",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 503),
)
async def logout(caller: CallerDep, auth: AuthDep) -> None:
    """End every token of the caller, on every device."""
    await auth_service.logout(caller, auth=auth)


@router.get("/me", operation_id="get_me", summary="Who am I?", responses=problems(401, 503))
async def get_me(caller: CallerDep) -> UserOut:
    """Return the user that the token speaks for."""
    return UserOut(
        id=caller.user_id, username=caller.username, role=caller.role.value, client_id=caller.client_id, is_active=True
    )


def _private(response: Response, tokens: auth_service.Tokens) -> TokenOut:
    """Return tokens with the header that keeps them out of every cache (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"
    return TokenOut.model_validate(tokens)
