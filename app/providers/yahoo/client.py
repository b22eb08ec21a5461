"""
The blocking half of the Yahoo source: the only code that touches yfinance.

`YfData` is not part of yfinance's public API; its version is pinned and its use confined to this file. It does what
is hard about Yahoo (cookie, crumb, a browser's TLS) and nothing more: the public `Ticker.history` asks twice per
symbol, loads pandas frames that are not needed, and answers alike for an unknown symbol and for an outage.
"""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import quote as url_quote

from app.core.errors import ProviderError
from app.providers.breaker import SourceThrottledError
from app.providers.yahoo.records import Record

#: Limit of each HTTP request; yfinance may make several (cookie, crumb) for one of ours.
REQUEST_SECONDS = 5.0

_QUOTE_URL = "https://query1.finance.yahoo.com/v7/finance/quote"
_CHART_URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
#: A split may stand in a chart before the session from which it counts.
_DAYS_AHEAD = 5
_NO_SUCH_SYMBOL = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

_session: Any = None
_session_lock = Lock()


class BatchBrokenError(Exception):
    """The batch endpoint answered, but not with quotes; others may still work."""


def quote_records(symbols: Sequence[str]) -> list[Record]:
    """
    Return v7 records of those of at most 50 symbols that Yahoo knows, in one request.

    Raises:
        BatchBrokenError: an error status (401 without a crumb, 500) or a body that is not what it was.
        SourceThrottledError: we ask too often.
        ProviderError: no answer.
    """
    response = _get(_QUOTE_URL, {"symbols": ",".join(symbols), "formatted": "false"})
    if response.status_code != HTTPStatus.OK:
        raise BatchBrokenError(f"status {response.status_code}")
    try:
        records = json.loads(response.content)["quoteResponse"]["result"]
    except (ValueError, LookupError, TypeError) as error:
        raise BatchBrokenError("no quotes in the answer") from error
    if not isinstance(records, list):
        raise BatchBrokenError("no list of quotes in the answer")
    return [record for record in records if isinstance(record, dict)]


def chart_meta(symbol: str) -> Record | None:
    """
    Return the `meta` of the symbol's v8 chart of the day, which needs no crumb; None for an unknown symbol.

    Raises:
        SourceThrottledError: we ask too often, or may not ask at all.
        ProviderError: no answer, or none that can be read.
    """
    chart = _chart(symbol, {"range": "1d", "interval": "1d"})
    meta = None if chart is None else chart.get("meta")
    return meta if isinstance(meta, dict) else None


def _chart(symbol: str, params: dict[str, str]) -> Record | None:
    """Return the one result of a v8 chart, None for an unknown symbol."""
    response = _get(_CHART_URL + url_quote(symbol, safe=""), params)
    if response.status_code in _NO_SUCH_SYMBOL:
        return None
    if response.status_code in _REFUSALS:
        raise SourceThrottledError("Yahoo Finance refuses our requests for now.")
    if response.status_code != HTTPStatus.OK:
        raise ProviderError(f"Yahoo Finance answered with status {response.status_code}.")
    try:
        results = json.loads(response.content)["chart"]["result"]
        result = results[0] if results else None
    except (ValueError, LookupError, TypeError) as error:
        raise ProviderError("Yahoo Finance gave an answer that cannot be read.") from error
    return result if isinstance(result, dict) else None


def chart_splits(symbol: str, since: datetime) -> Record | None:
    """
    Return the symbol's v8 chart of daily bars from `since` on, with its splits; None for an unknown symbol.

    Raises:
        SourceThrottledError: we ask too often, or may not ask at all.
        ProviderError: no answer, or none that can be read.
    """
    start, end = int(since.timestamp()), int(time.time()) + _DAYS_AHEAD * 86_400
    return _chart(symbol, {"period1": str(start), "period2": str(end), "interval": "1d", "events": "div,splits"})


def _get(url: str, params: dict[str, str]) -> Any:  # noqa: ANN401 (yfinance has no types)
    from yfinance.data import YfData  # noqa: PLC0415 (half a second and 97 MiB, for those who fetch)
    from yfinance.exceptions import YFRateLimitError  # noqa: PLC0415 (likewise)

    try:
        return YfData(session=_shared_session()).get(url, params=params, timeout=REQUEST_SECONDS)
    except YFRateLimitError as error:
        raise SourceThrottledError("Yahoo Finance asks us to come back later.") from error
    except Exception as error:  # a scraper may raise anything
        raise ProviderError("Yahoo Finance does not answer.") from error


def _shared_session() -> Any:  # noqa: ANN401 (as typed by yfinance)
    """Return the one HTTP session of this process, whose requests all end within the limit."""
    global _session  # noqa: PLW0603 (YfData is a singleton of the process; so is its session)
    from curl_cffi import CurlOpt  # noqa: PLC0415 (comes with yfinance)
    from curl_cffi.requests import Session  # noqa: PLC0415 (likewise)

    with _session_lock:
        if _session is None:
            # yfinance waits 30 s for a cookie whatever timeout it is given; an option of the session overrules it.
            limit: Any = {CurlOpt.TIMEOUT_MS: int(REQUEST_SECONDS * 1000)}
            _session = Session(impersonate="chrome", curl_options=limit)
        return _session
