"""Two workers, many hands: nothing is applied twice, no update is lost, also across a crash."""

import asyncio
import logging
import os
import shutil
import signal
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.clusters import public_folder
from tests.process.service import service
from tests.server import Server

#: How long writers write; 30 for a longer run: RISK_TEST_WRITE_SECONDS=30.
SECONDS = float(os.environ.get("RISK_TEST_WRITE_SECONDS", "3"))  # noqa: TID251 - a wish of whoever runs the tests
WRITERS = 50
#: Writes before the crash, so many that it comes in the middle.
ACKNOWLEDGED = 200

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


@pytest.fixture(scope="module")
def server(migrated_cluster: Path) -> Iterator[Server]:
    with public_folder() as folder:
        data_dir = shutil.copytree(migrated_cluster, Path(folder, "data"))
        with service(data_dir, RISK_WORKERS="2") as running:
            yield running


@asynccontextmanager
async def caller(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Call as an admin, over as many connections as there are requests, so that every worker gets some."""
    token = await asyncio.to_thread(server.log_in)
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, limits=limits) as http:
        yield http


async def all_names(http: httpx.AsyncClient) -> list[str]:
    names: list[str] = []
    path = "/clients?limit=1000"
    while path:
        page = await http.get(path)
        names += [client["name"] for client in page.json()]
        path = page.links["next"]["url"] if "next" in page.links else ""
    return names


async def create(http: httpx.AsyncClient, name: str) -> httpx.Response:
    return await http.post(
        "/clients", json={"name": name}, headers={"Idempotency-Key": f"key of {name}".replace(" ", "-")}
    )


async def test_the_same_post_sent_five_times_at_once_is_applied_once(server: Server) -> None:
    names = [str(uuid4()) for _ in range(20)]
    async with caller(server) as http:
        before = await all_names(http)
        rounds = [await asyncio.gather(*(create(http, name) for _ in range(5))) for name in names]
        stored = await all_names(http)

    assert sorted(stored) == sorted(before + names)
    for answers in rounds:
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 4


async def test_what_a_crash_interrupted_is_sent_again_and_applied_once(used_dir: Path) -> None:
    names = [str(uuid4()) for _ in range(4000)]
    acknowledged: dict[str, bytes] = {}

    async def write(http: httpx.AsyncClient, part: list[str]) -> None:
        for name in part:
            try:
                response = await create(http, name)
            except httpx.TransportError:
                return
            if response.status_code == 201:
                acknowledged[name] = response.content

    with service(used_dir, RISK_WORKERS="2") as first:
        async with caller(first) as http:
            writers = [asyncio.create_task(write(http, names[number::8])) for number in range(8)]
            async with asyncio.timeout(60):
                while len(acknowledged) < ACKNOWLEDGED:  # noqa: ASYNC110 - eight writers add to it
                    await asyncio.sleep(0.005)
            first.process.send_signal(signal.SIGKILL)
            await asyncio.gather(*writers)
    assert 8 < len(acknowledged) < len(names)
    retried = names[: len(acknowledged) + 16]  # those that were acknowledged, interrupted or never sent
    with service(used_dir) as second:
        async with caller(second) as http:
            answers = {name: (await create(http, name)).content for name in {*retried, *acknowledged}}
            stored = Counter(await all_names(http))

    assert set(stored.values()) == {1}
    assert stored.keys() == answers.keys()
    assert {name: answers[name] for name in acknowledged} == acknowledged


async def test_no_update_of_fifty_writers_on_one_client_is_lost(server: Server) -> None:
    async with caller(server) as http:
        path = (await http.post("/clients", json={"name": "Ada"})).headers["Location"]
        tls = ssl.create_default_context()  # unused, and slow to make fifty times
        end = time.monotonic() + SECONDS

        async def write() -> Counter[int]:
            """Add one to the loan, again and again, as somebody does who reads first."""
            statuses: Counter[int] = Counter()
            async with httpx.AsyncClient(base_url=server.url, headers=http.headers, timeout=60, verify=tls) as own:
                while time.monotonic() < end:
                    seen = await own.get(path)
                    change = {"loan": seen.json()["loan"] + 1}
                    changed = await own.patch(path, json=change, headers={"If-Match": seen.headers["ETag"]})
                    statuses[changed.status_code] += 1
            return statuses

        statuses = sum(await asyncio.gather(*(write() for _ in range(WRITERS))), Counter())
        loan = (await http.get(path)).json()["loan"]

    _log.info("writers: %s, seconds: %s, answers: %s, lost: %s", WRITERS, SECONDS, dict(statuses), statuses[200] - loan)
    assert statuses.keys() == {200, 412}
    assert loan == statuses[200]
