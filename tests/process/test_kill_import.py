"""`kill -9` in the middle of an import, and the command line that imports."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.process.service import environment, seconds_until, service
from tests.server import ADMIN, PASSWORD, ROOT, Server

CLIENTS = 4000
EACH = 25
KEY = {"Idempotency-Key": "moving-in", "Content-Type": "text/csv"}
POSITIONS = {"kind": "positions"}


def positions() -> str:
    rows = (f"{client},S{symbol},{symbol + 1},1" for client in range(1, CLIENTS + 1) for symbol in range(EACH))
    return "\n".join(["clientId,symbol,quantity,cost_basis", *rows])


def import_clients(server: Server) -> None:
    with server.caller() as http:
        file = "\n".join(["id,name", *(f"{number},Client {number}" for number in range(1, CLIENTS + 1))])
        http.post("/imports", params={"kind": "clients"}, headers=KEY | {"Idempotency-Key": "1"}, content=file)


def exported(server: Server) -> list[str]:
    with server.caller() as http:
        return http.get("/exports/positions").text.splitlines()[1:]


def send_until_killed(server: Server, headers: dict[str, str]) -> None:
    with suppress(httpx.TransportError):
        httpx.post(f"{server.url}/imports", params=POSITIONS, headers=headers, content=positions(), timeout=60)


def reports(server: Server) -> list[dict[str, object]]:
    with server.caller() as http:
        listed: list[dict[str, object]] = http.get("/imports").json()
        return [report for report in listed if report["kind"] == "positions"]


@pytest.mark.parametrize("after_seconds", [0.3, 0.8])
def test_a_kill_in_the_middle_leaves_nothing_and_the_same_key_completes_it_once(
    used_dir: Path, after_seconds: float
) -> None:
    with service(used_dir) as server:
        import_clients(server)
        headers = KEY | {"Authorization": f"Bearer {server.log_in()}"}
        sender = threading.Thread(target=send_until_killed, args=(server, headers))
        sender.start()
        sender.join(after_seconds)
        is_running = sender.is_alive()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        sender.join()

    with service(used_dir) as server:
        left = exported(server)
        before = reports(server)
        with server.caller() as http:
            answers = [
                http.post("/imports", params=POSITIONS, headers=KEY, content=positions(), timeout=60) for _ in range(2)
            ]
        stored = exported(server)
        after = reports(server)

    assert is_running
    assert (left, before) == ([], [])
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert "Idempotent-Replayed" in answers[1].headers
    assert len(stored) == len(set(stored)) == CLIENTS * EACH
    assert len(after) == 1


def test_five_at_once_with_one_key_import_once(used_dir: Path) -> None:
    with service(used_dir, RISK_WORKERS="2") as server:
        import_clients(server)
        headers = KEY | {"Authorization": f"Bearer {server.log_in()}"}
        url, file = f"{server.url}/imports", positions()
        with ThreadPoolExecutor(5) as pool:
            sent = [
                pool.submit(httpx.post, url, params=POSITIONS, headers=headers, content=file, timeout=60)
                for _ in range(5)
            ]
        answers = [one.result() for one in sent]
        listed = reports(server)

    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.text for answer in answers}) == len(listed) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 4


def test_an_import_opens_the_calls_of_the_clients_that_it_leaves_short(used_dir: Path) -> None:
    with service(used_dir) as server, server.caller() as http:
        import_clients(server)
        loans = "id,loan\n7,100\n"  # and nothing that covers it
        http.post("/imports", params={"kind": "clients"}, headers=KEY, content=loans).raise_for_status()
        seconds_until(lambda: bool(http.get("/margin-calls").json()), at_most=20)
        calls = http.get("/margin-calls").json()

    assert [(call["clientId"], call["amount"]) for call in calls] == [(7, 100.0)]


def test_the_book_of_every_worker_has_what_was_imported(used_dir: Path) -> None:
    with service(used_dir, RISK_WORKERS="2") as server, server.caller() as http:
        clients = [http.get("/margin").json()["clients"] for _ in range(8)]  # each worker has loaded its book
        import_clients(server)
        seen = [http.get("/margin").json()["clients"] for _ in range(8)]

    assert (set(clients), set(seen)) == ({0}, {CLIENTS})


def run(server: Server, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "import_file.py", *arguments, "--url", server.url]
    user = {"RISK_USERNAME": ADMIN, "RISK_PASSWORD": PASSWORD}
    return subprocess.run(
        command, env=environment(ROOT / "unused", **(user | settings)), capture_output=True, text=True, check=False
    )


def test_the_command_line_imports_and_says_what_became_of_a_file(used_dir: Path, tmp_path: Path) -> None:
    clients, held = tmp_path / "clients.jsonl", tmp_path / "positions.csv"
    clients.write_text('{"id":1,"name":"Ada"}\n')
    held.write_text("clientId,symbol,quantity,cost_basis\n1,AAPL,1,1\n1,MSFT,x,1\n")
    with service(used_dir) as server:
        stored = run(server, "clients", clients)
        refused = run(server, "positions", held)
        partly = run(server, "positions", held, "--good-rows")
        wrong = run(server, "instruments", held)
        denied = run(server, "clients", clients, RISK_PASSWORD="wrong")
        rows = exported(server)

    assert (stored.returncode, "Stored (import 1): 1 rows; 1 new" in stored.stdout) == (0, True)
    assert (refused.returncode, "line 3, quantity: must be a number ('x')" in refused.stdout) == (1, True)
    assert "nothing is stored" in refused.stdout
    assert (partly.returncode, "1 new, 0 changed, 0 kept as they were, 1 bad" in partly.stdout) == (1, True)
    assert (wrong.returncode, wrong.stderr.startswith("error: 422: Unknown columns: clientId")) == (2, True)
    assert denied.returncode == 3
    assert rows == ["1,AAPL,1,1"]
