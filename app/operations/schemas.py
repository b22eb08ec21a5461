"""The service's own state on the wire."""

from typing import Literal

from pydantic import Field

from app.web.fields import Out


class HealthOut(Out):
    """The service is up."""

    status: Literal["ok"] = Field(default="ok", examples=["ok"])
