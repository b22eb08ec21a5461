"""
The tree of expected errors.

An error says what is wrong in words that a user can act on. It knows nothing of HTTP: `app.web.problems` gives each
class its status, in one table.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class AppError(Exception):
    """An expected failure; `str(error)` is fit to be shown to a user."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where it is, and what is wrong there."""

    where: tuple[str | int, ...]
    what: str


class InvalidInputError(AppError):
    """The input is malformed; nothing was stored."""

    def __init__(self, message: str, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class TooLargeError(AppError):
    """The input is larger than is taken; nothing was stored."""


class AuthenticationError(AppError):
    """The caller did not prove who it is: no token, a bad one, wrong password."""


class PermissionDeniedError(AppError):
    """The caller's role does not allow this operation on any record."""


class NotFoundError(AppError):
    """No such record, or none that this caller may see."""


class ConflictError(AppError):
    """The request contradicts what is stored."""


class PreconditionError(AppError):
    """What is stored is not what the caller expected when it asked for a change; nothing was changed."""


class MissingPricesError(ConflictError):
    """A figure needs prices that are not known; `symbols` names them."""

    def __init__(self, message: str, *, symbols: Sequence[str]) -> None:
        super().__init__(message)
        self.symbols = tuple(symbols)


class RetryableError(AppError):
    """The same request may succeed later; `retry_after` is a hint in seconds."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ThrottledError(RetryableError):
    """Too many requests of this kind from this user or address."""


class UnavailableError(RetryableError):
    """Something that the service depends on is down."""


class ProviderError(UnavailableError):
    """The price source could not be asked, as a whole."""


class DatabaseError(UnavailableError):
    """The database could not be reached or did not answer in time."""


class StartupError(AppError):
    """The service cannot start; the message says what to do about it."""


class EmbeddedError(StartupError):
    """The embedded PostgreSQL cannot be used."""


class MigrationError(StartupError):
    """The database's schema cannot be brought to this version of the code."""
