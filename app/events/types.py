"""What a stream carries, who may follow it, and how routes see the part that feeds it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from app.auth.sessions import Session
from app.auth.types import Caller, Role


class EventKind(StrEnum):
    """What an event tells: two are durable (stored, with an id, resumable), two are live (the latest figures)."""

    STATE = "state"
    MARGIN_CALL = "margin_call"
    PRICE = "price"
    MARGIN = "margin"


DURABLE: Final = frozenset({EventKind.STATE, EventKind.MARGIN_CALL})
LIVE: Final = frozenset(EventKind) - DURABLE

#: Kinds of what a stream says of itself: where it begins, that it does not begin where it was asked to, its end.
OPEN: Final = "open"
RESYNC: Final = "resync"
BYE: Final = "bye"


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamEvent:
    """One event, one object for all its subscribers; `data` is JSON throughout."""

    kind: str
    at: datetime
    #: Live figures have none.
    id: int | None = None
    client_id: int | None = None
    symbol: str | None = None
    data: Mapping[str, Any]


class Ending(StrEnum):
    """Why a stream ends; a reader that resumes from its last id misses nothing."""

    #: The reader did not keep up.
    SLOW = "slow_reader"
    #: The token expired, or its user logged out or was deactivated.
    SIGNED_OUT = "signed_out"
    #: The service stops or restarts.
    SHUTDOWN = "shutdown"
    #: The database went away before the stream had caught up.
    UNAVAILABLE = "unavailable"
    #: Only what was there already had been asked for.
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events are wanted; `client_id` None = every client's."""

    kinds: frozenset[EventKind] = frozenset(EventKind)
    client_id: int | None = None

    @property
    def is_live(self) -> bool:
        """Return whether any live figure is wanted."""
        return bool(self.kinds & LIVE)

    def wants(self, event: StreamEvent) -> bool:
        """Return whether a durable event, or the margin of a client, is wanted."""
        return event.kind in self.kinds and self.client_id in {None, event.client_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """What a subscriber asks for: which events, and behind which id."""

    session: Session
    filter: Filter
    #: The id of the last durable event that it has; None begins now.
    after: int | None = None
    #: False ends the stream after what is there already.
    follow: bool = True


class Stream(Protocol):
    """One subscriber's events."""

    @property
    def position(self) -> int:
        """Return the id from which to resume: every durable event up to it was handed out."""

    @property
    def ending(self) -> Ending | None:
        """Return why `batches` ended by itself."""

    def batches(self, *, patience_seconds: float) -> AsyncGenerator[list[StreamEvent]]:
        """Yield events as they come; an empty list where none came for `patience_seconds`."""


class Streams(Protocol):
    """This process's streams."""

    def open(self, request: SubscriptionRequest) -> AbstractAsyncContextManager[Stream]:
        """
        Give a stream until the block ends.

        Raises:
            ThrottledError: the user has too many streams.
            UnavailableError: the process has too many, or stops.
        """


def visible_client(caller: Caller, client_id: int | None) -> int | None:
    """
    Return the client whose events a caller gets that asks for `client_id` (None = all that it may see).

    Raises:
        NotFoundError: it may not see that client.
    """
    if caller.role is not Role.CLIENT:
        return client_id
    assert caller.client_id is not None, "a CHECK binds users of role client"
    caller.check_client(caller.client_id if client_id is None else client_id)
    return caller.client_id
