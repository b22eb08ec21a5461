"""Replay of daily closes: the file, the clock, and going on where another process ended."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.errors import StartupError
from app.providers.registry import build_provider
from app.providers.replay.source import ReplayPlan, ReplayProvider, market_time, read_closes
from app.providers.types import QuoteBatch
from tests.providers.context import source_context

FILE = "Date,AAPL,brk-b,EURUSD=X\n2020-02-19,323.62,,1.08\n2020-02-20,320.3,230.1,1.0785\n2020-02-21,313.05,228.7,\n"
PRICES = Path(__file__).parents[3] / "shared" / "data" / "prices" / "sp500_20_daily_1990_2022.csv.gz"


class Stage:
    """A clock that a test moves, and the newest market time that processes stored."""

    def __init__(self, file: Path, *, pace: float = 1) -> None:
        self.plan = ReplayPlan(file, pace=pace, currency="USD")
        self.now = 1000.0
        self.stored: datetime | None = None

    def start(self) -> ReplayProvider:
        return ReplayProvider(self.plan, newest=self.newest, clock=lambda: self.now)

    async def newest(self) -> datetime | None:
        return self.stored

    async def poll(self, process: ReplayProvider, *symbols: str) -> date:
        """Fetch and store as the leader does; return the day that it was."""
        batch = await process.fetch(symbols or ["AAPL"])
        self.stored = max(quote.market_time for quote in batch.quotes.values())
        return self.stored.date()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "closes.csv"
    path.write_text(FILE)
    return path


@pytest.fixture
def stage(file: Path) -> Stage:
    return Stage(file)


def day(number: int) -> date:
    return date(2020, 2, number)


async def test_a_row_becomes_quotes_of_that_days_close(stage: Stage) -> None:
    batch = await stage.start().fetch(["AAPL", "BRK-B", "EURUSD=X", "MSFT"])

    assert batch.quotes.keys() == {"AAPL", "EURUSD=X"}  # no price that day, and no column
    assert batch.failed == frozenset()
    apple = batch.quotes["AAPL"]
    assert (apple.price, apple.currency, apple.source) == (Decimal("323.62"), "USD", "replay")
    assert apple.market_time == datetime(2020, 2, 19, 21, tzinfo=UTC)
    assert (apple.quote_type, batch.quotes["EURUSD=X"].quote_type) == ("EQUITY", "CURRENCY")


def test_new_york_closes_an_hour_earlier_in_summer_by_utc() -> None:
    assert market_time(date(2020, 7, 1)) == datetime(2020, 7, 1, 20, tzinfo=UTC)


async def test_rows_follow_the_pace_and_the_last_one_stays(stage: Stage) -> None:
    process = stage.start()

    days = []
    for _ in range(8):
        days.append(await stage.poll(process))
        stage.now += 0.5

    assert days == [day(19), day(19), day(20), day(20), day(21), day(21), day(21), day(21)]


async def test_a_poll_that_is_late_passes_no_row_over(stage: Stage) -> None:
    process = stage.start()

    days = []
    for _ in range(3):
        days.append(await stage.poll(process))
        stage.now += 10

    assert days == [day(19), day(20), day(21)]


async def test_a_question_about_other_symbols_stays_on_the_row(stage: Stage) -> None:
    process = stage.start()
    await stage.poll(process, "AAPL")
    stage.now += 10

    assert await stage.poll(process, "EURUSD=X") == day(19)
    assert await stage.poll(process, "AAPL") == day(20)


async def test_a_new_process_goes_on_behind_what_is_stored(stage: Stage) -> None:
    killed = stage.start()
    await stage.poll(killed)
    stage.now += 1
    assert await stage.poll(killed) == day(20)

    successor = stage.start()

    assert await stage.poll(successor) == day(20)  # the same prices again change nothing
    stage.now += 1
    assert await stage.poll(successor) == day(21)


async def test_a_process_that_only_looks_on_follows_the_one_that_leads(stage: Stage) -> None:
    leader, other = stage.start(), stage.start()
    await stage.poll(leader)
    await other.fetch(["AAPL"])
    stage.now += 1
    await stage.poll(leader)

    answer = await other.fetch(["AAPL"])

    assert answer.quotes["AAPL"].market_time.date() == day(20)


async def test_a_finished_replay_stays_at_its_end(stage: Stage) -> None:
    stage.stored = datetime(2021, 1, 1, tzinfo=UTC)

    assert await stage.poll(stage.start()) == day(21)


async def test_only_the_days_asked_for_are_replayed(file: Path) -> None:
    closes = read_closes(ReplayPlan(file, pace=1, currency="USD", first=day(20), last=day(20)))

    assert closes.days == [day(20)]


async def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    packed = tmp_path / "closes"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()))

    batch: QuoteBatch = await Stage(packed).start().fetch(["AAPL"])

    assert batch.quotes["AAPL"].price == Decimal("323.62")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column for any symbol"),
        ("Date\n2020-02-19\n", "line 1: no column for any symbol"),
        ("Date,AAPL,aapl\n", "line 1: more than one column for AAPL"),
        ("Date,A B\n", "line 1, column 2: 'A B' is not a stock symbol"),
        ("Date,AAPL\n", "no row between"),
        ("Date,AAPL\n2020-02-19,1,2\n", "line 2: 3 cells where the heading has 2"),
        ("Date,AAPL\n19.2.2020,1\n", "line 2, column 1: '19.2.2020' is not a date"),
        ("Date,AAPL\n2020-02-19,1\n2020-02-19,1\n", "line 3, column 1: 2020-02-19 does not come after 2020-02-19"),
        ("Date,AAPL\n2020-02-19,1\n2020-02-20,abc\n", "line 3, column AAPL: 'abc' is not a price"),
        ("Date,AAPL\n2020-02-19,0\n", "line 2, column AAPL: '0' is not a price"),
        ("Date,AAPL\n2020-02-19,nan\n", "line 2, column AAPL: 'nan' is not a price"),
        ("Date,AAPL\n2020-02-19,1e10\n", "line 2, column AAPL: '1e10' is not a price"),
        ('Date,AAPL\n2020-02-19,"1\n', "cannot be read"),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "closes.csv"
    path.write_text(text)

    with pytest.raises(StartupError) as refused:
        read_closes(ReplayPlan(path, pace=1, currency="USD"))

    assert str(path) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [gzip.compress(FILE.encode(), mtime=0)[:40], b"\x1f\x8bno", b"Date,\xff\n"])
def test_a_file_that_is_cut_or_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "closes.csv.gz"
    path.write_bytes(content)

    with pytest.raises(StartupError, match="cannot be read"):
        read_closes(ReplayPlan(path, pace=1, currency="USD"))


def test_a_missing_file_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"none\.csv cannot be read"):
        build_provider("replay", source_context(replay_file=tmp_path / "none.csv"))
    with pytest.raises(StartupError, match="RISK_REPLAY_FILE"):
        build_provider("replay", source_context())


@pytest.mark.skipif(not PRICES.is_file(), reason=f"no prices under {PRICES}")
def test_the_recorded_closes_of_three_decades_are_read() -> None:
    closes = read_closes(ReplayPlan(PRICES, pace=1, currency="USD"))

    assert (len(closes.days), closes.days[0], closes.days[-1]) == (8313, date(1990, 1, 2), date(2022, 12, 28))
    assert closes.prices[0, closes.columns["AAPL"]] == 0.264
    assert closes.prices[-1, closes.columns["XOM"]] == 106.627
