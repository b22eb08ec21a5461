"""Sessions of connections that outlive a request: whose one is, and whether it has ended."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.auth.service import Auth, authenticate
from app.auth.types import Caller
from app.database import sql

_VALID: Final = 'select id, token_generation from "user" where id = any($1::bigint[]) and is_active'


@dataclass(frozen=True, slots=True)
class Session:
    """A caller with what its token said."""

    caller: Caller
    generation: int
    #: Unix time in seconds.
    expires_at: int


async def open_session(token: str, *, auth: Auth) -> Session:
    """
    Return the session that an access token opens, and when it ends.

    Raises:
        AuthenticationError: a bad or expired token, or its user is deactivated or logged out.
    """
    caller = await authenticate(token, auth=auth)
    claims = auth.tokens.read(token)
    assert claims.expires_at is not None, "a token that was read has an expiry"
    return Session(caller, claims.generation, claims.expires_at)


async def ended_sessions(sessions: Iterable[Session]) -> set[Session]:
    """Return which of them ended: expired, or their users logged out, were deactivated or changed role. One query."""
    distinct = set(sessions)
    now = time.time()
    user_ids = list({session.caller.user_id for session in distinct})
    rows = await sql.rows(_VALID, user_ids) if user_ids else []
    generations = {row["id"]: row["token_generation"] for row in rows}
    return {
        session
        for session in distinct
        if session.expires_at <= now or generations.get(session.caller.user_id) != session.generation
    }
