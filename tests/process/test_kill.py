"""`kill -9` in the middle of writing."""

import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.process.service import is_free, processes_of, seconds_until, service
from tests.server import Server

WRITERS = 4

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


def write_until_it_fails(server: Server, number: int, headers: httpx.Headers, enough: Event) -> list[str]:
    """Store clients one after the other; return the names whose storing was acknowledged."""
    acknowledged: list[str] = []
    with httpx.Client(base_url=server.url, headers=headers, timeout=10) as caller:
        while True:
            name = f"writer {number} client {len(acknowledged)}"
            try:
                response = caller.post("/clients", json={"name": name})
            except httpx.TransportError:
                return acknowledged
            if response.status_code == 201:
                acknowledged.append(name)
            if len(acknowledged) >= 25:
                enough.set()


def stored_names(server: Server) -> list[str]:
    names: list[str] = []
    with server.caller() as caller:
        after = 0
        while page := caller.get("/clients", params={"limit": 1000, "after": after}).json():
            names += [client["name"] for client in page]
            after = page[-1]["id"]
    return names


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_kill_leaves_no_process_no_port_and_every_acknowledged_write(used_dir: Path, workers: str) -> None:
    with service(used_dir, RISK_WORKERS=workers) as server, ThreadPoolExecutor(WRITERS) as pool:
        with server.caller() as caller:
            headers = caller.headers
        enough = Event()
        writers = [pool.submit(write_until_it_fails, server, number, headers, enough) for number in range(WRITERS)]
        enough.wait(30)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        seconds = seconds_until(lambda: is_free(server) and not processes_of(used_dir), at_most=5)
        left = processes_of(used_dir)
        acknowledged = {name for writer in writers for name in writer.result()}

    assert (seconds < 5, left) == (True, [])
    assert len(acknowledged) >= 25
    with service(used_dir) as server:
        stored = stored_names(server)
    _log.info("acknowledged: %s", len(acknowledged))
    _log.info("gone_after_seconds: %s", round(seconds, 2))
    assert acknowledged <= set(stored)
    assert len(stored) <= len(acknowledged) + WRITERS  # each writer had one more under way at most
