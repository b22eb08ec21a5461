"""Tokens on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from app.web.fields import In, Out

RoleName = Literal["admin", "risk", "client"]


class UserOut(Out):
    """A user, without its password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": 2, "username": "ada", "role": "client", "client_id": 1, "is_active": True}]
        }
    )

    id: int
    username: str
    role: RoleName
    client_id: int | None = Field(description="The one client that a user of role `client` sees.")
    is_active: bool


_REFRESH_TOKEN = "6f1d3f0c9a4e4c0bb0a7c2b1e5d4f3a2.q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"  # noqa: S105 - an example
_LOGIN: JsonDict = {"grant_type": "password", "username": "admin", "password": "correct horse battery"}


class LoginIn(BaseModel):
    """The form of the OAuth2 password flow (RFC 6749, section 4.3.2); fields that it does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"examples": [_LOGIN]})

    grant_type: Literal["password"] = "password"
    username: str = Field(min_length=1, max_length=256, examples=["admin"])
    password: str = Field(min_length=1, max_length=1024, json_schema_extra={"format": "password"})
    scope: str = Field(default="", max_length=1024, description="Ignored: the user's role decides.")
    client_id: str | None = Field(default=None, max_length=256, description="Ignored: there are no OAuth2 clients.")
    client_secret: str | None = Field(default=None, max_length=1024, json_schema_extra={"format": "password"})


class RefreshIn(In):
    """A refresh token to exchange."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": _REFRESH_TOKEN}]})

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class TokenOut(Out):
    """Tokens of a login (RFC 6749, section 5.1)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                    "token_type": "bearer",
                    "expires_in": 900,
                    "refresh_token": _REFRESH_TOKEN,
                }
            ]
        }
    )

    access_token: str = Field(description="Send it as `Authorization: Bearer ...`.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a word of the protocol
    expires_in: int = Field(description="Life of the access token in seconds.")
    refresh_token: str = Field(description="Good for one `POST /auth/refresh`.")
