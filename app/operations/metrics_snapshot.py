"""What operators watch of the stored data: clients by state, open margin calls, the age of prices."""

import asyncio
from typing import Final

import numpy as np
import structlog

from app.book.ranking import State
from app.book.valuation import BookSource, BookValuation
from app.core.metrics import Stored
from app.database import sql
from app.database.connections import DATABASE_DOWN
from app.models import CallState, CallType

_CLOSED: Final = {CallState.MET, CallState.CANCELLED}
#: One row for each pair that has calls, then one for each price of the symbols $1.
_READ: Final = """
select type, state, count(*)::float8 as figure from margin_call where closed_at is null group by type, state
union all
select null, null, greatest(0, extract(epoch from clock_timestamp() - "timestamp"))::float8
from market_data where symbol = any($1::text[])
"""

_log = structlog.get_logger(__name__)
#: Readings under way: one that takes too long for its caller goes on, so that a large book is loaded once.
_under_way: Final[set[asyncio.Task[Stored]]] = set()


async def read_within(seconds: float, *, book: BookSource) -> Stored | None:
    """Return what is stored now; None where the database does not say within `seconds`."""
    task = asyncio.create_task(_read(book))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(task)
    except DATABASE_DOWN as error:
        _log.warning("metrics without stored figures", error=f"{type(error).__name__}: {error}")
        return None


async def _read(book: BookSource) -> Stored:
    valued = await book.current()
    symbols = await asyncio.to_thread(_held, valued)
    rows = await sql.rows(_READ, symbols)
    counts = np.bincount(valued.states, minlength=len(State)).tolist()
    calls = {(kind.value, state.value): 0 for kind in CallType for state in CallState if state not in _CLOSED}
    calls |= {(row["type"], row["state"]): int(row["figure"]) for row in rows if row["type"] is not None}
    ages = [row["figure"] for row in rows if row["type"] is None]
    return Stored(
        clients={state.value: count for state, count in zip(State, counts, strict=True)},
        open_calls=calls,
        price_ages=ages,
        unpriced=len(symbols) - len(ages),
    )


def _held(valued: BookValuation) -> list[str]:
    """Return the symbols that some client holds."""
    book = valued.holdings.book
    is_held = np.zeros(len(book.symbols), np.bool_)
    is_held[book.symbol_index] = True
    return [book.symbols[index] for index in np.flatnonzero(is_held)]
