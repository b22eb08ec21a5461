"""How files are sent: compressed, too large, again under the same key; and what is left of them."""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.models import AuditEntry, BookChange, Import, Role
from config import Settings
from tests.conftest import LoginAs
from tests.imports.sending import CSV, client, counts, holdings, send

HEADER = "clientId,symbol,quantity,cost_basis\n"
POSITIONS = {"kind": "positions"}


@pytest.fixture
def limit(app: FastAPI) -> Iterator[Callable[[int], None]]:
    """Set how large a file may be, once decompressed."""
    settings: Settings = app.state.settings

    def set_limit(size: int) -> None:
        app.state.settings = settings.model_copy(update={"import_max_bytes": size})

    yield set_limit
    app.state.settings = settings


async def test_a_compressed_file_is_the_same_file(risk: AsyncClient) -> None:
    ada = await client(risk)
    file = f"{HEADER}{ada},AAPL,1,1\n".encode()
    parts = gzip.compress(file[:20]) + gzip.compress(file[20:])  # as `cat a.gz b.gz` makes it

    report = await send(risk, "positions", parts, CSV | {"Content-Encoding": "gzip"})

    assert counts(report) == ("stored", 1, 0, 0, 0)
    assert report["size_bytes"] == len(file)


async def test_a_bomb_is_refused(risk: AsyncClient, limit: Callable[[int], None]) -> None:
    limit(2_000_000)
    bomb = gzip.compress(b"0\n" * 50_000_000)  # 100 MB of 100 kB

    response = await risk.post("/imports", params=POSITIONS, content=bomb, headers=CSV | {"Content-Encoding": "gzip"})

    assert (response.status_code, response.json()["type"]) == (413, "urn:problem:too-large")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"not gzip", {"Content-Encoding": "gzip"}, 422),
        (gzip.compress(b"clientId,symbol" * 100, mtime=0)[:-9], {"Content-Encoding": "gzip"}, 422),
        (gzip.compress(b"", mtime=0) * 20_001, {"Content-Encoding": "gzip"}, 422),
        (b"a", {"Content-Encoding": "br"}, 422),
        (b"a", {"Content-Type": "application/json"}, 422),
        (b"x" * (5 << 20), {}, 422),  # a line without an end
        ((b"," * 60_000 + b"\n") * 100, {}, 422),  # six million cells
        (b'"\n",' * 1_500_000, {}, 422),  # a row without an end
        (json.dumps(dict.fromkeys(map(str, range(1001)), 0)).encode(), {"Content-Type": "application/jsonl"}, 422),
        ("clientId;Währung\n".encode("latin-1"), {}, 422),
        ("clientId,symbol\n".encode("utf-16"), {}, 422),
        (b'{"\\ud800": 1}\n', {"Content-Type": "application/jsonl"}, 422),
    ],
)
async def test_a_body_that_is_no_file_is_refused(
    risk: AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = await risk.post("/imports", params=POSITIONS, content=content, headers=CSV | headers)

    assert response.status_code == status
    assert (await risk.get("/imports")).json() == []


async def test_the_same_key_imports_once(risk: AsyncClient) -> None:
    ada = await client(risk)
    keyed = CSV | {"Idempotency-Key": "one"}
    file = f"{HEADER}{ada},AAPL,1,1\n"
    first = await risk.post("/imports", params=POSITIONS, content=file, headers=keyed)
    await risk.put(f"/positions/{ada}/AAPL", json={"quantity": 5, "cost_basis": 1})

    again = await risk.post(
        "/imports",
        params=POSITIONS,
        content=gzip.compress(file.encode()),
        headers=keyed | {"Content-Encoding": "gzip"},
    )

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == f"/imports/{first.json()['id']}"
    assert (await holdings(risk, ada))[0]["quantity"] == 5
    assert len((await risk.get("/imports")).json()) == 1


@pytest.mark.parametrize("change", ["content", "parameters"])
async def test_the_same_key_is_not_for_something_else(risk: AsyncClient, change: str) -> None:
    ada = await client(risk)
    keyed = CSV | {"Idempotency-Key": "one"}
    file = f"{HEADER}{ada},AAPL,1,1\n"
    (await risk.post("/imports", params=POSITIONS, content=file, headers=keyed)).raise_for_status()

    parameters = POSITIONS | ({"mode": "good"} if change == "parameters" else {})
    content = f"{file}\n" if change == "content" else file
    response = await risk.post("/imports", params=parameters, content=content, headers=keyed)

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


async def test_an_import_is_one_entry_of_the_audit_trail_and_one_change_of_the_book(risk: AsyncClient) -> None:
    ada = await client(risk)
    entries, changes = await AuditEntry.all().count(), await BookChange.all().count()

    report = await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n{ada},MSFT,1,1\n")

    entry = await AuditEntry.all().order_by("-id").first()
    assert entry is not None
    assert (entry.action, entry.entity, entry.entity_id) == ("import", "position", None)
    figures = {"import": report["id"], "rows": 2, "created": 2, "updated": 0, "sha256": report["sha256"]}
    assert entry.after == figures
    change = await BookChange.all().order_by("-id").first()
    assert change is not None
    assert change.client_ids == [ada]
    assert (await AuditEntry.all().count(), await BookChange.all().count()) == (entries + 1, changes + 1)


async def test_what_changes_nothing_is_no_change(risk: AsyncClient) -> None:
    ada = await client(risk)
    await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n")
    entries, changes = await AuditEntry.all().count(), await BookChange.all().count()

    await send(risk, "positions", f"{HEADER}{ada},AAPL,1,1\n")
    await send(risk, "positions", f"{HEADER}{ada},AAPL,2,x\n")
    await send(risk, "positions", f"{HEADER}{ada},AAPL,2,1\n", dry_run="true")

    assert (await AuditEntry.all().count(), await BookChange.all().count()) == (entries, changes)


async def test_reports_are_listed_without_their_errors(risk: AsyncClient) -> None:
    first = await send(risk, "positions", f"{HEADER}x,AAPL,1,1\n")
    await send(risk, "positions", HEADER)

    page = await risk.get("/imports", params={"limit": 1})

    assert page.json() == [{name: value for name, value in first.items() if name != "errors"}]
    assert f"after={first['id']}" in page.headers["Link"]
    assert (await risk.get("/imports/999999999")).status_code == 404


async def test_a_report_is_kept_for_ninety_days(risk: AsyncClient) -> None:
    ids = [(await send(risk, "positions", HEADER))["id"] for _ in range(2)]
    for report, days in zip(ids, (91, 89), strict=True):
        await Import.filter(id=report).update(at=datetime.now(UTC) - timedelta(days=days))

    newest = await send(risk, "positions", HEADER)

    assert [report["id"] for report in (await risk.get("/imports")).json()] == [ids[1], newest["id"]]


async def test_a_report_lists_the_first_ten_thousand_errors_and_counts_all(risk: AsyncClient) -> None:
    report = await send(risk, "positions", HEADER + "x,AAPL,1,1\n" * 10_001)

    assert (report["error_count"], report["bad_rows"], len(report["errors"])) == (10_001, 10_001, 10_000)
    assert report["errors"][-1]["line"] == 10_001


async def test_clients_import_and_export_nothing(login_as: LoginAs, risk: AsyncClient) -> None:
    own = await login_as(Role.CLIENT, client_id=await client(risk))

    assert (await own.post("/imports", params=POSITIONS, content=HEADER, headers=CSV)).status_code == 403
    assert (await own.get("/exports/clients")).status_code == 403


async def test_one_of_our_columns_cannot_be_two_of_theirs(risk: AsyncClient) -> None:
    parameters = {"kind": "positions", "column": ["symbol:Ticker", "symbol:Symbol"]}

    response = await risk.post("/imports", params=parameters, content=b"a", headers=CSV)

    assert response.status_code == 422
    assert response.json()["errors"] == [{"loc": ["query", "column"], "msg": "names one of our columns twice"}]
