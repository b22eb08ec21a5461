"""
Replays daily closes from a file at a pace, for demos, drills, tests and benchmarks.

Its clock is what is stored: every process asks for the newest replayed market time and goes on from there, at most one
row further each time. So a process that ends, however it ends, leaves the next one to go on with the row behind; no row
is passed over and none comes twice.
"""

import csv
import gzip
import math
import time
import zlib
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final, TextIO
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInputError, StartupError
from app.core.symbols import is_fx_symbol, normalise_symbol
from app.providers.replay import SPEC
from app.providers.types import Quote, QuoteBatch

_NEW_YORK: Final = ZoneInfo("America/New_York")
_CLOSE: Final = time_of_day(16)
_PRICE_LIMIT: Final = 1e10
_PRICE_STEP: Final = Decimal("1e-8")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MOST_ROWS: Final = 1_000_000
_SHOWN_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What to replay, and how fast."""

    #: CSV, plain or gzip: a date column first, then one column for each symbol; an empty cell is no price that day.
    file: Path
    #: Rows (days) a second, at most; each fetch of what was fetched before goes at most one row further.
    pace: float
    #: Currency of every price in the file.
    currency: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Closes:
    """R days, ascending, and the closes of S symbols on each."""

    days: Sequence[date]
    columns: dict[str, int]
    prices: NDArray[np.float64]  # (R, S); NaN = no price that day


class ReplayProvider:
    """
    A `PriceProvider` that goes through a file once and stays on its last row.

    Prices are those of the day's close, 16:00 in New York; a symbol without a column is unknown.
    """

    def __init__(
        self,
        plan: ReplayPlan,
        *,
        newest: Callable[[], Awaitable[datetime | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Read the file.

        Args:
            plan: what to replay.
            newest: returns the newest stored market time of this source, None if there is none.
            clock: seconds.

        Raises:
            StartupError: the file cannot be read, or is not of the form that `ReplayPlan` says.
        """
        self._plan = plan
        self._closes = read_closes(plan)
        self._newest = newest
        self._clock = clock
        self._row = -1
        self._since = 0.0  # when the row became the current one
        self._given: set[str] = set()  # symbols that were given the current row's prices

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        """Return the closes of the day that it is; later for the same symbols, those of the day after."""
        newest = await self._newest()
        self._turn_to(self._row_of(newest), again=not self._given.isdisjoint(symbols))
        self._given.update(symbols)
        fetched_at = datetime.now(UTC)
        quotes = (self._quote(symbol, fetched_at) for symbol in symbols)
        return QuoteBatch({quote.symbol: quote for quote in quotes if quote is not None}, frozenset())

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _row_of(self, newest: datetime | None) -> int:
        """Return the row of a stored market time: the last one not after it; the first row at least."""
        if newest is None:
            return 0
        return max(0, bisect_right(self._closes.days, newest.astimezone(_NEW_YORK).date()) - 1)

    def _turn_to(self, stored: int, *, again: bool) -> None:
        """Follow what another process has stored, or go one row further when it is time and there is one."""
        now, seconds = self._clock(), 1 / self._plan.pace
        if stored > self._row:
            self._row, self._since = stored, now
        elif again and now - self._since >= seconds and self._row + 1 < len(self._closes.days):
            # What a late question lost is made up for, but no more than one row of it.
            self._row, self._since = self._row + 1, max(self._since + seconds, now - seconds)
        else:
            return
        self._given.clear()

    def _quote(self, symbol: str, fetched_at: datetime) -> Quote | None:
        column = self._closes.columns.get(symbol)
        price = None if column is None else _price(self._closes.prices[self._row, column])
        if column is None or price is None:
            return None
        return Quote(
            symbol=symbol,
            price=price,
            currency=self._plan.currency,
            market_time=market_time(self._closes.days[self._row]),
            fetched_at=fetched_at,
            source=SPEC.name,
            quote_type="CURRENCY" if is_fx_symbol(symbol) else "EQUITY",
            previous_close=_price(self._closes.prices[self._row - 1, column]) if self._row else None,
        )


def market_time(day: date) -> datetime:
    """Return when New York closes on a day, UTC."""
    return datetime.combine(day, _CLOSE, _NEW_YORK).astimezone(UTC)


def read_closes(plan: ReplayPlan) -> Closes:
    """
    Return the file's rows within the plan's days.

    Raises:
        StartupError: the file cannot be read, or is malformed; the message says where.
    """
    days: list[date] = []
    rows: list[NDArray[np.float64]] = []
    with _opened(plan.file) as file:
        reader = csv.reader(file, strict=True)
        symbols = _symbols(next(reader, []), plan.file)
        latest: date | None = None
        for cells in reader:
            where = f"{plan.file}, line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(symbols) + 1:
                raise StartupError(f"{where}: {len(cells)} cells where the heading has {len(symbols) + 1}.")
            latest = _day(cells[0], where=where, after=latest)
            values = [_cell(cell, f"{where}, column {symbol}") for cell, symbol in zip(cells[1:], symbols, strict=True)]
            if latest >= (plan.first or latest) and latest <= (plan.last or latest):
                days.append(latest)
                rows.append(np.array(values))
            if len(days) > _MOST_ROWS:
                raise StartupError(f"{where}: more than {_MOST_ROWS:,} rows.")
    if not days:
        raise StartupError(
            f"{plan.file}: no row between {plan.first or 'the first'} and {plan.last or 'the last'} day."
        )
    return Closes(days, {symbol: column for column, symbol in enumerate(symbols)}, np.vstack(rows))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a file of text, packed or not, and say what is wrong with it in one sentence."""
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == _GZIP_MAGIC
        opened = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error  # without the path, which is there already
        raise StartupError(f"RISK_REPLAY_FILE: {path} cannot be read: {reason}") from error


def _symbols(heading: Sequence[str], path: Path) -> list[str]:
    """Return the symbols of the heading, whose first cell names the dates."""
    symbols = []
    for number, cell in enumerate(heading[1:], start=2):
        try:
            symbols.append(normalise_symbol(cell))
        except InvalidInputError as error:
            raise StartupError(f"{path}, line 1, column {number}: {error}") from error
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice or not symbols:
        problem = f"more than one column for {', '.join(twice)}" if twice else "no column for any symbol"
        raise StartupError(f"{path}, line 1: {problem}; the heading is a date column, then one column for each symbol.")
    return symbols


def _day(cell: str, *, where: str, after: date | None) -> date:
    try:
        day = date.fromisoformat(cell.strip())
    except ValueError as error:
        raise StartupError(f"{where}, column 1: {_shown(cell)} is not a date such as 2020-02-19.") from error
    if after is not None and day <= after:
        raise StartupError(f"{where}, column 1: {day} does not come after {after}.")
    return day


def _cell(cell: str, where: str) -> float:
    """Return a price, NaN for an empty cell."""
    if not cell.strip():
        return math.nan
    try:
        price = float(cell)
    except ValueError:
        price = math.nan
    if not 0 < price < _PRICE_LIMIT:
        raise StartupError(f"{where}: {_shown(cell)} is not a price above 0 and below {_PRICE_LIMIT:,.0f}.")
    return price


def _price(value: float) -> Decimal | None:
    """Return a price as it was written, at most 15 digits and 8 decimals; None where there is none, or nothing left."""
    if math.isnan(value):
        return None
    price = Decimal(f"{value:.15g}")
    in_steps = price.quantize(_PRICE_STEP, ROUND_HALF_UP)
    price = price if price == in_steps else in_steps  # 190.5 stays 190.5
    return price if price > 0 else None


def _shown(cell: str) -> str:
    return repr(cell[:_SHOWN_CHARACTERS])
