"""Every operation meets every way to call it, and gives exactly the status that its row of the table says."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from tortoise.transactions import in_transaction

from app import composition
from config import Settings
from tests.contract import tokens
from tests.contract.access import ACCESS, UNDOCUMENTED, Call, Row, expected_status
from tests.contract.document import PROBLEM_JSON, Operation, operations_of
from tests.contract.world import World, build_world
from tests.fakes import FakeProvider, Rollback


@dataclass(frozen=True, slots=True)
class Cell:
    """One call and what it must give."""

    operation: Operation
    way: str
    status: int
    authorization: str | None
    world: World


@pytest.fixture
async def http(app: FastAPI, db: None) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def world(http: httpx.AsyncClient, app: FastAPI, provider: FakeProvider, settings: Settings) -> World:
    assert settings.secret_key is not None
    return await build_world(http, app, provider, settings.secret_key.get_secret_value())


def test_every_operation_is_in_the_access_table(app: FastAPI) -> None:
    documented = {operation.id for operation in operations_of(app.openapi())}

    assert documented - ACCESS.keys() == set(), "say in tests/contract/access.py who may call these"
    assert ACCESS.keys() - documented == set(), "these are gone"


def test_a_route_that_the_document_does_not_list_is_known(app: FastAPI) -> None:
    routes = [*app.routes, *(route for module in composition._ROUTERS for route in module.router.routes)]

    hidden = {
        getattr(route, "path", "")
        for route in routes
        if hasattr(route, "path") and not getattr(route, "include_in_schema", False)
    }

    assert hidden == UNDOCUMENTED


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs", "/docs/assets/swagger-ui.css", "/metrics"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer not.a.token"}])
async def test_a_route_that_the_document_does_not_list_is_open(
    app: FastAPI, path: str, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get(path, headers=headers)).status_code in {200, 307}


async def test_a_token_made_by_hand_with_every_claim_is_good(http: httpx.AsyncClient, world: World) -> None:
    good = world.good[Call.ADMIN].removeprefix("Bearer ")
    by_hand = tokens.hs256(tokens.claims_of(good), b"0123456789abcdef0123456789abcdef")

    # So what the table's forged tokens are refused for is their fault, not a slip in how they are made.
    assert (await http.get("/auth/me", headers={"Authorization": f"Bearer {by_hand}"})).status_code == 200


async def test_every_operation_meets_every_attack(
    http: httpx.AsyncClient, app: FastAPI, world: World, record_testsuite_property: Callable[[str, object], None]
) -> None:
    known = [operation for operation in operations_of(app.openapi()) if operation.id in ACCESS]
    cells = [cell for operation in known for cell in _cells(operation, world)]

    faults = [fault for cell in cells for fault in await _faults(cell, http)]

    record_testsuite_property("access_cells", len(cells))
    print(f"access table: {len(known)} operations, {len(cells)} cells, {len(faults)} unexpected")  # noqa: T201
    assert faults == []


def _cells(operation: Operation, world: World) -> Iterator[Cell]:
    """Yield the cells of one operation."""
    row = ACCESS[operation.id]
    for way, authorization in world.bad.items():
        yield Cell(operation, way, expected_status(operation, row, None), authorization, world)
    for call, authorization in world.good.items():
        if call is not Call.OTHER_CLIENT:
            yield Cell(operation, call.value, expected_status(operation, row, call), authorization, world)
        elif operation.parameters("path") & {"clientId", "callId"}:
            status = expected_status(operation, row, call)
            yield Cell(operation, call.value, status, authorization, world.of_other_client())


async def _faults(cell: Cell, http: httpx.AsyncClient) -> list[str]:
    """Call, undo what the call stored, and return what is wrong with the answer."""
    response = None
    with suppress(Rollback):
        async with in_transaction():
            response = await _call(cell, http)
            raise Rollback
    assert response is not None
    faults = [f"{response.status_code} instead of {cell.status}"] if response.status_code != cell.status else []
    if response.status_code not in cell.operation.statuses:
        faults.append(f"{response.status_code} is not documented")
    if response.status_code >= 400 and response.headers.get("content-type") != PROBLEM_JSON:
        faults.append("the error is no problem document")
    if response.status_code == 401 and response.headers.get("www-authenticate") != "Bearer":
        faults.append("no WWW-Authenticate")
    return [f"{cell.operation.id}, {cell.way}: {fault}" for fault in faults]


async def _call(cell: Cell, http: httpx.AsyncClient) -> httpx.Response:
    """Send the request that the document shows as an example."""
    operation, world = cell.operation, cell.world
    row: Row = ACCESS[operation.id]
    names = {name: row.path.get(name, name) for name in operation.parameters("path")}
    unknown = set(names.values()) - world.paths.keys()
    assert not unknown, f"{operation.id}: give {unknown} a value in tests/contract/world.py"
    path = operation.path.format_map({name: world.paths[value] for name, value in names.items()})
    headers = {} if cell.authorization is None else {"Authorization": cell.authorization}
    body = operation.body()
    content = world.bodies.get(operation.id, body.example) if body else None
    media_type = None if body is None else body.media_type
    return await http.request(
        operation.method,
        path,
        params={**operation.required_query(), **row.query},
        headers=headers | ({"Content-Type": media_type} if media_type == "text/csv" else {}),
        json=content if media_type == "application/json" else None,
        data=content if media_type == "application/x-www-form-urlencoded" else None,
        content=content if media_type == "text/csv" else None,
    )
