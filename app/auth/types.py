"""Who is calling, and which rows that caller may see."""

from dataclasses import dataclass

from app.core.errors import NotFoundError, PermissionDeniedError
from app.models import Role

__all__ = ["Caller", "Role", "no_client"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user."""

    user_id: int
    username: str
    role: Role
    #: The one client that a caller of role `client` is bound to.
    client_id: int | None = None

    def check_role(self, *roles: Role) -> None:
        """
        Return if the caller has one of `roles`.

        Raises:
            PermissionDeniedError: it has another.
        """
        if self.role not in roles:
            raise PermissionDeniedError(f"This needs the role {' or '.join(roles)}; you have {self.role}.")

    def check_client(self, client_id: int) -> None:
        """
        Return if the caller may see this client.

        Raises:
            NotFoundError: it may not; the same answer as for a client that does not exist.
        """
        if self.role is Role.CLIENT and self.client_id != client_id:
            raise no_client(client_id)


def no_client(client_id: int) -> NotFoundError:
    """Return the error for a client that does not exist, or that the caller may not see."""
    return NotFoundError(f"No client {client_id}.")
