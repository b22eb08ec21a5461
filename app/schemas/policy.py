"""Which policy figures were computed under."""

from app.schemas.base import Out


class PolicyOut(Out):
    """A policy's name and version."""

    id: str
    version: str
