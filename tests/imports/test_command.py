"""What `scripts/import` does where the service does not take a file at once."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.server import ROOT

_FIGURES = ("id", "row_count", "created", "updated", "kept", "bad_rows", "error_count", "skipped", "seconds")
REPORT = {"state": "stored", "errors": [], **dict.fromkeys(_FIGURES, 0)}


class Service(ThreadingHTTPServer):
    """Logs everybody in, and answers files with `answers`, each a status and its headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        #: Of each file: the token, the key, and when it was sent.
        self.files: list[tuple[str, str, float]] = []
        self.logins = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        if self.path == "/auth/token":
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.logins += 1
            self._answer(200, {}, {"access_token": f"token-{self.server.logins}"})
            return
        while self.rfile.readline() != b"0\r\n":
            pass  # a body in chunks
        self.rfile.readline()
        self.server.files.append((self.headers["Authorization"], self.headers["Idempotency-Key"], time.monotonic()))
        status, headers = self.server.answers[len(self.server.files) - 1]
        self._answer(status, headers, REPORT if status == 201 else {"detail": "No."})

    def _answer(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(service: Service, folder: Path, **who: str) -> subprocess.CompletedProcess[str]:
    file = folder / "clients.csv"
    file.write_text("id,name\n1,Ada\n")
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "import_file.py", "clients", file]
    return subprocess.run(
        [*command, "--url", service.url],
        env=who,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_token_that_expires_on_the_way_is_renewed(service: Service, tmp_path: Path) -> None:
    service.answers = [(503, {}), (401, {}), (201, {})]

    done = run(service, tmp_path, RISK_USERNAME="ada", RISK_PASSWORD="a password")

    assert done.returncode == 0, done.stderr
    assert [token for token, _, _ in service.files] == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert len({key for _, key, _ in service.files}) == 1


def test_who_is_refused_with_a_new_token_too_is_told(service: Service, tmp_path: Path) -> None:
    service.answers = [(401, {})] * 2

    done = run(service, tmp_path, RISK_USERNAME="ada", RISK_PASSWORD="a password")

    assert (done.returncode, done.stderr.strip()) == (3, "error: 401: No.")


def test_a_given_token_cannot_be_renewed(service: Service, tmp_path: Path) -> None:
    service.answers = [(401, {})]

    done = run(service, tmp_path, RISK_TOKEN="mine")

    assert (done.returncode, [token for token, _, _ in service.files], service.logins) == (3, ["Bearer mine"], 0)


def test_the_service_says_how_long_to_wait(service: Service, tmp_path: Path) -> None:
    service.answers = [(429, {"Retry-After": "3"}), (201, {})]

    done = run(service, tmp_path, RISK_TOKEN="mine")

    assert done.returncode == 0, done.stderr
    (_, _, first), (_, _, second) = service.files
    assert second - first >= 3


@pytest.mark.parametrize("who", [{}, {"RISK_PASSWORD": "a password"}], ids=["nothing", "no user"])
def test_where_nobody_can_be_asked_it_says_what_to_set(service: Service, tmp_path: Path, who: dict[str, str]) -> None:
    done = run(service, tmp_path, **who)

    assert done.returncode == 2
    assert done.stderr.strip().endswith("there is nobody to ask: set RISK_TOKEN, or RISK_USERNAME and RISK_PASSWORD")
    assert service.logins == 0
