"""A polite end: SIGTERM, SIGINT, with callers still connected."""

import logging
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.process.service import Server, logged, processes_of, seconds_until, service

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info

KEEP_ALIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_A_REQUEST = b"""POST /auth/token HTTP/1.1\r
Host: x\r
Content-Type: application/x-www-form-urlencoded\r
Content-Length: 1000\r
\r
grant_type="""


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10)


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, "1"), (signal.SIGTERM, "2"), (signal.SIGINT, "1")], ids=str
)
def test_service_ends_soon_whoever_is_connected(used_dir: Path, number: signal.Signals, workers: str) -> None:
    with service(used_dir, RISK_WORKERS=workers) as server, connect(server) as idle, connect(server) as busy:
        idle.sendall(KEEP_ALIVE)
        assert b"200 OK" in idle.recv(4096)
        busy.sendall(HALF_A_REQUEST)
        assert seconds_until(lambda: logged(server).count("startup complete") == int(workers), at_most=60) < 60
        begin = time.monotonic()
        server.process.send_signal(number)
        code = server.process.wait(20)
        seconds = time.monotonic() - begin

    assert code == 0
    _log.info("stopped after %.2f s", seconds)
    assert seconds < 10  # 5 are promised; a busy machine may take longer
    assert processes_of(used_dir) == []
