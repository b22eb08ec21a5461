"""Business days of the New York Stock Exchange, by which margin calls are due."""

import asyncio
import warnings
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

NEW_YORK: Final = ZoneInfo("America/New_York")
_CALENDAR: Final = "XNYS"


def day_of(moment: datetime) -> date:
    """Return the date in New York."""
    return moment.astimezone(NEW_YORK).date()


async def close_after(moment: datetime, *, days: int) -> datetime:
    """
    Return the close of the session `days` business days after the day of `moment`.

    The day itself does not count, whatever the hour, nor do weekends and holidays; an early close is honoured. The
    calendar loads on first need, about three seconds, in a thread.
    """
    return await asyncio.to_thread(_close_after, day_of(moment), days)


def _close_after(day: date, days: int) -> datetime:
    closes = _closes(day.year)
    first = int(np.searchsorted(closes, _midnight_after(day)))
    return datetime.fromtimestamp(int(closes[first + days - 1]) // 10**9, UTC)


def _midnight_after(day: date) -> int:
    """Return the end of a day in New York, in nanoseconds since 1970; no session crosses it."""
    return int(datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=NEW_YORK).timestamp()) * 10**9


@lru_cache(maxsize=8)
def _closes(year: int) -> NDArray[np.int64]:
    """Return when each session of a year and the next one closes, in nanoseconds since 1970."""
    import exchange_calendars  # noqa: PLC0415 - imports pandas: seconds, only where a call opens

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what pandas 3 deprecates
        calendar = exchange_calendars.get_calendar(_CALENDAR, start=f"{year}-01-01", end=f"{year + 1}-12-31")
    closes: NDArray[np.int64] = calendar.closes_nanos
    return closes
