"""
What operators watch: counters that every process keeps, and the page that adds up those of all workers.

With several workers each keeps its counters in a file of the folder that `main.py` names in PROMETHEUS_MULTIPROC_DIR;
whichever worker is asked adds them up. What is stored (states, calls, prices) is read once for each page, by that
worker alone, so nothing is counted twice. Labels are routes, kinds and outcomes, never ids.
"""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
#: Names the folder that workers share; prometheus_client reads it too, when it is imported.
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_FOLDER: Final = os.environ.get(FOLDER_VARIABLE)  # noqa: TID251 - no setting: how workers find what their parent made

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WORK_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
#: A minute and 20 minutes part live, delayed and older prices; a day and four, a night and a long weekend.
_AGE_BUCKETS: Final = (5, 15, 60, 300, 1200, 3600, 21_600, 86_400, 345_600)

disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client's
_registry: Final = CollectorRegistry()

_REQUESTS: Final = Counter(
    "risk_http_requests",
    "HTTP requests by route template (none: no call of the API); status 0: the caller left before the answer.",
    ("method", "route", "status"),
    registry=_registry,
)
_REQUEST_SECONDS: Final = Histogram(
    "risk_http_request_seconds",
    "Time from a request to the end of its answer; a stream lasts as long as it is open.",
    ("method", "route"),
    buckets=_REQUEST_BUCKETS,
    registry=_registry,
)
_PROVIDER_CALLS: Final = Counter(
    "risk_provider_calls",
    "Calls to the price source. withheld: not made, since it was down; abandoned: cancelled, or answered otherwise.",
    ("outcome",),
    registry=_registry,
)
_PRICES_REFUSED: Final = Counter(
    "risk_prices_refused",
    "Answers of the price source that were not used; a jump waits for a second answer.",
    ("reason",),
    registry=_registry,
)
#: Clients `all` or `touched`.
REVALUATION_SECONDS: Final = Histogram(
    "risk_revaluation_seconds",
    "Time to value the resident book, or the clients that a change touched.",
    ("clients",),
    buckets=_WORK_BUCKETS,
    registry=_registry,
)
EVENT_LAG_SECONDS: Final = Histogram(
    "risk_event_lag_seconds",
    "Time from the writing of a durable event to a worker's reading it for its streams; each worker reads each event.",
    buckets=_WORK_BUCKETS,
    registry=_registry,
)
_POOL_CONNECTIONS: Final = Gauge(
    "risk_db_pool_connections",
    "Database connections of the workers' pools, looked at every second; closed: may still be opened.",
    ("state",),
    multiprocess_mode="livesum",
    registry=_registry,
)
LEADER: Final = Gauge(
    "risk_leader",
    "Workers here that refresh prices and look after margin calls: 1 on one host of all, 0 elsewhere.",
    multiprocess_mode="livesum",
    registry=_registry,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored at this moment, the same whichever worker reads it."""

    #: Clients by state, every state.
    clients: Mapping[str, int]
    #: Margin calls that are not closed by type and state, every pair.
    open_calls: Mapping[tuple[str, str], int]
    #: Seconds since the market made the price, of every held symbol that has one.
    price_ages: Sequence[float]
    #: Held symbols without a price.
    unpriced: int


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one HTTP request by the template of its route. Cost: about 2 us; 4 where there are several workers."""
    requests, request_seconds = _of_route(method if method in _METHODS else "other", route, status)
    requests.inc()
    request_seconds.observe(seconds)


def count_provider_call(outcome: str) -> None:
    """Count one call to the price source."""
    _PROVIDER_CALLS.labels(outcome).inc()


def count_refused(reason: str, times: int = 1) -> None:
    """Count answers of the price source that are not used; 0 times makes the reason known."""
    _PRICES_REFUSED.labels(reason).inc(times)


def set_pool(*, used: int, idle: int, closed: int) -> None:
    """Say how this process uses its database connections."""
    for state, count in (("used", used), ("idle", idle), ("closed", closed)):
        _POOL_CONNECTIONS.labels(state).set(count)


def page(stored: Stored | None, *, version: str) -> bytes:
    """
    Return the figures of all workers in Prometheus' text form. Blocks: reads the workers' files.

    Args:
        stored: None where it could not be read; then those series are missing, and `risk_stored_up` is 0.
        version: of the service.
    """
    moment = CollectorRegistry()
    moment.register(_Moment(stored, version))
    return generate_latest(_of_all_workers()) + generate_latest(moment)


@lru_cache(maxsize=4096)
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the series of a route; few, since routes are."""
    return _REQUESTS.labels(method, route, str(status)), _REQUEST_SECONDS.labels(method, route)


def _of_all_workers() -> CollectorRegistry:
    """Return what to read: the counters of this process, or the files of all workers."""
    if _FOLDER is None:
        return _registry
    _drop_gauges_of_the_dead(Path(_FOLDER))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=_FOLDER)  # type: ignore[no-untyped-call] # prometheus_client's
    return registry


def _drop_gauges_of_the_dead(folder: Path) -> None:
    """Delete the gauges of workers that ended; their counters stay, since counters never fall."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call] # prometheus_client's
        except PermissionError:
            pass  # another service's process now has the number; rare, and ended with that


class _Moment(Collector):
    """The series of one page that no process keeps."""

    def __init__(self, stored: Stored | None, version: str) -> None:
        self._stored = stored
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        labels = {"version": self._version, "python": platform.python_version()}
        yield _gauge("risk_build_info", "What runs.", labels, [(tuple(labels.values()), 1)])
        up = self._stored is not None
        yield _gauge("risk_stored_up", "Whether clients, calls and prices could be read for this page.", (), [((), up)])
        if self._stored is not None:
            yield from _families(self._stored)


def _families(stored: Stored) -> Iterator[Metric]:
    """Yield the series of what is stored."""
    clients = [((state,), count) for state, count in stored.clients.items()]
    yield _gauge("risk_clients", "Clients by state; the same on every host.", ("state",), clients)
    text = "Margin calls that are not closed; the same on every host."
    yield _gauge("risk_open_margin_calls", text, ("type", "state"), stored.open_calls.items())
    text = "Seconds since the market made a price, of held symbols now."
    yield GaugeHistogramMetricFamily(
        "risk_price_age_seconds", text, buckets=_buckets(stored.price_ages), gsum_value=sum(stored.price_ages)
    )
    oldest = [((), max(stored.price_ages))] if stored.price_ages else []
    yield _gauge("risk_price_age_max_seconds", "The oldest of them; missing where there is none.", (), oldest)
    yield _gauge("risk_unpriced_symbols", "Held symbols without a price.", (), [((), stored.unpriced)])


def _gauge(
    name: str, text: str, labels: Iterable[str], samples: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _buckets(ages: Sequence[float]) -> list[tuple[str, float]]:
    """Return how many are at most as old, by age."""
    counts = [(str(limit), float(sum(age <= limit for age in ages))) for limit in _AGE_BUCKETS]
    return [*counts, ("+Inf", float(len(ages)))]
