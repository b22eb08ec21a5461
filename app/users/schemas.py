"""Users on the wire."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictBool

from app.auth.schemas import RoleName
from app.core.usernames import USERNAME_INPUT_PATTERN, normalise_username
from app.web.fields import LARGEST_ID, In

Username = Annotated[
    str,
    Field(pattern=USERNAME_INPUT_PATTERN, min_length=1, max_length=64, description="Stored in lower case."),
    AfterValidator(normalise_username),
]
#: Length is what counts (NIST SP 800-63B-4, 3.1.1.2); taken exactly as typed, spaces included.
Password = Annotated[str, Field(min_length=8, max_length=1024, json_schema_extra={"format": "password"})]
BoundClientId = Annotated[int, Field(ge=1, le=LARGEST_ID, description="The one client that the user may see.")]


class _UserIn(In):
    """What every new user has."""

    model_config = ConfigDict(str_strip_whitespace=False)

    username: Username
    password: Password


class StaffUserIn(_UserIn):
    """A new user of the desk, who sees every client."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "grace", "password": "correct horse battery", "role": "risk"}]}
    )

    role: Literal["admin", "risk"]
    client_id: None = Field(default=None, description="The desk is not bound to a client.")


class ClientUserIn(_UserIn):
    """A new user who sees one client."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"username": "ada", "password": "correct horse battery", "role": "client", "client_id": 1}]
        }
    )

    role: Literal["client"]
    client_id: BoundClientId


class UserPatchIn(In):
    """Changes to a user; what is absent or null stays."""

    model_config = ConfigDict(str_strip_whitespace=False, json_schema_extra={"examples": [{"is_active": False}]})

    password: Password | None = None
    role: RoleName | None = Field(default=None, description="`admin` and `risk` unbind the user from its client.")
    client_id: BoundClientId | None = None
    is_active: StrictBool | None = None
