"""PostgreSQL goes away under load, and comes back."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from tests.process.postgres import PostgreSQL
from tests.process.service import Server, seconds_until, service

OUTAGE_SECONDS = 2.0

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


@pytest.fixture(scope="module")
def server(postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("outage") / "data"
    with service(data_dir, DATABASE_URL=postgres.url(), RISK_POOL_SIZE="2") as running:
        yield running


def load(server: Server, path: str, headers: httpx.Headers, done: Event) -> list[httpx.Response]:
    """Ask again and again until told to stop."""
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as caller:
        answers = []
        while not done.is_set():
            answers.append(caller.get(path))
        return answers


def status(server: Server, path: str) -> int:
    return httpx.get(f"{server.url}{path}", timeout=30).status_code


def test_outage_gives_503_and_heals_without_a_restart(server: Server, postgres: PostgreSQL) -> None:
    with server.caller() as caller:
        headers = caller.headers
    done = Event()
    with ThreadPoolExecutor(6) as pool:
        callers = [pool.submit(load, server, path, headers, done) for path in ["/clients", "/stocks", "/users"] * 2]
        time.sleep(0.3)  # some answers while all is well
        postgres.stop()
        began = time.monotonic()
        noticed = seconds_until(lambda: status(server, "/health/ready") == 503, at_most=10)
        alive = status(server, "/health/live")
        time.sleep(max(0, OUTAGE_SECONDS - (time.monotonic() - began)))
        postgres.start()
        recovered = seconds_until(lambda: status(server, "/health/ready") == 200, at_most=20)
        healed = seconds_until(
            lambda: httpx.get(f"{server.url}/clients", headers=headers).status_code == 200, at_most=9
        )
        done.set()
        answers = [answer for caller in callers for answer in caller.result()]

    statuses = Counter(answer.status_code for answer in answers)
    _log.info("statuses: %s", dict(statuses))
    _log.info("recovery_seconds: %s", round(recovered + healed, 2))
    assert (noticed < 10, alive, recovered < 10, healed < 9) == (True, 200, True, True)
    assert statuses.keys() == {200, 503}
    refusals = [answer for answer in answers if answer.status_code == 503]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refusals)
    assert {answer.headers["Content-Type"] for answer in refusals} == {"application/problem+json"}


def test_more_requests_than_connections_all_get_an_answer(server: Server) -> None:
    with server.caller() as caller:
        headers = caller.headers

    def ask(_: int) -> int:
        return httpx.get(f"{server.url}/clients", headers=headers, timeout=40).status_code

    with ThreadPoolExecutor(200) as pool:
        statuses = Counter(pool.map(ask, range(200)))

    assert sum(statuses.values()) == 200
    assert statuses.keys() <= {200, 503}
