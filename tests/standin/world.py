"""What the stand-in knows and does: made listings, recorded bodies, faults, and how often it was asked."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event, Lock
from typing import Any


class Kind(StrEnum):
    """What a request asks for."""

    COOKIE = "cookie"
    CRUMB = "crumb"
    CONSENT = "consent"
    QUOTE = "quote"
    CHART = "chart"
    OTHER = "other"


class Fault(StrEnum):
    """What may go wrong with a request."""

    THROTTLED = "throttled"  # 429
    UNAUTHORISED = "unauthorised"  # 401, as without a crumb
    BROKEN = "broken"  # 500
    HANG = "hang"  # no answer until the fault is lifted
    DROP = "drop"  # the connection closes instead of an answer
    EMPTY = "empty"  # 200 without a body
    NO_RESULTS = "no_results"  # 200 and an empty list
    GARBAGE = "garbage"  # 200 and a page of HTML
    FIRST_ONLY = "first_only"  # only the first symbol of a batch is answered


@dataclass(frozen=True, slots=True)
class Listing:
    """
    Made data of one symbol; None leaves the field out, as Yahoo does.

    `price` is put into JSON as it is, so that it may also be NaN, negative or no number.
    """

    price: Any = 100.0
    currency: str | None = "USD"
    market_time: float | None = field(default_factory=lambda: int(time.time()))
    quote_type: str | None = "EQUITY"
    market_state: str | None = "REGULAR"
    exchange: str | None = "NMS"
    exchange_timezone: str | None = "America/New_York"
    previous_close: Any = 99.0
    name: str | None = "Example Inc."

    def record(self, symbol: str) -> dict[str, Any]:
        """Return it as one result of v7 quote."""
        fields = {
            "symbol": symbol,
            "regularMarketPrice": self.price,
            "currency": self.currency,
            "regularMarketTime": self.market_time,
            "quoteType": self.quote_type,
            "marketState": self.market_state,
            "exchange": self.exchange,
            "exchangeTimezoneName": self.exchange_timezone,
            "regularMarketPreviousClose": self.previous_close,
            "shortName": self.name,
        }
        return {name: value for name, value in fields.items() if value is not None}


class World:
    """The stand-in's state; tests change it between requests."""

    def __init__(self) -> None:
        self.crumbs: set[str] = set()  # that were given out; they stay good
        self._lock = Lock()
        self._lifted = Event()
        self.reset()

    def reset(self) -> None:
        """Forget listings, recordings, faults and counts; release requests that hang."""
        self.listings: dict[str, Listing] = {}
        self._once: defaultdict[str, list[Listing]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.asked: list[list[str]] = []  # the symbols of each quote request
        self.price_factor = 1.0
        self.splits: dict[str, list[dict[str, Any]]] = {}
        self._quote_recordings: dict[str, Any] = {}
        self._chart_recordings: dict[str, bytes] = {}
        self._aliases: dict[str, str] = {}
        self._faults: defaultdict[Kind, Fault | None] = defaultdict(lambda: None)
        self._healthy_answers: Counter[Kind] = Counter()
        self._release()

    def quote(self, symbol: str, price: Any = 100.0, **fields: Any) -> None:  # noqa: ANN401 (any JSON, also bad)
        """List a symbol, or list it anew."""
        self.listings[symbol] = Listing(price=price, **fields)

    def quote_once(self, symbol: str, price: Any = 100.0, **fields: Any) -> None:  # noqa: ANN401 (any JSON, also bad)
        """Answer like this the next time that somebody asks for a quote of the symbol, and as before from then on."""
        self._once[symbol].append(Listing(price=price, **fields))

    def split(self, symbol: str, numerator: float, denominator: float, *, at: float) -> None:
        """Report a split of a listed symbol in its charts, from `at` (epoch seconds) on."""
        ratio = f"{numerator}:{denominator}"
        entry = {"date": int(at), "numerator": numerator, "denominator": denominator, "splitRatio": ratio}
        self.splits.setdefault(symbol, []).append(entry)

    def alias(self, symbol: str, *, answers_as: str) -> None:
        """Answer for `symbol` with a record that names another one."""
        self.quote(symbol)
        self._aliases[symbol] = answers_as

    def fail(self, fault: Fault | None, *kinds: Kind) -> None:
        """Let requests of these kinds (default: all) fail from now on; None heals them."""
        for kind in kinds or tuple(Kind):
            self._faults[kind] = fault
            self._healthy_answers[kind] = 0
        self._release()

    def fail_after(self, answers: int, fault: Fault, kind: Kind) -> None:
        """Let requests of this kind fail after some that are answered."""
        self.fail(fault, kind)
        self._healthy_answers[kind] = answers

    def next_fault(self, kind: Kind) -> Fault | None:
        """Count a request and return the fault that it meets."""
        with self._lock:
            self.counts[kind] += 1
            if self._healthy_answers[kind] > 0:
                self._healthy_answers[kind] -= 1
                return None
            return self._faults[kind]

    def refuses_connections(self) -> bool:
        """Return whether even the connection fails."""
        return self._faults[Kind.OTHER] is Fault.DROP

    def wait_until_lifted(self) -> None:
        """Block until faults change, at most a minute."""
        self._lifted.wait(60)

    def play_recordings(self, folder: Path) -> None:
        """Answer for recorded symbols with the bodies under `folder`/quote and `folder`/chart/<symbol>.json."""
        for path in sorted((folder / "quote").glob("*.json")):
            self._quote_recordings[path.stem] = json.loads(path.read_text())["quoteResponse"]["result"]
        for path in sorted((folder / "chart").glob("*.json")):
            self.play_chart(path.stem, path)

    def play_chart(self, symbol: str, recording: Path) -> None:
        """Answer for a symbol's chart with a recorded body."""
        self._chart_recordings[symbol] = recording.read_bytes()

    def quote_body(self, symbols: Sequence[str]) -> bytes:
        """Return the v7 answer for `symbols`; what is not known is left out."""
        results: list[Mapping[str, Any]] = []
        for symbol in symbols:
            results += self._quote_recordings.get(symbol, ())
            if self._once[symbol]:
                results.append(self._once[symbol].pop(0).record(symbol))
            elif symbol in self.listings:
                results.append(self._record(symbol))
        return json.dumps({"quoteResponse": {"result": results, "error": None}}).encode()

    def chart_body(self, symbol: str) -> bytes | None:
        """Return the v8 answer for a symbol, None if it is not known."""
        if symbol in self._chart_recordings:
            return self._chart_recordings[symbol]
        if symbol not in self.listings:
            return None
        record = self._record(symbol)
        start = int(time.time()) - 3600
        names = {
            "instrumentType": "quoteType",
            "exchangeName": "exchange",
            "chartPreviousClose": "regularMarketPreviousClose",
        }
        meta = {name: record[name] for name in record.keys() - names.values() - {"marketState"}}
        meta |= {name: record.get(source) for name, source in names.items()}
        meta["validRanges"] = ["1d", "5d", "max"]
        meta["currentTradingPeriod"] = {
            "pre": {"start": start - 3600, "end": start},
            "regular": {"start": start, "end": start + 7200},
            "post": {"start": start + 7200, "end": start + 10800},
        }
        price = record.get("regularMarketPrice")
        bar = {name: [price] for name in ("open", "high", "low", "close")} | {"volume": [1]}
        result = {
            "meta": meta,
            "timestamp": [start],
            "indicators": {"quote": [bar], "adjclose": [{"adjclose": [price]}]},
        }
        if symbol in self.splits:
            result["events"] = {"splits": {str(split["date"]): split for split in self.splits[symbol]}}
        return json.dumps({"chart": {"result": [result], "error": None}}).encode()

    def _record(self, symbol: str) -> dict[str, Any]:
        record = self.listings[symbol].record(self._aliases.get(symbol, symbol))
        price = record.get("regularMarketPrice")
        if self.price_factor != 1 and isinstance(price, int | float):
            record["regularMarketPrice"] = price * self.price_factor
        return record

    def _release(self) -> None:
        self._lifted.set()
        self._lifted = Event()
