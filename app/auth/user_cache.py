"""Users by id, at most half a second old, so that most requests cost no query."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from app.models import User

#: A deactivation or logout on another worker must take effect within 1 s.
_FRESH_SECONDS: Final = 0.5
_MOST_USERS: Final = 10_000


@dataclass(slots=True)
class _Entry:
    """One user's row as it was when asked for; `lock` lets one request ask for all that wait."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    user: User | None = None
    fresh_until: float = 0.0


class UserCache:
    """This process's view of the user table: bounded, and of many requests for one user one asks the database."""

    def __init__(self) -> None:
        self._entries: OrderedDict[int, _Entry] = OrderedDict()

    async def get(self, user_id: int) -> User | None:
        """Return the user as stored at most half a second ago, None if there is none. Do not change it."""
        entry = self._entry(user_id)
        if entry.fresh_until > monotonic():
            return entry.user
        async with entry.lock:
            asked_at = monotonic()
            if entry.fresh_until <= asked_at:
                entry.user = await User.get_or_none(id=user_id)
                entry.fresh_until = asked_at + _FRESH_SECONDS
            return entry.user

    def forget(self, user_id: int) -> None:
        """Ask the database next time; what this process changed, it sees at once."""
        self._entries.pop(user_id, None)

    def _entry(self, user_id: int) -> _Entry:
        """Return the user's entry, now the youngest; the oldest gives way."""
        entry = self._entries.setdefault(user_id, _Entry())
        self._entries.move_to_end(user_id)
        if len(self._entries) > _MOST_USERS:
            self._entries.popitem(last=False)
        return entry
