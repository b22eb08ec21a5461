"""The service as a process of its own, for tests that look at it from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
ADMIN = "admin"
PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef0123456789abcdef"

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Server:
    """A running service."""

    url: str
    process: subprocess.Popen[bytes]
    #: What it writes: logs, and a reason if it does not start.
    log: Path = field(repr=False)

    def log_in(self, username: str = ADMIN, password: str = PASSWORD) -> str:
        """Return an access token."""
        form = {"grant_type": "password", "username": username, "password": password}
        response = httpx.post(f"{self.url}/auth/token", data=form, timeout=10)
        response.raise_for_status()
        token: str = response.json()["access_token"]
        return token

    def caller(self, username: str = ADMIN, password: str = PASSWORD) -> httpx.Client:
        """Return an HTTP client that calls as a user; a context manager."""
        headers = {"Authorization": f"Bearer {self.log_in(username, password)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)


@contextmanager
def running_server(folder: Path, environment: dict[str, str], *, seconds: float = 120) -> Iterator[Server]:
    """
    Run `python main.py` until the block ends.

    Args:
        folder: for its data directory (unless `environment` names one) and its log.
        environment: settings by name, and what else it shall find (`Standin.environment`); `DATABASE_URL` unset makes
            it start its own PostgreSQL.
        seconds: how long it may take until `/health/ready` answers 200.
    """
    port = free_port()
    settings = {
        "RISK_DATA_DIR": str(folder / "data"),
        "RISK_PORT": str(port),
        "RISK_SECRET_KEY": SECRET,
        "RISK_ADMIN_PASSWORD": PASSWORD,
        "RISK_LOG_FORMAT": "json",
    }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}  # noqa: TID251 - for another process
    log = folder / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "main.py"]
        environment = kept | settings | environment
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    server = Server(url=f"http://127.0.0.1:{environment['RISK_PORT']}", process=process, log=log)
    try:
        wait_until_ready(server, seconds=seconds)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(server: Server, *, seconds: float) -> None:
    """Return when the server answers; fail with its log if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/health/ready", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server did not get ready:\n{server.log.read_text()[-4000:]}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
