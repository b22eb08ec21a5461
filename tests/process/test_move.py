"""A book moves from one service to another: export, import into an empty database, export."""

import shutil
from pathlib import Path

import httpx

from tests.process.service import logged, seconds_until, service
from tests.server import Server

KINDS = ("clients", "instruments", "positions")
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}


def exported(server: Server, form: str) -> dict[str, bytes]:
    with server.caller() as http:
        answers = {kind: http.get(f"/exports/{kind}", params={"format": form}) for kind in KINDS}
    return {kind: answer.raise_for_status().content for kind, answer in answers.items()}


def imported(http: httpx.Client, kind: str, form: str, file: bytes) -> str:
    headers = {"Content-Type": TYPES[form]}
    report = http.post("/imports", params={"kind": kind}, headers=headers, content=file).raise_for_status().json()
    return str(report["state"])


def test_another_service_exports_the_same_bytes(used_dir: Path) -> None:
    empty = {form: shutil.copytree(used_dir, used_dir.with_name(f"empty-{form}")) for form in TYPES}
    with service(used_dir, "--demo") as server:
        before = {form: exported(server, form) for form in TYPES}

    for form, files in before.items():
        with service(empty[form]) as server:
            with server.caller() as http:
                states = [imported(http, kind, form, file) for kind, file in files.items()]
                next_id = http.post("/clients", json={"name": "the next one"}).json()["id"]
                http.delete(f"/clients/{next_id}").raise_for_status()
            after = {other: exported(server, other) for other in TYPES}

        assert states == ["stored"] * 3
        assert after == before
        assert next_id > files["clients"].count(b"\n") - 1
    assert before["csv"]["positions"].count(b"\n") > 10


def test_a_reader_that_hangs_up_leaves_nothing_behind(used_dir: Path) -> None:
    clients = "id,name\n" + "".join(
        f"{number},{number:0>150}\n" for number in range(1, 50_001)
    )  # more than buffers hold
    with service(used_dir, RISK_MONITOR="false") as server, server.caller() as http:
        assert imported(http, "clients", "csv", clients.encode()) == "stored"
        for _ in range(5):
            with http.stream("GET", "/exports/clients") as answer:
                next(answer.iter_raw())
        seconds = seconds_until(lambda: http.get("/exports/clients").status_code == httpx.codes.OK, at_most=5)
        lines = http.get("/exports/clients").text.count("\n")
        log = logged(server)

    assert (seconds < 5, lines) == (True, 50_001)
    assert [line for line in log.splitlines() if "[error" in line or "Traceback" in line] == []
